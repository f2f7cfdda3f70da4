// SPDX-License-Identifier: Apache-2.0
// How a convolution is cut into tiles, runs and kernels.
#include "geometry/convolution.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "geometry/product_tiling.h"
#include "geometry/tiles.h"
#include "vk/kernels/spatial_convolve_subgroup.h"
#include "vk/kernels/spatial_convolve_tiled.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

namespace pumice::ops {

namespace {

constexpr double kShareOfBound = 0.95;  // what a run may take

// The product's extents: rows, columns and depth, the most of any group and phase. What a phase is
// and when a tap meets a position of the image: shaders/include/convolve.glsl.
struct ConvProduct {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t depth = 0;
    std::int64_t groups = 0;       ///< times phases
    std::int64_t inner_depth = 0;  ///< what the subgroup kernel's inner loop walks
};

// Whether longer compiling of a faster kernel pays.
bool is_large(const ConvProduct& p) noexcept {
    return p.groups * p.rows * p.cols * p.depth >= 4 << 20;
}

// As for a matrix product (matmul_tiling.cpp), with fewer kinds of tiles: each compiles a pipeline.
Tiling tile_for_lanes(const ConvProduct& p, std::uint32_t lanes) noexcept {
    if (p.rows == 1) {  // depthwise
        const std::uint32_t each = p.cols >= std::int64_t{16} * lanes ? 16 : 4;
        return {.is_subgroup = true, .rows = 1, .cols = each * lanes, .cols_per_invocation = each};
    }
    const std::uint32_t many = p.rows >= 32 && is_large(p) ? 32 : 16;
    return {.is_subgroup = true, .rows = p.rows <= 8 ? 8 : many, .cols = 4 * lanes};
}

Tiling choose_conv_tiling(const ConvProduct& p, const vk::Capabilities& caps) noexcept {
    if (prefers_subgroup_tiles(caps)) {
        return tile_for_lanes(p, caps.subgroup_size);
    }
    if (!caps.is_cpu && p.rows <= 4) {  // depthwise: no rows of a tile are wasted
        const std::uint32_t rows = p.rows == 1 ? 1 : 4;
        return {.rows = rows, .cols = 256, .rows_per_invocation = rows};
    }
    return choose_tiling({.rows = p.rows,
                          .cols = p.cols,
                          .depth = p.depth,
                          .batch_sizes = {p.groups},
                          .a = {},
                          .b = {},
                          .c = {},
                          .bias = {}},
                         caps);
}

// Steps that the subgroup kernel unrolls: whole short depths, so that no loop is left for the rest.
std::uint32_t depth_step(const ConvProduct& p) noexcept {
    if (!is_large(p) || p.inner_depth == 1) {
        return 1;
    }
    return p.inner_depth == 3 ? 3 : 4;
}

// One of several runs over the depth.
struct Run {
    bool is_first = false;
    bool is_last = false;
};

// What a call's kernel is chosen by.
struct Launch {
    ConvRole role;
    DType dtype;
    ConvProduct product;
    Tiling tiling;
    std::uint32_t lanes;  ///< of a subgroup
};

// The kernel with what it is handed; without `run` it walks the whole depth.
void set_kernel(dispatch::Step& step,
                const Launch& launch,
                const vk::ConvolvePush& push,
                const std::optional<Run>& run = {}) {
    using vk::KernelId;
    const Tiling& tiling = launch.tiling;
    const Run part = run.value_or(Run{});
    if (tiling.is_subgroup) {
        step.set(
            run ? KernelId::kSpatialConvolveSubgroupMany : KernelId::kSpatialConvolveSubgroupOne,
            vk::SpatialConvolveSubgroupSpec{.lanes = launch.lanes,
                                            .dtype = launch.dtype,
                                            .product = static_cast<std::uint32_t>(launch.role),
                                            .tile_rows = tiling.rows,
                                            .cols_per_lane = tiling.cols_per_invocation,
                                            .depth_step = depth_step(launch.product),
                                            .is_first_run = part.is_first,
                                            .is_last_run = part.is_last},
            push);
        return;
    }
    step.set(run ? KernelId::kSpatialConvolveTiledMany : KernelId::kSpatialConvolveTiledOne,
             vk::SpatialConvolveTiledSpec{.local_size = tiling.rows / tiling.rows_per_invocation *
                                                        (tiling.cols / tiling.cols_per_invocation),
                                          .dtype = launch.dtype,
                                          .product = static_cast<std::uint32_t>(launch.role),
                                          .tile_rows = tiling.rows,
                                          .tile_cols = tiling.cols,
                                          .tile_depth = tiling.depth,
                                          .rows_per_invocation = tiling.rows_per_invocation,
                                          .cols_per_invocation = tiling.cols_per_invocation,
                                          .is_first_run = part.is_first,
                                          .is_last_run = part.is_last},
             push);
}

void set_grid(dispatch::Step& step, const Launch& launch, const vk::Capabilities& caps) {
    const ConvProduct& product = launch.product;
    const std::int64_t tiles = product.groups *
                               ceil_div<std::int64_t>(product.rows, launch.tiling.rows) *
                               ceil_div<std::int64_t>(product.cols, launch.tiling.cols);
    step.groups = dispatch::fold_groups(static_cast<std::uint64_t>(tiles), caps);
    step.work = static_cast<std::uint64_t>(product.groups * product.rows * product.cols *
                                           std::max<std::int64_t>(product.depth, 1)) *
                2;
}

// The shapes of image, weight and result of a call, whichever of them it makes.
struct ConvShapes {
    Dims x;
    Dims weight;
    Dims y;
};

ConvShapes shapes_of(ConvRole role, const Dims& first, const Dims& second, const Dims& made) {
    switch (role) {
        case ConvRole::kResult: return {.x = first, .weight = second, .y = made};
        case ConvRole::kImageGradient: return {.x = made, .weight = second, .y = first};
        default: return {.x = second, .weight = made, .y = first};
    }
}

// How many taps lie from one that a phase meets to the next.
IntPair tap_step(const ConvAttrs& attrs) noexcept {
    return {attrs.stride.rows / std::gcd(attrs.stride.rows, attrs.dilation.rows),
            attrs.stride.cols / std::gcd(attrs.stride.cols, attrs.dilation.cols)};
}

// Of dilation / gcd, modulo stride / gcd, with the greatest common divisor of both.
std::uint32_t tap_inverse(std::int64_t dilation, std::int64_t stride) noexcept {
    const std::int64_t divisor = std::gcd(dilation, stride);
    const std::int64_t modulus = std::max<std::int64_t>(stride / divisor, 1);
    // Euclid's algorithm, extended: x * dilation = rest modulo the modulus, for both pairs.
    std::array<std::int64_t, 2> rests{modulus, dilation / divisor % modulus};
    std::array<std::int64_t, 2> factors{0, 1};
    while (rests[1] != 0) {
        const std::int64_t quotient = rests[0] / rests[1];
        rests = {rests[1], rests[0] - quotient * rests[1]};
        factors = {factors[1], factors[0] - quotient * factors[1]};
    }
    return u32((factors[0] % modulus + modulus) % modulus);
}

ConvProduct image_gradient_product(const ConvShapes& s, const ConvAttrs& attrs) noexcept {
    const std::int64_t out_channels = s.weight[0] / attrs.groups;
    const IntPair step = tap_step(attrs);
    const std::int64_t taps = ceil_div(s.weight[2], step.rows) * ceil_div(s.weight[3], step.cols);
    const std::int64_t phases =
        std::min(attrs.stride.rows, s.x[2]) * std::min(attrs.stride.cols, s.x[3]);
    return {
        .rows = s.weight[1],
        .cols = s.x[0] * ceil_div(s.x[2], attrs.stride.rows) * ceil_div(s.x[3], attrs.stride.cols),
        .depth = out_channels * taps,
        .groups = attrs.groups * phases,
        .inner_depth = out_channels};
}

ConvProduct product_of(ConvRole role, const ConvShapes& s, const ConvAttrs& attrs) noexcept {
    const std::int64_t taps = s.weight[2] * s.weight[3];
    const std::int64_t in_channels = s.weight[1];
    const std::int64_t groups = attrs.groups;
    const std::int64_t out_channels = s.weight[0] / groups;
    const std::int64_t out_places = s.y[0] * s.y[2] * s.y[3];
    switch (role) {
        case ConvRole::kResult:
            return {out_channels, out_places, in_channels * taps, groups, in_channels};
        case ConvRole::kImageGradient: return image_gradient_product(s, attrs);
        default: return {out_channels, in_channels * taps, out_places, groups, s.y[3]};
    }
}

// The push constants but for what the bias and the bindings give.
vk::ConvolvePush make_push(ConvRole role, const ConvShapes& s, const ConvAttrs& attrs) noexcept {
    const IntPair step = role == ConvRole::kImageGradient ? tap_step(attrs) : IntPair(1);
    return {.images = u32(s.x[0]),
            .groups = u32(attrs.groups),
            .in_channels = u32(s.weight[1]),
            .out_channels = u32(s.weight[0] / attrs.groups),
            .in_rows = u32(s.x[2]),
            .in_cols = u32(s.x[3]),
            .out_rows = u32(s.y[2]),
            .out_cols = u32(s.y[3]),
            .kernel_rows = u32(s.weight[2]),
            .kernel_cols = u32(s.weight[3]),
            .stride_rows = u32(attrs.stride.rows),
            .stride_cols = u32(attrs.stride.cols),
            .pad_rows = u32(attrs.padding.rows),
            .pad_cols = u32(attrs.padding.cols),
            .dilation_rows = u32(attrs.dilation.rows),
            .dilation_cols = u32(attrs.dilation.cols),
            .tap_step_rows = u32(step.rows),
            .tap_step_cols = u32(step.cols),
            .a_offset = 0,
            .b_offset = 0,
            .bias_offset = 0,
            .has_bias = 0,
            .tap_inverse = {tap_inverse(attrs.dilation.rows, attrs.stride.rows),
                            tap_inverse(attrs.dilation.cols, attrs.stride.cols)},
            .part_first = {0, 0},
            .part_end = {~0U, ~0U}};
}

// The depth's outer and inner loop in the subgroup kernel, the depth in the tiled one.
std::array<std::int64_t, 2> walked_of(const ConvProduct& product, bool is_subgroup) noexcept {
    const std::int64_t inner = std::max<std::int64_t>(product.inner_depth, 1);
    return is_subgroup ? std::array{product.depth / inner, inner}
                       : std::array{std::int64_t{1}, product.depth};
}

// A step for each part of the depth, the first in the place of one for all, which would take so
// many passes; the last one stores. In between, sums stay as they are in a workspace.
void append_runs(dispatch::Step& first_step,
                 const vk::ConvolvePush& push,
                 const Launch& launch,
                 std::int64_t made_count,
                 double passes,
                 dispatch::Program& program) {
    const dispatch::Step whole = first_step;
    const ConvProduct& product = launch.product;
    const bool is_subgroup = launch.tiling.is_subgroup;
    const auto [outer, inner] = walked_of(product, is_subgroup);
    const std::uint32_t unit = is_subgroup ? depth_step(product) : launch.tiling.depth;
    const double per_outer = is_subgroup ? 3.0 + unit : 0.0;
    const double per_inner = is_subgroup ? 1.0 / unit : passes / static_cast<double>(inner);
    const dispatch::Operand sums = dispatch::workspace(program.workspace_bytes.size());
    program.workspace_bytes.push_back(static_cast<std::uint64_t>(made_count) * sizeof(float));
    dispatch::for_each_part(
        u32(outer),
        u32(inner),
        {kShareOfBound * vk::kMostIterations, per_outer, per_inner, unit},
        [&](const dispatch::Rectangle& part) {
            vk::ConvolvePush run = push;
            run.part_first = {part.first_row, part.first_col};
            run.part_end = {part.end_row, part.end_col};
            if (!is_subgroup) {
                std::swap(run.part_first[0], run.part_first[1]);
                std::swap(run.part_end[0], run.part_end[1]);
            }
            dispatch::Step& step = part.is_first ? first_step : program.steps.emplace_back();
            step = whole;
            set_kernel(step, launch, run, Run{.is_first = part.is_first, .is_last = part.is_last});
            step.bindings.push_back(sums);
            const std::uint64_t share =
                std::uint64_t{part.end_row - part.first_row} * (part.end_col - part.first_col);
            step.work = whole.work /
                        static_cast<std::uint64_t>(std::max<std::int64_t>(product.depth, 1)) *
                        share;
        });
}

}  // namespace

void append_convolution(ConvRole role,
                        const dispatch::OpCall& call,
                        std::span<const Tensor> outputs,
                        const vk::Capabilities& caps,
                        dispatch::Program& program) {
    const auto& attrs = call.attrs_as<ConvAttrs>();
    const TensorImpl& made = impl_of(outputs[0]);
    if (made.numel == 0) {
        return;
    }
    const ConvShapes shapes =
        shapes_of(role, impl_of(call.inputs[0]).sizes, impl_of(call.inputs[1]).sizes, made.sizes);
    const bool has_bias = role == ConvRole::kResult && call.inputs[2].defined();
    // The weight is the first matrix of a result and of an image's gradient.
    const std::size_t a = role == ConvRole::kWeightGradient ? 0 : 1;
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(dispatch::input(a));
    step.bindings.push_back(dispatch::input(1 - a));
    step.bindings.push_back(dispatch::output(0));
    step.bindings.push_back(dispatch::input(has_bias ? 2 : 0));
    vk::ConvolvePush push = make_push(role, shapes, attrs);
    push.a_offset = dispatch::bound_offset(call.inputs[a], caps);
    push.b_offset = dispatch::bound_offset(call.inputs[1 - a], caps);
    push.bias_offset = has_bias ? dispatch::bound_offset(call.inputs[2], caps) : 0;
    push.has_bias = has_bias ? 1 : 0;
    const ConvProduct product = product_of(role, shapes, attrs);
    const Launch launch{.role = role,
                        .dtype = made.dtype,
                        .product = product,
                        .tiling = choose_conv_tiling(product, caps),
                        .lanes = caps.subgroup_size};
    set_kernel(step, launch, push);
    set_grid(step, launch, caps);
    const double passes = dispatch::iterations_of(step);
    if (passes > vk::kMostIterations) [[unlikely]] {
        append_runs(step, push, launch, made.numel, passes, program);
    }
}

}  // namespace pumice::ops
