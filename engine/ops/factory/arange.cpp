// SPDX-License-Identifier: Apache-2.0
// arange: how many elements, and which.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "tensor/scalar_bits.h"
#include "vk/kernels/factory_arange.h"

#include <fmt/format.h>

#include <cmath>

namespace pumice::ops {

using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

struct ArangeAttrs {
    double start;
    double end;
    double step;
    DType dtype;
};

void infer_arange(const OpCall& call, Inferred& inferred) {
    const auto& attrs = call.attrs_as<ArangeAttrs>();
    const double span = attrs.end - attrs.start;
    if (!std::isfinite(span) || !std::isfinite(attrs.step) || attrs.step == 0.0 ||
        (span < 0.0 && attrs.step > 0.0) || (span > 0.0 && attrs.step < 0.0)) {
        throw ArgumentError("arange",
                            fmt::format("step must be finite, not zero, and lead from start to "
                                        "end; got start {}, end {}, step {}",
                                        attrs.start,
                                        attrs.end,
                                        attrs.step));
    }
    if (attrs.dtype == kBool) {
        throw DTypeError("arange", "dtype must be an integer or floating one; got bool");
    }
    const double count = std::ceil(span / attrs.step);
    constexpr double kMostElements = 2147483647.0;
    if (count > kMostElements) {
        throw ShapeError("arange",
                         fmt::format("at most {} elements; got {}", kMostElements, count));
    }
    if (count > 0.0) {
        scalar_bits("arange", attrs.start, attrs.dtype);
        scalar_bits("arange", attrs.start + (count - 1.0) * attrs.step, attrs.dtype);
    }
    inferred.emplace_back(
        dispatch::contiguous_meta({static_cast<std::int64_t>(count)}, attrs.dtype));
}

void select_arange(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   Program& program) {
    const auto& attrs = call.attrs_as<ArangeAttrs>();
    const std::int64_t count = impl_of(outputs[0]).numel;
    const bool is_real = is_floating_point(attrs.dtype);
    // One element needs no step, which then may be of any length. Between two int32 it may be past
    // int32, and counts modulo 2^32.
    const auto integer_step =
        is_real || count == 1 ? 0
                              : static_cast<std::int32_t>(static_cast<std::int64_t>(attrs.step));
    dispatch::for_each_run(count, attrs.dtype, caps, [&](const dispatch::Run& run) {
        Step& step = program.steps.emplace_back();
        const std::uint32_t local_size =
            launch_flat(step, word_count(run.count, attrs.dtype), caps);
        step.bindings.push_back(dispatch::window_of(dispatch::output(), run.first, run.count));
        step.set(vk::FactoryArangeSpec{.local_size = local_size, .dtype = attrs.dtype},
                 {.element_count = static_cast<std::uint32_t>(run.count),
                  .first_element = static_cast<std::uint32_t>(run.first),
                  .integer_start = is_real ? 0 : static_cast<std::int32_t>(attrs.start),
                  .integer_step = integer_step,
                  .real_start = static_cast<float>(attrs.start),
                  .real_step = static_cast<float>(attrs.step)});
    });
}

}  // namespace

constexpr OpDef kArange{.name = "arange", .infer = infer_arange, .select = select_arange};
static_assert(well_formed(kArange));

}  // namespace pumice::ops

namespace pumice {

Tensor arange(const Scalar& end) {
    return arange(0, end, 1);
}

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step) {
    const bool is_real =
        start.is_floating_point() || end.is_floating_point() || step.is_floating_point();
    return arange(start, end, step, is_real ? kFloat32 : kInt32);
}

Tensor arange(const Scalar& start,
              const Scalar& end,
              const Scalar& step,
              const TensorOptions& options) {
    ops::check_device_dtype("arange", options.dtype());
    // Integer dtypes take the integer parts, as in PyTorch.
    const auto number = [&](const Scalar& value) {
        return is_floating_point(options.dtype()) ? value.toDouble() : std::trunc(value.toDouble());
    };
    const ops::ArangeAttrs attrs{
        .start = number(start), .end = number(end), .step = number(step), .dtype = options.dtype()};
    return ops::make(ops::kArange, attrs, options.requires_grad());
}

}  // namespace pumice
