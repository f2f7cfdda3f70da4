// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/ops/conv.h"

#include "dispatch/iterations.h"
#include "dispatch/op_def.h"
#include "geometry/tiles.h"
#include "geometry/words.h"

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

/// Sets what every pooling kernel is told of the image, the pooled one and the windows.
template <class Push>
void set_geometry(Push& push, const Dims& image, const Dims& pooled, const PoolWindow& w) noexcept {
    push.in_rows = u32(image[2]);
    push.in_cols = u32(image[3]);
    push.out_rows = u32(pooled[2]);
    push.out_cols = u32(pooled[3]);
    push.kernel_rows = u32(w.kernel.rows);
    push.kernel_cols = u32(w.kernel.cols);
    push.stride_rows = u32(w.stride.rows);
    push.stride_cols = u32(w.stride.cols);
    push.pad_rows = u32(w.padding.rows);
    push.pad_cols = u32(w.padding.cols);
    if constexpr (requires { push.dilation_rows; }) {  // an average has none
        push.dilation_rows = u32(w.dilation.rows);
        push.dilation_cols = u32(w.dilation.cols);
    }
}

/// Sets the grid for one invocation a word of `made`, and returns the workgroup size.
[[nodiscard]] std::uint32_t launch_words(dispatch::Step& step,
                                         const TensorImpl& made,
                                         const vk::Capabilities& caps);

/// dispatch::Step::work for `count` windows.
std::uint64_t window_work(std::int64_t count, const PoolWindow& window) noexcept;

/// Rows and columns that a run walks, of a window or of the windows over an element.
struct PoolPart {
    std::array<std::uint32_t, 2> first{0, 0};
    std::array<std::uint32_t, 2> end{~0U, ~0U};
    bool is_first = false;
    bool is_last = false;
};

/// Puts steps in the place of `first_step`, which walks too much in one invocation: one for each
/// part of `spans` rows and columns, in row-major order. `set_part(step, part)` makes each of
/// them out of a copy.
template <class SetPart>
void append_pool_runs(dispatch::Program& program,
                      dispatch::Step& first_step,
                      DType dtype,
                      const IntPair& spans,
                      const SetPart& set_part) {
    constexpr double kShareOfBound = 0.95;
    const dispatch::Step whole = first_step;
    const double most = kShareOfBound * vk::kMostIterations / elements_per_word(dtype) - 4;
    const auto visit = [&](const dispatch::Rectangle& part) {
        dispatch::Step& step = part.is_first ? first_step : program.steps.emplace_back();
        step = whole;
        set_part(step,
                 PoolPart{.first = {part.first_row, part.first_col},
                          .end = {part.end_row, part.end_col},
                          .is_first = part.is_first,
                          .is_last = part.is_last});
    };
    dispatch::for_each_part(u32(spans.rows), u32(spans.cols), {most, 2, 1, 1}, visit);
}

/// WindowFn of pooling and its gradients: planes are worked on apart.
std::int64_t window_of_planes(const dispatch::OpCall& call,
                              std::size_t input,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept;

}  // namespace pumice::ops
