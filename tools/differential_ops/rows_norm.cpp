// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

constexpr double kUnchecked = std::numeric_limits<double>::infinity();
constexpr double kMostSquared = 1e18;  // squares of larger ones pass float32's range
constexpr double kEpsilon = 1e-5;

// Places of the elements along one dimension, for each of the lines.
template <class F>
void for_each_line(const Dims& sizes, std::int64_t dim, F&& visit) {
    const std::int64_t rank = sizes.count();
    const std::int64_t at = rank == 0 ? 0 : (dim < 0 ? dim + rank : dim);
    const std::int64_t extent = rank == 0 ? 1 : sizes[at];
    const std::int64_t stride = rank == 0 ? 1 : row_major(sizes)[at];
    std::vector<std::size_t> line(static_cast<std::size_t>(extent));
    for (std::int64_t start = 0; start < numel(sizes); ++start) {
        if (start / stride % std::max<std::int64_t>(extent, 1) != 0) {
            continue;
        }
        for (std::size_t i = 0; i < line.size(); ++i) {
            line[i] = static_cast<std::size_t>(start) + i * static_cast<std::size_t>(stride);
        }
        visit(line);
    }
}

// NaN and infinities follow the formula as it is written.
Expected softmax_of(const Flat& x, std::int64_t dim, bool is_log) {
    Expected out{x.sizes, x.dtype, x.values, std::vector<double>(x.values.size(), 0.0)};
    for_each_line(x.sizes, dim, [&](const std::vector<std::size_t>& line) {
        double most = -kUnchecked;
        for (const std::size_t i : line) {
            most = std::isnan(most) || most >= x.values[i] ? most : x.values[i];
        }
        double sum = 0.0;
        for (const std::size_t i : line) {
            sum += std::exp(x.values[i] - most);
        }
        for (const std::size_t i : line) {
            const double shifted = x.values[i] - most;
            out.values[i] = is_log ? shifted - std::log(sum) : std::exp(shifted) / sum;
            const double size = std::abs(shifted) + std::abs(std::log(sum));
            out.bounds[i] =
                is_log ? 0x1p-22 * size + 2e-6 : out.values[i] * 1e-6 * (4 + std::abs(shifted));
            out.bounds[i] = std::isfinite(out.values[i]) && !std::isfinite(out.bounds[i])
                                ? smallest_normal(kFloat32)
                                : out.bounds[i];
            out.bounds[i] = std::isfinite(out.values[i]) ? out.bounds[i] : 0.0;
        }
    });
    return out;
}

Row softmax_row(const char* name, bool is_log, Tensor (*call)(Tensor, std::int64_t)) {
    return {.name = name,
            .text = std::string(name) + "($0, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(floating_dtypes())};
                    step.ints = {draw.dim_of(draw.array(step.operands[0]).sizes.count())};
                    return true;
                },
            .call = [call](Operands in,
                           const Step& step) { return call(std::move(in[0]), step.ints[0]); },
            .reference = [is_log](Flats in, const Step& step) -> References {
                return {softmax_of(in[0], step.ints[0], is_log)};
            },
            .weight = 3};
}

// Mean and variance of some elements in float64, and how far float32 may move the mean.
struct Moments {
    double mean = 0.0;
    double variance = 0.0;
    double shift = 0.0;
    double largest_one = 0.0;
    double count = 0.0;

    template <class Places>
    Moments(const std::vector<double>& values, const Places& of, bool is_centred)
        : count(static_cast<double>(of.size())) {
        double size = 0.0;
        for (const auto i : of) {
            mean += values[i];
            size += std::abs(values[i]);
            largest_one = std::max(largest_one, std::abs(values[i]));
        }
        mean = is_centred ? mean / count : 0.0;
        shift = is_centred ? 1e-6 * size / count + largest_one * 0x1p-23 : 0.0;
        for (const auto i : of) {
            variance += (values[i] - mean) * (values[i] - mean);
        }
        variance /= count;
    }

    // (x - mean) / sqrt(variance + eps), and its error.
    [[nodiscard]] double scaled(double x, double eps) const {
        return (x - mean) / std::sqrt(variance + eps);
    }

    [[nodiscard]] double bound(double x, double eps) const {
        const double inverse = 1.0 / std::sqrt(variance + eps);
        const double of_variance = 4e-6 * variance + 2 * shift * shift;
        const double value = scaled(x, eps);
        return largest_one > kMostSquared
                   ? kUnchecked
                   : (shift + std::abs(x) * 0x1p-23) * inverse +
                         std::abs(value) * (4e-6 + of_variance / (variance + eps));
    }
};

// One value of a norm: scaled, times weight, plus bias.
void put(Expected& out,
         std::size_t i,
         const Moments& moments,
         double x,
         double eps,
         double weight,
         double bias) {
    const double weighted = moments.scaled(x, eps) * weight;
    const double value = weighted + bias;
    out.values[i] = value;
    if (std::isfinite(weighted) && std::abs(weighted) >= largest(kFloat32)) {
        out.bounds[i] = kUnchecked;  // infinite before the bias comes
        return;
    }
    const double bound = moments.bound(x, eps) * std::abs(weight) + 0x1p-22 * std::abs(bias);
    out.bounds[i] =
        std::isnan(bound) || !std::isfinite(value)
            ? (moments.largest_one > kMostSquared && std::isfinite(moments.largest_one) ? kUnchecked
                                                                                        : 0.0)
            : bound;
}

Expected like(const Flat& x) {
    return {x.sizes, x.dtype, x.values, std::vector<double>(x.values.size(), 0.0)};
}

// ints[0]: normalized dimensions.
Expected last_norm(Flats in, const Step& step, bool is_centred, double eps) {
    Expected out = like(in[0]);
    std::int64_t width = 1;
    for (std::int64_t i = 0; i < step.ints[0]; ++i) {
        width *= in[0].sizes[in[0].sizes.count() - 1 - i];
    }
    std::vector<std::size_t> row(static_cast<std::size_t>(width));
    for (std::size_t start = 0; start < in[0].values.size(); start += row.size()) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] = start + i;
        }
        const Moments moments(in[0].values, row, is_centred);
        for (std::size_t i = 0; i < row.size(); ++i) {
            put(out,
                row[i],
                moments,
                in[0].values[row[i]],
                eps,
                in.size() > 1 ? in[1].values[i] : 1.0,
                in.size() > 2 ? in[2].values[i] : 0.0);
        }
    }
    return out;
}

Dims last_sizes(const Dims& sizes, std::int64_t count) {
    return std::span(sizes.end() - count, static_cast<std::size_t>(count));
}

bool draw_last_norm(Draw& draw, Step& step, bool has_bias) {
    const std::size_t x = draw.any(floating_dtypes(), 1);
    const Dims sizes = draw.array(x).sizes;
    step.ints = {draw.random.chance(0.7) ? 1 : draw.random.integer(1, sizes.count())};
    step.dims = last_sizes(sizes, step.ints[0]);
    const DType dtype = draw.random.chance(0.5) ? draw.array(x).dtype : kFloat32;
    step.operands = {x};
    if (draw.random.chance(0.7)) {
        step.operands.push_back(draw.of_shape(step.dims, {dtype}));
        if (has_bias && draw.random.chance(0.7)) {
            step.operands.push_back(draw.of_shape(step.dims, {dtype}));
        }
    }
    return true;
}

Tensor operand_or_none(Operands in, std::size_t index) {
    return index < in.size() ? in[index] : Tensor();
}

Row layer_norm_row() {
    return {.name = "layer_norm",
            .text = "layer_norm($0, $d, $1, $2)",
            .draw = [](Draw& draw, Step& step) { return draw_last_norm(draw, step, true); },
            .call =
                [](Operands in, const Step& step) {
                    Tensor weight = operand_or_none(in, 1);
                    Tensor bias = operand_or_none(in, 2);
                    return layer_norm(
                        std::move(in[0]), step.dims, std::move(weight), std::move(bias));
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {last_norm(in, step, true, 1e-5)};
            },
            .weight = 3};
}

Row rms_norm_row() {
    return {.name = "rms_norm",
            .text = "rms_norm($0, $d, $1)",
            .draw = [](Draw& draw, Step& step) { return draw_last_norm(draw, step, false); },
            .call =
                [](Operands in, const Step& step) {
                    Tensor weight = operand_or_none(in, 1);
                    return rms_norm(std::move(in[0]), step.dims, std::move(weight));
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {last_norm(in, step, false, 1e-6)};
            },
            .weight = 3};
}

// Calls with the places of each set of elements that share moments: `groups` groups of channels of
// each instance; 0: a channel over the whole batch.
template <class F>
void for_each_set(const Dims& sizes, std::int64_t groups, F&& visit) {
    const std::int64_t channels = sizes[1];
    const std::int64_t inner = numel(sizes) / std::max<std::int64_t>(sizes[0] * channels, 1);
    const std::int64_t sets = groups == 0 ? channels : sizes[0] * groups;
    std::vector<std::vector<std::size_t>> all(static_cast<std::size_t>(sets));
    for (std::int64_t i = 0; i < numel(sizes); ++i) {
        const std::int64_t channel = i / inner % channels;
        const std::int64_t image = i / (inner * channels);
        const std::int64_t set =
            groups == 0 ? channel : image * groups + channel / (channels / groups);
        all[static_cast<std::size_t>(set)].push_back(static_cast<std::size_t>(i));
    }
    for (const auto& places_of_set : all) {
        visit(places_of_set);
    }
}

std::size_t channel_of(const Dims& sizes, std::size_t i) {
    const std::int64_t inner = numel(sizes) / (sizes[0] * sizes[1]);
    return static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % sizes[1]);
}

Expected grouped_norm(Flats in, std::int64_t groups) {
    Expected out = like(in[0]);
    for_each_set(in[0].sizes, groups, [&](const std::vector<std::size_t>& set) {
        const Moments moments(in[0].values, set, true);
        for (const std::size_t i : set) {
            const std::size_t channel = channel_of(in[0].sizes, i);
            put(out,
                i,
                moments,
                in[0].values[i],
                kEpsilon,
                in.size() > 1 ? in[1].values[channel] : 1.0,
                in.size() > 2 ? in[2].values[channel] : 0.0);
        }
    });
    return out;
}

std::size_t draw_channels(Draw& draw) {
    return draw.any(floating_dtypes(), 2, 5, [](const HostArray& x) {
        return x.sizes.count() >= 2 && x.numel() > 0 && x.numel() > x.sizes[0] * x.sizes[1];
    });
}

void add_affine(Draw& draw, Step& step, double probability) {
    const HostArray& x = draw.array(step.operands[0]);
    const DType dtype = draw.random.chance(0.5) ? x.dtype : kFloat32;
    const std::int64_t channels = x.sizes[1];
    if (draw.random.chance(probability)) {
        step.operands.push_back(draw.of_shape({channels}, {dtype}));
        step.operands.push_back(draw.of_shape({channels}, {dtype}));
    }
}

Row group_norm_row() {
    return {.name = "group_norm",
            .text = "group_norm($0, $i, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw_channels(draw)};
                    const Dims sizes = draw.array(step.operands[0]).sizes;
                    if (sizes.count() < 2 || sizes[0] == 0 || sizes[1] == 0) {
                        return false;
                    }
                    step.ints = {draw.random.chance(0.5) ? 1 : sizes[1]};
                    add_affine(draw, step, 0.7);
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    const Tensor weight = operand_or_none(in, 1);
                    const Tensor bias = operand_or_none(in, 2);
                    return group_norm(std::move(in[0]), step.ints[0], weight, bias);
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {grouped_norm(in, step.ints[0])};
            },
            .weight = 2};
}

// Instances that have a value each are refused, and so is a batch of one value a channel.
bool has_several_values(const Dims& sizes, bool by_instance) {
    return sizes.count() >= 2 && numel(sizes) > 0 &&
           numel(sizes) / sizes[1] / (by_instance ? sizes[0] : 1) > 1;
}

Row instance_norm_row() {
    return {.name = "instance_norm",
            .text = "instance_norm($0, $1, $2, {}, {}, true)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw_channels(draw)};
                    if (!has_several_values(draw.array(step.operands[0]).sizes, true)) {
                        return false;
                    }
                    add_affine(draw, step, 0.7);
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    return instance_norm(
                        in[0], operand_or_none(in, 1), operand_or_none(in, 2), {}, {}, true);
                },
            .reference = [](Flats in, const Step&) -> References {
                return {grouped_norm(in, in[0].sizes[1])};
            },
            .weight = 2};
}

// What training leaves in the running mean (operand 3) or variance (4).
Expected moved(Flats in, std::size_t which) {
    constexpr double kMomentum = 0.1;
    Expected out{in[which].sizes, in[which].dtype, in[which].values, {}};
    out.bounds.assign(out.values.size(), 0.0);
    std::size_t channel = 0;
    for_each_set(in[0].sizes, 0, [&](const std::vector<std::size_t>& set) {
        const Moments moments(in[0].values, set, true);
        const double latest =
            which == 3 ? moments.mean : moments.variance * moments.count / (moments.count - 1);
        const double before = out.values[channel];
        out.values[channel] = (1 - kMomentum) * before + kMomentum * latest;
        const double bound =
            which == 3 ? moments.shift : 4e-6 * latest + 4 * moments.shift * moments.shift;
        // Its steps are rounded to the tensor's dtype.
        const double step = is_floating_point(out.dtype) && out.dtype != kFloat32
                                ? 3 * spacing(out.dtype, std::abs(before) + std::abs(latest))
                                : 0.0;
        out.bounds[channel++] =
            moments.largest_one > kMostSquared || !std::isfinite(latest) || !std::isfinite(before)
                ? kUnchecked
                : bound + step + 0x1p-22 * (std::abs(before) + std::abs(latest));
    });
    return out;
}

Expected trained(Flats in) {
    Expected out = like(in[0]);
    for_each_set(in[0].sizes, 0, [&](const std::vector<std::size_t>& set) {
        const Moments moments(in[0].values, set, true);
        for (const std::size_t i : set) {
            const std::size_t channel = channel_of(in[0].sizes, i);
            put(out,
                i,
                moments,
                in[0].values[i],
                kEpsilon,
                in[1].values[channel],
                in[2].values[channel]);
            // channel_norm_test.cpp measures this one.
            const double inverse = 1.0 / std::sqrt(moments.variance + kEpsilon);
            const double weight = std::abs(in[1].values[channel]);
            out.bounds[i] += weight * (1e-5 + 0x1p-23 * moments.largest_one * inverse);
            out.bounds[i] = std::isnan(out.bounds[i]) ? 0.0 : out.bounds[i];
            // A channel has one factor, as in LibTorch. It can be infinite where the value is not.
            if (std::isfinite(weight) && weight * inverse >= 0.999 * largest(kFloat32)) {
                out.bounds[i] = kUnchecked;
            }
        }
    });
    return out;
}

// With the running mean and variance: one affine map a channel.
Expected served(Flats in) {
    Expected out = like(in[0]);
    for (std::size_t i = 0; i < out.values.size(); ++i) {
        const std::size_t channel = channel_of(in[0].sizes, i);
        const double scale = in[1].values[channel] / std::sqrt(in[4].values[channel] + kEpsilon);
        const double shift = in[2].values[channel] - in[3].values[channel] * scale;
        out.values[i] = in[0].values[i] * scale + shift;
        const double size = std::abs(scale) + std::abs(in[0].values[i] * scale) +
                            std::abs(in[2].values[channel]) +
                            std::abs(in[3].values[channel] * scale);
        // Infinities may meet in another order.
        out.bounds[i] =
            std::isfinite(size) && size < largest(kFloat32) ? 8 * 0x1p-24 * size : kUnchecked;
    }
    return out;
}

Row batch_norm_row(bool is_training) {
    return {.name = is_training ? "batch_norm_training" : "batch_norm",
            .text = is_training ? "batch_norm($0, $1, $2, $3, $4, true)"
                                : "batch_norm($0, $1, $2, $3, $4, false)",
            .draw =
                [is_training](Draw& draw, Step& step) {
                    step.operands = {draw_channels(draw)};
                    const Dims sizes = draw.array(step.operands[0]).sizes;
                    if (!has_several_values(sizes, false)) {
                        return false;
                    }
                    add_affine(draw, step, 1.0);
                    if (is_training) {
                        step.operands.push_back(draw.writable({sizes[1]}, kFloat32));
                        step.operands.push_back(draw.writable({sizes[1]}, kFloat32));
                    } else {
                        step.operands.push_back(draw.in_range({sizes[1]}, kFloat32, -1, 1));
                        step.operands.push_back(draw.in_range({sizes[1]}, kFloat32, 0.2, 2));
                    }
                    const HostArray& mean = draw.array(step.operands[3]);
                    return mean.storage != draw.array(step.operands[4]).storage;
                },
            .call =
                [is_training](Operands in, const Step&) {
                    return batch_norm(std::move(in[0]), in[1], in[2], in[3], in[4], is_training);
                },
            .reference = [is_training](Flats in, const Step&) -> References {
                return is_training ? References{trained(in), moved(in, 3), moved(in, 4)}
                                   : References{served(in)};
            },
            .writes = is_training ? std::vector<std::size_t>{3, 4} : std::vector<std::size_t>{},
            .weight = 2};
}

// Zeroed or scaled by 2, whichever the generator says: the modes must agree on that.
Row dropout_row() {
    return {.name = "dropout",
            .text = "dropout($0, 0.5)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(floating_dtypes())};
                    return true;
                },
            .call = [](Operands in, const Step&) { return dropout(std::move(in[0]), 0.5); },
            .reference = [](Flats in, const Step&) -> References {
                Expected out = like(in[0]);
                for (std::size_t i = 0; i < out.values.size(); ++i) {
                    const bool is_finite = std::abs(out.values[i]) < 0.25 * largest(out.dtype);
                    out.bounds[i] = is_finite ? std::abs(out.values[i]) : kUnchecked;
                }
                return {std::move(out)};
            },
            .weight = 0.7};
}

Row rotary_row() {
    return {.name = "rotary_embedding",
            .text = "rotary_embedding($0, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t x =
                        draw.any(floating_dtypes(), 2, 4, [](const HostArray& one) {
                            return one.sizes.back() % 2 == 0;
                        });
                    const Dims& sizes = draw.array(x).sizes;
                    if (sizes.back() % 2 != 0) {
                        return false;
                    }
                    const Dims angles{sizes[sizes.count() - 2], sizes.back() / 2};
                    const std::size_t cos = draw.of_shape(angles, {kFloat32});
                    step.operands = {x, cos, draw.of_shape(angles, {kFloat32})};
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    return rotary_embedding(std::move(in[0]), std::move(in[1]), std::move(in[2]));
                },
            .reference = [](Flats in, const Step&) -> References {
                Expected out = like(in[0]);
                const auto width = static_cast<std::size_t>(in[0].sizes.back());
                const std::size_t half = width / 2;
                for (std::size_t i = 0; i < out.values.size(); ++i) {
                    const std::size_t col = i % width;
                    const bool is_first = col < half;
                    const std::size_t angle = i / width * half % in[1].values.size() + col % half;
                    const double own = in[0].values[i] * in[1].values[angle];
                    const double other =
                        in[0].values[is_first ? i + half : i - half] * in[2].values[angle];
                    out.values[i] = is_first ? own - other : own + other;
                    const auto passes_range = [](double term) {
                        return std::isfinite(term) && std::abs(term) > largest(kFloat32);
                    };
                    const double size = std::abs(own) + std::abs(other);
                    out.bounds[i] = std::isfinite(size) ? 0x1p-22 * size : 0.0;
                    if (passes_range(own) || passes_range(other) || passes_range(size)) {
                        out.bounds[i] = kUnchecked;
                    }
                }
                return {std::move(out)};
            },
            .weight = 2};
}

}  // namespace

std::vector<Row> norm_rows() {
    return {softmax_row("softmax", false, softmax),
            softmax_row("log_softmax", true, log_softmax),
            layer_norm_row(),
            rms_norm_row(),
            group_norm_row(),
            instance_norm_row(),
            batch_norm_row(true),
            batch_norm_row(false),
            dropout_row(),
            rotary_row()};
}

}  // namespace pumice::differential
