// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/program.h"
#include "tensor/tensor_impl.h"

#include <array>
#include <cstdint>

namespace pumice::ops {

/// Extents and strides (in elements) of at most four collapsed dimensions, the innermost last;
/// unused ones, in front, have extent 1 and stride 0. Laid out as the kernels' uvec4 pairs.
struct CollapsedDims {
    std::array<std::uint32_t, 4> sizes{1, 1, 1, 1};
    std::array<std::uint32_t, 4> strides{};
    std::uint32_t rank = 0;  ///< dimensions of extent above 1 after collapsing
};

/// A tensor's dimensions parted into kept and reduced ones, neighbours merged where the strides
/// allow it. The kept part runs through the result in row-major order.
struct PartedDims {
    CollapsedDims kept;
    CollapsedDims reduced;
    std::uint32_t output_count = 1;   ///< elements of the result
    std::uint32_t reduced_count = 1;  ///< elements that make one of them
};

/// Bytes of what a lane knows after some elements; see shaders/include/reduce.glsl.
inline constexpr std::uint64_t kPartialBytes = 16;

/// Bit d set: dimension d is reduced.
using DimMask = std::uint32_t;

/// Whether kept and reduced dimensions collapse to at most four each. A contiguous tensor's do.
bool can_part_dims(const Dims& sizes, const Dims& strides, DimMask mask) noexcept;

/// @throws InternalError unless can_part_dims
PartedDims part_dims(const Dims& sizes, const Dims& strides, DimMask mask);

/// Whether neither the kept nor the reduced elements ever step back in memory, so that a part of
/// their range lies in a window of its own. A contiguous tensor's don't.
bool can_window_parts(const PartedDims& parted) noexcept;

/// How a fold is laid over invocations; see shaders/reduce/fold.comp.
struct FoldLayout {
    std::uint32_t local_size = 64;
    std::uint32_t lanes = 1;         ///< invocations that share one item
    std::uint32_t chunk_length = 0;  ///< reduced elements of an item
    std::uint32_t chunk_count = 1;   ///< items that make one output
};

/// Chooses by shape and capability alone. `item_count` items of parted.reduced_count elements;
/// chunk_count stays 1 unless `can_split`.
FoldLayout choose_fold_layout(const PartedDims& parted,
                              std::uint64_t item_count,
                              bool can_split,
                              const vk::Capabilities& caps) noexcept;

/// Cuts chunks of `layout` so that no lane walks more than it may, into whole blocks: more chunks
/// than one, if a chunk of all elements takes too many `passes` (of a lane, through its loops).
/// Chunks that are short enough stay as they are. See dispatch/iterations.h.
void bound_chunks(FoldLayout& layout, std::uint32_t reduced_count, double passes) noexcept;

/// Workgroups for so many items. @throws UnsupportedError if the grid cannot hold them
std::array<std::uint32_t, 3> fold_grid(const FoldLayout& layout,
                                       std::uint64_t item_count,
                                       const vk::Capabilities& caps);

/// One reduction as a kernel call: `x` -> `result`.
struct Fold {
    vk::ReduceOp op{};
    PartedDims parted{};
    DType x_dtype = kFloat32;
    DType result_dtype = kFloat32;
    dispatch::Operand x{};
    dispatch::Operand result{};
    std::uint32_t x_offset = 0;    ///< elements
    float divisor = 1.0F;          ///< mean: n; var, std: n - correction
    bool can_split = true;         ///< may take a workspace and a second step for speed's sake
    bool writes_partials = false;  ///< result: a Partial (kPartialBytes) an output, not its value
};

/// Appends the one or two steps of a fold; more where x is too large to be bound at once and
/// can_window_parts, or where there are more chunks than one invocation may merge.
void append_fold(dispatch::Program& program, const Fold& fold, const vk::Capabilities& caps);

}  // namespace pumice::ops
