// SPDX-License-Identifier: Apache-2.0
// expand, and repeat by way of it.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "ops/view/view_op.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::OutputMeta;

namespace {

struct ExpandAttrs {
    Dims sizes;
};

[[noreturn]] void throw_expand(const Dims& wanted, const Tensor& x) {
    throw ShapeError("expand",
                     fmt::format("shape must keep x's extents but for those that are 1 (-1 keeps "
                                 "any); got {} for x {}",
                                 to_string(wanted),
                                 describe(x)));
}

void infer_expand(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const Dims& wanted = call.attrs_as<ExpandAttrs>().sizes;
    const std::int64_t new_dims = wanted.count() - x.sizes.count();
    if (new_dims < 0) {
        throw_expand(wanted, call.inputs[0]);
    }
    OutputMeta& meta = inferred.emplace_back(OutputMeta{wanted, wanted, x.offset, x.dtype});
    for (std::int64_t d = 0; d < wanted.count(); ++d) {
        const std::int64_t from = d - new_dims;
        if (from >= 0 && (wanted[d] == -1 || wanted[d] == x.sizes[from])) {
            meta.sizes[d] = x.sizes[from];
            meta.strides[d] = x.strides[from];
        } else if (wanted[d] >= 0 && (from < 0 || x.sizes[from] == 1)) {
            meta.strides[d] = 0;
        } else {
            throw_expand(wanted, call.inputs[0]);
        }
    }
    check_view_sizes("expand", meta.sizes);
}

void backward_expand(BackwardCall& call) {
    call.set(0, sum_to_size(call.grad(), call.input_sizes(0)));
}

}  // namespace

constexpr OpDef kExpand = view_op("expand", infer_expand, backward_expand);
static_assert(well_formed(kExpand));

}  // namespace pumice::ops

namespace pumice {

Tensor expand(const Tensor& x, const Dims& sizes) {
    checked_impl(x, "expand");
    return dispatch::call_view(ops::kExpand, x, ops::ExpandAttrs{sizes});
}

namespace {

// Before anything is copied, for the extents alone may be past int64.
void check_repeated(std::string_view op, const Dims& sizes, const Dims& repeats) {
    Dims repeated = sizes;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (__builtin_mul_overflow(sizes[d], repeats[d], &repeated[d])) {
            repeated[d] = std::numeric_limits<std::int64_t>::max();
        }
    }
    ops::check_new_sizes(op, repeated);
}

// x [A, n, B] -> [A, times * n, B], copied once.
Tensor repeat_dim(const Tensor& x, std::int64_t dim, std::int64_t times) {
    const Dims& sizes = impl_of(x).sizes;
    std::int64_t outer = 1;
    for (std::int64_t d = 0; d < dim; ++d) {
        outer *= sizes[d];
    }
    Dims result = sizes;
    result[dim] *= times;
    if (numel(result) == 0) {
        return clone(reshape(slice(x, dim, 0, 0), result));
    }
    const std::int64_t block = impl_of(x).numel / outer;
    const Tensor blocks = reshape(x, {outer, 1, block});
    return view(clone(expand(blocks, {outer, times, block})), result);
}

}  // namespace

Tensor repeat(const Tensor& x, const Dims& repeats) try {
    const std::int64_t new_dims = repeats.count() - checked_impl(x, "repeat").sizes.count();
    if (new_dims < 0) {
        throw ShapeError("repeat",
                         fmt::format("repeats must have at least x's dimensions; got {} for x {}",
                                     to_string(repeats),
                                     describe(x)));
    }
    for (const std::int64_t times : repeats) {
        if (times < 0) {
            throw ArgumentError(
                "repeat", fmt::format("repeats must not be negative; got {}", to_string(repeats)));
        }
    }
    Tensor result = x;
    for (std::int64_t i = 0; i < new_dims; ++i) {
        result = unsqueeze(result, 0);
    }
    check_repeated("repeat", impl_of(result).sizes, repeats);
    bool is_copied = false;
    // From the inside out: only the last pass writes the whole result.
    for (std::int64_t d = repeats.count() - 1; d >= 0; --d) {
        if (repeats[d] != 1) {
            result = repeat_dim(result, d, repeats[d]);
            is_copied = true;
        }
    }
    return is_copied ? result : clone(result);

} catch (const Error&) {
    rethrow_under("repeat");
}

}  // namespace pumice
