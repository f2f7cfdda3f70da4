// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/ops/conv.h"

#include "dispatch/op_def.h"
#include "ops/tiles.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace pumice::ops {

/// Most that a stride, a padding and the like may be: the kernels count in 32 bits.
inline constexpr std::int64_t kMostReach = 1 << 29;

/// Whether both numbers are in [least, kMostReach].
bool is_within(const IntPair& pair, std::int64_t least) noexcept;

/// "[rows, cols]", for errors.
std::string to_text(const IntPair& pair);

/// The windows of a pooling call.
struct PoolWindow {
    IntPair kernel = 1;
    IntPair stride = 1;
    IntPair padding = 0;
    IntPair dilation = 1;
    bool ceil_mode = false;
};

/// Windows along the rows and along the columns of [N, C, H, W].
/// @throws ShapeError unless x has that shape and there is a window, DTypeError unless x is
/// floating, ArgumentError for an undefined x or numbers out of range
IntPair count_windows(std::string_view op, const Tensor& x, const PoolWindow& window);

/// in_rows .. dilation_cols, as the kernels' push constants have them.
using PoolGeometry = std::array<std::uint32_t, 12>;

PoolGeometry geometry_of(const Dims& image, const Dims& pooled, const PoolWindow& window) noexcept;

/// Grid and local size (the first specialization constant) of one invocation a word of `made`.
void launch_words(dispatch::Step& step, const TensorImpl& made, const vk::Capabilities& caps);

/// dispatch::Step::work for `count` windows.
std::uint64_t window_work(std::int64_t count, const PoolWindow& window) noexcept;

/// WindowFn of pooling and its gradients: planes are worked on apart.
std::int64_t window_of_planes(const dispatch::OpCall& call,
                              std::size_t input,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept;

}  // namespace pumice::ops
