// SPDX-License-Identifier: Apache-2.0
// batch_norm, and the affine map by channel that the other norms by channel end with.
#include "ops/norm/channel_norm.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "dispatch/windows.h"
#include "geometry/tiles.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "vk/kernels/norm_channel_norm.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kScale = 1;
constexpr std::size_t kShift = 2;
constexpr std::size_t kMeanInput = 3;
constexpr std::size_t kInverseDeviation = 4;

struct BatchNormAttrs {
    double eps = 0.0;
};

std::int64_t inner_count_of(const Dims& sizes) noexcept {
    std::int64_t count = 1;
    for (std::int64_t d = 2; d < sizes.count(); ++d) {
        count *= sizes[d];
    }
    return count;
}

// The users' mistakes were refused by the public functions, which make the operands that go here.
void infer_channel_norm(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

bool has(const dispatch::OpCall& call, std::size_t input) noexcept {
    return input < call.inputs.size() && call.inputs[input].defined();
}

std::uint32_t offset_of(const dispatch::OpCall& call,
                        std::size_t input,
                        const vk::Capabilities& caps) noexcept {
    return has(call, input) ? dispatch::bound_offset(call.inputs[input], caps) : 0;
}

void select_channel_norm(const dispatch::OpCall& call,
                         std::span<const Tensor> /*outputs*/,
                         const vk::Capabilities& caps,
                         dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    constexpr std::uint32_t kLocalSize = 64;
    constexpr std::uint32_t kElementsAnInvocation = 4;
    dispatch::for_each_run(x.numel, x.dtype, caps, [&](const dispatch::Run& run) {
        dispatch::Step& step = program.steps.emplace_back();
        const dispatch::Operand own =
            dispatch::window_of(dispatch::input(kX), run.first, run.count);
        step.bindings.push_back(own);
        step.bindings.push_back(dispatch::window_of(dispatch::output(0), run.first, run.count));
        for (const std::size_t i : {kScale, kShift, kMeanInput, kInverseDeviation}) {
            step.bindings.push_back(has(call, i) ? dispatch::input(i) : own);
        }
        step.set(vk::NormChannelNormSpec{.local_size = kLocalSize,
                                         .x_dtype = x.dtype,
                                         .has_scale = has(call, kScale),
                                         .has_shift = has(call, kShift),
                                         .has_statistics = has(call, kMeanInput)},
                 {.first = u32(run.first),
                  .count = u32(run.count),
                  .x_offset = dispatch::bound_offset(call.inputs[kX], caps, run.first),
                  .channel_count = u32(x.sizes[1]),
                  .inner_count = u32(inner_count_of(x.sizes)),
                  .scale_offset = offset_of(call, kScale, caps),
                  .shift_offset = offset_of(call, kShift, caps),
                  .mean_offset = offset_of(call, kMeanInput, caps),
                  .inverse_deviation_offset = offset_of(call, kInverseDeviation, caps)});
        step.groups = dispatch::fold_groups(
            ceil_div<std::int64_t>(run.count, std::int64_t{kLocalSize} * kElementsAnInvocation),
            caps);
        step.work = static_cast<std::uint64_t>(run.count) * 4;
    });
}

std::int64_t count_per_channel(const Dims& sizes) noexcept {
    return sizes[0] * inner_count_of(sizes);
}

// All dimensions but the channels'.
Dims reduced_dims(const Dims& sizes) {
    Dims dims{0};
    for (std::int64_t d = 2; d < sizes.count(); ++d) {
        dims.push_back(d);
    }
    return dims;
}

// [C] -> [1, C, 1, ...], to broadcast with x.
Tensor by_channel(const Tensor& values, std::int64_t rank) {
    if (!values.defined()) {
        return values;
    }
    Dims sizes{1, values.numel()};
    for (std::int64_t d = 2; d < rank; ++d) {
        sizes.push_back(1);
    }
    return view(values, sizes);
}

Tensor in_float32(Tensor x) {
    return x.defined() ? contiguous(to(std::move(x), kFloat32)) : x;
}

Tensor inverse_deviation(Tensor var, double eps) {
    return rsqrt(add(std::move(var), eps));
}

void backward_affine(dispatch::BackwardCall& call) {
    const Tensor gradient = to(call.grad(), kFloat32);
    const Dims dims = reduced_dims(call.input_sizes(kX));
    if (call.needs(kX)) {
        const bool is_scaled = !call.input_sizes(kScale).empty();
        call.set(
            kX,
            is_scaled ? channel_affine(call.grad(), flatten(call.input(kScale)), {}) : call.grad());
    }
    if (call.needs(kScale)) {
        const Tensor product = mul(gradient, to(call.input(kX), kFloat32));
        call.set(kScale, sum(product, dims, true));
    }
    if (call.needs(kShift)) {
        call.set(kShift, sum(gradient, dims, true));
    }
}

std::string express_affine(const dispatch::OpCall& call,
                           const Tensor& output,
                           dispatch::Element& element) {
    // As in shaders/norm/channel_norm.comp.
    element.functions.emplace("channel_affine",
                              "float channel_affine(float x, float factor, float addend) {\n"
                              "    precise float y = x * factor + addend;\n    return y;\n}\n");
    const auto value = [&](std::size_t input, const char* absent) {
        return has(call, input)
                   ? dispatch::decoded(
                         element.operands[input], impl_of(call.inputs[input]).dtype, true)
                   : absent;
    };
    const std::string y = fmt::format(
        "channel_affine({}, {}, {})", value(kX, ""), value(kScale, "1.0"), value(kShift, "0.0"));
    return dispatch::encoded(y, impl_of(output).dtype, true);
}

}  // namespace

// scale and shift are [1, C, 1, ...], so that they broadcast as the operands of other maps do.
constexpr dispatch::OpDef kChannelAffine{
    .name = "channel_affine",
    .inputs = {{{"x", dispatch::Grad::kFormula},
                {"scale", dispatch::Grad::kFormula},
                {"shift", dispatch::Grad::kFormula}}},
    .infer = infer_channel_norm,
    .select = select_channel_norm,
    .saved = {.inputs = 0b011, .input_is_for = {0b010, 0b001}},
    .lends = 0b001,
    .backward = backward_affine,
    .express = express_affine,
};
static_assert(well_formed(kChannelAffine));

namespace {

struct Moments {
    Tensor mean;
    Tensor var;  ///< divided by the count
};

// Of each channel, in float32.
Moments moments_of(const Tensor& x) {
    const Dims dims = reduced_dims(x.sizes());
    const Tensor values = to(x, kFloat32);
    return {.mean = mean(values, dims), .var = var(values, dims, 0)};
}

// With d = x - mean, r = 1 / sqrt(var + eps) and n elements a channel:
// dx = w r (g - sum(g) / n - d r^2 sum(g d) / n), dw = r sum(g d), db = sum(g).
void backward_batch_norm(dispatch::BackwardCall& call) {
    const Dims& sizes = call.input_sizes(kX);
    const Dims dims = reduced_dims(sizes);
    const Tensor gradient = to(call.grad(), kFloat32);
    const Tensor total = sum(gradient, dims);
    if (call.needs(kShift)) {
        call.set(kShift, total);
    }
    if (!call.needs(kX) && !call.needs(kScale)) {
        return;
    }
    const Tensor x = to(call.input(kX), kFloat32);
    Tensor mean = call.input(kMeanInput);
    Tensor deviation = call.input(kInverseDeviation);
    if (is_grad_enabled()) {  // gradients of gradients flow through the statistics too
        const Moments moments = moments_of(x);
        mean = moments.mean;
        deviation = inverse_deviation(moments.var, call.attrs_as<BatchNormAttrs>().eps);
    }
    const Tensor centered = sub(x, by_channel(mean, sizes.count()));
    const Tensor product = sum(mul(gradient, centered), dims);
    if (call.needs(kScale)) {
        call.set(kScale, mul(product, deviation));
    }
    if (call.needs(kX)) {
        const bool is_scaled = call.input_sizes(kScale).count() == 1;
        const Tensor factor = is_scaled ? mul(deviation, call.input(kScale)) : deviation;
        const Tensor share = div(factor, static_cast<double>(count_per_channel(sizes)));
        const Tensor rest = channel_affine(
            centered, neg(mul(mul(share, square(deviation)), product)), neg(mul(share, total)));
        call.set(kX, to(add(channel_affine(gradient, factor, {}), rest), call.input_dtype(kX)));
    }
}

}  // namespace

// mean and inverse_deviation are those of x itself: what flows through them is in x's formula.
constexpr dispatch::OpDef kBatchNorm{
    .name = "batch_norm",
    .inputs = {{{"x", dispatch::Grad::kFormula},
                {"weight", dispatch::Grad::kFormula},
                {"bias", dispatch::Grad::kFormula},
                {"mean", dispatch::Grad::kNever},
                {"inverse_deviation", dispatch::Grad::kNever}}},
    .infer = infer_channel_norm,
    .select = select_channel_norm,
    .saved = {.inputs = 0b11011, .input_is_for = {0b011, 0b001, 0, 0b011, 0b011}},
    .lends = 0b00001,
    .backward = backward_batch_norm,
};
static_assert(well_formed(kBatchNorm));

namespace {

void check_per_channel(std::string_view op,
                       std::string_view name,
                       const Tensor& values,
                       const Tensor& x) {
    if (!values.defined()) {
        return;
    }
    if (values.sizes() != Dims{x.size(1)}) {
        throw ShapeError(
            op,
            fmt::format("{} must be [C], here [{}]; got {}", name, x.size(1), describe(values)));
    }
    if (values.dtype() != x.dtype() && values.dtype() != kFloat32) {
        throw DTypeError(op,
                         fmt::format("{} must have x's dtype {} or float32; got {}",
                                     name,
                                     to_string(x.dtype()),
                                     describe(values)));
    }
}

Tensor normalize_batch(
    Tensor x, const Tensor& weight, const Tensor& bias, const Moments& moments, double eps) {
    Tensor inputs[] = {
        contiguous(std::move(x)), in_float32(weight), in_float32(bias), moments.mean, no_grad([&] {
            return inverse_deviation(moments.var, eps);
        })};
    return dispatch::call(kBatchNorm, inputs, BatchNormAttrs{.eps = eps});
}

}  // namespace

void check_channel_norm(std::string_view op,
                        const Tensor& x,
                        const Tensor& weight,
                        const Tensor& bias) {
    require_floating(op, x);
    if (x.dim() < 2) {
        throw ShapeError(op, fmt::format("x must be [N, C, ...]; got x {}", describe(x)));
    }
    check_per_channel(op, "weight", weight, x);
    check_per_channel(op, "bias", bias, x);
}

void check_running_norm(std::string_view op,
                        const Tensor& x,
                        const RunningStats& running,
                        bool uses_batch,
                        std::string_view switch_name) {
    if (running.mean.defined() != running.var.defined()) {
        throw ArgumentError(op, "wanted both running_mean and running_var, or neither");
    }
    check_per_channel(op, "running_mean", running.mean, x);
    check_per_channel(op, "running_var", running.var, x);
    if (!uses_batch && !running.mean.defined()) {
        throw ArgumentError(
            op, fmt::format("wanted running_mean and running_var without {}", switch_name));
    }
    for (const Tensor& statistics : {running.mean, running.var}) {
        if (uses_batch && statistics.defined() && statistics.is_inference() &&
            !is_inference_mode_enabled()) {
            throw GradModeError(op,
                                "Inplace update to inference tensor outside InferenceMode is not "
                                "allowed. The statistics were made in inference mode.");
        }
    }
}

void move_running(Tensor running, const Tensor& latest, double momentum) {
    no_grad([&] {
        mul_(running, 1.0 - momentum);
        add_(running, latest, momentum);
    });
}

Tensor channel_affine(Tensor x, Tensor scale, Tensor shift) {
    const std::int64_t rank = x.dim();
    Tensor inputs[] = {contiguous(std::move(x)),
                       by_channel(in_float32(std::move(scale)), rank),
                       by_channel(in_float32(std::move(shift)), rank)};
    return dispatch::call(kChannelAffine, inputs);
}

Tensor normalize_with(Tensor x,
                      const Tensor& weight,
                      const Tensor& bias,
                      const Tensor& mean,
                      const Tensor& var,
                      double eps) {
    Tensor scale = inverse_deviation(in_float32(var.detach()), eps);
    if (weight.defined()) {
        scale = mul(scale, in_float32(weight));
    }
    Tensor shift = neg(mul(in_float32(mean.detach()), scale));
    if (bias.defined()) {
        shift = add(shift, in_float32(bias));
    }
    return channel_affine(std::move(x), scale, shift);
}

}  // namespace pumice::ops

namespace pumice {

// NOLINTNEXTLINE(readability-function-size): the arguments are LibTorch's
Tensor batch_norm(Tensor x,
                  const Tensor& weight,
                  const Tensor& bias,
                  const Tensor& running_mean,
                  const Tensor& running_var,
                  bool training,
                  double momentum,
                  double eps) try {
    ops::check_channel_norm("batch_norm", x, weight, bias);
    ops::check_running_norm("batch_norm", x, {running_mean, running_var}, training, "training");
    if (!training) {
        return ops::normalize_with(std::move(x), weight, bias, running_mean, running_var, eps);
    }
    const std::int64_t count = ops::count_per_channel(x.sizes());
    if (count < 2) {
        throw ShapeError(
            "batch_norm",
            fmt::format("training wants more than 1 value per channel; got x {}", describe(x)));
    }
    const ops::Moments moments = no_grad([&] { return ops::moments_of(x); });
    Tensor y = ops::normalize_batch(std::move(x), weight, bias, moments, eps);
    if (running_mean.defined()) {
        const auto n = static_cast<double>(count);
        ops::move_running(running_mean, moments.mean, momentum);
        ops::move_running(
            running_var, no_grad([&] { return mul(moments.var, n / (n - 1.0)); }), momentum);
    }
    return y;

} catch (const Error&) {
    rethrow_under("batch_norm");
}

}  // namespace pumice
