// SPDX-License-Identifier: Apache-2.0
// How a matrix product is laid out, cut into runs and split along its depth.
#include "geometry/product.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "geometry/product_tiling.h"
#include "geometry/tiles.h"
#include "geometry/walk.h"
#include "vk/kernels.h"
#include "vk/kernels/matmul_subgroup.h"
#include "vk/kernels/matmul_sum_splits.h"
#include "vk/kernels/matmul_tiled.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace pumice::ops {

namespace {

using vk::KernelId;

constexpr std::size_t kRank = kMaxBatchRank;

bool is_broadcast(const MatrixView& matrix, const Dims& batch_sizes) noexcept {
    for (std::int64_t d = 0; d < batch_sizes.count(); ++d) {
        if (batch_sizes[d] > 1 && matrix.batch_strides[d] != 0) {
            return false;
        }
    }
    return true;
}

// With one b for all batches, the batch's rows are rows of one matrix as far as a and c lie so.
void fold_batch_into_rows(Product& p) {
    if (p.batch_sizes.empty() || !is_broadcast(p.b, p.batch_sizes)) {
        return;
    }
    Dims sizes = p.batch_sizes;
    std::array<Dims, 2> strides{p.a.batch_strides, p.c.batch_strides};
    sizes.push_back(p.rows);
    strides[0].push_back(p.a.row_stride);
    strides[1].push_back(p.c.row_stride);
    const Walk<2> walk = merge_dims<2>(sizes, strides);
    const std::uint32_t inner = walk.rank - 1;
    p.rows = walk.sizes[inner];
    p.a.row_stride = walk.strides[0][inner];
    p.c.row_stride = walk.strides[1][inner];
    p.batch_sizes = {};
    p.a.batch_strides = p.b.batch_strides = p.c.batch_strides = {};
    for (std::uint32_t d = 0; d < inner; ++d) {
        p.batch_sizes.push_back(walk.sizes[d]);
        p.a.batch_strides.push_back(walk.strides[0][d]);
        p.b.batch_strides.push_back(0);
        p.c.batch_strides.push_back(walk.strides[1][d]);
    }
}

void transpose(MatrixView& matrix) noexcept {
    std::swap(matrix.row_stride, matrix.col_stride);
}

// The kernels spread columns over neighbouring invocations: where C is a few columns wide, its
// transpose is computed instead.
void turn_narrow(Product& p) noexcept {
    constexpr std::int64_t kNarrow = 8;
    if (p.has_bias || p.cols >= kNarrow || p.rows <= p.cols) {
        return;
    }
    std::swap(p.rows, p.cols);
    std::swap(p.a, p.b);
    transpose(p.a);
    transpose(p.b);
    transpose(p.c);
}

// Strides of dimensions of extent 1 mean nothing; zeros keep them from spoiling wide loads.
void clear_unused_strides(Product& p) noexcept {
    p.a.row_stride = p.rows == 1 ? 0 : p.a.row_stride;
    p.a.col_stride = p.depth == 1 ? 0 : p.a.col_stride;
    p.b.row_stride = p.depth == 1 ? 0 : p.b.row_stride;
    p.b.col_stride = p.cols == 1 ? 0 : p.b.col_stride;
    p.c.row_stride = p.rows == 1 ? 0 : p.c.row_stride;
}

vk::MatmulPush make_push(const Product& p, const Splits& splits) noexcept {
    const Walk<3> walk =
        merge_dims<3>(p.batch_sizes, {p.a.batch_strides, p.b.batch_strides, p.c.batch_strides});
    vk::MatmulPush push{.rows = u32(p.rows),
                        .cols = u32(p.cols),
                        .depth = u32(p.depth),
                        .depth_per_split = u32(splits.depth),
                        .batch_count = u32(numel(p.batch_sizes)),
                        .a_row_stride = u32(p.a.row_stride),
                        .a_depth_stride = u32(p.a.col_stride),
                        .b_depth_stride = u32(p.b.row_stride),
                        .b_col_stride = u32(p.b.col_stride),
                        .c_row_stride = u32(p.c.row_stride),
                        .c_col_stride = u32(p.c.col_stride),
                        .a_offset = p.a.offset,
                        .b_offset = p.b.offset,
                        .c_offset = splits.is_partial ? 0 : p.c.offset,
                        .has_bias = p.has_bias && !splits.is_partial,
                        .bias_offset = p.bias_offset,
                        .bias_stride = p.bias_stride,
                        .batch_sizes = {1, 1, 1},
                        .a_batch_strides = {},
                        .b_batch_strides = {},
                        .c_batch_strides = {}};
    const std::size_t first = kRank - walk.rank;
    for (std::size_t d = 0; d < walk.rank; ++d) {
        if (first + d > 0) {
            push.batch_sizes[first + d - 1] = walk.sizes[d];
        }
        push.a_batch_strides[first + d] = walk.strides[0][d];
        push.b_batch_strides[first + d] = walk.strides[1][d];
        push.c_batch_strides[first + d] = walk.strides[2][d];
    }
    return push;
}

// The kernel for the whole depth in one run.
KernelId choose_kernel(const Product& p, bool is_subgroup) noexcept {
    const bool is_int = p.dtype == kInt32;
    if (!is_subgroup) {
        return is_int ? KernelId::kMatmulTiledI32One : KernelId::kMatmulTiledF32One;
    }
    return is_int ? KernelId::kMatmulSubgroupI32One : KernelId::kMatmulSubgroupF32One;
}

// One of several runs over the depth.
struct Run {
    bool is_first = false;
    bool is_last = false;
};

// The kernel that walks a depth in several runs.
KernelId many_runs(KernelId one) noexcept {
    return static_cast<KernelId>(static_cast<std::uint32_t>(one) + 1);
}

static_assert(static_cast<int>(KernelId::kMatmulTiledF32Many) ==
                  static_cast<int>(KernelId::kMatmulTiledF32One) + 1 &&
              static_cast<int>(KernelId::kMatmulSubgroupI32Many) ==
                  static_cast<int>(KernelId::kMatmulSubgroupI32One) + 1);

// The kernel with what it is handed; without `run` it walks the whole depth.
void set_kernel(dispatch::Step& step,
                const Product& p,
                const Tiling& tiling,
                bool is_partial,
                const vk::MatmulPush& push,
                const vk::Capabilities& caps,
                const std::optional<Run>& run = {}) {
    const KernelId one = choose_kernel(p, tiling.is_subgroup);
    const KernelId kernel = run ? many_runs(one) : one;
    const Run part = run.value_or(Run{});
    const Loads a = choose_a(p, tiling);
    const Loads b = choose_b(p, tiling);
    const DType accumulator = p.dtype == kInt32 ? kInt32 : kFloat32;
    const DType out_dtype = is_partial ? accumulator : p.dtype;
    const Store store = choose_store(p, tiling, out_dtype, is_partial ? 0 : p.c.offset);
    if (tiling.is_subgroup) {
        step.quad_mask = static_cast<std::uint8_t>((a.load == Load::kQuads ? 1U : 0U) |
                                                   (b.load == Load::kQuads ? 2U : 0U));
        step.set(kernel,
                 vk::MatmulSubgroupSpec{.lanes = caps.subgroup_size,
                                        .dtype = p.dtype,
                                        .out_dtype = out_dtype,
                                        .tile_rows = tiling.rows,
                                        .cols_per_lane = tiling.cols_per_invocation,
                                        .a_along_depth = a.along_depth,
                                        .b_along_depth = b.along_depth,
                                        .a_load = static_cast<std::uint32_t>(a.load),
                                        .b_load = static_cast<std::uint32_t>(b.load),
                                        .store = static_cast<std::uint32_t>(store),
                                        .is_first_run = part.is_first,
                                        .is_last_run = part.is_last},
                 push);
        return;
    }
    step.set(kernel,
             vk::MatmulTiledSpec{.local_size = tiling.rows / tiling.rows_per_invocation *
                                               (tiling.cols / tiling.cols_per_invocation),
                                 .dtype = p.dtype,
                                 .out_dtype = out_dtype,
                                 .tile_rows = tiling.rows,
                                 .tile_cols = tiling.cols,
                                 .tile_depth = tiling.depth,
                                 .rows_per_invocation = tiling.rows_per_invocation,
                                 .cols_per_invocation = tiling.cols_per_invocation,
                                 .a_along_depth = a.along_depth,
                                 .b_along_depth = b.along_depth,
                                 .store = static_cast<std::uint32_t>(store),
                                 .a_in_quads = a.load == Load::kQuads,
                                 .b_in_quads = b.load == Load::kQuads,
                                 .is_first_run = part.is_first,
                                 .is_last_run = part.is_last},
             push);
}

std::int64_t element_count(const Product& p) noexcept {
    return p.rows * p.cols * numel(p.batch_sizes);
}

void append_sum(const Product& p,
                std::int64_t split_count,
                const vk::Capabilities& caps,
                dispatch::Program& program) {
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(dispatch::workspace(0));
    step.bindings.push_back(p.c.operand);
    step.bindings.push_back(p.has_bias ? p.bias : p.a.operand);
    const std::uint32_t local_size = launch_flat(step, word_count(element_count(p), p.dtype), caps);
    step.set(p.dtype == kInt32 ? KernelId::kMatmulSumSplitsI32 : KernelId::kMatmulSumSplitsF32,
             vk::MatmulSumSplitsSpec{
                 .local_size = local_size, .out_dtype = p.dtype, .has_bias = p.has_bias},
             {.element_count = u32(element_count(p)),
              .cols = u32(p.cols),
              .split_count = u32(split_count),
              .c_word = p.c.offset >> word_shift(p.dtype),
              .bias_offset = p.bias_offset,
              .bias_stride = p.bias_stride});
    step.work = static_cast<std::uint64_t>(element_count(p) * split_count);
}

// All of the product but the sum of its splits, in one run.
void set_step(dispatch::Step& step,
              const Product& p,
              const Tiling& tiling,
              const Splits& splits,
              const vk::Capabilities& caps) {
    step.bindings.push_back(p.a.operand);
    step.bindings.push_back(p.b.operand);
    step.bindings.push_back(splits.is_partial ? dispatch::workspace(0) : p.c.operand);
    step.bindings.push_back(p.has_bias ? p.bias : p.a.operand);
    set_kernel(step, p, tiling, splits.is_partial, make_push(p, splits), caps);
    const auto groups = static_cast<std::uint64_t>(tile_count(p, tiling) * splits.count);
    step.groups = dispatch::fold_groups(groups, caps);
    step.work =
        static_cast<std::uint64_t>(element_count(p) * std::max<std::int64_t>(p.depth, 1)) * 2;
}

constexpr std::int64_t kDepthUnit = 64;  // keeps the start of every part aligned for wide loads

std::int64_t bounded_depth(std::int64_t depth, double passes) noexcept {
    return static_cast<std::int64_t>(
        dispatch::bounded_count(static_cast<std::uint64_t>(depth), passes, kDepthUnit));
}

// Whether one invocation of sum_splits.comp may walk so many.
bool can_sum(std::int64_t split_count, DType dtype) noexcept {
    const auto elements = static_cast<double>(1U << word_shift(dtype));
    return 1 + elements * (1 + static_cast<double>(split_count)) <= vk::kMostIterations;
}

// Splits that one invocation may walk, or a single one if their accumulators cannot be bound or are
// too many to be summed.
Splits finer_splits(const Product& p,
                    const Tiling& tiling,
                    std::int64_t most_depth,
                    const vk::Capabilities& caps) noexcept {
    const std::int64_t count = ceil_div(p.depth, most_depth);
    const auto bytes = static_cast<std::uint64_t>(count * element_count(p)) * 4;
    if (bytes <= caps.max_storage_range_bytes && can_sum(count, p.dtype)) {
        return {.depth = most_depth, .count = count, .is_partial = true};
    }
    return {.depth = p.depth,
            .count = 1,
            .is_partial = choose_store(p, tiling, p.dtype, p.c.offset) == Store::kMasked};
}

// A step for each `depth_of_run` of the depth, the first in the place of one for all; the last one
// stores.
void append_runs(const Product& p,
                 const Tiling& tiling,
                 const Splits& splits,
                 std::int64_t depth_of_run,
                 const vk::Capabilities& caps,
                 dispatch::Step& first_step,
                 dispatch::Program& program) {
    const dispatch::Step whole = first_step;
    const vk::MatmulPush push = make_push(p, splits);
    const dispatch::Operand accumulators = dispatch::workspace(program.workspace_bytes.size());
    program.workspace_bytes.push_back(static_cast<std::uint64_t>(element_count(p)) * 4);
    for (std::int64_t first = 0; first < p.depth; first += depth_of_run) {
        const std::int64_t depth = std::min(depth_of_run, p.depth - first);
        const bool is_last = first + depth == p.depth;
        vk::MatmulPush part = push;
        part.depth = part.depth_per_split = u32(depth);
        part.a_offset += u32(first * p.a.col_stride);
        part.b_offset += u32(first * p.b.row_stride);
        part.has_bias = is_last ? push.has_bias : 0;
        dispatch::Step& step = first == 0 ? first_step : program.steps.emplace_back();
        step = whole;
        set_kernel(step,
                   p,
                   tiling,
                   splits.is_partial,
                   part,
                   caps,
                   Run{.is_first = first == 0, .is_last = is_last});
        step.bindings.push_back(accumulators);
        step.work = whole.work / static_cast<std::uint64_t>(ceil_div(p.depth, depth_of_run));
    }
}

}  // namespace

MatrixView view_matrix(dispatch::Operand operand,
                       const Tensor& tensor,
                       const Dims& batch_sizes,
                       const vk::Capabilities& caps) {
    const TensorImpl& impl = impl_of(tensor);
    const std::int64_t own = impl.sizes.count();
    MatrixView matrix{.operand = operand,
                      .offset = dispatch::bound_offset(tensor, caps),
                      .row_stride = impl.strides[own - 2],
                      .col_stride = impl.strides[own - 1],
                      .batch_strides = {}};
    const std::int64_t missing = batch_sizes.count() - (own - 2);
    for (std::int64_t d = 0; d < batch_sizes.count(); ++d) {
        const bool is_own = d >= missing && impl.sizes[d - missing] != 1;
        matrix.batch_strides.push_back(is_own ? impl.strides[d - missing] : 0);
    }
    return matrix;
}

void append_product(Product product, const vk::Capabilities& caps, dispatch::Program& program) {
    Product& p = product;
    fold_batch_into_rows(p);
    turn_narrow(p);
    fold_batch_into_rows(p);
    clear_unused_strides(p);
    const Tiling tiling = choose_tiling(p, caps);
    Splits splits = choose_splits(p, tiling, caps);
    dispatch::Step& step = program.steps.emplace_back();
    set_step(step, p, tiling, splits, caps);
    std::int64_t depth_of_run = splits.depth;
    const double passes = dispatch::iterations_of(step);
    if (passes > vk::kMostIterations) [[unlikely]] {
        depth_of_run = bounded_depth(splits.depth, passes);
        if (splits.count > 1) {
            splits = finer_splits(p, tiling, depth_of_run, caps);
            step.bindings.clear();
            set_step(step, p, tiling, splits, caps);
        }
    }
    if (splits.is_partial) {
        program.workspace_bytes.push_back(
            static_cast<std::uint64_t>(element_count(p) * splits.count) * 4);
    }
    if (splits.depth > depth_of_run) [[unlikely]] {
        append_runs(p, tiling, splits, depth_of_run, caps, step, program);
    }
    if (splits.is_partial) {
        append_sum(p, splits.count, caps, program);
    }
}

}  // namespace pumice::ops
