// SPDX-License-Identifier: Apache-2.0
// scaled_dot_product_attention: masks, shapes, and which kernel runs it.
#include "ops/matmul/attention.h"

#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/linalg.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "geometry/tiles.h"
#include "ops/all_ops.h"
#include "ops/matmul/attention_gradient.h"
#include "vk/kernels.h"
#include "vk/kernels/attention_subgroup_forward.h"
#include "vk/kernels/attention_tiled_forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace pumice::ops {

namespace {

using vk::KernelId;

constexpr std::string_view kName = "scaled_dot_product_attention";
constexpr std::size_t kRank = kMaxAttentionBatchRank;

// Broadcasts `sizes`' dimensions before the last two into `batch`; false where they don't.
bool join_batch(Dims& batch, const Dims& sizes) {
    const std::int64_t own = sizes.count() - 2;
    while (batch.count() < own) {
        batch.insert(0, 1);
    }
    for (std::int64_t d = 0; d < own; ++d) {
        std::int64_t& extent = batch[batch.count() - own + d];
        if (extent == 1) {
            extent = sizes[d];
        }
        if (sizes[d] != 1 && sizes[d] != extent) {
            return false;
        }
    }
    return true;
}

Dims batch_of(const dispatch::OpCall& call) {
    Dims batch;
    bool fits = true;
    for (std::size_t i = 0; i < 3; ++i) {
        fits = fits && join_batch(batch, impl_of(call.inputs[i]).sizes);
    }
    if (!fits) {
        throw ShapeError(kName,
                         fmt::format("leading dimensions must broadcast; got {}",
                                     dispatch::describe_inputs(call)));
    }
    return batch;
}

void check_operands(const dispatch::OpCall& call) {
    const TensorImpl& q = checked_impl(call.inputs[0], kName);
    const TensorImpl& k = checked_impl(call.inputs[1], kName);
    const TensorImpl& v = checked_impl(call.inputs[2], kName);
    if (!is_floating_point(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype) {
        throw DTypeError(kName,
                         fmt::format("query, key and value must have one floating dtype; got {}",
                                     dispatch::describe_inputs(call)));
    }
    const bool have_matrices = q.sizes.count() >= 2 && k.sizes.count() >= 2 && v.sizes.count() >= 2;
    if (!have_matrices || q.sizes.back() != k.sizes.back() ||
        k.sizes[k.sizes.count() - 2] != v.sizes[v.sizes.count() - 2]) {
        throw ShapeError(kName,
                         fmt::format("query must be [..., L, E], key [..., S, E] and value "
                                     "[..., S, D]; got {}",
                                     dispatch::describe_inputs(call)));
    }
}

void check_mask(const dispatch::OpCall& call, const Dims& scores) {
    const Tensor& mask = call.inputs[3];
    if (!mask.defined()) {
        return;
    }
    const TensorImpl& impl = impl_of(mask);
    if (impl.dtype != kBool && impl.dtype != impl_of(call.inputs[0]).dtype) {
        throw DTypeError(kName,
                         fmt::format("mask must be bool or of query's dtype; got mask {} and "
                                     "query {}",
                                     describe(mask),
                                     describe(call.inputs[0])));
    }
    const std::int64_t missing = scores.count() - impl.sizes.count();
    bool fits = missing >= 0;
    for (std::int64_t d = 0; fits && d < impl.sizes.count(); ++d) {
        fits = impl.sizes[d] == 1 || impl.sizes[d] == scores[missing + d];
    }
    if (!fits) {
        throw ShapeError(kName,
                         fmt::format("mask must broadcast to the scores' shape {}; got mask {}",
                                     to_string(scores),
                                     describe(mask)));
    }
}

void infer_attention(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    check_operands(call);
    const Dims batch = batch_of(call);
    const Dims& q = impl_of(call.inputs[0]).sizes;
    const Dims& v = impl_of(call.inputs[2]).sizes;
    Dims rows = batch;
    rows.push_back(q[q.count() - 2]);
    Dims scores = rows;
    scores.push_back(v[v.count() - 2]);
    check_mask(call, scores);
    Dims result = rows;
    result.push_back(v.back());
    inferred.push_back(dispatch::contiguous_meta(result, impl_of(call.inputs[0]).dtype));
    inferred.push_back(dispatch::contiguous_meta(rows, kFloat32));
}

std::uint32_t stride_of(const Tensor& tensor, std::int64_t d) noexcept {
    const TensorImpl& impl = impl_of(tensor);
    const std::int64_t at = impl.sizes.count() + d;
    return impl.sizes[at] == 1 ? 0 : u32(impl.strides[at]);
}

std::uint32_t offset_of(const Tensor& tensor, const vk::Capabilities& caps) {
    return tensor.defined() ? dispatch::bound_offset(tensor, caps) : 0;
}

vk::AttentionPush make_push(const dispatch::OpCall& call,
                            const Walk<4>& walk,
                            const vk::Capabilities& caps) {
    const Tensor& q = call.inputs[0];
    const Tensor& k = call.inputs[1];
    const Tensor& v = call.inputs[2];
    const Tensor& mask = call.inputs[3];
    const Dims& q_sizes = impl_of(q).sizes;
    const Dims& v_sizes = impl_of(v).sizes;
    vk::AttentionPush push{.query_count = u32(q_sizes[q_sizes.count() - 2]),
                           .key_count = u32(v_sizes[v_sizes.count() - 2]),
                           .depth = u32(q_sizes.back()),
                           .value_depth = u32(v_sizes.back()),
                           .batch_count = 1,
                           .scale = call.attrs_as<AttentionAttrs>().scale,
                           .q_offset = offset_of(q, caps),
                           .k_offset = offset_of(k, caps),
                           .v_offset = offset_of(v, caps),
                           .mask_offset = offset_of(mask, caps),
                           .q_row_stride = stride_of(q, -2),
                           .q_col_stride = stride_of(q, -1),
                           .k_row_stride = stride_of(k, -2),
                           .k_col_stride = stride_of(k, -1),
                           .v_row_stride = stride_of(v, -2),
                           .v_col_stride = stride_of(v, -1),
                           .mask_row_stride = mask_stride(mask, -2),
                           .mask_col_stride = mask_stride(mask, -1),
                           .batch_sizes = {},
                           .q_batch_strides = {},
                           .k_batch_strides = {},
                           .v_batch_strides = {},
                           .mask_batch_strides = {}};
    for (std::uint32_t d = 0; d < walk.rank; ++d) {
        push.batch_count *= walk.sizes[d];
        if (d > 0) {
            push.batch_sizes[d - 1] = walk.sizes[d];
        }
        push.q_batch_strides[d] = walk.strides[0][d];
        push.k_batch_strides[d] = walk.strides[1][d];
        push.v_batch_strides[d] = walk.strides[2][d];
        push.mask_batch_strides[d] = walk.strides[3][d];
    }
    return push;
}

// Whether neighbours in a row are contiguous and pairs start at even elements.
bool is_in_pairs(const Tensor& tensor, std::uint32_t offset, std::span<const std::uint32_t> batch) {
    const bool rows_fit = impl_of(tensor).strides[impl_of(tensor).sizes.count() - 1] == 1 &&
                          stride_of(tensor, -2) % 2 == 0 && offset % 2 == 0;
    return rows_fit && std::all_of(batch.begin(), batch.end(), [](std::uint32_t stride) {
               return stride % 2 == 0;
           });
}

// Rows of queries a subgroup holds: as many as the registers take beside the result's columns.
std::uint32_t choose_rows(std::uint32_t query_count, std::uint32_t cols_per_lane) noexcept {
    if (query_count == 1) {
        return 1;
    }
    return query_count <= 8 || cols_per_lane > 4 ? 8 : 16;
}

// How a call is cut into workgroups.
struct AttentionTiling {
    bool is_subgroup = false;
    std::uint32_t lanes = 1;     ///< whose sums stand apart
    std::uint32_t rows = 16;     ///< queries
    std::uint32_t cols = 16;     ///< of the result, of a lane or of all
    std::uint32_t key_unit = 1;  ///< keys that are scored together

    /// Parts that the result's columns are cut into.
    [[nodiscard]] std::uint32_t chunk_count(std::uint32_t value_depth) const noexcept {
        return std::max(ceil_div(value_depth, lanes * cols), 1U);
    }
};

AttentionTiling choose_tiling(const vk::AttentionPush& push,
                              const vk::Capabilities& caps) noexcept {
    if (prefers_subgroup_tiles(caps)) {
        const std::uint32_t lanes = caps.subgroup_size;
        const std::uint32_t wanted = ceil_div(push.value_depth, lanes);
        const std::uint32_t cols = wanted <= 2 ? 2 : (wanted <= 4 ? 4 : (wanted <= 8 ? 8 : 16));
        return {.is_subgroup = true,
                .lanes = lanes,
                .rows = choose_rows(push.query_count, cols),
                .cols = cols,
                .key_unit = 2 * lanes};
    }
    constexpr std::uint32_t kKeyBlock = 32;
    const std::uint32_t depth = push.value_depth;
    return {.cols = depth <= 16 ? 16U : (depth <= 32 ? 32U : (depth <= 64 ? 64U : 128U)),
            .key_unit = kKeyBlock};
}

// One of several runs over the keys.
struct Run {
    bool is_first = false;
    bool is_last = false;
    std::uint32_t key_count = ~0U;
};

// The kernel that walks the keys in several runs.
KernelId many_runs(KernelId one) noexcept {
    return static_cast<KernelId>(static_cast<std::uint32_t>(one) + 1);
}

static_assert(static_cast<int>(KernelId::kAttentionTiledForwardMany) ==
                  static_cast<int>(KernelId::kAttentionTiledForwardOne) + 1 &&
              static_cast<int>(KernelId::kAttentionSubgroupForwardVec2Many) ==
                  static_cast<int>(KernelId::kAttentionSubgroupForwardVec2One) + 1);

// What a call's kernel is chosen by.
struct Launch {
    const dispatch::OpCall& call;
    const vk::AttentionPush& push;
    AttentionTiling tiling;
    std::uint32_t batch_rank;
};

// A subgroup a tile, see shaders/attention/subgroup_forward.comp.
void set_subgroup_kernel(dispatch::Step& step,
                         const Launch& launch,
                         const std::optional<Run>& run,
                         const vk::Capabilities& caps) {
    const vk::AttentionPush& push = launch.push;
    const std::span<const Tensor> inputs = launch.call.inputs;
    const bool is_causal = launch.call.attrs_as<AttentionAttrs>().is_causal;
    const bool d_is_even = push.value_depth % 2 == 0;
    const Run part = run.value_or(Run{});
    const KernelId one = has_feature(caps, vk::KernelFeature::kInt64)
                             ? KernelId::kAttentionSubgroupForwardInt64One
                             : KernelId::kAttentionSubgroupForwardVec2One;
    step.set(
        run ? many_runs(one) : one,
        vk::AttentionSubgroupForwardSpec{
            .lanes = launch.tiling.lanes,
            .dtype = impl_of(inputs[0]).dtype,
            .tile_rows = launch.tiling.rows,
            .cols_per_lane = launch.tiling.cols,
            .mask = static_cast<std::uint32_t>(mask_kind(inputs[3])),
            .is_causal = is_causal,
            .batch_rank = launch.batch_rank,
            .qk_in_pairs = is_in_pairs(inputs[0], push.q_offset, push.q_batch_strides) &&
                           is_in_pairs(inputs[1], push.k_offset, push.k_batch_strides),
            .v_in_pairs = d_is_even && is_in_pairs(inputs[2], push.v_offset, push.v_batch_strides),
            .store_in_pairs = d_is_even,
            .mask_by_row = is_causal || push.mask_row_stride != 0,
            .is_first_run = part.is_first,
            .is_last_run = part.is_last,
            .keys_per_run = part.key_count},
        push);
}

void set_tiled_kernel(dispatch::Step& step, const Launch& launch, const std::optional<Run>& run) {
    constexpr std::uint32_t kLocalSize = 128;
    constexpr std::uint32_t kTileDepth = 16;
    const std::span<const Tensor> inputs = launch.call.inputs;
    const Run part = run.value_or(Run{});
    step.set(
        run ? KernelId::kAttentionTiledForwardMany : KernelId::kAttentionTiledForwardOne,
        vk::AttentionTiledForwardSpec{.local_size = kLocalSize,
                                      .dtype = impl_of(inputs[0]).dtype,
                                      .tile_rows = launch.tiling.rows,
                                      .chunk_cols = launch.tiling.cols,
                                      .mask = static_cast<std::uint32_t>(mask_kind(inputs[3])),
                                      .is_causal = launch.call.attrs_as<AttentionAttrs>().is_causal,
                                      .batch_rank = launch.batch_rank,
                                      .key_block = launch.tiling.key_unit,
                                      .tile_depth = kTileDepth,
                                      .is_first_run = part.is_first,
                                      .is_last_run = part.is_last,
                                      .keys_per_run = part.key_count},
        launch.push);
}

// The kernel with what it is handed; without `run` it walks all keys.
void set_kernel(dispatch::Step& step,
                const Launch& launch,
                const vk::Capabilities& caps,
                const std::optional<Run>& run = {}) {
    if (launch.tiling.is_subgroup) {
        set_subgroup_kernel(step, launch, run, caps);
    } else {
        set_tiled_kernel(step, launch, run);
    }
}

// A step for each part of the keys, the first in the place of one for all, which would take so many
// passes; the last one stores.
void append_runs(const Launch& launch,
                 double passes,
                 const vk::Capabilities& caps,
                 dispatch::Step& first_step,
                 dispatch::Program& program) {
    const dispatch::Step whole = first_step;
    const vk::AttentionPush& push = launch.push;
    const AttentionTiling& tiling = launch.tiling;
    // The kernel walks whole blocks of keys, which is what its passes grow by.
    const std::uint64_t walked =
        ceil_div(std::uint64_t{push.key_count}, std::uint64_t{tiling.key_unit}) * tiling.key_unit;
    const auto keys =
        static_cast<std::uint32_t>(dispatch::bounded_count(walked, passes, tiling.key_unit));
    if (keys == 0) {
        throw UnsupportedError(
            kName,
            fmt::format("query's last dimension, {}, is longer than a kernel may walk",
                        push.depth));
    }
    const std::uint64_t rows = std::uint64_t{push.batch_count} * push.query_count;
    const std::size_t carried = program.workspace_bytes.size();
    program.workspace_bytes.push_back(
        std::max<std::uint64_t>(rows * push.value_depth * sizeof(float), sizeof(float)));
    program.workspace_bytes.push_back(rows * tiling.chunk_count(push.value_depth) * tiling.lanes *
                                      16);
    const std::uint32_t run_count = (push.key_count + keys - 1) / keys;
    for (std::uint32_t run = 0; run < run_count; ++run) {
        dispatch::Step& step = run == 0 ? first_step : program.steps.emplace_back();
        step = whole;
        set_kernel(step,
                   launch,
                   caps,
                   Run{.is_first = run == 0, .is_last = run + 1 == run_count, .key_count = keys});
        step.bindings.push_back(dispatch::workspace(carried));
        step.bindings.push_back(dispatch::workspace(carried + 1));
        step.work = whole.work / run_count;
    }
}

void select_attention(const dispatch::OpCall& call,
                      std::span<const Tensor> /*outputs*/,
                      const vk::Capabilities& caps,
                      dispatch::Program& program) {
    const Dims batch = batch_of(call);
    const Walk<4> walk = merge_dims<4>(batch,
                                       {batch_strides(call.inputs[0], batch),
                                        batch_strides(call.inputs[1], batch),
                                        batch_strides(call.inputs[2], batch),
                                        batch_strides(call.inputs[3], batch)});
    const vk::AttentionPush push = make_push(call, walk, caps);
    dispatch::Step& step = program.steps.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) {
        step.bindings.push_back(dispatch::input(i));
    }
    step.bindings.push_back(dispatch::input(call.inputs[3].defined() ? 3 : 0));
    step.bindings.push_back(dispatch::output(0));
    step.bindings.push_back(dispatch::output(1));
    const Launch launch{
        .call = call, .push = push, .tiling = choose_tiling(push, caps), .batch_rank = walk.rank};
    set_kernel(step, launch, caps);
    const std::uint64_t groups = std::uint64_t{push.batch_count} *
                                 ceil_div(push.query_count, launch.tiling.rows) *
                                 launch.tiling.chunk_count(push.value_depth);
    step.groups = dispatch::fold_groups(groups, caps);
    step.work = std::uint64_t{push.batch_count} * push.query_count * push.key_count *
                (2 * (std::uint64_t{push.depth} + push.value_depth) + 32);
    const double passes = dispatch::iterations_of(step);
    if (passes > vk::kMostIterations) [[unlikely]] {
        append_runs(launch, passes, caps, step, program);
    }
}

// The result's dimensions: the batch's, queries, value columns. Causal queries count from the
// first.
std::int64_t window_of_attention(const dispatch::OpCall& call,
                                 std::size_t input,
                                 std::int64_t output_rank,
                                 std::int64_t dim) noexcept {
    if (dim == output_rank - 1) {
        return dispatch::kUncut;
    }
    const Dims& sizes = impl_of(call.inputs[input]).sizes;
    const std::int64_t own = dim - (output_rank - sizes.count());
    if (dim < output_rank - 2) {
        return own < 0 || sizes[own] == 1 ? dispatch::kWhole : own;
    }
    if (call.attrs_as<AttentionAttrs>().is_causal) {
        return dispatch::kUncut;
    }
    const bool follows = input == 0 || (input == 3 && own >= 0 && sizes[own] != 1);
    return follows ? own : dispatch::kWhole;
}

// More batch dimensions than the kernels walk: every operand is copied to one shape, whose batch
// is one dimension.
void limit_batch_rank(std::array<Tensor, 4>& inputs) {
    Dims batch;
    for (std::size_t i = 0; i < 3; ++i) {
        if (!inputs[i].defined() || inputs[i].dim() < 2 || !join_batch(batch, inputs[i].sizes())) {
            return;
        }
    }
    if (batch.count() <= kMaxAttentionBatchRank) {
        return;
    }
    for (Tensor& tensor : inputs) {
        if (tensor.defined() && tensor.dim() >= 2) {
            Dims sizes = batch;
            sizes.push_back(tensor.size(-2));
            sizes.push_back(tensor.size(-1));
            tensor = expand(tensor, sizes).contiguous();
        }
    }
}

}  // namespace

MaskKind mask_kind(const Tensor& mask) noexcept {
    if (!mask.defined()) {
        return MaskKind::kNone;
    }
    return impl_of(mask).dtype == kBool ? MaskKind::kBool : MaskKind::kAdditive;
}

Dims batch_strides(const Tensor& tensor, const Dims& batch_sizes) {
    Dims strides = Dims::filled(batch_sizes.count(), 0);
    if (!tensor.defined()) {
        return strides;
    }
    const TensorImpl& impl = impl_of(tensor);
    const std::int64_t missing = batch_sizes.count() - (impl.sizes.count() - 2);
    for (std::int64_t d = std::max<std::int64_t>(missing, 0); d < batch_sizes.count(); ++d) {
        strides[d] = impl.sizes[d - missing] == 1 ? 0 : impl.strides[d - missing];
    }
    return strides;
}

std::uint32_t mask_stride(const Tensor& mask, std::int64_t d) noexcept {
    return mask.defined() && impl_of(mask).sizes.count() + d >= 0 ? stride_of(mask, d) : 0;
}

constexpr dispatch::OpDef kAttention{
    .name = kName,
    .inputs = {{{"query", dispatch::Grad::kFormula},
                {"key", dispatch::Grad::kFormula},
                {"value", dispatch::Grad::kFormula},
                {"mask", dispatch::Grad::kFormula}}},
    .infer = infer_attention,
    .select = select_attention,
    .window = window_of_attention,
    .saved = {.inputs = 0b1111, .outputs = 0b11, .input_is_for = {0, 0, 0b1011, 0}},
    .backward = backward_attention,
    .pattern = &kAttentionPattern,
};
static_assert(well_formed(kAttention));

}  // namespace pumice::ops

namespace pumice {

Tensor scaled_dot_product_attention(Tensor query,
                                    Tensor key,
                                    Tensor value,
                                    Tensor mask,
                                    bool is_causal,
                                    std::optional<double> scale) try {
    if (scale && !std::isfinite(*scale)) {
        throw ArgumentError(ops::kName, fmt::format("scale must be finite; got {}", *scale));
    }
    ops::AttentionAttrs attrs{.is_causal = is_causal};
    if (query.defined() && query.dim() > 0) {
        const auto depth = static_cast<double>(std::max<std::int64_t>(query.size(-1), 1));
        attrs.scale = static_cast<float>(scale.value_or(1.0 / std::sqrt(depth)));
    }
    std::array inputs{std::move(query), std::move(key), std::move(value), std::move(mask)};
    ops::limit_batch_rank(inputs);
    std::array<Tensor, 2> outputs;
    dispatch::call_many(ops::kAttention, inputs, attrs, outputs);
    return std::move(outputs[0]);

} catch (const Error&) {
    rethrow_under("scaled_dot_product_attention");
}

}  // namespace pumice
