// SPDX-License-Identifier: Apache-2.0
// layer_norm, rms_norm.
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/tiles.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "ops/norm/norm_backward.h"
#include "ops/reduce/reduction.h"
#include "vk/device.h"
#include "vk/kernels/norm_row_norm.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kWeight = 1;
constexpr std::size_t kBias = 2;

void check_parameter(const dispatch::OpCall& call, std::size_t index, DType dtype) {
    const Tensor& parameter = call.inputs[index];
    if (!parameter.defined()) {
        return;
    }
    const TensorImpl& impl = impl_of(parameter);
    const Dims& wanted = call.attrs_as<NormAttrs>().normalized_shape;
    if (impl.sizes != wanted) {
        throw ShapeError(call.def.where(),
                         fmt::format("{} must have normalized_shape {}; got {}",
                                     call.def.inputs[index].name,
                                     to_string(wanted),
                                     describe(parameter)));
    }
    if (impl.dtype != dtype && impl.dtype != kFloat32) {
        throw DTypeError(call.def.where(),
                         fmt::format("{} must have x's dtype {} or float32; got {}",
                                     call.def.inputs[index].name,
                                     to_string(dtype),
                                     describe(parameter)));
    }
}

void infer_norm(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating(call.def.where(), call.inputs[kX]);
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const auto& attrs = call.attrs_as<NormAttrs>();
    const std::int64_t leading = x.sizes.count() - attrs.normalized_shape.count();
    bool fits = leading >= 0 && !attrs.normalized_shape.empty();
    for (std::int64_t d = 0; fits && d < attrs.normalized_shape.count(); ++d) {
        fits = x.sizes[leading + d] == attrs.normalized_shape[d];
    }
    if (!fits) {
        throw ShapeError(call.def.where(),
                         fmt::format("x must end in normalized_shape {}; got x {}",
                                     to_string(attrs.normalized_shape),
                                     describe(call.inputs[kX])));
    }
    check_parameter(call, kWeight, x.dtype);
    if (call.inputs.size() > kBias) {
        check_parameter(call, kBias, x.dtype);
        const bool has_both = call.inputs[kWeight].defined() && call.inputs[kBias].defined();
        if (has_both && impl_of(call.inputs[kWeight]).dtype != impl_of(call.inputs[kBias]).dtype) {
            throw DTypeError(call.def.where(),
                             fmt::format("weight and bias must have one dtype; got {}",
                                         dispatch::describe_inputs(call)));
        }
    }
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

DimMask normalized_mask(const Dims& sizes, const NormAttrs& attrs) noexcept {
    const std::int64_t leading = sizes.count() - attrs.normalized_shape.count();
    return ((1U << sizes.count()) - 1U) & ~((1U << leading) - 1U);
}

// A parameter that may be absent: its binding is then the input's, which the kernel leaves alone.
struct Parameter {
    bool is_defined = false;
    dispatch::Operand operand = dispatch::input(kX);
    std::uint32_t offset = 0;
    DType dtype = kFloat32;
};

Parameter parameter_of(const dispatch::OpCall& call, std::size_t i, const vk::Capabilities& caps) {
    if (i >= call.inputs.size() || !call.inputs[i].defined()) {
        return {};
    }
    return {.is_defined = true,
            .operand = dispatch::input(i),
            .offset = dispatch::bound_offset(call.inputs[i], caps),
            .dtype = impl_of(call.inputs[i]).dtype};
}

// Rows that one item could not walk are cut, and need their statistics first.
FoldLayout norm_layout(const PartedDims& parted,
                       vk::ReduceOp op,
                       DType dtype,
                       bool shares_words,
                       const vk::Capabilities& caps) {
    FoldLayout layout = choose_fold_layout(parted, parted.output_count, false, caps);
    const double elements = ceil_div(parted.reduced_count, layout.lanes);
    const double passes =
        20 + (shares_words ? elements : elements / elements_per_word(dtype)) +
        vk::iterations::reduce_range(
            static_cast<double>(op), static_cast<double>(dtype), 0, elements, parted.reduced_count);
    bound_chunks(layout, parted.reduced_count, passes);
    return layout;
}

// Leaves the statistics of long rows in a workspace, so that several items can share a row.
dispatch::Operand append_stats(const dispatch::OpCall& call,
                               const PartedDims& parted,
                               vk::ReduceOp op,
                               const vk::Capabilities& caps,
                               dispatch::Program& program) {
    const dispatch::Operand stats = dispatch::workspace(program.workspace_bytes.size());
    program.workspace_bytes.push_back(parted.output_count * kPartialBytes);
    append_fold(program,
                {.op = op,
                 .parted = parted,
                 .x_dtype = impl_of(call.inputs[kX]).dtype,
                 .x = dispatch::input(kX),
                 .result = stats,
                 .x_offset = dispatch::bound_offset(call.inputs[kX], caps),
                 .writes_partials = true},
                caps);
    return stats;
}

void select_norm(const dispatch::OpCall& call,
                 std::span<const Tensor> outputs,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const auto& attrs = call.attrs_as<NormAttrs>();
    const PartedDims parted = part_dims(x.sizes, x.strides, normalized_mask(x.sizes, attrs));
    const Parameter weight = parameter_of(call, kWeight, caps);
    const Parameter bias = parameter_of(call, kBias, caps);
    const bool shares_words = parted.reduced_count * itemsize(x.dtype) % 4 != 0;
    const vk::ReduceOp op = attrs.is_centered ? vk::ReduceOp::kVar : vk::ReduceOp::kSquares;
    const FoldLayout layout = norm_layout(parted, op, x.dtype, shares_words, caps);
    const bool is_split = layout.chunk_count > 1;
    const dispatch::Operand stats =
        is_split ? append_stats(call, parted, op, caps, program) : dispatch::input(kX);
    dispatch::Step& step = program.steps.emplace_back();
    for (const dispatch::Operand operand :
         {dispatch::input(kX), weight.operand, bias.operand, dispatch::output(0), stats}) {
        step.bindings.push_back(operand);
    }
    step.set(vk::NormRowNormSpec{.local_size = layout.local_size,
                                 .reduce_op = static_cast<std::uint32_t>(op),
                                 .reduce_dtype = x.dtype,
                                 .weight_dtype = weight.is_defined ? weight.dtype : bias.dtype,
                                 .lanes = layout.lanes,
                                 .has_weight = weight.is_defined,
                                 .has_bias = bias.is_defined,
                                 .stores_masked = shares_words,
                                 .reads_stats = is_split},
             {.kept_sizes = parted.kept.sizes,
              .kept_strides = parted.kept.strides,
              .row_count = parted.output_count,
              .row_length = parted.reduced_count,
              .x_offset = dispatch::bound_offset(call.inputs[kX], caps),
              .x_stride = parted.reduced.strides[3],
              .weight_offset = weight.offset,
              .bias_offset = bias.offset,
              .eps = static_cast<float>(attrs.eps),
              .chunk_length = layout.chunk_length,
              .chunk_count = layout.chunk_count});
    const std::uint64_t items =
        static_cast<std::uint64_t>(parted.output_count) * layout.chunk_count;
    step.groups = fold_grid(layout, items, caps);
    step.work = static_cast<std::uint64_t>(impl_of(outputs[0]).numel) * 6;
}

void backward_norm(dispatch::BackwardCall& call) {
    const auto& attrs = call.attrs_as<NormAttrs>();
    const bool has_bias = call.input_count() > kBias;
    const NormNeeds needs{.x = call.needs(kX),
                          .weight = attrs.has_weight && call.needs(kWeight),
                          .bias = has_bias && call.needs(kBias)};
    if (!needs.x && !needs.weight) {
        call.set(kBias, sum_to_size(call.grad(), attrs.normalized_shape));
        return;
    }
    const Tensor x = call.input(kX);
    const Tensor weight = attrs.has_weight && needs.x ? call.input(kWeight) : Tensor();
    const DType weight_dtype = call.input_dtype(needs.weight ? kWeight : needs.bias ? kBias : kX);
    // The fused kernels bind x whole, and walk each row at once.
    const vk::Capabilities& caps = vk::device().capabilities();
    const bool is_composed = is_grad_enabled() || dispatch::exceeds_range(impl_of(x), caps);
    const bool is_long = !fits_norm_gradients(impl_of(x), attrs, caps);
    const NormGradients gradients =
        is_composed ? norm_gradients_composed(x, call.grad(), weight, attrs, needs)
        : is_long ? norm_gradients_of_long_rows(x, call.grad(), weight, attrs, needs, weight_dtype)
                  : norm_gradients(x, call.grad(), weight, attrs, needs, weight_dtype);
    if (needs.x) {
        call.set(kX, gradients.x);
    }
    if (needs.weight) {
        call.set(kWeight, gradients.weight);
    }
    if (needs.bias) {
        call.set(kBias, gradients.bias);
    }
}

std::int64_t window_of_norm(const dispatch::OpCall& call,
                            std::size_t input,
                            std::int64_t output_rank,
                            std::int64_t dim) noexcept {
    if (dim >= output_rank - call.attrs_as<NormAttrs>().normalized_shape.count()) {
        return dispatch::kUncut;
    }
    return input == kX ? dim : dispatch::kWhole;
}

}  // namespace

constexpr dispatch::OpDef kLayerNorm{
    .name = "layer_norm",
    .inputs = {{{"x", dispatch::Grad::kFormula},
                {"weight", dispatch::Grad::kFormula},
                {"bias", dispatch::Grad::kFormula}}},
    .infer = infer_norm,
    .select = select_norm,
    .window = window_of_norm,
    .saved = {.inputs = 0b011, .input_is_for = {0b011, 0b001}},
    .backward = backward_norm,
};
static_assert(well_formed(kLayerNorm));

constexpr dispatch::OpDef kRmsNorm{
    .name = "rms_norm",
    .inputs = {{{"x", dispatch::Grad::kFormula}, {"weight", dispatch::Grad::kFormula}}},
    .infer = infer_norm,
    .select = select_norm,
    .window = window_of_norm,
    .saved = {.inputs = 0b011, .input_is_for = {0b011, 0b001}},
    .backward = backward_norm,
};
static_assert(well_formed(kRmsNorm));

namespace {

// The kernel wants a row at one stride and the rows in at most four dimensions.
Tensor with_plain_rows(std::string_view op, Tensor x, const NormAttrs& attrs) {
    const TensorImpl& impl = checked_impl(x, op);
    const bool fits = attrs.normalized_shape.count() <= impl.sizes.count();
    if (impl.is_contiguous || !fits) {
        return x;  // what does not fit, infer refuses
    }
    const DimMask mask = normalized_mask(impl.sizes, attrs);
    const bool is_plain = can_part_dims(impl.sizes, impl.strides, mask) &&
                          part_dims(impl.sizes, impl.strides, mask).reduced.rank <= 1;
    return is_plain ? std::move(x) : contiguous(std::move(x));
}

Tensor dense(Tensor parameter) {
    return parameter.defined() ? contiguous(std::move(parameter)) : parameter;
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

Tensor layer_norm(
    Tensor x, const Dims& normalized_shape, Tensor weight, Tensor bias, double eps) try {
    const ops::NormAttrs attrs{.normalized_shape = normalized_shape,
                               .eps = eps,
                               .is_centered = true,
                               .has_weight = weight.defined()};
    Tensor inputs[] = {ops::with_plain_rows("layer_norm", std::move(x), attrs),
                       ops::dense(std::move(weight)),
                       ops::dense(std::move(bias))};
    return dispatch::call(ops::kLayerNorm, inputs, attrs);

} catch (const Error&) {
    rethrow_under("layer_norm");
}

Tensor rms_norm(Tensor x, const Dims& normalized_shape, Tensor weight, double eps) try {
    const ops::NormAttrs attrs{.normalized_shape = normalized_shape,
                               .eps = eps,
                               .is_centered = false,
                               .has_weight = weight.defined()};
    Tensor inputs[] = {ops::with_plain_rows("rms_norm", std::move(x), attrs),
                       ops::dense(std::move(weight))};
    return dispatch::call(ops::kRmsNorm, inputs, attrs);

} catch (const Error&) {
    rethrow_under("rms_norm");
}

}  // namespace pumice
