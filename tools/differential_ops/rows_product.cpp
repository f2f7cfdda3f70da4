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

// The error of `count` products summed in float32 in any order, of absolute values that sum to
// `size`: not the worst case for many, which no order comes near.
double product_bound(double size, std::int64_t count) {
    const auto terms = static_cast<double>(count);
    const double bound = std::min(terms, 64 + 8 * std::sqrt(terms)) * 0x1p-24 * size;
    return size > 0.5 * largest(kFloat32) ? kUnchecked : bound + terms * smallest_normal(kFloat32);
}

// A sum of products under way.
struct Sum {
    double value = 0.0;
    double size = 0.0;
    std::int64_t count = 0;

    void add(double a, double b) {
        value += a * b;
        size += std::isfinite(a * b) ? std::abs(a * b) : 0.0;
        // Partial sums of large finite products may pass float32's range.
        ++count;
    }
};

void keep(Expected& out, const Sum& sum) {
    const bool is_floating = is_floating_point(out.dtype);
    out.values.push_back(is_floating ? sum.value : round_to(out.dtype, sum.value));
    out.bounds.push_back(is_floating ? product_bound(sum.size, sum.count) : 0.0);
}

// [..., rows, cols] with its leading dimensions broadcast to `lead`.
Flat with_lead(const Flat& x, const Dims& lead) {
    Dims sizes = lead;
    sizes.push_back(x.sizes[x.sizes.count() - 2]);
    sizes.push_back(x.sizes.back());
    return {sizes, x.dtype, spread(x, sizes)};
}

Dims leading(const Dims& sizes, std::int64_t dropped) {
    return std::span(sizes.begin(), sizes.size() - static_cast<std::size_t>(dropped));
}

double at(const Flat& x, std::int64_t index) {
    return x.values[static_cast<std::size_t>(index)];
}

Expected product(Flat a, Flat b) {
    const bool is_row = a.sizes.count() == 1;
    const bool is_column = b.sizes.count() == 1;
    if (is_row) {
        a.sizes.insert(0, 1);
    }
    if (is_column) {
        b.sizes.push_back(1);
    }
    Dims lead;
    broadcast(leading(a.sizes, 2), leading(b.sizes, 2), lead);
    const Flat left = with_lead(a, lead);
    const Flat right = with_lead(b, lead);
    const std::int64_t rows = a.sizes[a.sizes.count() - 2];
    const std::int64_t depth = a.sizes.back();
    const std::int64_t cols = b.sizes.back();
    Expected out{lead, a.dtype, {}, {}};
    for (std::int64_t batch = 0; batch < numel(lead); ++batch) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t col = 0; col < cols; ++col) {
                Sum sum;
                for (std::int64_t k = 0; k < depth; ++k) {
                    const double one = at(left, (batch * rows + row) * depth + k);
                    const double other = at(right, (batch * depth + k) * cols + col);
                    if (is_floating_point(out.dtype)) {
                        sum.add(one, other);
                    } else {
                        sum.add(wrapped_product(one, other), 1.0);
                    }
                }
                keep(out, sum);
            }
        }
    }
    if (!is_row) {
        out.sizes.push_back(rows);
    }
    if (!is_column) {
        out.sizes.push_back(cols);
    }
    return out;
}

std::int64_t depth_beside(Draw& draw, const HostArray& x) {
    return x.numel() > 10000 ? draw.random.integer(1, 3) : draw.extent() % 40;
}

bool draw_matmul(Draw& draw, Step& step) {
    const DTypes dtypes{kFloat32, kFloat32, kFloat16, kBFloat16, kInt32};
    const std::size_t a = draw.any(dtypes, 1, 4);
    const Dims& sizes = draw.array(a).sizes;
    const DType dtype = draw.array(a).dtype;
    Dims other{sizes.back()};
    if (draw.random.chance(0.8)) {
        other.push_back(depth_beside(draw, draw.array(a)));
        for (std::int64_t i = sizes.count() - 3; i >= 0 && draw.random.chance(0.6); --i) {
            other.insert(0, draw.random.chance(0.7) ? sizes[i] : 1);
        }
    }
    step.operands = {a, draw.of_shape(other, {dtype})};
    return true;
}

Row matmul_row() {
    return {
        .name = "matmul",
        .text = "matmul($0, $1)",
        .draw = draw_matmul,
        .call = [](Operands in, const Step&) { return matmul(std::move(in[0]), std::move(in[1])); },
        .reference = [](Flats in, const Step&) -> References { return {product(in[0], in[1])}; },
        .weight = 4};
}

Row matmul_out_row() {
    return {
        .name = "matmul_out",
        .text = "matmul_out($2, $0, $1)",
        .draw =
            [](Draw& draw, Step& step) {
                draw_matmul(draw, step);
                const HostArray& a = draw.array(step.operands[0]);
                const HostArray& b = draw.array(step.operands[1]);
                const Expected out =
                    product({a.sizes, a.dtype, a.values()}, {b.sizes, b.dtype, b.values()});
                const DType dtype = a.dtype;
                step.operands.push_back(draw.writable(out.sizes, dtype));
                return true;
            },
        .call =
            [](Operands in, const Step&) {
                matmul_out(in[2], std::move(in[0]), std::move(in[1]));
                return Tensor();
            },
        .reference = [](Flats in, const Step&) -> References { return {product(in[0], in[1])}; },
        .writes = {2},
        .makes_result = false,
        .is_out_form = true};
}

Expected linear_of(Flats in) {
    const Flat& x = in[0];
    const Flat& weight = in[1];
    const std::int64_t depth = weight.sizes[1];
    const std::int64_t cols = weight.sizes[0];
    Expected out{leading(x.sizes, 1), x.dtype, {}, {}};
    const std::int64_t rows = numel(out.sizes);
    out.sizes.push_back(cols);
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            Sum sum;
            for (std::int64_t k = 0; k < depth; ++k) {
                sum.add(at(x, row * depth + k), at(weight, col * depth + k));
            }
            if (in.size() > 2) {
                sum.add(at(in[2], col), 1.0);
            }
            keep(out, sum);
        }
    }
    return out;
}

Row linear_row() {
    return {.name = "linear",
            .text = "linear($0, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t x = draw.any(floating_dtypes(), 1, 4);
                    const DType dtype = draw.array(x).dtype;
                    const std::int64_t cols = depth_beside(draw, draw.array(x));
                    step.operands = {x, draw.of_shape({cols, draw.array(x).sizes.back()}, {dtype})};
                    if (draw.random.chance(0.6)) {
                        step.operands.push_back(draw.of_shape({cols}, {dtype}));
                    }
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    return linear(std::move(in[0]),
                                  std::move(in[1]),
                                  in.size() > 2 ? std::move(in[2]) : Tensor());
                },
            .reference = [](Flats in, const Step&) -> References { return {linear_of(in)}; },
            .weight = 4};
}

// One query's weights over the keys, and how far float32 scores may move them.
struct Weights {
    std::vector<double> of;
    double bound = 0.0;
};

struct AttentionCall {
    Flat query, key, value;
    std::vector<double> mask;  ///< [..., L, S], or nothing
    bool is_bool_mask = false;
    bool is_causal = false;
    double scale = 1.0;

    [[nodiscard]] Weights weights(std::int64_t batch, std::int64_t row) const {
        const std::int64_t depth = query.sizes.back();
        const std::int64_t rows = query.sizes[query.sizes.count() - 2];
        const std::int64_t keys = key.sizes[key.sizes.count() - 2];
        Weights out;
        double most = -std::numeric_limits<double>::infinity();
        for (std::int64_t k = 0; k < keys; ++k) {
            Sum sum;
            for (std::int64_t e = 0; e < depth; ++e) {
                sum.add(at(query, (batch * rows + row) * depth + e),
                        at(key, (batch * keys + k) * depth + e));
            }
            double score = sum.value * scale;
            out.bound = std::max(out.bound, product_bound(sum.size * std::abs(scale), depth + 2));
            if (!mask.empty()) {
                const double one = mask[static_cast<std::size_t>((batch * rows + row) * keys + k)];
                score = is_bool_mask ? (one != 0 ? score : -kUnchecked) : score + one;
                out.bound += std::isfinite(one) ? std::abs(one) * 0x1p-23 : 0.0;
            }
            score = is_causal && k > row ? -kUnchecked : score;
            most = std::max(most, score);
            out.of.push_back(score);
        }
        double total = 0.0;
        for (double& one : out.of) {
            one = std::isinf(most) ? 0.0 : std::exp(one - most);
            total += one;
        }
        for (double& one : out.of) {
            one = total == 0.0 ? 0.0 : one / total;
        }
        return out;
    }
};

bool is_all_finite(const std::vector<double>& values) {
    return std::all_of(
        values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

Expected attend(const AttentionCall& call, const Dims& lead) {
    const std::int64_t rows = call.query.sizes[call.query.sizes.count() - 2];
    const std::int64_t keys = call.key.sizes[call.key.sizes.count() - 2];
    const std::int64_t cols = call.value.sizes.back();
    // What NaN and infinities give is left to the modes to agree on.
    const bool is_checked = is_all_finite(call.query.values) && is_all_finite(call.key.values) &&
                            is_all_finite(call.value.values);
    Expected out{lead, call.query.dtype, {}, {}};
    out.sizes.push_back(rows);
    out.sizes.push_back(cols);
    for (std::int64_t batch = 0; batch < numel(lead); ++batch) {
        for (std::int64_t row = 0; row < rows; ++row) {
            const Weights weights = call.weights(batch, row);
            for (std::int64_t col = 0; col < cols; ++col) {
                Sum sum;
                double most = 0.0;
                for (std::int64_t k = 0; k < keys; ++k) {
                    const double value = at(call.value, (batch * keys + k) * cols + col);
                    sum.add(weights.of[static_cast<std::size_t>(k)], value);
                    most = std::max(most, std::abs(value));
                }
                const double bound = (2 * weights.bound + 1e-5) * std::max(sum.size, 1e-3 * most);
                out.values.push_back(sum.value);
                out.bounds.push_back(is_checked && weights.bound < 0.1 ? bound : kUnchecked);
            }
        }
    }
    return out;
}

// flags[0]: causal; flags[1]: a mask; ints[0]: a scale of 0.5.
Expected attention_of(Flats in, const Step& step) {
    Dims lead;
    Dims both;
    broadcast(leading(in[0].sizes, 2), leading(in[1].sizes, 2), both);
    broadcast(both, leading(in[2].sizes, 2), lead);
    AttentionCall call{.query = with_lead(in[0], lead),
                       .key = with_lead(in[1], lead),
                       .value = with_lead(in[2], lead),
                       .mask = {},
                       .is_causal = step.flags[0]};
    call.scale = step.ints[0] != 0 ? 0.5 : 1.0 / std::sqrt(static_cast<double>(in[0].sizes.back()));
    if (step.flags[1]) {
        Dims scores = lead;
        scores.push_back(in[0].sizes[in[0].sizes.count() - 2]);
        scores.push_back(in[1].sizes[in[1].sizes.count() - 2]);
        call.mask = spread(in[3], scores);
        call.is_bool_mask = in[3].dtype == kBool;
    }
    return attend(call, lead);
}

bool draw_attention(Draw& draw, Step& step) {
    const std::size_t query = draw.any(floating_dtypes(), 2, 4, [](const HostArray& x) {
        return x.sizes.back() > 0 && x.sizes.back() <= 300;
    });
    const Dims sizes = draw.array(query).sizes;
    const DType dtype = draw.array(query).dtype;
    Dims lead = leading(sizes, 2);
    if (draw.random.chance(0.2) && !lead.empty()) {
        lead.erase(0);
    }
    const bool is_small = draw.array(query).numel() < 10000;
    const std::int64_t keys = is_small ? draw.extent() : 3;
    Dims key = lead;
    key.push_back(keys);
    key.push_back(sizes.back());
    Dims value = lead;
    value.push_back(keys);
    value.push_back(draw.random.chance(0.6) ? sizes.back() : draw.random.integer(1, 20));
    step.operands = {query, draw.of_shape(key, {dtype}), draw.of_shape(value, {dtype})};
    step.flags = {draw.random.chance(0.3), draw.random.chance(0.4)};
    step.ints = {draw.random.chance(0.3) ? 1 : 0};
    if (step.flags[1]) {
        Dims mask{draw.random.chance(0.5) ? 1 : sizes[sizes.count() - 2], keys};
        step.operands.push_back(draw.of_shape(mask, {dtype, kBool}));
    }
    return true;
}

Row attention_row() {
    return {.name = "attention",
            .text = "scaled_dot_product_attention($0, $1, $2, $3, $f, $i ? 0.5 : none)",
            .draw = draw_attention,
            .call =
                [](Operands in, const Step& step) {
                    return scaled_dot_product_attention(
                        std::move(in[0]),
                        std::move(in[1]),
                        std::move(in[2]),
                        step.flags[1] ? std::move(in[3]) : Tensor(),
                        step.flags[0],
                        step.ints[0] != 0 ? std::optional(0.5) : std::nullopt);
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {attention_of(in, step)};
            },
            .weight = 3};
}

}  // namespace

std::vector<Row> product_rows() {
    return {matmul_row(), matmul_out_row(), linear_row(), attention_row()};
}

}  // namespace pumice::differential
