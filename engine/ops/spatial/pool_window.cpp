// SPDX-License-Identifier: Apache-2.0
// Windows of pooling: their extents, and how the work is cut.
#include "ops/spatial/pool_window.h"

#include "pumice/error.h"

#include "base/naming.h"
#include "ops/reduce/reduction.h"

#include <fmt/format.h>

namespace pumice::ops {

namespace {

// As at::native's pooling_output_shape.
std::int64_t count_along(std::int64_t in,
                         std::int64_t kernel,
                         std::int64_t stride,
                         std::int64_t padding,
                         std::int64_t dilation,
                         bool ceil_mode) noexcept {
    const std::int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
    if (room < 0 && !(ceil_mode && room + stride > 0)) {
        return 0;
    }
    const std::int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    const bool starts_outside = ceil_mode && (count - 1) * stride >= in + padding;
    return starts_outside ? count - 1 : count;
}

void check_numbers(std::string_view op, const PoolWindow& w) {
    const bool fits = is_within(w.kernel, 1) && is_within(w.stride, 1) &&
                      is_within(w.dilation, 1) && is_within(w.padding, 0) &&
                      w.padding.rows <= w.kernel.rows / 2 && w.padding.cols <= w.kernel.cols / 2;
    if (!fits) {
        throw ArgumentError(
            op,
            fmt::format("kernel_size, stride and dilation must be in [1, {}], padding in [0, "
                        "kernel_size / 2]; got {}",
                        kMostReach,
                        listed({{"kernel_size", to_text(w.kernel)},
                                {"stride", to_text(w.stride)},
                                {"dilation", to_text(w.dilation)},
                                {"padding", to_text(w.padding)}})));
    }
}

}  // namespace

bool is_within(const IntPair& pair, std::int64_t least) noexcept {
    return pair.rows >= least && pair.cols >= least && pair.rows <= kMostReach &&
           pair.cols <= kMostReach;
}

std::string to_text(const IntPair& pair) {
    return fmt::format("[{}, {}]", pair.rows, pair.cols);
}

IntPair count_windows(std::string_view op, const Tensor& x, const PoolWindow& w) {
    require_floating(op, x);
    check_numbers(op, w);
    if (x.dim() != 4) {
        throw ShapeError(op,
                         fmt::format("x must be [N, C, H, W] or [C, H, W]; got x {}", describe(x)));
    }
    const IntPair windows{
        count_along(
            x.size(2), w.kernel.rows, w.stride.rows, w.padding.rows, w.dilation.rows, w.ceil_mode),
        count_along(
            x.size(3), w.kernel.cols, w.stride.cols, w.padding.cols, w.dilation.cols, w.ceil_mode)};
    if (windows.rows <= 0 || windows.cols <= 0 || x.size(2) == 0 || x.size(3) == 0) {
        throw ShapeError(op,
                         fmt::format("a window of {} does not fit into the padded x; got x {}",
                                     to_text(w.kernel),
                                     describe(x)));
    }
    return windows;
}

std::uint32_t launch_words(dispatch::Step& step,
                           const TensorImpl& made,
                           const vk::Capabilities& caps) {
    constexpr std::uint32_t kLocalSize = 64;
    const std::int64_t words = ceil_div<std::int64_t>(made.numel * itemsize(made.dtype), 4);
    step.groups = dispatch::fold_groups(
        static_cast<std::uint64_t>(ceil_div<std::int64_t>(words, kLocalSize)), caps);
    return kLocalSize;
}

std::uint64_t window_work(std::int64_t count, const PoolWindow& window) noexcept {
    return static_cast<std::uint64_t>(count * window.kernel.rows * window.kernel.cols) * 2;
}

std::int64_t window_of_planes(const dispatch::OpCall& /*call*/,
                              std::size_t /*input*/,
                              std::int64_t /*output_rank*/,
                              std::int64_t dim) noexcept {
    return dim < 2 ? dim : dispatch::kUncut;
}

}  // namespace pumice::ops
