// SPDX-License-Identifier: Apache-2.0
// What an argument of a replay must be like, and how its values come in.
#include "graph/argument.h"

#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/execute.h"
#include "ops/copying.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace pumice::graph {

namespace {

// Memory that gaps between elements may take, beside what the elements take.
constexpr std::int64_t kMostGaps = 1;
constexpr std::int64_t kFewElements = 1024;

// Dimensions that are walked, the innermost in memory first.
std::vector<std::int64_t> walked_dims(const Dims& sizes, const Dims& strides) {
    std::vector<std::int64_t> dims;
    for (std::int64_t dim = sizes.count() - 1; dim >= 0; --dim) {
        if (sizes[dim] != 1) {
            dims.push_back(dim);
        }
    }
    std::stable_sort(dims.begin(), dims.end(), [&strides](std::int64_t a, std::int64_t b) {
        return strides[a] < strides[b];
    });
    return dims;
}

// Whether no two elements can share a place: each dimension steps over all that lie inside.
bool is_apart(const Dims& sizes, const Dims& strides) {
    std::int64_t inside = 1;
    for (const std::int64_t dim : walked_dims(sizes, strides)) {
        if (strides[dim] < inside) {
            return false;
        }
        inside = (sizes[dim] - 1) * strides[dim] + inside;
    }
    return true;
}

// Gaps of one element where there are gaps; what walks on evenly still does.
Dims narrowed(const Dims& sizes, const Dims& strides) {
    Dims narrow = strides;
    std::int64_t even = 1;      // the stride that would go on without a gap
    std::int64_t new_even = 1;  // the same of the new strides
    for (const std::int64_t dim : walked_dims(sizes, strides)) {
        narrow[dim] = strides[dim] == even ? new_even : new_even + 1;
        even = strides[dim] * sizes[dim];
        new_even = narrow[dim] * sizes[dim];
    }
    return narrow;
}

Tensor flat(const Tensor& tensor) {
    const TensorImpl& impl = impl_of(tensor);
    return make_tensor(impl.storage,
                       {.value = 0,
                        .sizes = {hull_elements(impl.sizes, impl.strides)},
                        .strides = {1},
                        .offset = impl.offset,
                        .dtype = impl.dtype});
}

bool has_strides(const TensorImpl& tensor, const Dims& strides) noexcept {
    for (std::int64_t dim = 0; dim < strides.count(); ++dim) {
        if (tensor.sizes[dim] != 1 && tensor.strides[dim] != strides[dim]) {
            return false;
        }
    }
    return true;
}

}  // namespace

Dims placeholder_strides(const TensorImpl& example) {
    if (example.is_contiguous || example.numel == 0) {
        return contiguous_strides(example.sizes);
    }
    const std::int64_t hull = hull_elements(example.sizes, example.strides);
    const bool is_large = hull > (1 + kMostGaps) * example.numel + kFewElements;
    return is_large && is_apart(example.sizes, example.strides)
               ? narrowed(example.sizes, example.strides)
               : example.strides;
}

bool lies_like(const TensorImpl& tensor, const TensorRef& ref) noexcept {
    return tensor.sizes == ref.sizes && (tensor.numel == 0 || has_strides(tensor, ref.strides));
}

Argument argument_of(const Tensor& example) {
    const TensorImpl& impl = impl_of(example);
    return {.sizes = impl.sizes,
            .dtype = impl.dtype,
            .is_inference = impl.is_inference,
            .tracks_grad = impl.tracks_grad()};
}

void check_argument(const Tensor& argument,
                    const Argument& wanted,
                    const TensorRef& input,
                    std::size_t index) {
    const TensorImpl& got = checked_impl(argument, "replay");
    dispatch::check_placed("replay", argument);
    if (got.sizes != wanted.sizes) {
        throw ShapeError("replay",
                         fmt::format("argument {} must have shape {}; got {}",
                                     index,
                                     to_string(wanted.sizes),
                                     to_string(got.sizes)));
    }
    if (got.dtype != wanted.dtype) {
        throw DTypeError("replay",
                         fmt::format("argument {} must be {}; got {}",
                                     index,
                                     to_string(wanted.dtype),
                                     to_string(got.dtype)));
    }
    if (got.is_inference != wanted.is_inference || got.tracks_grad() != wanted.tracks_grad) {
        throw ArgumentError(
            "replay",
            fmt::format("argument {} must be {} and {}require grad, as in the "
                        "capture",
                        index,
                        wanted.is_inference ? "an inference tensor" : "a normal tensor",
                        wanted.tracks_grad ? "" : "not "));
    }
    if (!lies_like(got, input) && !is_apart(input.sizes, input.strides)) {
        throw ArgumentError("replay",
                            fmt::format("argument {} must have strides {}, as in the capture, "
                                        "where elements share memory; got {}",
                                        index,
                                        to_string(input.strides),
                                        to_string(got.strides)));
    }
}

void copy_in(const Tensor& place, const Tensor& argument) {
    const TensorImpl& target = impl_of(place);
    if (target.numel == 0) {
        return;
    }
    const bool is_alike = has_strides(impl_of(argument), target.strides);
    const Tensor to = is_alike ? flat(place) : place;
    const std::array<Tensor, 2> inputs = {to, is_alike ? flat(argument) : argument};
    dispatch::execute({ops::kCopyIntoValue, inputs, {}}, std::span(&to, 1));
}

}  // namespace pumice::graph
