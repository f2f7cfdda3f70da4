// SPDX-License-Identifier: Apache-2.0
// cat, and stack by way of it.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "vk/kernels/index_cat.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

// What one kernel joins; longer lists are joined in rounds.
constexpr std::size_t kMostInputs = 7;

struct CatAttrs {
    std::int64_t dim;  ///< not negative
};

// The public function has made the tensors fit one another.
void infer_cat(const OpCall& call, Inferred& inferred) {
    const auto dim = call.attrs_as<CatAttrs>().dim;
    Dims sizes = impl_of(call.inputs[0]).sizes;
    for (const Tensor& input : call.inputs.subspan(1)) {
        sizes[dim] += impl_of(input).sizes[dim];
    }
    inferred.emplace_back(dispatch::contiguous_meta(sizes, impl_of(call.inputs[0]).dtype));
}

// Elements between the starts of x's blocks [dim, ...], if each block lies without a gap and the
// blocks lie at one distance.
std::optional<std::int64_t> row_stride(const TensorImpl& x, std::int64_t dim) noexcept {
    std::int64_t block = 1;
    std::int64_t d = x.sizes.count() - 1;
    for (; d >= dim; --d) {
        if (x.sizes[d] != 1 && x.strides[d] != block) {
            return std::nullopt;
        }
        block *= x.sizes[d];
    }
    std::optional<std::int64_t> stride;
    std::int64_t next = 0;
    for (; d >= 0; --d) {
        if (x.sizes[d] == 1) {
            continue;
        }
        if (stride && x.strides[d] != next) {
            return std::nullopt;
        }
        stride = stride.value_or(x.strides[d]);
        next = x.strides[d] * x.sizes[d];
    }
    return stride.value_or(block);
}

// The output as rows, in which each input has a part of its own.
struct Rows {
    std::int64_t count = 1;
    std::int64_t inner = 1;  ///< elements of a row for each position along the dimension
};

Rows rows_of(const TensorImpl& out, std::int64_t dim) noexcept {
    Rows rows;
    for (std::int64_t d = 0; d < out.sizes.count(); ++d) {
        if (d != dim) {
            (d < dim ? rows.count : rows.inner) *= out.sizes[d];
        }
    }
    return rows;
}

// Joins the inputs' elements that lie in a run of each row: all of the row, or of a single one.
void add_step(const OpCall& call,
              const Tensor& output,
              const Rows& rows,
              const dispatch::Run& run,
              const vk::Capabilities& caps,
              Program& program) {
    const auto dim = call.attrs_as<CatAttrs>().dim;
    const auto window = [&rows](dispatch::Operand operand, std::int64_t first, std::int64_t count) {
        return rows.count == 1 ? dispatch::window_of(operand, first, count) : operand;
    };
    const DType dtype = impl_of(output).dtype;
    const std::int64_t element_count = rows.count * run.count;
    vk::IndexCatPush push{.end = {},
                          .row_stride = {},
                          .offset = {},
                          .row_elements = static_cast<std::uint32_t>(run.count),
                          .element_count = static_cast<std::uint32_t>(element_count)};
    Step& step = program.steps.emplace_back();
    std::size_t used = 0;
    std::int64_t start = -run.first;  // of an input, counted from the run's first element
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        const TensorImpl& x = impl_of(call.inputs[i]);
        const std::int64_t length = x.sizes[dim] * rows.inner;
        const std::int64_t first = std::max<std::int64_t>(-start, 0);
        const std::int64_t end = std::min(length, run.count - start);
        if (first < end) {
            step.bindings.push_back(window(dispatch::input(i), first, end - first));
            push.end[used] = static_cast<std::uint32_t>(start + end);
            push.row_stride[used] = static_cast<std::uint32_t>(row_stride(x, dim).value_or(0));
            push.offset[used] = dispatch::bound_offset(x, caps, first);
            ++used;
        }
        start += length;
    }
    while (step.bindings.size() < kMostInputs) {
        step.bindings.push_back(step.bindings[0]);
    }
    step.bindings.push_back(window(dispatch::output(), run.first, run.count));
    const std::uint32_t local_size = launch_flat(step, word_count(element_count, dtype), caps);
    step.set(vk::IndexCatSpec{.local_size = local_size,
                              .dtype = dtype,
                              .input_count = static_cast<std::uint32_t>(used)},
             push);
    step.work = static_cast<std::uint64_t>(element_count) * 4;
}

void select_cat(const OpCall& call,
                std::span<const Tensor> outputs,
                const vk::Capabilities& caps,
                Program& program) {
    const TensorImpl& out = impl_of(outputs[0]);
    const Rows rows = rows_of(out, call.attrs_as<CatAttrs>().dim);
    const auto add = [&](const dispatch::Run& run) {
        add_step(call, outputs[0], rows, run, caps, program);
    };
    if (rows.count == 1) {
        dispatch::for_each_run(out.numel, out.dtype, caps, add);
    } else {
        add({.first = 0, .count = out.numel / rows.count});
    }
}

std::int64_t window_of_cat(const OpCall& call,
                           std::size_t /*input*/,
                           std::int64_t /*output_rank*/,
                           std::int64_t dim) noexcept {
    return dim == call.attrs_as<CatAttrs>().dim ? dispatch::kUncut : dim;
}

void backward_cat(BackwardCall& call) {
    const auto dim = call.attrs_as<CatAttrs>().dim;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < call.input_count(); ++i) {
        const std::int64_t length = call.input_sizes(i)[dim];
        if (call.needs(i)) {
            call.set(i, narrow(call.grad(), dim, start, length));
        }
        start += length;
    }
}

}  // namespace

constexpr OpDef kCat{.name = "cat",
                     .inputs = {{{"tensors", Grad::kFormula}}},
                     .is_variadic = true,
                     .infer = infer_cat,
                     .select = select_cat,
                     .window = window_of_cat,
                     .backward = backward_cat};
static_assert(well_formed(kCat));

namespace {

// Old rule of PyTorch: an empty one-dimensional tensor goes with any shape.
bool is_legacy_empty(const Tensor& tensor) noexcept {
    return impl_of(tensor).sizes.count() == 1 && impl_of(tensor).numel == 0;
}

// The tensors that take part, of one dtype and as the kernel reads them.
std::vector<Tensor> prepare(const std::vector<Tensor>& tensors, std::int64_t dim, DType dtype) {
    std::vector<Tensor> prepared;
    prepared.reserve(tensors.size());
    for (const Tensor& tensor : tensors) {
        Tensor x = to(tensor, dtype);
        prepared.push_back(row_stride(impl_of(x), dim) ? x : contiguous(x));
    }
    return prepared;
}

Tensor join(std::span<Tensor> tensors, std::int64_t dim) {
    return dispatch::call(kCat, tensors, CatAttrs{dim});
}

// Rounds of at most kMostInputs, over and over until one is left.
Tensor join_all(std::vector<Tensor> tensors, std::int64_t dim) {
    while (tensors.size() > kMostInputs) {
        std::vector<Tensor> joined;
        for (std::size_t first = 0; first < tensors.size(); first += kMostInputs) {
            const std::size_t count = std::min(kMostInputs, tensors.size() - first);
            const std::span<Tensor> window(tensors.data() + first, count);
            joined.push_back(count == 1 ? window[0] : join(window, dim));
        }
        tensors = std::move(joined);
    }
    return join(tensors, dim);
}

void check_fits(const Tensor& tensor, std::size_t position, const Tensor& first, std::int64_t dim) {
    const Dims& got = impl_of(tensor).sizes;
    const Dims& wanted = impl_of(first).sizes;
    bool fits = got.count() == wanted.count();
    for (std::int64_t d = 0; fits && d < wanted.count(); ++d) {
        fits = d == dim || got[d] == wanted[d];
    }
    if (!fits) {
        throw ShapeError("cat",
                         fmt::format("tensors must have one shape but for dim {}; got {} at "
                                     "position {}, wanted {} but for that dim",
                                     dim,
                                     to_string(got),
                                     position,
                                     to_string(wanted)));
    }
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim) try {
    if (tensors.empty()) {
        throw ArgumentError("cat", "tensors must not be empty");
    }
    for (const Tensor& tensor : tensors) {
        checked_impl(tensor, "cat");
    }
    const auto is_shaped = [](const Tensor& tensor) { return !ops::is_legacy_empty(tensor); };
    const auto found = std::find_if(tensors.begin(), tensors.end(), is_shaped);
    const Tensor& first = found == tensors.end() ? tensors[0] : *found;
    if (impl_of(first).sizes.empty()) {
        throw ShapeError("cat", "zero-dimensional tensors cannot be joined; use stack");
    }
    const std::int64_t wrapped = wrap_dim("cat", dim, impl_of(first).sizes.count());
    std::vector<Tensor> joined;
    DType dtype = impl_of(tensors[0]).dtype;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        dtype = promote_types(dtype, impl_of(tensors[i]).dtype);
        if (is_shaped(tensors[i]) || found == tensors.end()) {
            ops::check_fits(tensors[i], i, first, wrapped);
            joined.push_back(tensors[i]);
        }
    }
    return ops::join_all(ops::prepare(joined, wrapped, dtype), wrapped);

} catch (const Error&) {
    rethrow_under("cat");
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim) try {
    if (tensors.empty()) {
        throw ArgumentError("stack", "tensors must not be empty");
    }
    const Dims& sizes = checked_impl(tensors[0], "stack").sizes;
    const std::int64_t wrapped = wrap_dim("stack", dim, sizes.count() + 1);
    std::vector<Tensor> raised;
    raised.reserve(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (checked_impl(tensors[i], "stack").sizes != sizes) {
            throw ShapeError("stack",
                             fmt::format("tensors must have one shape; got {} at position {}, "
                                         "wanted {}",
                                         to_string(impl_of(tensors[i]).sizes),
                                         i,
                                         to_string(sizes)));
        }
        raised.push_back(unsqueeze(tensors[i], wrapped));
    }
    return cat(raised, wrapped);

} catch (const Error&) {
    rethrow_under("stack");
}

}  // namespace pumice
