// SPDX-License-Identifier: Apache-2.0
// norm_backward: the gradients of layer_norm and rms_norm by fused kernels. The rows' statistics
// are computed again, which costs one pass over x and saves keeping them.
#include "ops/norm/norm_backward.h"

#include "pumice/ops/elementwise.h"
#include "pumice/ops/reduce.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "geometry/tiles.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "vk/kernels/norm_column_grad.h"
#include "vk/kernels/norm_row_norm_backward.h"

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kGrad = 1;
constexpr std::size_t kWeight = 2;
constexpr std::size_t kXGrad = 0;
constexpr std::size_t kWeightGrad = 1;
constexpr std::size_t kBiasGrad = 2;
constexpr std::uint64_t kStatsBytes = 16;

struct BackwardAttrs {
    NormAttrs norm;
    NormNeeds needs;
    DType weight_dtype = kFloat32;
};

// Unwanted gradients are empty tensors.
void infer_norm_backward(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const auto& attrs = call.attrs_as<BackwardAttrs>();
    const Dims none{0};
    const Dims& row = attrs.norm.normalized_shape;
    inferred.push_back(dispatch::contiguous_meta(attrs.needs.x ? x.sizes : none, x.dtype));
    inferred.push_back(
        dispatch::contiguous_meta(attrs.needs.weight ? row : none, attrs.weight_dtype));
    inferred.push_back(
        dispatch::contiguous_meta(attrs.needs.bias ? row : none, attrs.weight_dtype));
}

// Rows and columns of the kernels.
struct Geometry {
    std::uint32_t row_count;
    std::uint32_t row_length;
    std::uint32_t x_offset;
    std::uint32_t grad_offset;
};

Geometry geometry_of(const dispatch::OpCall& call, const vk::Capabilities& caps) {
    const std::int64_t length = numel(call.attrs_as<BackwardAttrs>().norm.normalized_shape);
    return {.row_count = static_cast<std::uint32_t>(impl_of(call.inputs[kX]).numel / length),
            .row_length = static_cast<std::uint32_t>(length),
            .x_offset = dispatch::bound_offset(call.inputs[kX], caps),
            .grad_offset = dispatch::bound_offset(call.inputs[kGrad], caps)};
}

void append_rows(const dispatch::OpCall& call,
                 const Geometry& geometry,
                 dispatch::Operand stats,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    const auto& attrs = call.attrs_as<BackwardAttrs>();
    const DType x_dtype = impl_of(call.inputs[kX]).dtype;
    const bool has_weight = call.inputs[kWeight].defined();
    const Dims rows{geometry.row_count, geometry.row_length};
    const FoldLayout layout = choose_fold_layout(
        part_dims(rows, contiguous_strides(rows), 0b10), geometry.row_count, false, caps);
    const vk::ReduceOp op = attrs.norm.is_centered ? vk::ReduceOp::kVar : vk::ReduceOp::kSquares;
    dispatch::Step& step = program.steps.emplace_back();
    for (const dispatch::Operand operand : {dispatch::input(kX),
                                            dispatch::input(kGrad),
                                            dispatch::input(has_weight ? kWeight : kX),
                                            dispatch::output(kXGrad),
                                            stats}) {
        step.bindings.push_back(operand);
    }
    step.set(
        vk::NormRowNormBackwardSpec{
            .local_size = layout.local_size,
            .reduce_op = static_cast<std::uint32_t>(op),
            .reduce_dtype = x_dtype,
            .weight_dtype = has_weight ? impl_of(call.inputs[kWeight]).dtype : x_dtype,
            .lanes = layout.lanes,
            .has_weight = has_weight,
            .writes_grad = attrs.needs.x,
            .stores_masked = geometry.row_length * itemsize(x_dtype) % 4 != 0},
        {.row_count = geometry.row_count,
         .row_length = geometry.row_length,
         .x_offset = geometry.x_offset,
         .grad_offset = geometry.grad_offset,
         .weight_offset = has_weight ? dispatch::bound_offset(call.inputs[kWeight], caps) : 0,
         .eps = static_cast<float>(attrs.norm.eps)});
    step.groups = fold_grid(layout, geometry.row_count, caps);
    step.work = static_cast<std::uint64_t>(impl_of(call.inputs[kX]).numel) * 16;
}

// Rows of a chunk: enough chunks to keep the device busy, few enough to add up cheaply.
std::uint32_t rows_of_chunk(const Geometry& geometry, const vk::Capabilities& caps) noexcept {
    if (geometry.row_count == 0) {
        return 1;
    }
    const std::uint32_t wanted_items = caps.is_cpu ? 2048 : 65536;
    const std::uint32_t wanted_chunks =
        std::clamp(wanted_items / geometry.row_length, 1U, geometry.row_count);
    const std::uint32_t rows = std::max((geometry.row_count + wanted_chunks - 1) / wanted_chunks,
                                        std::min(geometry.row_count, 16U));
    return static_cast<std::uint32_t>(
        dispatch::bounded_count(rows, 2 + rows + 2 * vk::iterations::ceil(rows / 32.0)));
}

// Sums over the rows of each chunk, in two workspaces of [chunk_count, row_length].
struct ColumnSums {
    dispatch::Operand weight;
    dispatch::Operand bias;
    std::uint32_t chunk_length = 0;
    std::uint32_t chunk_count = 0;
};

ColumnSums column_sums(const Geometry& geometry,
                       const NormNeeds& needs,
                       const vk::Capabilities& caps,
                       dispatch::Program& program) {
    const std::uint32_t chunk_length = rows_of_chunk(geometry, caps);
    const std::uint32_t chunk_count = (geometry.row_count + chunk_length - 1) / chunk_length;
    const std::uint64_t bytes =
        std::max<std::uint64_t>(sizeof(float), sizeof(float) * geometry.row_length * chunk_count);
    const std::size_t first = program.workspace_bytes.size();
    program.workspace_bytes.push_back(needs.weight ? bytes : sizeof(float));
    program.workspace_bytes.push_back(needs.bias ? bytes : sizeof(float));
    return {.weight = dispatch::workspace(first),
            .bias = dispatch::workspace(first + 1),
            .chunk_length = chunk_length,
            .chunk_count = chunk_count};
}

void append_columns(const dispatch::OpCall& call,
                    const Geometry& geometry,
                    dispatch::Operand stats,
                    const ColumnSums& sums,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
    constexpr std::uint32_t kLocalSize = 64;
    const auto& attrs = call.attrs_as<BackwardAttrs>();
    const TensorImpl& x = impl_of(call.inputs[kX]);
    dispatch::Step& step = program.steps.emplace_back();
    for (const dispatch::Operand operand :
         {dispatch::input(kX), dispatch::input(kGrad), stats, sums.weight, sums.bias}) {
        step.bindings.push_back(operand);
    }
    step.set(vk::NormColumnGradSpec{.local_size = kLocalSize,
                                    .x_dtype = x.dtype,
                                    .wants_weight = attrs.needs.weight,
                                    .wants_bias = attrs.needs.bias},
             {.row_count = geometry.row_count,
              .row_length = geometry.row_length,
              .x_offset = geometry.x_offset,
              .grad_offset = geometry.grad_offset,
              .chunk_length = sums.chunk_length,
              .chunk_count = sums.chunk_count});
    const std::uint64_t items = static_cast<std::uint64_t>(sums.chunk_count) * geometry.row_length;
    step.groups = dispatch::fold_groups((items + kLocalSize - 1) / kLocalSize, caps);
    step.work = static_cast<std::uint64_t>(x.numel) * 4;
}

// Adds up the chunks of one workspace.
void append_total(dispatch::Operand sums,
                  const Dims& sizes,
                  std::size_t output,
                  DType dtype,
                  const vk::Capabilities& caps,
                  dispatch::Program& program) {
    append_fold(program,
                {.op = vk::ReduceOp::kSum,
                 .parted = part_dims(sizes, contiguous_strides(sizes), 0b01),
                 .result_dtype = dtype,
                 .x = sums,
                 .result = dispatch::output(output),
                 .can_split = false},
                caps);
}

void select_norm_backward(const dispatch::OpCall& call,
                          std::span<const Tensor> /*outputs*/,
                          const vk::Capabilities& caps,
                          dispatch::Program& program) {
    const auto& attrs = call.attrs_as<BackwardAttrs>();
    const Geometry geometry = geometry_of(call, caps);
    const dispatch::Operand stats = dispatch::workspace(0);
    program.workspace_bytes.push_back(std::max(1U, geometry.row_count) * kStatsBytes);
    if (geometry.row_count > 0) {
        append_rows(call, geometry, stats, caps, program);
    }
    if (!attrs.needs.weight && !attrs.needs.bias) {
        return;
    }
    const ColumnSums sums = column_sums(geometry, attrs.needs, caps, program);
    if (geometry.row_count > 0) {
        append_columns(call, geometry, stats, sums, caps, program);
    }
    const Dims sizes{sums.chunk_count, geometry.row_length};
    if (attrs.needs.weight) {
        append_total(sums.weight, sizes, kWeightGrad, attrs.weight_dtype, caps, program);
    }
    if (attrs.needs.bias) {
        append_total(sums.bias, sizes, kBiasGrad, attrs.weight_dtype, caps, program);
    }
}

}  // namespace

constexpr dispatch::OpDef kNormBackward{
    .name = "norm_backward",
    .inputs = {{{"x"}, {"grad"}, {"weight"}}},
    .infer = infer_norm_backward,
    .select = select_norm_backward,
};
static_assert(well_formed(kNormBackward));

bool fits_norm_gradients(const TensorImpl& x,
                         const NormAttrs& attrs,
                         const vk::Capabilities& caps) noexcept {
    const std::int64_t length = numel(attrs.normalized_shape);
    const Dims rows{length == 0 ? 0 : x.numel / length, length};
    const PartedDims parted = part_dims(rows, contiguous_strides(rows), 0b10);
    const FoldLayout layout = choose_fold_layout(parted, parted.output_count, false, caps);
    const double elements = ceil_div(parted.reduced_count, layout.lanes);
    const double statistics = vk::iterations::reduce_range(
        static_cast<double>(attrs.is_centered ? vk::ReduceOp::kVar : vk::ReduceOp::kSquares),
        static_cast<double>(x.dtype),
        0,
        elements,
        parted.reduced_count);
    return 30 + statistics + (2 + 2.0 / 32) * elements <= vk::kMostIterations;
}

NormGradients norm_gradients(Tensor x,
                             Tensor gradient,
                             Tensor weight,
                             const NormAttrs& attrs,
                             const NormNeeds& needs,
                             DType weight_dtype) {
    const BackwardAttrs backward_attrs{.norm = attrs, .needs = needs, .weight_dtype = weight_dtype};
    Tensor inputs[] = {contiguous(std::move(x)), contiguous(std::move(gradient)), {}};
    if (weight.defined()) {
        inputs[kWeight] = contiguous(std::move(weight));
    }
    Tensor outputs[3];
    dispatch::call_many(kNormBackward, inputs, backward_attrs, outputs);
    return {.x = outputs[kXGrad], .weight = outputs[kWeightGrad], .bias = outputs[kBiasGrad]};
}

NormGradients norm_gradients_composed(const Tensor& x,
                                      const Tensor& gradient,
                                      const Tensor& weight,
                                      const NormAttrs& attrs,
                                      const NormNeeds& needs) {
    Dims row;
    for (std::int64_t d = attrs.normalized_shape.count(); d > 0; --d) {
        row.push_back(-d);
    }
    const Tensor centered = attrs.is_centered ? sub(x, mean(x, row, true)) : x;
    const Tensor rate = rsqrt(add(mean(square(centered), row, true), attrs.eps));
    const Tensor normalized = mul(centered, rate);
    NormGradients gradients;
    if (needs.x) {
        const Tensor scaled = weight.defined() ? mul(gradient, weight) : gradient;
        const Tensor along = mul(normalized, mean(mul(scaled, normalized), row, true));
        const Tensor across = attrs.is_centered ? sub(scaled, mean(scaled, row, true)) : scaled;
        gradients.x = mul(sub(across, along), rate);
    }
    if (needs.weight) {
        gradients.weight = sum_to_size(mul(gradient, normalized), attrs.normalized_shape);
    }
    if (needs.bias) {
        gradients.bias = sum_to_size(gradient, attrs.normalized_shape);
    }
    return gradients;
}

NormGradients norm_gradients_of_long_rows(const Tensor& x,
                                          const Tensor& gradient,
                                          const Tensor& weight,
                                          const NormAttrs& attrs,
                                          const NormNeeds& needs,
                                          DType weight_dtype) {
    NormGradients gradients =
        norm_gradients_composed(x.to(kFloat32),
                                gradient.to(kFloat32),
                                weight.defined() ? weight.to(kFloat32) : weight,
                                attrs,
                                needs);
    const auto convert = [](Tensor& gradient_of, DType dtype) {
        gradient_of = gradient_of.defined() ? gradient_of.to(dtype) : gradient_of;
    };
    convert(gradients.x, x.dtype());
    convert(gradients.weight, weight_dtype);
    convert(gradients.bias, weight_dtype);
    return gradients;
}

}  // namespace pumice::ops
