// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include "pumice/pumice.h"

#include "compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pumice::differential {

namespace {

Dims reversed(const Dims& dims) {
    Dims out;
    for (std::int64_t i = dims.count() - 1; i >= 0; --i) {
        out.push_back(dims[i]);
    }
    return out;
}

// Values of an array whose memory has the dimensions in reversed order, as that memory has them.
std::vector<double> in_memory_order(const Dims& sizes, std::vector<double> values) {
    const HostArray array{.storage = std::make_shared<std::vector<double>>(std::move(values)),
                          .sizes = reversed(sizes),
                          .strides = reversed(row_major(sizes)),
                          .offset = 0,
                          .dtype = kFloat32};
    return array.values();
}

}  // namespace

Tensor make_tensor(const Input& input, std::uint64_t run, bool is_tracked) {
    std::vector<double> values = input.values_of(run);
    Dims sizes = input.sizes;
    Dims order;
    if (input.is_transposed) {
        values = in_memory_order(sizes, std::move(values));
        sizes = reversed(sizes);
        for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
            order.push_back(i);
        }
    }
    Tensor tensor = from_values(std::span<const double>(values), sizes, input.dtype);
    if (is_tracked && tensor.is_floating_point()) {
        tensor = clone(tensor.set_requires_grad(true));
    }
    return input.is_transposed ? permute(tensor, order) : tensor;
}

Machine::Value& Machine::at(std::size_t number) {
    if (values_.size() <= number) {
        values_.resize(number + 1);
    }
    return values_[number];
}

void Machine::add(const Input& input) {
    Value& value = at(input.number);
    value.tensor = make_tensor(input, 0);
    value.array = make_array(input.sizes, input.dtype, input.values_of(0));
    if (input.is_transposed) {
        *value.array.storage = in_memory_order(input.sizes, *value.array.storage);
        value.array.strides = reversed(row_major(reversed(input.sizes)));
    }
}

namespace {

bool is_same_geometry(const Tensor& tensor, const HostArray& array) {
    if (tensor.sizes() != array.sizes || tensor.dtype() != array.dtype) {
        return false;
    }
    for (std::int64_t i = 0; array.numel() > 0 && i < array.sizes.count(); ++i) {
        if (array.sizes[i] > 1 && tensor.strides()[i] != array.strides[i]) {
            return false;
        }
    }
    return array.numel() == 0 || tensor.storage_offset() == array.offset;
}

void check_geometry(const Step& step, const Tensor& tensor, const HostArray& array) {
    if (!is_same_geometry(tensor, array)) {
        throw Finding(fmt::format(
            "{}: the result is {} {} with strides {} at {}; wanted {} {} with strides {} at {}",
            step.row->name,
            to_string(tensor.dtype()),
            to_string(tensor.sizes()),
            to_string(tensor.strides()),
            tensor.storage_offset(),
            to_string(array.dtype),
            to_string(array.sizes),
            to_string(array.strides),
            array.offset));
    }
}

Flat flat_of(const HostArray& array) {
    return {.sizes = array.sizes, .dtype = array.dtype, .values = array.values()};
}

}  // namespace

void Machine::keep_result(const Step& step, Tensor result, const std::vector<Flat>& flats) {
    HostArray array;
    if (step.row->view) {
        array = step.row->view(at(step.operands[0]).array, step);
        check_geometry(step, result, array);
    } else {
        const std::vector<Expected> wanted = compute(step, flats);
        array = make_array(wanted[0].sizes, wanted[0].dtype, {});
        check_geometry(step, result, array);
        *array.storage = result.to_vector<double>();
        check_values(step, wanted, flats, 0, *array.storage);
    }
    at(step.result) = {.tensor = std::move(result), .array = std::move(array)};
}

void Machine::run(const Step& step) {
    std::vector<Flat> flats;
    std::vector<Tensor> tensors;
    for (const std::size_t operand : step.operands) {
        tensors.push_back(at(operand).tensor);
        flats.push_back(step.row->view ? Flat{} : flat_of(at(operand).array));
    }
    Tensor result = step.row->call(tensors, step);
    if (step.row->makes_result) {
        keep_result(step, std::move(result), flats);
    }
    for (std::size_t i = 0; i < step.row->writes.size(); ++i) {
        const std::size_t operand = step.row->writes[i];
        if (operand >= step.operands.size()) {
            continue;  // an optional one that is not there
        }
        const Value& written = at(step.operands[operand]);
        const std::vector<double> got = written.tensor.to_vector<double>();
        check_values(step, compute(step, flats), flats, i + (step.row->makes_result ? 1 : 0), got);
        written.array.assign(got);
    }
}

void Machine::check_state() const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
        if (!values_[i].tensor.defined()) {
            continue;
        }
        const std::vector<double> got = values_[i].tensor.to_vector<double>();
        const std::vector<double> wanted = values_[i].array.values();
        for (std::size_t k = 0; k < got.size(); ++k) {
            if (!is_same_value(got[k], wanted[k])) {
                throw Finding(fmt::format("after the program, element {} of v{} is {}; wanted {}",
                                          k,
                                          i,
                                          to_text(got[k]),
                                          to_text(wanted[k])));
            }
        }
    }
}

std::string kind_of(const Error& error) {
    const auto is = [&error](auto* kind) {
        return dynamic_cast<std::remove_pointer_t<decltype(kind)>*>(&error) != nullptr;
    };
    if (is(static_cast<const ShapeError*>(nullptr))) {
        return "ShapeError";
    }
    if (is(static_cast<const DTypeError*>(nullptr))) {
        return "DTypeError";
    }
    if (is(static_cast<const ArgumentError*>(nullptr))) {
        return "ArgumentError";
    }
    if (is(static_cast<const GradModeError*>(nullptr))) {
        return "GradModeError";
    }
    if (is(static_cast<const UnsupportedError*>(nullptr))) {
        return "UnsupportedError";
    }
    if (is(static_cast<const OutOfMemoryError*>(nullptr))) {
        return "OutOfMemoryError";
    }
    if (is(static_cast<const DeviceError*>(nullptr))) {
        return "DeviceError";
    }
    return is(static_cast<const FileError*>(nullptr)) ? "FileError" : "InternalError";
}

void check_legal(const Error& error) {
    const std::string kind = kind_of(error);
    if (kind == "InternalError" || kind == "DeviceError" || kind == "OutOfMemoryError") {
        throw Finding(kind + ": " + error.what());
    }
}

}  // namespace pumice::differential
