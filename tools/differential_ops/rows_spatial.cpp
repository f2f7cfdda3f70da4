// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

constexpr double kUnchecked = std::numeric_limits<double>::infinity();

// Attributes of one dimension of a window, and what it covers of an extent.
struct Window {
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t dilation = 1;

    [[nodiscard]] std::int64_t results(std::int64_t extent, bool is_ceil) const {
        const std::int64_t left = extent + 2 * padding - dilation * (kernel - 1) - 1;
        std::int64_t count = (left + (is_ceil ? stride - 1 : 0)) / stride + 1;
        if (is_ceil && (count - 1) * stride >= extent + padding) {
            --count;
        }
        return count;
    }

    // Position in the extent, which may lie outside.
    [[nodiscard]] std::int64_t place(std::int64_t result, std::int64_t tap) const {
        return result * stride + tap * dilation - padding;
    }
};

// ints: kernel, stride, padding and dilation, each for rows and columns.
std::array<Window, 2> windows_of(const Step& step) {
    std::array<Window, 2> windows;
    for (std::size_t i = 0; i < 2; ++i) {
        windows[i] = {step.ints[i], step.ints[2 + i], step.ints[4 + i], step.ints[6 + i]};
    }
    return windows;
}

IntPair pair_of(const Step& step, std::size_t at) {
    return {step.ints[at], step.ints[at + 1]};
}

bool fits(const Step& step, const Dims& sizes) {
    for (std::size_t i = 0; i < 2; ++i) {
        const std::int64_t extent = sizes[sizes.count() - 2 + static_cast<std::int64_t>(i)];
        const Window window = windows_of(step)[i];
        if (extent == 0 ||
            extent + 2 * window.padding < window.dilation * (window.kernel - 1) + 1) {
            return false;
        }
    }
    return true;
}

// An image seen as [planes, height, width].
struct Planes {
    std::int64_t count = 1;
    std::int64_t height = 1;
    std::int64_t width = 1;
    const std::vector<double>* values = nullptr;

    explicit Planes(const Flat& x)
        : height(x.sizes[x.sizes.count() - 2]), width(x.sizes.back()), values(&x.values) {
        for (std::int64_t i = 0; i + 2 < x.sizes.count(); ++i) {
            count *= x.sizes[i];
        }
    }

    [[nodiscard]] bool has(std::int64_t row, std::int64_t col) const {
        return row >= 0 && row < height && col >= 0 && col < width;
    }

    [[nodiscard]] double at(std::int64_t plane, std::int64_t row, std::int64_t col) const {
        return (*values)[static_cast<std::size_t>((plane * height + row) * width + col)];
    }
};

Dims with_plane(Dims sizes, std::int64_t height, std::int64_t width) {
    sizes[sizes.count() - 2] = height;
    sizes[sizes.count() - 1] = width;
    return sizes;
}

template <class F>
void for_each_tap(const std::array<Window, 2>& windows,
                  const Planes& x,
                  std::int64_t row,
                  std::int64_t col,
                  F&& visit) {
    for (std::int64_t i = 0; i < windows[0].kernel; ++i) {
        for (std::int64_t j = 0; j < windows[1].kernel; ++j) {
            const std::int64_t at_row = windows[0].place(row, i);
            const std::int64_t at_col = windows[1].place(col, j);
            if (x.has(at_row, at_col)) {
                visit(i, j, at_row, at_col);
            }
        }
    }
}

struct Convolution {
    const Flat& image;
    const Flat& weight;
    std::array<Window, 2> windows;
    std::int64_t groups;

    void sum(Expected& out,
             std::int64_t image_number,
             std::int64_t channel,
             std::array<std::int64_t, 2> at,
             double bias) const {
        const Planes x(image);
        const Planes kernels(weight);
        const std::int64_t depth = weight.sizes[1];
        const std::int64_t all = depth * groups;
        const std::int64_t first = channel / (weight.sizes[0] / groups) * depth;
        double value = bias;
        double size = std::isfinite(bias) ? std::abs(bias) : 0.0;
        for (std::int64_t c = 0; c < depth; ++c) {
            for_each_tap(windows, x, at[0], at[1], [&](auto i, auto j, auto row, auto col) {
                const double term = kernels.at(channel * depth + c, i, j) *
                                    x.at(image_number * all + first + c, row, col);
                value += term;
                size += std::isfinite(term) ? std::abs(term) : 0.0;
            });
        }
        const auto terms = static_cast<double>(depth * windows[0].kernel * windows[1].kernel + 1);
        out.values.push_back(value);
        out.bounds.push_back(size > 0.5 * largest(kFloat32)
                                 ? kUnchecked
                                 : std::min(terms, 64 + 8 * std::sqrt(terms)) * 0x1p-24 * size +
                                       terms * smallest_normal(kFloat32));
    }
};

// ints as windows_of; more_dims: the groups.
Expected convolve(Flats in, const Step& step) {
    const Convolution call{in[0], in[1], windows_of(step), step.more_dims[0]};
    const Planes x(in[0]);
    const std::int64_t height = call.windows[0].results(x.height, false);
    const std::int64_t width = call.windows[1].results(x.width, false);
    const std::int64_t channels = in[1].sizes[0];
    Expected out{with_plane(in[0].sizes, height, width), in[0].dtype, {}, {}};
    out.sizes[out.sizes.count() - 3] = channels;
    const std::int64_t images = in[0].sizes.count() == 4 ? in[0].sizes[0] : 1;
    for (std::int64_t image = 0; image < images; ++image) {
        for (std::int64_t channel = 0; channel < channels; ++channel) {
            const double bias = in.size() > 2 ? in[2].values[static_cast<std::size_t>(channel)] : 0;
            for (std::int64_t row = 0; row < height; ++row) {
                for (std::int64_t col = 0; col < width; ++col) {
                    call.sum(out, image, channel, {row, col}, bias);
                }
            }
        }
    }
    // A weight that is not finite times what is padded: zero or NaN.
    const bool is_finite = std::all_of(in[1].values.begin(), in[1].values.end(), [](double value) {
        return std::isfinite(value);
    });
    if (!is_finite) {
        out.bounds.assign(out.values.size(), kUnchecked);
    }
    return out;
}

std::size_t draw_image(Draw& draw, const DTypes& dtypes) {
    return draw.any(dtypes, 3, 4, [](const HostArray& x) {
        return x.numel() > 0 && x.numel() <= 300000 && x.sizes.count() >= 3;
    });
}

bool draw_conv(Draw& draw, Step& step) {
    const std::size_t x = draw_image(draw, floating_dtypes());
    const Dims sizes = draw.array(x).sizes;
    if (sizes.count() < 3) {
        return false;
    }
    const DType dtype = draw.array(x).dtype;
    const std::int64_t channels = sizes[sizes.count() - 3];
    auto& random = draw.random;
    step.ints = {random.integer(1, 3),
                 random.integer(1, 3),
                 random.integer(1, 2),
                 random.integer(1, 2),
                 random.integer(0, 2),
                 random.integer(0, 2),
                 random.integer(1, 2),
                 random.integer(1, 2)};
    if (!fits(step, sizes)) {
        return false;
    }
    std::int64_t groups = 1;
    if (random.chance(0.4)) {
        groups = random.chance(0.5) ? channels : (channels % 2 == 0 ? 2 : 1);
    }
    step.more_dims = {groups};
    const std::int64_t results = groups * random.integer(1, groups > 4 ? 1 : 5);
    step.operands = {
        x, draw.of_shape({results, channels / groups, step.ints[0], step.ints[1]}, {dtype})};
    if (random.chance(0.5)) {
        step.operands.push_back(draw.of_shape({results}, {dtype}));
    }
    return true;
}

Row conv_row() {
    return {
        .name = "conv2d",
        .text = "conv2d($0, $1, $2, {$k, $l}, {$m, $n}, {$o, $p}, $e)",
        .draw = draw_conv,
        .call =
            [](Operands in, const Step& step) {
                return conv2d(std::move(in[0]),
                              std::move(in[1]),
                              in.size() > 2 ? std::move(in[2]) : Tensor(),
                              pair_of(step, 2),
                              pair_of(step, 4),
                              pair_of(step, 6),
                              step.more_dims[0]);
            },
        .reference = [](Flats in, const Step& step) -> References { return {convolve(in, step)}; },
        .weight = 4};
}

bool draw_pool(Draw& draw, Step& step, bool has_dilation) {
    step.operands = {draw_image(draw, floating_dtypes())};
    const Dims& sizes = draw.array(step.operands[0]).sizes;
    auto& random = draw.random;
    step.ints = {random.integer(1, 4),
                 random.integer(1, 4),
                 random.integer(1, 3),
                 random.integer(1, 3),
                 0,
                 0,
                 1,
                 1};
    step.ints[4] = random.integer(0, step.ints[0] / 2);
    step.ints[5] = random.integer(0, step.ints[1] / 2);
    if (has_dilation) {
        step.ints[6] = random.integer(1, 2);
        step.ints[7] = random.integer(1, 2);
    }
    step.flags = {random.chance(0.3), random.chance(0.5)};
    return sizes.count() >= 3 && fits(step, sizes);
}

// `value_of` sees a plane, and where the window stands.
template <class F>
Expected pool(const Flat& image, const Step& step, F&& value_of) {
    const Planes x(image);
    const std::array<Window, 2> windows = windows_of(step);
    const std::int64_t height = windows[0].results(x.height, step.flags[0]);
    const std::int64_t width = windows[1].results(x.width, step.flags[0]);
    Expected out{with_plane(image.sizes, height, width), image.dtype, {}, {}};
    for (std::int64_t plane = 0; plane < x.count; ++plane) {
        for (std::int64_t row = 0; row < height; ++row) {
            for (std::int64_t col = 0; col < width; ++col) {
                value_of(out, x, windows, std::array{plane, row, col});
            }
        }
    }
    return out;
}

Row max_pool_row() {
    return {.name = "max_pool2d",
            .text = "max_pool2d($0, {$i, $j}, {$k, $l}, {$m, $n}, {$o, $p}, $f)",
            .draw = [](Draw& draw, Step& step) { return draw_pool(draw, step, true); },
            .call =
                [](Operands in, const Step& step) {
                    return max_pool2d(std::move(in[0]),
                                      pair_of(step, 0),
                                      OptionalIntPair(step.ints[2], step.ints[3]),
                                      pair_of(step, 4),
                                      pair_of(step, 6),
                                      step.flags[0]);
                },
            .reference = [](Flats in, const Step& step) -> References {
                const auto largest_of = [](Expected& out,
                                           const Planes& x,
                                           const std::array<Window, 2>& windows,
                                           const std::array<std::int64_t, 3>& at) {
                    double best = -kUnchecked;
                    for_each_tap(windows, x, at[1], at[2], [&](auto, auto, auto row, auto col) {
                        const double one = x.at(at[0], row, col);
                        best = std::isnan(best) || best >= one ? best : one;
                    });
                    out.values.push_back(best);
                };
                return {pool(in[0], step, largest_of)};
            },
            .weight = 2};
}

// Elements of one dimension of a window that count: inside of x and its padding.
std::int64_t counted(const Window& window, std::int64_t result, std::int64_t extent) {
    const std::int64_t start = result * window.stride - window.padding;
    return std::min(start + window.kernel, extent + window.padding) - start;
}

Row avg_pool_row() {
    return {.name = "avg_pool2d",
            .text = "avg_pool2d($0, {$i, $j}, {$k, $l}, {$m, $n}, $f, $g)",
            .draw = [](Draw& draw, Step& step) { return draw_pool(draw, step, false); },
            .call =
                [](Operands in, const Step& step) {
                    return avg_pool2d(in[0],
                                      pair_of(step, 0),
                                      OptionalIntPair(step.ints[2], step.ints[3]),
                                      pair_of(step, 4),
                                      step.flags[0],
                                      step.flags[1]);
                },
            .reference = [](Flats in, const Step& step) -> References {
                const bool counts_padding = step.flags[1];
                const auto mean_of = [&](Expected& out,
                                         const Planes& x,
                                         const std::array<Window, 2>& windows,
                                         const std::array<std::int64_t, 3>& at) {
                    double sum = 0.0;
                    double size = 0.0;
                    std::int64_t count = 0;
                    for_each_tap(windows, x, at[1], at[2], [&](auto, auto, auto row, auto col) {
                        const double one = x.at(at[0], row, col);
                        sum += one;
                        size += std::isfinite(one) ? std::abs(one) : 0.0;
                        ++count;
                    });
                    if (counts_padding) {
                        count = counted(windows[0], at[1], x.height) *
                                counted(windows[1], at[2], x.width);
                    }
                    const auto divisor = static_cast<double>(count);
                    out.values.push_back(sum / divisor);
                    out.bounds.push_back(size > 0.5 * largest(kFloat32) ? kUnchecked
                                                                        : 2e-6 * size / divisor);
                };
                return {pool(in[0], step, mean_of)};
            },
            .weight = 2};
}

// dims: the results' height and width.
Expected adaptive_means(const Flat& image, const Dims& results) {
    const Planes x(image);
    Expected out{with_plane(image.sizes, results[0], results[1]), image.dtype, {}, {}};
    const auto first = [](std::int64_t i, std::int64_t extent, std::int64_t count) {
        return i * extent / count;
    };
    const auto past = [](std::int64_t i, std::int64_t extent, std::int64_t count) {
        return ((i + 1) * extent + count - 1) / count;
    };
    for (std::int64_t i = 0; i < x.count * results[0] * results[1]; ++i) {
        const std::int64_t plane = i / (results[0] * results[1]);
        const std::int64_t row = i / results[1] % results[0];
        const std::int64_t col = i % results[1];
        double sum = 0.0;
        double size = 0.0;
        double count = 0.0;
        for (std::int64_t r = first(row, x.height, results[0]); r < past(row, x.height, results[0]);
             ++r) {
            for (std::int64_t c = first(col, x.width, results[1]);
                 c < past(col, x.width, results[1]);
                 ++c) {
                sum += x.at(plane, r, c);
                size += std::isfinite(x.at(plane, r, c)) ? std::abs(x.at(plane, r, c)) : 0.0;
                count += 1.0;
            }
        }
        out.values.push_back(sum / count);
        out.bounds.push_back(size > 0.5 * largest(kFloat32) ? kUnchecked : 2e-6 * size / count);
    }
    return out;
}

Row adaptive_row() {
    return {.name = "adaptive_avg_pool2d",
            .text = "adaptive_avg_pool2d($0, $d)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw_image(draw, floating_dtypes())};
                    step.dims = {draw.random.integer(1, 7), draw.random.integer(1, 7)};
                    return draw.array(step.operands[0]).sizes.count() >= 3;
                },
            .call =
                [](Operands in, const Step& step) {
                    return adaptive_avg_pool2d(in[0], IntPair(step.dims[0], step.dims[1]));
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {adaptive_means(in[0], step.dims)};
            }};
}

}  // namespace

std::vector<Row> spatial_rows() {
    return {conv_row(), max_pool_row(), avg_pool_row(), adaptive_row()};
}

}  // namespace pumice::differential
