// SPDX-License-Identifier: Apache-2.0
// avg_pool2d and adaptive_avg_pool2d: one operator and its gradient, each linear and the other's
// derivative.
#include "pumice/error.h"
#include "pumice/ops/conv.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "ops/spatial/pool_window.h"
#include "vk/kernels/spatial_average_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace pumice::ops {

namespace {

struct AverageAttrs {
    PoolWindow window;
    IntPair output_size = 0;  ///< adaptive: windows along rows and columns
    IntPair extent = 0;       ///< gradient: rows and columns of the image
    std::int64_t divisor = 0;
    bool is_adaptive = false;
    bool counts_padding = true;
};

void check_adaptive(const Tensor& x, const IntPair& size) {
    constexpr auto kName = "adaptive_avg_pool2d";
    require_floating(kName, x);
    if (!is_within(size, 0)) {
        throw ArgumentError(
            kName,
            fmt::format("output_size must be in [0, {}]; got {}", kMostReach, to_text(size)));
    }
    if (x.dim() != 4 || x.size(2) == 0 || x.size(3) == 0) {
        throw ShapeError(kName,
                         fmt::format("x must be [N, C, H, W] or [C, H, W], H and W above 0; got x "
                                     "{}",
                                     describe(x)));
    }
    // The kernel multiplies an index with an extent.
    constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
    if ((x.size(2) + 1) * (size.rows + 1) > kMost || (x.size(3) + 1) * (size.cols + 1) > kMost) {
        throw UnsupportedError(kName,
                               fmt::format("extents times output_size must be below 2^32; got {} "
                                           "for x {}",
                                           to_text(size),
                                           describe(x)));
    }
}

void infer_average(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const auto& attrs = call.attrs_as<AverageAttrs>();
    const Tensor& x = call.inputs[0];
    IntPair windows = attrs.output_size;
    if (attrs.is_adaptive) {
        check_adaptive(x, windows);
    } else {
        windows = count_windows("avg_pool2d", x, attrs.window);
    }
    inferred.push_back(dispatch::contiguous_meta({x.size(0), x.size(1), windows.rows, windows.cols},
                                                 impl_of(x).dtype));
}

void infer_average_gradient(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& gradient = impl_of(call.inputs[0]);
    const IntPair& extent = call.attrs_as<AverageAttrs>().extent;
    inferred.push_back(dispatch::contiguous_meta(
        {gradient.sizes[0], gradient.sizes[1], extent.rows, extent.cols}, gradient.dtype));
}

// Most rows and columns that an element of `made` adds up.
IntPair average_spans(const AverageAttrs& attrs,
                      const Dims& read,
                      const Dims& made,
                      bool is_gradient) noexcept {
    const auto along = [&](std::int64_t d, std::int64_t kernel, std::int64_t stride) {
        if (attrs.is_adaptive) {
            return ceil_div(read[d], made[d]) + 1;
        }
        return is_gradient ? std::min(read[d], ceil_div(kernel, stride)) : kernel;
    };
    return {along(2, attrs.window.kernel.rows, attrs.window.stride.rows),
            along(3, attrs.window.kernel.cols, attrs.window.stride.cols)};
}

vk::SpatialAveragePoolPush make_push(const AverageAttrs& attrs,
                                     const Dims& image,
                                     const Dims& pooled) noexcept {
    constexpr PoolPart kWhole{};
    vk::SpatialAveragePoolPush push{};
    set_geometry(push, image, pooled, attrs.window);
    push.divisor = static_cast<std::int32_t>(attrs.divisor);
    push.part_first = kWhole.first;
    push.part_end = kWhole.end;
    return push;
}

template <bool kIsGradient>
void select_average(const dispatch::OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
    const auto& attrs = call.attrs_as<AverageAttrs>();
    const TensorImpl& read = impl_of(call.inputs[0]);
    const TensorImpl& made = impl_of(outputs[0]);
    if (made.numel == 0) {
        return;
    }
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output(0));
    vk::SpatialAveragePoolSpec spec{.local_size = launch_words(step, made, caps),
                                    .dtype = made.dtype,
                                    .is_gradient = kIsGradient,
                                    .is_adaptive = attrs.is_adaptive,
                                    .counts_padding = attrs.counts_padding};
    vk::SpatialAveragePoolPush push = make_push(
        attrs, kIsGradient ? made.sizes : read.sizes, kIsGradient ? read.sizes : made.sizes);
    push.count = u32(made.numel);
    push.x_offset = dispatch::bound_offset(call.inputs[0], caps);
    step.set(vk::KernelId::kSpatialAveragePoolOne, spec, push);
    step.work = attrs.is_adaptive
                    ? static_cast<std::uint64_t>(read.numel + made.numel)
                    : window_work(kIsGradient ? read.numel : made.numel, attrs.window);
    if (dispatch::is_within_bound(step)) [[likely]] {
        return;
    }
    const auto sums = dispatch::workspace(program.workspace_bytes.size());
    program.workspace_bytes.push_back(static_cast<std::uint64_t>(made.numel) * sizeof(float));
    const auto set_part = [&](dispatch::Step& run, const PoolPart& part) {
        spec.is_first_run = part.is_first;
        spec.is_last_run = part.is_last;
        push.part_first = part.first;
        push.part_end = part.end;
        run.set(vk::KernelId::kSpatialAveragePoolMany, spec, push);
        run.bindings.push_back(sums);
    };
    append_pool_runs(program,
                     step,
                     made.dtype,
                     average_spans(attrs, read.sizes, made.sizes, kIsGradient),
                     set_part);
}

Tensor average(const Tensor& x, const AverageAttrs& attrs) {
    Tensor inputs[] = {contiguous(x)};
    return dispatch::call(kAvgPool2d, inputs, attrs);
}

void backward_average(dispatch::BackwardCall& call) {
    AverageAttrs attrs = call.attrs_as<AverageAttrs>();
    attrs.extent = {call.input_sizes(0)[2], call.input_sizes(0)[3]};
    Tensor inputs[] = {contiguous(call.grad())};
    call.set(0, dispatch::call(kAvgPool2dGradient, inputs, attrs));
}

void backward_average_gradient(dispatch::BackwardCall& call) {
    call.set(0, average(call.grad(), call.attrs_as<AverageAttrs>()));
}

}  // namespace

constexpr dispatch::OpDef kAvgPool2d{
    .name = "avg_pool2d",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_average,
    .select = select_average<false>,
    .window = window_of_planes,
    .backward = backward_average,
};
static_assert(well_formed(kAvgPool2d));

constexpr dispatch::OpDef kAvgPool2dGradient{
    .name = "avg_pool2d_gradient",
    .inputs = {{{"gradient", dispatch::Grad::kFormula}}},
    .infer = infer_average_gradient,
    .select = select_average<true>,
    .window = window_of_planes,
    .backward = backward_average_gradient,
};
static_assert(well_formed(kAvgPool2dGradient));

}  // namespace pumice::ops

namespace pumice {

// NOLINTNEXTLINE(readability-function-size): the arguments are LibTorch's
Tensor avg_pool2d(const Tensor& x,
                  IntPair kernel_size,
                  OptionalIntPair stride,
                  IntPair padding,
                  bool ceil_mode,
                  bool count_include_pad,
                  std::optional<std::int64_t> divisor_override) try {
    ops::require_floating("avg_pool2d", x);
    const std::int64_t divisor = divisor_override.value_or(1);
    if (divisor == 0 || divisor != static_cast<std::int32_t>(divisor)) {
        throw ArgumentError("avg_pool2d",
                            fmt::format("divisor_override must not be 0 and be within int32; got "
                                        "{}",
                                        divisor));
    }
    const ops::AverageAttrs attrs{.window = {.kernel = kernel_size,
                                             .stride = stride.value_or(kernel_size),
                                             .padding = padding,
                                             .ceil_mode = ceil_mode},
                                  .divisor = divisor_override.value_or(0),
                                  .counts_padding = count_include_pad};
    return x.dim() == 3 ? squeeze(ops::average(unsqueeze(x, 0), attrs), 0) : ops::average(x, attrs);

} catch (const Error&) {
    rethrow_under("avg_pool2d");
}

Tensor adaptive_avg_pool2d(const Tensor& x, IntPair output_size) try {
    ops::require_floating("adaptive_avg_pool2d", x);
    if (x.dim() == 3) {
        return squeeze(adaptive_avg_pool2d(unsqueeze(x, 0), output_size), 0);
    }
    ops::check_adaptive(x, output_size);
    if (output_size == IntPair(1)) {
        return mean(x, {2, 3}, true);
    }
    return ops::average(x, {.window = {}, .output_size = output_size, .is_adaptive = true});

} catch (const Error&) {
    rethrow_under("adaptive_avg_pool2d");
}

}  // namespace pumice
