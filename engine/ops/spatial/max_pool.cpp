// SPDX-License-Identifier: Apache-2.0
// max_pool2d with and without its indices, and its gradient.
#include "pumice/ops/conv.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/index.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "ops/spatial/pool_window.h"
#include "vk/kernels/spatial_max_pool.h"
#include "vk/kernels/spatial_max_pool_gradient.h"

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

struct PoolAttrs {
    PoolWindow window;
    IntPair extent = 0;  ///< gradient: rows and columns of the image
};

constexpr PoolPart kWhole{};

template <bool kKeepsPlaces>
void infer_max_pool(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const IntPair windows =
        count_windows("max_pool2d", call.inputs[0], call.attrs_as<PoolAttrs>().window);
    const Dims sizes{x.sizes[0], x.sizes[1], windows.rows, windows.cols};
    inferred.push_back(dispatch::contiguous_meta(sizes, x.dtype));
    if constexpr (kKeepsPlaces) {
        inferred.push_back(dispatch::contiguous_meta(sizes, kInt32));
    }
}

void select_max_pool(const dispatch::OpCall& call,
                     std::span<const Tensor> outputs,
                     const vk::Capabilities& caps,
                     dispatch::Program& program) {
    const TensorImpl& y = impl_of(outputs[0]);
    const TensorImpl& x = impl_of(call.inputs[0]);
    const PoolWindow& window = call.attrs_as<PoolAttrs>().window;
    if (y.numel == 0) {
        return;
    }
    dispatch::Step& step = program.steps.emplace_back();
    const bool keeps_places = outputs.size() > 1;
    vk::SpatialMaxPoolSpec spec{.local_size = launch_words(step, y, caps),
                                .x_dtype = x.dtype,
                                .keeps_places = keeps_places,
                                .continues = false};
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output(0));
    step.bindings.push_back(dispatch::output(keeps_places ? 1 : 0));
    vk::SpatialMaxPoolPush push{};
    push.count = u32(y.numel);
    push.x_offset = dispatch::bound_offset(call.inputs[0], caps);
    set_geometry(push, x.sizes, y.sizes, window);
    push.part_first = kWhole.first;
    push.part_end = kWhole.end;
    step.set(spec, push);
    step.work = window_work(y.numel, window);
    if (!dispatch::is_within_bound(step)) [[unlikely]] {
        const auto set_part = [&](dispatch::Step& run, const PoolPart& part) {
            spec.continues = !part.is_first;
            push.part_first = part.first;
            push.part_end = part.end;
            run.set(spec, push);
        };
        append_pool_runs(program, step, x.dtype, window.kernel, set_part);
    }
}

void infer_max_pool_gradient(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& gradient = impl_of(call.inputs[0]);
    const IntPair& extent = call.attrs_as<PoolAttrs>().extent;
    inferred.push_back(dispatch::contiguous_meta(
        {gradient.sizes[0], gradient.sizes[1], extent.rows, extent.cols}, gradient.dtype));
}

// Most windows along the rows and the columns that one element is in.
IntPair won_spans(const Dims& pooled, const PoolWindow& w) noexcept {
    const auto along =
        [](std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t d) {
            return std::min(out, ceil_div((kernel - 1) * d + 1, stride));
        };
    return {along(pooled[2], w.kernel.rows, w.stride.rows, w.dilation.rows),
            along(pooled[3], w.kernel.cols, w.stride.cols, w.dilation.cols)};
}

void select_max_pool_gradient(const dispatch::OpCall& call,
                              std::span<const Tensor> outputs,
                              const vk::Capabilities& caps,
                              dispatch::Program& program) {
    const TensorImpl& made = impl_of(outputs[0]);
    const PoolWindow& window = call.attrs_as<PoolAttrs>().window;
    if (made.numel == 0) {
        return;
    }
    dispatch::Step& step = program.steps.emplace_back();
    vk::SpatialMaxPoolGradientSpec spec{.local_size = launch_words(step, made, caps),
                                        .dtype = made.dtype};
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::input(1));
    step.bindings.push_back(dispatch::output(0));
    const Dims& pooled = impl_of(call.inputs[0]).sizes;
    vk::SpatialMaxPoolGradientPush push{};
    push.count = u32(made.numel);
    push.gradient_offset = dispatch::bound_offset(call.inputs[0], caps);
    push.place_offset = dispatch::bound_offset(call.inputs[1], caps);
    set_geometry(push, made.sizes, pooled, window);
    push.part_first = kWhole.first;
    push.part_end = kWhole.end;
    step.set(vk::KernelId::kSpatialMaxPoolGradientOne, spec, push);
    step.work = window_work(impl_of(call.inputs[0]).numel, window);
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
        run.set(vk::KernelId::kSpatialMaxPoolGradientMany, spec, push);
        run.bindings.push_back(sums);
    };
    append_pool_runs(program, step, made.dtype, won_spans(pooled, window), set_part);
}

void backward_max_pool(dispatch::BackwardCall& call) {
    PoolAttrs attrs = call.attrs_as<PoolAttrs>();
    attrs.extent = {call.input_sizes(0)[2], call.input_sizes(0)[3]};
    Tensor inputs[] = {contiguous(call.grad()), call.output(1)};
    call.set(0, dispatch::call(kMaxPool2dGradient, inputs, attrs));
}

// Each window takes the value at its winner's place.
void backward_max_pool_gradient(dispatch::BackwardCall& call) {
    const Dims& sizes = call.input_sizes(0);
    const Dims& image = call.grad().sizes();
    const Dims rows{sizes[0], sizes[1], sizes[2] * sizes[3]};
    const Tensor flat = reshape(call.grad(), {image[0], image[1], image[2] * image[3]});
    call.set(0, view(gather(flat, 2, view(call.input(1), rows)), sizes));
}

}  // namespace

constexpr dispatch::OpDef kMaxPool2d{
    .name = "max_pool2d",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_max_pool<true>,
    .select = select_max_pool,
    .window = window_of_planes,
    .saved = {.outputs = 0b10},
    .backward = backward_max_pool,
};
static_assert(well_formed(kMaxPool2d));

// Without places, where no gradient will ask for them.
constexpr dispatch::OpDef kMaxPool2dValues{
    .name = "max_pool2d_values",
    .public_name = "max_pool2d",
    .inputs = {{{"x"}}},
    .infer = infer_max_pool<false>,
    .select = select_max_pool,
    .window = window_of_planes,
};
static_assert(well_formed(kMaxPool2dValues));

constexpr dispatch::OpDef kMaxPool2dGradient{
    .name = "max_pool2d_gradient",
    .inputs = {{{"gradient", dispatch::Grad::kFormula}, {"place", dispatch::Grad::kNever}}},
    .infer = infer_max_pool_gradient,
    .select = select_max_pool_gradient,
    .window = window_of_planes,
    .saved = {.inputs = 0b10},
    .backward = backward_max_pool_gradient,
};
static_assert(well_formed(kMaxPool2dGradient));

}  // namespace pumice::ops

namespace pumice {

Tensor max_pool2d(Tensor x,
                  IntPair kernel_size,
                  OptionalIntPair stride,
                  IntPair padding,
                  IntPair dilation,
                  bool ceil_mode) try {
    ops::require_floating("max_pool2d", x);
    const ops::PoolAttrs attrs{.window = {.kernel = kernel_size,
                                          .stride = stride.value_or(kernel_size),
                                          .padding = padding,
                                          .dilation = dilation,
                                          .ceil_mode = ceil_mode}};
    const bool is_unbatched = x.dim() == 3;
    Tensor inputs[] = {contiguous(is_unbatched ? unsqueeze(x, 0) : std::move(x))};
    Tensor outputs[2];
    if (dispatch::is_recorded(ops::kMaxPool2d, inputs)) {
        dispatch::call_many(ops::kMaxPool2d, inputs, attrs, outputs);
    } else {
        outputs[0] = dispatch::call(ops::kMaxPool2dValues, inputs, attrs);
    }
    return is_unbatched ? squeeze(outputs[0], 0) : outputs[0];

} catch (const Error&) {
    rethrow_under("max_pool2d");
}

}  // namespace pumice
