// SPDX-License-Identifier: Apache-2.0
// conv2d and its two gradients. Each is linear in both operands, so the derivatives of the three
// are the three again.
#include "pumice/ops/conv.h"

#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/convolution.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "ops/spatial/pool_window.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

std::int64_t out_extent(std::int64_t in,
                        std::int64_t kernel,
                        std::int64_t stride,
                        std::int64_t padding,
                        std::int64_t dilation) noexcept {
    const std::int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

// [N, O, H', W'] of an image and a weight.
Dims result_sizes(const Dims& x, const Dims& weight, const ConvAttrs& a) {
    return {x[0],
            weight[0],
            out_extent(x[2], weight[2], a.stride.rows, a.padding.rows, a.dilation.rows),
            out_extent(x[3], weight[3], a.stride.cols, a.padding.cols, a.dilation.cols)};
}

void check_numbers(const ConvAttrs& a) {
    const bool fits = is_within(a.stride, 1) && is_within(a.dilation, 1) &&
                      is_within(a.groups, 1) && is_within(a.padding, 0);
    if (!fits) {
        throw ArgumentError("conv2d",
                            fmt::format("stride, dilation and groups must be in [1, {}], padding "
                                        "in [0, {}]; got {}",
                                        kMostReach,
                                        kMostReach,
                                        listed({{"stride", to_text(a.stride)},
                                                {"dilation", to_text(a.dilation)},
                                                {"groups", std::to_string(a.groups)},
                                                {"padding", to_text(a.padding)}})));
    }
}

void check_dtypes(const dispatch::OpCall& call) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        if (!call.inputs[i].defined()) {
            continue;
        }
        if (impl_of(call.inputs[i]).dtype != impl_of(call.inputs[0]).dtype) {
            throw DTypeError("conv2d",
                             fmt::format("{} must have x's dtype; got {} for x {}",
                                         call.def.inputs[i].name,
                                         describe(call.inputs[i]),
                                         describe(call.inputs[0])));
        }
    }
}

void infer_conv(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    require_floating("conv2d", call.inputs[0]);
    const Dims& x = impl_of(call.inputs[0]).sizes;
    const Dims& weight = checked_impl(call.inputs[1], "conv2d").sizes;
    check_dtypes(call);
    check_numbers(attrs);
    if (x.count() != 4 || weight.count() != 4 || x[1] != weight[1] * attrs.groups ||
        weight[0] % attrs.groups != 0) {
        throw ShapeError(
            "conv2d",
            fmt::format("wanted x [N, C, H, W] or [C, H, W] and weight [O, C / groups, KH, KW], "
                        "groups dividing O; got x {}, weight {} and {} groups",
                        describe(call.inputs[0]),
                        describe(call.inputs[1]),
                        attrs.groups));
    }
    if (call.inputs[2].defined() && impl_of(call.inputs[2]).sizes != Dims{weight[0]}) {
        throw ShapeError(
            "conv2d",
            fmt::format(
                "bias must be [O], here [{}]; got bias {}", weight[0], describe(call.inputs[2])));
    }
    const Dims sizes = result_sizes(x, weight, attrs);
    if (sizes[2] <= 0 || sizes[3] <= 0 || numel({weight[2], weight[3], x[2], x[3]}) == 0) {
        throw ShapeError(
            "conv2d",
            fmt::format("x and the kernel must not be empty, and the kernel not larger "
                        "than the padded x; got weight {} for x {}",
                        describe(call.inputs[1]),
                        describe(call.inputs[0])));
    }
    inferred.push_back(dispatch::contiguous_meta(sizes, impl_of(call.inputs[0]).dtype));
}

// Inputs: gradient [N, O, H', W'] and weight.
void infer_image_gradient(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    const TensorImpl& gradient = impl_of(call.inputs[0]);
    const Dims sizes{gradient.sizes[0],
                     impl_of(call.inputs[1]).sizes[1] * attrs.groups,
                     attrs.extent.rows,
                     attrs.extent.cols};
    inferred.push_back(dispatch::contiguous_meta(sizes, gradient.dtype));
}

// Inputs: gradient [N, O, H', W'] and image.
void infer_weight_gradient(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    const TensorImpl& gradient = impl_of(call.inputs[0]);
    const Dims sizes{gradient.sizes[1],
                     impl_of(call.inputs[1]).sizes[1] / attrs.groups,
                     attrs.extent.rows,
                     attrs.extent.cols};
    inferred.push_back(dispatch::contiguous_meta(sizes, gradient.dtype));
}

template <ConvRole kRole>
void select_conv(const dispatch::OpCall& call,
                 std::span<const Tensor> outputs,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    append_convolution(kRole, call, outputs, caps, program);
}

// Images are worked on apart, and so are an image's channels of the result, each by its filter.
std::int64_t window_of_result(const dispatch::OpCall& call,
                              std::size_t input,
                              std::int64_t /*output_rank*/,
                              std::int64_t dim) noexcept {
    if (dim == 0) {
        return input == 0 ? 0 : dispatch::kWhole;
    }
    if (dim == 1 && call.attrs_as<ConvAttrs>().groups == 1) {
        return input == 0 ? dispatch::kWhole : 0;
    }
    return dispatch::kUncut;
}

std::int64_t window_of_image_gradient(const dispatch::OpCall& /*call*/,
                                      std::size_t input,
                                      std::int64_t /*output_rank*/,
                                      std::int64_t dim) noexcept {
    if (dim != 0) {
        return dispatch::kUncut;
    }
    return input == 0 ? 0 : dispatch::kWhole;
}

Tensor image_gradient(Tensor gradient, Tensor weight, ConvAttrs attrs, const Dims& image) {
    attrs.extent = {image[2], image[3]};
    Tensor inputs[] = {contiguous(std::move(gradient)), contiguous(std::move(weight))};
    return dispatch::call(kConv2dImageGradient, inputs, attrs);
}

bool exceeds_range(const Tensor& tensor) {
    return dispatch::exceeds_range(impl_of(tensor), vk::device().capabilities());
}

// Images past the device's binding limit are halved, and the halves' gradients added.
Tensor weight_gradient(Tensor gradient, Tensor image, ConvAttrs attrs, const Dims& weight) {
    attrs.extent = {weight[2], weight[3]};
    Tensor inputs[] = {contiguous(std::move(gradient)), contiguous(std::move(image))};
    const std::int64_t images = inputs[0].size(0);
    if (images > 1 && (exceeds_range(inputs[0]) || exceeds_range(inputs[1]))) [[unlikely]] {
        const auto part = [&](std::int64_t start, std::int64_t end) {
            return weight_gradient(
                slice(inputs[0], 0, start, end), slice(inputs[1], 0, start, end), attrs, weight);
        };
        return add(part(0, images / 2), part(images / 2, images));
    }
    return dispatch::call(kConv2dWeightGradient, inputs, attrs);
}

Tensor convolve(Tensor x, Tensor weight, Tensor bias, const ConvAttrs& attrs) {
    Tensor inputs[] = {contiguous(std::move(x)),
                       contiguous(std::move(weight)),
                       bias.defined() ? contiguous(std::move(bias)) : bias};
    return dispatch::call(kConv2d, inputs, attrs);
}

void backward_conv(dispatch::BackwardCall& call) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    if (call.needs(0)) {
        call.set(0, image_gradient(call.grad(), call.input(1), attrs, call.input_sizes(0)));
    }
    if (call.needs(1)) {
        call.set(1, weight_gradient(call.grad(), call.input(0), attrs, call.input_sizes(1)));
    }
    if (call.needs(2)) {
        call.set(2, sum(call.grad(), {0, 2, 3}));
    }
}

void backward_image_gradient(dispatch::BackwardCall& call) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    if (call.needs(0)) {
        call.set(0, convolve(call.grad(), call.input(1), {}, attrs));
    }
    if (call.needs(1)) {
        call.set(1, weight_gradient(call.input(0), call.grad(), attrs, call.input_sizes(1)));
    }
}

void backward_weight_gradient(dispatch::BackwardCall& call) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    if (call.needs(0)) {
        call.set(0, convolve(call.input(1), call.grad(), {}, attrs));
    }
    if (call.needs(1)) {
        call.set(1, image_gradient(call.input(0), call.grad(), attrs, call.input_sizes(1)));
    }
}

}  // namespace

constexpr dispatch::OpDef kConv2d{
    .name = "conv2d",
    .inputs = {{{"x", dispatch::Grad::kFormula},
                {"weight", dispatch::Grad::kFormula},
                {"bias", dispatch::Grad::kFormula}}},
    .infer = infer_conv,
    .select = select_conv<ConvRole::kResult>,
    .window = window_of_result,
    .saved = {.inputs = 0b011, .input_is_for = {0b010, 0b001}},
    .backward = backward_conv,
};
static_assert(well_formed(kConv2d));

constexpr dispatch::OpDef kConv2dImageGradient{
    .name = "conv2d_image_gradient",
    .inputs = {{{"gradient", dispatch::Grad::kFormula}, {"weight", dispatch::Grad::kFormula}}},
    .infer = infer_image_gradient,
    .select = select_conv<ConvRole::kImageGradient>,
    .window = window_of_image_gradient,
    .saved = {.inputs = 0b11, .input_is_for = {0b10, 0b01}},
    .backward = backward_image_gradient,
};
static_assert(well_formed(kConv2dImageGradient));

constexpr dispatch::OpDef kConv2dWeightGradient{
    .name = "conv2d_weight_gradient",
    .inputs = {{{"gradient", dispatch::Grad::kFormula}, {"x", dispatch::Grad::kFormula}}},
    .infer = infer_weight_gradient,
    .select = select_conv<ConvRole::kWeightGradient>,
    .saved = {.inputs = 0b11, .input_is_for = {0b10, 0b01}},
    .backward = backward_weight_gradient,
};
static_assert(well_formed(kConv2dWeightGradient));

}  // namespace pumice::ops

namespace pumice {

// NOLINTNEXTLINE(readability-function-size): the arguments are LibTorch's
Tensor conv2d(Tensor x,
              Tensor weight,
              Tensor bias,
              IntPair stride,
              IntPair padding,
              IntPair dilation,
              std::int64_t groups) try {
    for (const Tensor* operand : {&x, &weight}) {
        checked_impl(*operand, "conv2d");
    }
    const bool is_unbatched = x.dim() == 3;
    const Tensor y = ops::convolve(
        is_unbatched ? unsqueeze(x, 0) : std::move(x),
        std::move(weight),
        std::move(bias),
        {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups});
    return is_unbatched ? squeeze(y, 0) : y;

} catch (const Error&) {
    rethrow_under("conv2d");
}

}  // namespace pumice
