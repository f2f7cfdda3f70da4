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

// ints[0]: the reduction.
Reduction reduction_of(const Step& step) {
    return static_cast<Reduction>(step.ints[0]);
}

double epsilon(DType dtype) {
    return spacing(dtype, 1.0);
}

// Losses are made of calls whose results are rounded to the dtype, so bounds count its spacings.
Expected reduced(Expected each, const Step& step) {
    if (reduction_of(step) == Reduction::kNone) {
        return each;
    }
    double sum = 0.0;
    double bound = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < each.values.size(); ++i) {
        sum += each.values[i];
        size += std::isfinite(each.values[i]) ? std::abs(each.values[i]) : 0.0;
        bound += each.bounds[i];
    }
    const auto count = static_cast<double>(each.values.size());
    const double divisor = reduction_of(step) == Reduction::kMean ? count : 1.0;
    bound += 2e-6 * size + count * smallest_normal(kFloat32);
    if (size > 0.5 * largest(kFloat32)) {
        bound = kUnchecked;
    }
    return {{}, each.dtype, {sum / divisor}, {each.values.empty() ? 0.0 : bound / divisor}};
}

double huber_of(double difference) {
    const double size = std::abs(difference);
    return size <= 1.0 ? 0.5 * size * size : size - 0.5;
}

Row distance_row(const char* name,
                 Tensor (*call)(Tensor, Tensor, Reduction),
                 double (*formula)(double)) {
    return {
        .name = name,
        .text = std::string(name) + "($0, $1, Reduction($i))",
        .draw =
            [](Draw& draw, Step& step) {
                const std::size_t input = draw.any(floating_dtypes());
                step.operands = {input, draw.of_shape(draw.array(input).sizes, floating_dtypes())};
                step.ints = {draw.random.integer(0, 2)};
                return true;
            },
        .call =
            [call](Operands in, const Step& step) {
                return call(std::move(in[0]), std::move(in[1]), reduction_of(step));
            },
        .reference = [formula](Flats in, const Step& step) -> References {
            Expected out{in[0].sizes, promote(in[0].dtype, in[1].dtype), {}, {}};
            for (std::size_t i = 0; i < in[0].values.size(); ++i) {
                const double a = in[0].values[i];
                const double b = in[1].values[i];
                const double value = formula(a - b);
                out.values.push_back(value);
                const bool passes_range =
                    std::isfinite(a - b) &&
                    (std::abs(a - b) >= largest(out.dtype) || value >= largest(out.dtype));
                const double lost = (std::abs(a) + std::abs(b)) * 0x1p-24;
                out.bounds.push_back(passes_range ? kUnchecked
                                     : !std::isfinite(value)
                                         ? 0.0
                                         : 4 * epsilon(out.dtype) * value + lost +
                                               smallest_normal(out.dtype));
            }
            return {reduced(std::move(out), step)};
        },
        .weight = 1.5};
}

Row quantile_row() {
    return {.name = "quantile_loss",
            .text = "quantile_loss($0, $1, $2, Reduction($i))",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t input = draw.any(floating_dtypes(), 1);
                    Dims sizes = draw.array(input).sizes;
                    const DType dtype = draw.array(input).dtype;
                    const std::size_t quantiles = draw.in_range({sizes.back()}, kFloat32, 0, 1);
                    sizes.pop_back();
                    step.operands = {input, draw.of_shape(sizes, {dtype}), quantiles};
                    step.ints = {draw.random.integer(0, 2)};
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return quantile_loss(std::move(in[0]), in[1], in[2], reduction_of(step));
                },
            .reference = [](Flats in, const Step& step) -> References {
                Expected out{in[0].sizes, kFloat32, {}, {}};
                const std::size_t width = in[2].values.size();
                const double step_of = epsilon(in[0].dtype);  // target - input is rounded to it
                for (std::size_t i = 0; i < in[0].values.size(); ++i) {
                    const double difference = in[1].values[i / width] - in[0].values[i];
                    const double q = in[2].values[i % width];
                    const double above = q * difference;
                    const double below = (q - 1) * difference;
                    const bool is_nan = std::isnan(above) || std::isnan(below);
                    out.values.push_back(is_nan ? std::nan("") : std::max(above, below));
                    const bool passes_range =
                        std::isfinite(difference) && std::abs(difference) >= largest(in[0].dtype);
                    out.bounds.push_back(
                        passes_range || (!std::isnan(difference) && std::isinf(difference))
                            ? kUnchecked
                        : std::isnan(difference)
                            ? 0.0
                            : 2 * step_of * std::abs(difference) + smallest_normal(in[0].dtype));
                }
                return {reduced(std::move(out), step)};
            }};
}

// scalars[0]: label smoothing. Targets are below the classes, or -100.
Expected cross_entropy_of(Flats in, const Step& step) {
    const Flat& logits = in[0];
    const std::int64_t classes = logits.sizes[1];
    const std::int64_t inner = row_major(logits.sizes)[1];
    const double smoothing = step.scalars[0].toDouble();
    Expected out{in[1].sizes, logits.dtype, {}, {}};
    double counted = 0.0;
    for (std::size_t i = 0; i < in[1].values.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const std::int64_t first = at / inner * classes * inner + at % inner;
        const auto logit = [&](std::int64_t c) {
            return logits.values[static_cast<std::size_t>(first + c * inner)];
        };
        if (in[1].values[i] < 0) {
            out.values.push_back(0.0);
            out.bounds.push_back(0.0);
            continue;
        }
        counted += 1.0;
        double most = -kUnchecked;
        for (std::int64_t c = 0; c < classes; ++c) {
            most = std::isnan(logit(c)) || logit(c) > most ? logit(c) : most;
        }
        double sum = 0.0;
        double total = 0.0;
        double size = 0.0;
        for (std::int64_t c = 0; c < classes; ++c) {
            sum += std::exp(logit(c) - most);
            total += logit(c) - most;
            size = std::max(size, std::abs(logit(c)));
        }
        const double log_sum = std::log(sum);
        const double own = logit(static_cast<std::int64_t>(in[1].values[i])) - most - log_sum;
        const double mean = total / static_cast<double>(classes) - log_sum;
        const double value = -(smoothing == 0.0 ? own : (1 - smoothing) * own + smoothing * mean);
        out.values.push_back(value);
        // NaN and infinities among the logits: the modes agree, that is all.
        out.bounds.push_back(std::isfinite(size) && size < 1e30
                                 ? 4 * epsilon(logits.dtype) * (std::abs(own) + std::abs(mean)) +
                                       0x1p-22 * (size + log_sum) + 4e-6
                                 : kUnchecked);
    }
    if (reduction_of(step) == Reduction::kNone) {
        return out;
    }
    Step as_sum = step;
    as_sum.ints[0] = static_cast<std::int64_t>(Reduction::kSum);
    Expected all = reduced(std::move(out), as_sum);
    if (reduction_of(step) == Reduction::kMean) {
        all.values[0] /= counted;
        all.bounds[0] = counted > 0 ? all.bounds[0] / counted : 0.0;
    }
    return all;
}

Row cross_entropy_row() {
    return {
        .name = "cross_entropy",
        .text = "cross_entropy($0, $1, Reduction($i), -100, $s)",
        .draw =
            [](Draw& draw, Step& step) {
                const std::size_t input = draw.any(floating_dtypes(), 2, 4, [](const HostArray& x) {
                    return x.sizes.count() >= 2 && x.sizes[1] > 0;
                });
                Dims sizes = draw.array(input).sizes;
                const auto classes = static_cast<double>(sizes[1]);
                sizes.erase(1);
                step.operands = {input, draw.in_range(sizes, kInt32, 0, classes)};
                step.ints = {draw.random.integer(0, 2)};
                step.scalars = {Scalar(draw.random.chance(0.7) ? 0.0 : 0.1)};
                return classes > 0;
            },
        .call =
            [](Operands in, const Step& step) {
                return cross_entropy(
                    std::move(in[0]), in[1], reduction_of(step), -100, step.scalars[0].toDouble());
            },
        .reference = [](Flats in, const Step& step) -> References {
            return {cross_entropy_of(in, step)};
        },
        .takes_places = true,
        .weight = 3};
}

}  // namespace

std::vector<Row> loss_rows() {
    return {distance_row("mse_loss", mse_loss, [](double x) { return x * x; }),
            distance_row("l1_loss", l1_loss, [](double x) { return std::abs(x); }),
            distance_row(
                "huber_loss",
                [](Tensor a, Tensor b, Reduction reduction) {
                    return huber_loss(std::move(a), std::move(b), reduction);
                },
                huber_of),
            quantile_row(),
            cross_entropy_row()};
}

}  // namespace pumice::differential
