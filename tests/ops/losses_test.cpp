// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace pumice;
using namespace pumice::test;

namespace {

std::vector<double> each(const Tensor& a, const Tensor& b, double (*loss)(double)) {
    const std::vector<double> x = a.to_vector<double>();
    const std::vector<double> y = b.to_vector<double>();
    std::vector<double> out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        out[i] = loss(x[i] - y[i]);
    }
    return out;
}

double total(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

double average(const std::vector<double>& values) {
    return total(values) / static_cast<double>(values.size());
}

// float64 cross entropy of logits [N, C, D] for classes [N, D]; ignored targets give 0.
std::vector<double> cross_entropies(const Tensor& logits,
                                    const Tensor& target,
                                    std::int64_t ignored,
                                    double smoothing) {
    const std::vector<double> x = logits.to_vector<double>();
    const std::vector<int> classes = target.to_vector<int>();
    const std::int64_t c_count = logits.size(1);
    const std::int64_t inner = logits.numel() / logits.size(0) / c_count;
    std::vector<double> losses;
    for (std::int64_t i = 0; i < target.numel(); ++i) {
        const std::int64_t first = i / inner * inner * c_count + i % inner;
        const auto at = [&](std::int64_t c) {
            return x[static_cast<std::size_t>(first + c * inner)];
        };
        double exponents = 0.0;
        double logit_sum = 0.0;
        for (std::int64_t c = 0; c < c_count; ++c) {
            exponents += std::exp(at(c));
            logit_sum += at(c);
        }
        const int wanted = classes[static_cast<std::size_t>(i)];
        const double log_total = std::log(exponents);
        if (wanted == ignored) {
            losses.push_back(0.0);
            continue;
        }
        losses.push_back((1.0 - smoothing) * (log_total - at(wanted)) +
                         smoothing * (log_total - logit_sum / static_cast<double>(c_count)));
    }
    return losses;
}

}  // namespace

TEST_CASE("mse, l1, huber: float64 reference, each reduction, gradients") {
    const Tensor a = random_tensor({5, 7}, -2.0, 2.0);
    const Tensor b = random_tensor({5, 7}, -2.0, 2.0, 2);
    const auto square = [](double d) { return d * d; };
    const auto absolute = [](double d) { return std::abs(d); };
    const auto huber = [](double d) {
        return std::abs(d) < 0.7 ? 0.5 * d * d : 0.7 * (std::abs(d) - 0.35);
    };
    check_close(mse_loss(a, b, Reduction::kNone), each(a, b, square));
    check_close(mse_loss(a, b, Reduction::kSum), {total(each(a, b, square))});
    check_close(mse_loss(a, b), {average(each(a, b, square))});
    check_close(l1_loss(a, b, Reduction::kNone), each(a, b, absolute));
    check_close(l1_loss(a, b), {average(each(a, b, absolute))});
    check_close(huber_loss(a, b, Reduction::kNone, 0.7), each(a, b, huber));
    check_close(huber_loss(a, b, Reduction::kSum, 0.7), {total(each(a, b, huber))});
    check_gradients([](const auto& in) { return mse_loss(in[0], in[1]); }, {a, b});
    check_gradients(
        [](const auto& in) { return l1_loss(in[0], in[1], Reduction::kSum); }, {a, b}, 1e-3);
    check_gradients([](const auto& in) { return huber_loss(in[0], in[1], Reduction::kNone, 0.7); },
                    {a, b},
                    1e-3);
    check_modes([](const auto& in) { return huber_loss(in[0], in[1]); }, {a, b});
}

TEST_CASE("cross_entropy: float64 reference, attributes, gradients") {
    const Tensor logits = random_tensor({4, 5}, -3.0, 3.0);
    const Tensor target = tensor<int>({0, 4, 2, 2});
    check_close(cross_entropy(logits, target, Reduction::kNone),
                cross_entropies(logits, target, -100, 0.0));
    check_close(cross_entropy(logits, target),
                {average(cross_entropies(logits, target, -100, 0.0))});
    check_close(cross_entropy(logits, target, Reduction::kSum, -100, 0.1),
                {total(cross_entropies(logits, target, -100, 0.1))});
    const std::vector<double> with_ignored = cross_entropies(logits, target, 2, 0.0);
    check_close(cross_entropy(logits, target, Reduction::kNone, 2), with_ignored);
    check_close(cross_entropy(logits, target, Reduction::kMean, 2), {total(with_ignored) / 2.0});
    const Tensor padded = tensor<int>({0, -100, 2, -100});
    check_close(cross_entropy(logits, padded, Reduction::kNone),
                cross_entropies(logits, padded, -100, 0.0));
    const Tensor maps = random_tensor({2, 3, 4}, -2.0, 2.0);
    const Tensor map_target = view(tensor<int>({0, 1, 2, 0, 1, 1, 2, 2}), {2, 4});
    check_close(cross_entropy(maps, map_target, Reduction::kNone),
                cross_entropies(maps, map_target, -100, 0.0));
    check_gradients([&](const auto& in) { return cross_entropy(in[0], padded); }, {logits});
    check_gradients(
        [&](const auto& in) { return cross_entropy(in[0], map_target, Reduction::kNone, 1, 0.2); },
        {maps});
}

TEST_CASE("quantile_loss: float64 reference and gradients") {
    const Tensor quantiles = tensor<float>({0.1F, 0.5F, 0.9F});
    const Tensor input = random_tensor({2, 4, 3}, -1.0, 1.0);
    const Tensor target = random_tensor({2, 4}, -1.0, 1.0, 2);
    const std::vector<double> x = input.to_vector<double>();
    const std::vector<double> y = target.to_vector<double>();
    const std::vector<double> q = quantiles.to_vector<double>();
    std::vector<double> wanted;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double difference = y[i / 3] - x[i];
        wanted.push_back(std::max(q[i % 3] * difference, (q[i % 3] - 1.0) * difference));
    }
    check_close(quantile_loss(input, target, quantiles, Reduction::kNone), wanted);
    check_close(quantile_loss(input, target, quantiles), {average(wanted)});
    check_close(quantile_loss(input, target, quantiles, Reduction::kSum), {total(wanted)});
    check_gradients([&](const auto& in) { return quantile_loss(in[0], in[1], quantiles); },
                    {input, target},
                    1e-3);
    check_modes([](const auto& in) { return quantile_loss(in[0], in[1], in[2]); },
                {input, target, quantiles});
}

TEST_CASE("losses: errors") {
    const Tensor x = zeros({2, 3});
    check_throws<ShapeError>(
        [&] { mse_loss(x, zeros({3})); },
        "[mse_loss] target must have input's shape; got target [3] float32 for "
        "input [2, 3] float32");
    check_throws<DTypeError>(
        [&] {
            l1_loss(x, zeros({2, 3}, kInt32));
        },
        "[l1_loss] x must have a floating dtype");
    check_throws<ArgumentError>([&] { huber_loss(x, x, Reduction::kMean, 0.0); },
                                "[huber_loss] delta must be above 0; got 0");
    check_throws<ShapeError>([&] { cross_entropy(x, zeros({3}, kInt32)); },
                             "[cross_entropy] input must be [N, C]");
    check_throws<DTypeError>([&] { cross_entropy(x, zeros({2})); },
                             "[cross_entropy] target must have int32 class indices");
    check_throws<ArgumentError>(
        [&] { cross_entropy(x, zeros({2}, kInt32), Reduction::kMean, -100, 2.0); },
        "[cross_entropy] label_smoothing must be in [0, 1]; got 2");
    check_throws<ShapeError>([&] { quantile_loss(x, zeros({2}), zeros({2})); },
                             "[quantile_loss] input must be [..., Q], target [...]");
}

TEST_CASE("cross_entropy: ignore_index is an int32") {
    const Tensor logits = zeros({2, 3});
    const Tensor classes = zeros({2}, kInt32);
    check_throws<ArgumentError>(
        [&] { cross_entropy(logits, classes, Reduction::kMean, std::int64_t{1} << 32U); },
        "[cross_entropy] ignore_index must be an int32, as target's are; got 4294967296");
}
