// SPDX-License-Identifier: Apache-2.0
// Values of operators at sizes where one invocation would loop for longer than devices let it:
// lavapipe 22.3 goes on after 65,535 passes with what it has. What is planned for larger ones is
// looked at in tests/dispatch/iterations_test.cpp.
#include "pumice/graph.h"
#include "pumice/ops.h"

#include "dispatch/corridor.h"
#include "geometry/convolution.h"
#include "ops/all_ops.h"
#include "ops/matmul/attention.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace pumice {
namespace {

using test::check_close;
using test::check_same_bits;
using test::random_tensor;

double first_of(const Tensor& x) {
    return x.to(kFloat32).to_vector<double>()[0];
}

using Values = std::vector<double>;

double sum_of(const Values& x, std::size_t first, std::size_t count) {
    double total = 0;
    for (std::size_t i = first; i < first + count; ++i) {
        total += x[i];
    }
    return total;
}

// Mean and 1 / sqrt(var + eps) of a row, or 0 and 1 / sqrt(mean of squares + eps).
struct Stats {
    double mean = 0;
    double rate = 0;
};

Stats stats_of(
    const Values& x, std::size_t first, std::size_t count, bool is_centered, double eps) {
    const auto n = static_cast<double>(count);
    const double mean = is_centered ? sum_of(x, first, count) / n : 0.0;
    double squares = 0;
    for (std::size_t i = first; i < first + count; ++i) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    return {.mean = mean, .rate = 1.0 / std::sqrt(squares / n + eps)};
}

// The gradient of x of a norm without weight, for a gradient g of the result.
Values norm_gradient(const Values& x, const Values& g, std::size_t length, bool is_centered) {
    Values result(x.size());
    for (std::size_t first = 0; first < x.size(); first += length) {
        const Stats stats = stats_of(x, first, length, is_centered, 1e-5);
        double of_g = 0;
        double of_product = 0;
        for (std::size_t i = first; i < first + length; ++i) {
            of_g += g[i];
            of_product += g[i] * (x[i] - stats.mean) * stats.rate;
        }
        const auto n = static_cast<double>(length);
        for (std::size_t i = first; i < first + length; ++i) {
            const double h = (x[i] - stats.mean) * stats.rate;
            const double mean_g = is_centered ? of_g / n : 0.0;
            result[i] = stats.rate * (g[i] - mean_g - h * of_product / n);
        }
    }
    return result;
}

}  // namespace

TEST_CASE("long loops: reductions of tens of millions of elements") {
    CHECK(sum(ones({40000000}, kInt32)).item<std::int32_t>() == 40000000);
    const Tensor x = arange(40000000);
    CHECK(amax(x).item<std::int32_t>() == 39999999);
    CHECK(argmax(x).item<std::int32_t>() == 39999999);
    CHECK(any(x.eq(39999999)).item<bool>());
}

TEST_CASE("long loops: reductions of many long rows") {
    const std::int64_t length = 70000;
    const Tensor x =
        arange(length).to(kFloat32).view({1, length}).expand({130, length}).contiguous();
    const auto last = static_cast<double>(length - 1);
    const auto all_close = [](const Tensor& got, double wanted) {
        check_close(got.to(kFloat32), Values(static_cast<std::size_t>(got.numel()), wanted), 1e-6);
    };
    all_close(sum(x, {1}), last * static_cast<double>(length) / 2);
    all_close(mean(x, {1}), last / 2);
    all_close(amax(x, {1}), last);
    all_close(argmax(x, 1), last);
    all_close(any(x.eq(length - 1), {1}), 1);
    all_close(all(x.ne(length - 1), {1}), 0);
    all_close(var(x, {1}), static_cast<double>(length) * static_cast<double>(length + 1) / 12);
    // The last ones alone count: the sum of e^-k.
    all_close(logsumexp(x, {1}), last - std::log(1 - std::exp(-1.0)));
    all_close(cumsum(ones({130, length}), 1).select(1, length - 1), static_cast<double>(length));
    all_close(cumsum(ones({130, length}, kInt32), 1).select(1, length - 1), last + 1);
}

TEST_CASE("long loops: softmax of a vocabulary") {
    CHECK(first_of(softmax(zeros({130, 32000}), 1).amax()) * 32000 ==
          doctest::Approx(1).epsilon(1e-6));
    const std::int64_t words = 50257;
    const double wanted = -std::log(static_cast<double>(words));
    const Tensor half = log_softmax(zeros({130, words}, kFloat16), 1);
    CHECK(first_of(half.amax()) == doctest::Approx(wanted).epsilon(1e-3));
    CHECK(first_of(half.amin()) == doctest::Approx(wanted).epsilon(1e-3));
    const Tensor x = random_tensor({130, words});
    check_close(softmax(x, 1).sum({1}), Values(130, 1.0), 1e-5);
    check_close(softmax(transpose(x, 0, 1), 0).sum({0}), Values(130, 1.0), 1e-5);
}

TEST_CASE("long loops: cross_entropy of a vocabulary, with its gradient") {
    const std::int64_t words = 50257;
    Tensor x = zeros({130, words}).set_requires_grad(true);
    const Tensor target = arange(130).mul(386);
    const Tensor loss = cross_entropy(x, target);
    CHECK(first_of(loss) == doctest::Approx(std::log(static_cast<double>(words))).epsilon(1e-6));
    loss.backward();
    const Values g = x.grad().select(0, 129).to_vector<double>();
    const double each = 1.0 / static_cast<double>(words) / 130;
    CHECK(g[0] == doctest::Approx(each).epsilon(1e-5));
    CHECK(g[129 * 386] == doctest::Approx(each - 1.0 / 130).epsilon(1e-5));
    CHECK(g[static_cast<std::size_t>(words - 1)] == doctest::Approx(each).epsilon(1e-5));
}

TEST_CASE("long loops: norms of long rows, with their gradients") {
    CHECK(first_of(layer_norm(arange(32000).to(kFloat32).view({1, 32000}), {32000}).amax()) ==
          doctest::Approx(std::sqrt(3.0)).epsilon(1e-4));
    const std::int64_t length = 50257;
    const Dims row{length};
    const Tensor g = random_tensor({3, length}, -1, 1, 2);
    for (const bool is_centered : {true, false}) {
        Tensor x = random_tensor({3, length}, 3, 5).set_requires_grad(true);
        const Values values = x.detach().to_vector<double>();
        const Tensor y =
            is_centered ? layer_norm(x, row, {}, {}, 1e-5) : rms_norm(x, row, {}, 1e-5);
        Values wanted(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto n = static_cast<std::size_t>(length);
            if (i % n == 0) {
                const Stats stats = stats_of(values, i, n, is_centered, 1e-5);
                for (std::size_t k = i; k < i + n; ++k) {
                    wanted[k] = (values[k] - stats.mean) * stats.rate;
                }
            }
        }
        check_close(y.detach(), wanted, 2e-6);
        y.backward(g);
        check_close(
            x.grad(), norm_gradient(values, g.to_vector<double>(), 50257, is_centered), 1e-5);
    }
}

TEST_CASE("long loops: halves and parameters of norms of long rows") {
    const std::int64_t length = 50256;
    const Dims row{length};
    Tensor x = random_tensor({3, length}, -1, 1, 1, kFloat16).set_requires_grad(true);
    Tensor weight = full(row, 2.0).set_requires_grad(true);
    Tensor bias = full(row, 0.5).set_requires_grad(true);
    const Tensor y = layer_norm(x, row, weight, bias);
    CHECK(y.dtype() == kFloat16);
    check_close(y.detach().to(kFloat32),
                layer_norm(x.detach().to(kFloat32), row, weight.detach(), bias.detach())
                    .to_vector<double>(),
                2e-3);
    y.backward(ones({3, length}, kFloat16));
    CHECK(x.grad().dtype() == kFloat16);
    CHECK(first_of(x.grad().to(kFloat32).abs().amax()) < 1e-3);
    check_close(bias.grad(), Values(static_cast<std::size_t>(length), 3.0));
    check_close(weight.grad(),
                sum(layer_norm(x.detach().to(kFloat32), row), {0}).to_vector<double>(),
                1e-4);
}

TEST_CASE("long loops: columns of many rows") {
    const std::int64_t rows = 3000000;
    Tensor weight = ones({1}).set_requires_grad(true);
    Tensor bias = zeros({1}).set_requires_grad(true);
    layer_norm(zeros({rows, 1}), {1}, weight, bias).sum().backward();
    CHECK(first_of(bias.grad()) == rows);
    CHECK(first_of(weight.grad()) == 0);
}

TEST_CASE("long loops: products of a long depth") {
    const std::int64_t depth = 1 << 20;
    CHECK(matmul(ones({2, depth}, kInt32), ones({depth, 2}, kInt32)).amin().item<std::int32_t>() ==
          depth);
    const Tensor a = ones({3, depth});
    const Tensor b = full({depth, 2}, 0.5);
    check_close(matmul(a, b), Values(6, 524288));
    Tensor out = transpose(zeros({2, 3}), 0, 1);
    matmul_out(out, a, b);
    check_close(out.contiguous(), Values(6, 524288));
    check_close(linear(a.to(kBFloat16), full({2, depth}, 0.5, kBFloat16), full({2}, 64, kBFloat16))
                    .to(kFloat32),
                Values(6, 524288),
                1e-2);
    const Tensor x = random_tensor({2, 300000});
    const Tensor w = random_tensor({300000, 2}, -1, 1, 2);
    const Values xs = x.to_vector<double>();
    const Values ws = w.to_vector<double>();
    Values wanted(4, 0.0);
    for (std::size_t k = 0; k < 300000; ++k) {
        for (std::size_t i = 0; i < 4; ++i) {
            wanted[i] += xs[i / 2 * 300000 + k] * ws[k * 2 + i % 2];
        }
    }
    check_close(matmul(x, w), wanted, 1e-4);
}

TEST_CASE("long loops: the weight gradient of a convolution over many places") {
    Tensor w = ones({2, 3, 1, 1}).set_requires_grad(true);
    sum(conv2d(ones({64, 3, 33, 33}), w)).backward();
    check_close(w.grad(), Values(6, 69696));
    // One row of very many places.
    Tensor line = ones({2, 1, 1, 3}, kFloat16).set_requires_grad(true);
    const Tensor ramp = full({1, 1, 1, 140002}, 0.25, kFloat16);
    sum(conv2d(ramp, line).to(kFloat32)).backward();
    check_close(line.grad().to(kFloat32), Values(6, 35000), 1e-3);
}

TEST_CASE("long loops: a convolution with a window of 70,000") {
    const std::int64_t window = 70000;
    const Tensor x = ones({1, 1, 1, window + 3});
    Tensor w = full({2, 1, 1, window}, 0.5).set_requires_grad(true);
    const Tensor y = conv2d(x, w, ones({2}));
    check_close(y.detach(), Values(8, 35001));
    y.sum().backward();
    CHECK(first_of(w.grad().amin()) == 4);
    CHECK(first_of(w.grad().amax()) == 4);
}

TEST_CASE("long loops: a convolution of very many channels, and its gradients") {
    const std::int64_t channels = 1 << 17;
    const Tensor w = full({2, channels, 1, 1}, 0.5);
    check_close(conv2d(ones({1, channels, 1, 3}), w), Values(6, 65536));
    Tensor x = ones({1, 1, 1, 3}, kBFloat16).set_requires_grad(true);
    conv2d(x, full({channels, 1, 1, 1}, 0.5, kBFloat16)).to(kFloat32).sum().backward();
    check_close(x.grad().to(kFloat32), Values(3, 65536));
}

TEST_CASE("long loops: an image gradient where few taps meet") {
    // Stride and dilation share a divisor: 6 and 4, so that tap 1 meets nothing that tap 0 does.
    Tensor x = random_tensor({1, 1, 1, 60}).set_requires_grad(true);
    const Tensor w = random_tensor({1, 1, 1, 5}, -1, 1, 2);
    const Tensor y = conv2d(x, w, {}, IntPair(1, 6), 0, IntPair(1, 4));
    const Tensor g = random_tensor(y.sizes(), -1, 1, 3);
    y.backward(g);
    Values wanted(60, 0.0);
    const Values gs = g.to_vector<double>();
    const Values ws = w.to_vector<double>();
    for (std::size_t p = 0; p < gs.size(); ++p) {
        for (std::size_t t = 0; t < 5; ++t) {
            wanted[p * 6 + t * 4] += gs[p] * ws[t];
        }
    }
    check_close(x.grad(), wanted, 1e-6);
}

TEST_CASE("long loops: pooling with a window of 70,000") {
    const std::int64_t window = 70000;
    for (const DType dtype : {kFloat32, kFloat16}) {
        // The first window's largest lies near its end; equals stand before and after a cut.
        Tensor x = zeros({1, 1, 1, window + 1}, dtype);
        x.slice(3, 65000, 65001).fill_(2);
        x.slice(3, 69000, 69001).fill_(2);
        x.slice(3, 69999, 70000).fill_(1);
        x.set_requires_grad(true);
        const Tensor y = max_pool2d(x, IntPair(1, window), 1);
        check_close(y.detach().to(kFloat32), Values(2, 2.0));
        y.backward(ones({1, 1, 1, 2}, dtype));
        const Values won = x.grad().to(kFloat32).to_vector<double>();
        CHECK(won[65000] == 2);
        CHECK(sum_of(won, 0, won.size()) == 2);
        check_close(max_pool2d(x.detach(), IntPair(1, window), 1).to(kFloat32), Values(2, 2.0));
        x.set_grad({});
        const Tensor mean = avg_pool2d(x, IntPair(1, window), 1);
        check_close(mean.detach().to(kFloat32), Values(2, 5.0 / 70000), 1e-6);
        mean.backward(full({1, 1, 1, 2}, 7, dtype));
        const Values shares = x.grad().to(kFloat32).to_vector<double>();
        CHECK(shares[0] == doctest::Approx(7.0 / 70000).epsilon(1e-3));
        CHECK(shares[35000] == doctest::Approx(14.0 / 70000).epsilon(1e-3));
    }
}

TEST_CASE("long loops: elements that are in very many windows") {
    Tensor x = zeros({1, 1, 2, 3}).set_requires_grad(true);
    const Tensor many = adaptive_avg_pool2d(x, IntPair(900, 600));
    many.sum().backward();
    check_close(x.grad(), Values(6, 90000), 1e-5);
    Tensor half = zeros({1, 1, 126, 126}, kFloat16).set_requires_grad(true);
    max_pool2d(half, 251, 1, 125).to(kFloat32).sum().backward();
    CHECK(first_of(half.grad().to(kFloat32).sum()) == doctest::Approx(126 * 126).epsilon(1e-3));
}

TEST_CASE("long loops: adaptive pooling of wide windows") {
    Tensor x = ones({1, 1, 300, 600}).set_requires_grad(true);
    const Tensor y = adaptive_avg_pool2d(x, IntPair(1, 2));
    check_close(y.detach(), Values(2, 1.0), 1e-6);
    y.sum().backward();
    check_close(x.grad(), Values(180000, 1.0 / 90000), 1e-9);
}

TEST_CASE("long loops: one target of very many entries") {
    const std::int64_t count = 1 << 17;
    const Tensor index = full({count}, 1, kInt32);
    for (const DType dtype : {kFloat32, kFloat16, kInt32}) {
        const Tensor source = full({count, 3}, dtype == kInt32 ? 2.0 : 0.125, dtype);
        const double wanted = dtype == kInt32 ? 262144 : 16384;
        const Tensor rows = index_add(ones({3, 3}, dtype), 0, index, source).to(kFloat32);
        check_close(rows, {1, 1, 1, wanted + 1, wanted + 1, wanted + 1, 1, 1, 1}, 1e-3);
        const Tensor cells =
            scatter_add(zeros({2, 3}, dtype), 0, index.view({count, 1}).expand({count, 3}), source);
        check_close(cells.to(kFloat32), {0, 0, 0, wanted, wanted, wanted}, 1e-3);
        // Dimensions around the indexed one.
        const Tensor wide = scatter_add(zeros({2, 3, 1}, dtype),
                                        1,
                                        full({2, count, 1}, 2, kInt32),
                                        full({2, count, 1}, dtype == kInt32 ? 2.0 : 0.125, dtype));
        check_close(wide.to(kFloat32), {0, 0, wanted, 0, 0, wanted}, 1e-3);
    }
}

TEST_CASE("long loops: targets far apart among the entries") {
    // Entries of a target are as far from each other as there are targets.
    const std::int64_t count = 200000;
    const Tensor index = cat({arange(100000), arange(100000)});
    const Tensor got = index_add(zeros({100000}), 0, index, ones({count}));
    check_close(got, Values(100000, 2.0));
    const Tensor last = index_copy(zeros({100000}, kInt32), 0, index, arange(count));
    CHECK(last.to_vector<std::int32_t>()[7] == 100007);
    Tensor weight = zeros({100000, 1}).set_requires_grad(true);
    embedding(weight, index).sum().backward();
    check_close(weight.grad(), Values(100000, 2.0));
}

TEST_CASE("long loops: the gradient of a view that has each element very often") {
    for (const DType dtype : {kFloat32, kFloat16}) {
        Tensor x = zeros({7}, dtype).set_requires_grad(true);
        as_strided(x, {40000, 5}, {0, 1}, 1).to(kFloat32).sum().backward();
        check_close(x.grad().to(kFloat32), {0, 40000, 40000, 40000, 40000, 40000, 0});
        x.set_grad({});
        as_strided(x, {300, 200, 5}, {0, 0, 1}, 2).to(kFloat32).sum().backward();
        check_close(x.grad().to(kFloat32), {0, 0, 60000, 60000, 60000, 60000, 60000});
    }
}

TEST_CASE("long loops: attention over very many keys") {
    const std::size_t keys = 24000;
    const std::size_t width = 40;
    const Tensor q = random_tensor({3, 40}, -1, 1, 1);
    const Tensor k = random_tensor({24000, 40}, -1, 1, 2);
    const Tensor v = random_tensor({24000, 40}, -1, 1, 3);
    const Values qs = q.to_vector<double>();
    const Values ks = k.to_vector<double>();
    const Values vs = v.to_vector<double>();
    Values wanted(3 * width, 0.0);  // the last query sees no key
    double total = 0;
    for (std::size_t key = 0; key < keys; ++key) {
        double score = 0;
        for (std::size_t e = 0; e < width; ++e) {
            score += qs[e] * ks[key * width + e];
        }
        const double weight = std::exp(score / std::sqrt(static_cast<double>(width)));
        total += weight;
        for (std::size_t d = 0; d < width; ++d) {
            wanted[d] += weight * vs[key * width + d];
        }
    }
    for (std::size_t d = 0; d < width; ++d) {
        wanted[d] /= total;
        wanted[width + d] = vs[23000 * width + d];  // the only key that the second query sees
    }
    Tensor mask = zeros({3, 24000}, kBool);
    mask.select(0, 0).fill_(true);
    mask.select(0, 1).slice(0, 23000, 23001).fill_(true);
    check_close(scaled_dot_product_attention(q, k, v, mask), wanted, 1e-5);
}

TEST_CASE("long loops: captured chains around what is cut keep the bits") {
    const std::int64_t length = 40000;
    const Tensor x = random_tensor({3, length});
    const Tensor weight = random_tensor({length}, 1, 2, 2);
    const auto check = [&](const test::Function& function, const std::vector<Tensor>& inputs) {
        const Plan plan = capture(
            [&function](std::span<const Tensor> in) {
                return std::vector<Tensor>{function({in.begin(), in.end()})};
            },
            inputs);
        check_same_bits(plan.replay(inputs)[0], function(inputs));
    };
    check([&](const auto& in) { return mul(softmax(neg(in[0]), 1), 2.0); }, {x});
    check([&](const auto& in) { return neg(layer_norm(mul(in[0], 3.0), {length}, in[1])); },
          {x, weight});
    check([&](const auto& in) { return neg(matmul(in[0], in[1])); },
          {ones({1, 500000}), ones({500000, 2})});
}

namespace {

// From -4 to 4, in no order.
Tensor small_integers(const Dims& sizes, std::size_t step) {
    std::vector<float> values(static_cast<std::size_t>(numel(sizes)));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(i * step % 9) - 4.0F;
    }
    return view(tensor(values), sizes);
}

// The operator with the kernels that hardware takes; its other rules stay.
template <const dispatch::OpDef& kDef>
dispatch::OpDef on_hardware() {
    dispatch::OpDef def = kDef;
    def.select = [](const dispatch::OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
        vk::Capabilities hardware = caps;
        hardware.is_cpu = false;
        kDef.select(call, outputs, hardware, program);
    };
    return def;
}

}  // namespace

TEST_CASE("long loops: products on the tiles that hardware takes") {
    static const dispatch::OpDef product = on_hardware<ops::kMatmul>();
    const Tensor a = small_integers({3, 40000}, 7919);
    const Tensor b = small_integers({40000, 2}, 104729);
    Tensor out = transpose(zeros({2, 3}), 0, 1);  // no splits: runs
    Tensor inputs[] = {a, b};
    dispatch::call_out(product, out, inputs);
    const Values as = a.to_vector<double>();
    const Values bs = b.to_vector<double>();
    Values wanted(6, 0.0);
    for (std::size_t k = 0; k < 40000; ++k) {
        for (std::size_t i = 0; i < 6; ++i) {
            wanted[i] += as[i / 2 * 40000 + k] * bs[k * 2 + i % 2];
        }
    }
    check_close(out.contiguous(), wanted, 0);  // every sum is a float
}

TEST_CASE("long loops: convolutions on the tiles that hardware takes") {
    static const dispatch::OpDef gradient = on_hardware<ops::kConv2dWeightGradient>();
    static const dispatch::OpDef result = on_hardware<ops::kConv2d>();
    for (const DType dtype : {kFloat32, kFloat16}) {
        Tensor inputs[] = {full({2, 3, 1, 30000}, 0.125, dtype), ones({2, 2, 1, 30002}, dtype)};
        const Tensor dw =
            dispatch::call(gradient, inputs, ops::ConvAttrs{.extent = {1, 3}});  // 60,000 places
        check_close(dw.to(kFloat32), Values(18, 7500));
        Tensor operands[] = {
            ones({1, 40000, 1, 2}, dtype), full({3, 40000, 1, 1}, 0.125, dtype), ones({3}, dtype)};
        const Tensor y = dispatch::call(result, operands, ops::ConvAttrs{});
        check_close(y.to(kFloat32), Values(6, 5001), 1e-3);
    }
}

TEST_CASE("long loops: attention on the tiles that hardware takes") {
    static const dispatch::OpDef attention = on_hardware<ops::kAttention>();
    for (const bool is_causal : {false, true}) {
        const Tensor q = random_tensor({20, 64});
        const Tensor k = random_tensor({7000, 64}, -1, 1, 2);
        const Tensor v = random_tensor({7000, 70}, -1, 1, 3);
        Tensor inputs[] = {q, k, v, Tensor()};
        Tensor outputs[2];
        dispatch::call_many(attention,
                            inputs,
                            ops::AttentionAttrs{.scale = 0.125F, .is_causal = is_causal},
                            outputs);
        check_close(outputs[0],
                    scaled_dot_product_attention(q, k, v, {}, is_causal).to_vector<double>(),
                    1e-5);
    }
}

}  // namespace pumice
