// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace pumice;
using namespace pumice::test;

namespace {

struct Wanted {
    std::vector<double> values;
    std::vector<double> magnitudes;  ///< sum of |a b| an element, what the bound is relative to
};

Dims batch_index(std::int64_t flat, const Dims& batch) {
    Dims index = batch;
    for (std::int64_t d = batch.count() - 1; d >= 0; --d) {
        index[d] = flat % batch[d];
        flat /= batch[d];
    }
    return index;
}

// Offset of an operand's matrix in its row-major values, broadcast to a batch index.
std::int64_t matrix_offset(const Dims& sizes, const Dims& index) {
    std::int64_t offset = 0;
    const std::int64_t own = sizes.count() - 2;
    for (std::int64_t d = 0; d < own; ++d) {
        const std::int64_t at = sizes[d] == 1 ? 0 : index[index.count() - own + d];
        offset = offset * sizes[d] + at;
    }
    return offset * sizes[own] * sizes[own + 1];
}

// a [..., M, K] and b [..., K, N] in float64.
Wanted reference(const Tensor& a, const Tensor& b, const Dims& batch) {
    const std::vector<double> av = a.to_vector<double>();
    const std::vector<double> bv = b.to_vector<double>();
    const std::int64_t m = a.size(-2);
    const std::int64_t k = a.size(-1);
    const std::int64_t n = b.size(-1);
    Wanted wanted;
    for (std::int64_t p = 0; p < numel(batch); ++p) {
        const Dims index = batch_index(p, batch);
        const std::int64_t a0 = matrix_offset(a.sizes(), index);
        const std::int64_t b0 = matrix_offset(b.sizes(), index);
        for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t j = 0; j < n; ++j) {
                double sum = 0.0;
                double magnitude = 0.0;
                for (std::int64_t d = 0; d < k; ++d) {
                    const double term = av[static_cast<std::size_t>(a0 + i * k + d)] *
                                        bv[static_cast<std::size_t>(b0 + d * n + j)];
                    sum += term;
                    magnitude += std::abs(term);
                }
                wanted.values.push_back(sum);
                wanted.magnitudes.push_back(magnitude);
            }
        }
    }
    return wanted;
}

// |error| <= 2 K eps32 sum|a b|, and half a unit of the storage dtype.
void check_product(const Tensor& got, const Wanted& wanted, std::int64_t depth) {
    const std::vector<double> values = got.to_vector<double>();
    REQUIRE(values.size() == wanted.values.size());
    const double bound =
        2.0 * static_cast<double>(depth) * std::numeric_limits<float>::epsilon() / 2.0;
    const double rounding = got.dtype() == kFloat32 ? 0.0 : tolerance_of(got.dtype());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double error = std::abs(values[i] - wanted.values[i]);
        const double allowed =
            bound * wanted.magnitudes[i] + rounding * std::abs(wanted.values[i]) + 1e-30;
        if (!(error <= allowed)) {
            INFO("element " << i << ": got " << values[i] << ", wanted " << wanted.values[i]
                            << ", allowed " << allowed);
            CHECK(false);
            return;
        }
    }
    CHECK(true);
}

void check_shapes(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype = kFloat32) {
    INFO("m " << m << ", n " << n << ", k " << k << ", " << to_string(dtype));
    const Tensor a = random_tensor({m, k}, -1.0, 1.0, 1, dtype);
    const Tensor b = random_tensor({k, n}, -1.0, 1.0, 2, dtype);
    const Tensor at = random_tensor({k, m}, -1.0, 1.0, 3, dtype);
    const Tensor bt = random_tensor({n, k}, -1.0, 1.0, 4, dtype);
    check_product(matmul(a, b), reference(a, b, {}), k);
    check_product(matmul(at.t(), b), reference(at.t(), b, {}), k);
    check_product(matmul(a, bt.t()), reference(a, bt.t(), {}), k);
    check_product(matmul(at.t(), bt.t()), reference(at.t(), bt.t(), {}), k);
}

const auto kMatmul = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); };

}  // namespace

TEST_CASE("matmul: every layout at sizes around the tiles" * doctest::test_suite("long")) {
    const std::int64_t shapes[][2] = {
        {1, 1}, {1, 7}, {2, 2}, {7, 8}, {8, 16}, {9, 17}, {16, 33}, {17, 32}, {33, 31}, {40, 1}};
    for (const auto& shape : shapes) {
        check_shapes(shape[0], shape[1], 13);
    }
    for (const std::int64_t k : {1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 127}) {
        check_shapes(18, 34, k);
    }
    check_shapes(64, 66, 300);
    check_shapes(131, 127, 257);
}

TEST_CASE("matmul: dtypes" * doctest::test_suite("long")) {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        check_shapes(1, 5, 9, dtype);
        check_shapes(19, 7, 33, dtype);
        check_shapes(18, 40, 34, dtype);
    }
}

TEST_CASE("matmul: int32 is exact and wraps") {
    const Tensor a = tensor<std::int32_t>({1 << 30, 3, -7, 1 << 20, 5, 6}, kInt32).view({2, 3});
    const Tensor b = tensor<std::int32_t>({4, 2, -1, 9, 1 << 13, 10}, kInt32).view({3, 2});
    const std::vector<std::int32_t> av = a.to_vector<std::int32_t>();
    const std::vector<std::int32_t> bv = b.to_vector<std::int32_t>();
    std::vector<std::int32_t> wanted;
    for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 2; ++j) {
            std::uint32_t sum = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                sum += static_cast<std::uint32_t>(av[i * 3 + k]) *
                       static_cast<std::uint32_t>(bv[k * 2 + j]);
            }
            wanted.push_back(static_cast<std::int32_t>(sum));
        }
    }
    CHECK(matmul(a, b).to_vector<std::int32_t>() == wanted);
}

TEST_CASE("matmul: vectors as in PyTorch") {
    const Tensor v = random_tensor({5}, -1.0, 1.0, 1);
    const Tensor w = random_tensor({5}, -1.0, 1.0, 2);
    const Tensor a = random_tensor({3, 5}, -1.0, 1.0, 3);
    const Tensor b = random_tensor({2, 5, 4}, -1.0, 1.0, 4);
    const Tensor dot = matmul(v, w);
    CHECK(dot.sizes() == Dims{});
    check_product(dot, reference(v.view({1, 5}), w.view({5, 1}), {}), 5);
    const Tensor av = matmul(a, v);
    CHECK(av.sizes() == Dims{3});
    check_product(av, reference(a, v.view({5, 1}), {}), 5);
    const Tensor vb = matmul(v, b);
    CHECK(vb.sizes() == Dims{2, 4});
    check_product(vb, reference(v.view({1, 5}), b, {2}), 5);
}

TEST_CASE("matmul: batches broadcast") {
    const Dims cases[][2] = {{{3, 4, 5}, {5, 6}},
                             {{4, 5}, {3, 5, 6}},
                             {{3, 4, 5}, {3, 5, 6}},
                             {{2, 1, 4, 5}, {3, 5, 6}},
                             {{2, 3, 1, 4, 5}, {2, 1, 7, 5, 2}},
                             {{1, 4, 5}, {3, 5, 1}},
                             {{2, 1, 2, 1, 3, 4}, {1, 3, 1, 2, 4, 5}},
                             {{2, 1, 2, 1, 2, 1, 3, 4}, {1, 2, 1, 2, 1, 2, 4, 5}}};
    const Dims batches[] = {
        {3}, {3}, {3}, {2, 3}, {2, 3, 7}, {3}, {2, 3, 2, 2}, {2, 2, 2, 2, 2, 2}};
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        INFO("case " << i);
        const Tensor a = random_tensor(cases[i][0], -1.0, 1.0, 1);
        const Tensor b = random_tensor(cases[i][1], -1.0, 1.0, 2);
        const Tensor c = matmul(a, b);
        Dims wanted = batches[i];
        wanted.push_back(a.size(-2));
        wanted.push_back(b.size(-1));
        CHECK(c.sizes() == wanted);
        check_product(c, reference(a, b, batches[i]), a.size(-1));
    }
}

TEST_CASE("matmul: strided, offset and expanded operands are read in place") {
    const Tensor base = random_tensor({9, 22}, -1.0, 1.0, 1);
    const Tensor a = base.slice(0, 1, 9, 2).slice(1, 1, 22, 3);  // [4, 7]
    const Tensor b = random_tensor({2, 8, 6}, -1.0, 1.0, 2).slice(1, 1);
    check_product(matmul(a, b), reference(a, b, {2}), 7);
    const Tensor row = random_tensor({1, 7}, -1.0, 1.0, 3).expand({5, 7});
    check_product(matmul(row, b), reference(row, b, {2}), 7);
    const Tensor heads = random_tensor({2, 5, 3, 4}, -1.0, 1.0, 4).transpose(1, 2);
    check_product(matmul(heads, heads.transpose(-1, -2)),
                  reference(heads, heads.transpose(-1, -2), {2, 3}),
                  4);
}

TEST_CASE("matmul: a long depth is split, in the same order every time" *
          doctest::test_suite("long")) {
    for (const std::int64_t k : {2048, 4097}) {
        check_shapes(16, 16, k);
        check_shapes(1, 9, k);
    }
    check_shapes(3, 5, 2050, kBFloat16);
    const Tensor a = random_tensor({4, 4096}, -1.0, 1.0, 1);
    const Tensor b = random_tensor({4096, 4}, -1.0, 1.0, 2);
    check_modes(kMatmul, {a, b});
}

TEST_CASE("matmul: more rows and batches than a grid's width") {
    const Tensor a = random_tensor({70001, 2}, -1.0, 1.0, 1);
    const Tensor b = random_tensor({2, 3}, -1.0, 1.0, 2);
    check_product(matmul(a, b), reference(a, b, {}), 2);
    const Tensor many = random_tensor({70001, 1, 2}, -1.0, 1.0, 3);
    const Tensor others = random_tensor({70001, 2, 1}, -1.0, 1.0, 4);
    check_product(matmul(many, others), reference(many, others, {70001}), 2);
}

TEST_CASE("matmul: empty sizes") {
    CHECK(matmul(zeros({0, 3}), zeros({3, 2})).sizes() == Dims{0, 2});
    CHECK(matmul(zeros({4, 0, 3}), zeros({3, 2})).sizes() == Dims{4, 0, 2});
    CHECK(matmul(zeros({0, 2, 3}), zeros({3, 2})).sizes() == Dims{0, 2, 2});
    CHECK(matmul(zeros({2, 0}), zeros({0, 3})).to_vector<float>() == std::vector<float>(6, 0.0F));
}

TEST_CASE("matmul: infinities and NaN stay in their rows and columns") {
    Tensor a = ones({17, 5});
    a.select(0, 3).fill_(std::numeric_limits<double>::infinity());
    a.select(0, 16).fill_(std::numeric_limits<double>::quiet_NaN());
    const std::vector<float> c = matmul(a, ones({5, 3})).to_vector<float>();
    for (std::size_t i = 0; i < 17; ++i) {
        CHECK(std::isinf(c[i * 3]) == (i == 3));
        CHECK(std::isnan(c[i * 3 + 2]) == (i == 16));
    }
}

TEST_CASE("matmul: modes agree") {
    check_modes(kMatmul, {random_tensor({3, 33, 18}), random_tensor({18, 40})});
    check_modes(kMatmul,
                {random_tensor({33, 17}, -1.0, 1.0, 1, kFloat16),
                 random_tensor({17, 5}, -1.0, 1.0, 2, kFloat16)});
}

TEST_CASE("matmul: gradients") {
    check_gradients(kMatmul, {random_tensor({3, 4}), random_tensor({4, 2})});
    check_gradients(kMatmul, {random_tensor({4}), random_tensor({4})});
    check_gradients(kMatmul, {random_tensor({3, 4}), random_tensor({4})});
    check_gradients(kMatmul, {random_tensor({4}), random_tensor({2, 4, 3})});
    check_gradients(kMatmul, {random_tensor({2, 3, 4}), random_tensor({4, 2})});
    check_gradients(kMatmul, {random_tensor({3, 4}), random_tensor({2, 4, 2})});
    check_gradients(kMatmul, {random_tensor({2, 1, 3, 2}), random_tensor({3, 2, 2})});
}

TEST_CASE("matmul_out: writes contiguous and strided results") {
    const Tensor a = random_tensor({5, 6}, -1.0, 1.0, 1);
    const Tensor b = random_tensor({6, 4}, -1.0, 1.0, 2);
    const Wanted wanted = reference(a, b, {});
    Tensor plain = zeros({5, 4});
    check_product(matmul_out(plain, a, b), wanted, 6);
    Tensor turned = zeros({4, 5}).t();
    check_product(matmul_out(turned, a, b), wanted, 6);
    const Tensor base = full({7, 9}, 3.0);
    Tensor window = base.slice(0, 1, 6).slice(1, 3, 7);
    check_product(matmul_out(window, a, b), wanted, 6);
    CHECK(base.slice(1, 0, 3).to_vector<float>() == std::vector<float>(21, 3.0F));
    const Tensor narrow_base = full({5, 9}, 3.0, kFloat16);
    Tensor narrow = narrow_base.slice(1, 3, 7);
    matmul_out(narrow, a.to(kFloat16), b.to(kFloat16));
    CHECK(narrow_base.slice(1, 7, 9).to_vector<float>() == std::vector<float>(10, 3.0F));
    check_same_bits(narrow.clone(), matmul(a.to(kFloat16), b.to(kFloat16)));
}

TEST_CASE("matmul: errors name both operands") {
    check_throws<ShapeError>(
        [] {
            matmul(zeros({2, 3}), zeros({4, 5}));
        },
        "[matmul] a's columns must be as many as b's rows; got a [2, 3]");
    check_throws<ShapeError>([] { matmul(zeros({2, 3}), zeros({4, 5})); }, "b [4, 5]");
    check_throws<ShapeError>(
        [] {
            matmul(zeros({2, 2, 3}), zeros({3, 3, 5}));
        },
        "[matmul] leading dimensions must broadcast; got a [2, 2, 3]");
    check_throws<ShapeError>([] { matmul(zeros({}), zeros({3})); },
                             "[matmul] a and b need at least one dimension");
    check_throws<DTypeError>(
        [] {
            matmul(zeros({2, 3}), zeros({3, 2}, kFloat16));
        },
        "[matmul] a and b must have one dtype, floating or int32");
    check_throws<DTypeError>(
        [] {
            matmul(zeros({2, 3}, kBool), zeros({3, 2}, kBool));
        },
        "[matmul] a and b must have one dtype, floating or int32");
    check_throws<ArgumentError>([] { matmul(Tensor(), zeros({3, 2})); }, "[matmul]");
    check_throws<ShapeError>(
        [] {
            Tensor out = zeros({2, 2});
            matmul_out(out, zeros({2, 3}), zeros({3, 4}));
        },
        "[matmul_out]");
}

TEST_CASE("matmul_out: operands that overlap out are copied first") {
    const Tensor first = random_tensor({9, 9}, -1.0, 1.0, 1);
    const Tensor second = random_tensor({9, 9}, -1.0, 1.0, 2);
    const Tensor wanted = matmul(first, second);
    Tensor a = first.clone();
    check_same_bits(matmul_out(a, a, second), wanted);
    Tensor b = second.clone();
    check_same_bits(matmul_out(b, first, b), wanted);
    Tensor turned = first.clone();
    check_same_bits(matmul_out(turned, turned.t(), turned), matmul(first.t(), first));
    const Tensor base = random_tensor({10, 9}, -1.0, 1.0, 3);
    const Tensor upper = base.slice(0, 0, 9).clone();
    Tensor lower = base.slice(0, 1, 10);
    check_same_bits(matmul_out(lower, base.slice(0, 0, 9), second).clone(), matmul(upper, second));
    Tensor wide = zeros({1, 9}).expand({9, 9});
    check_throws<ArgumentError>([&] { matmul_out(wide, first, second); },
                                "[matmul_out] the written tensor [9, 9] float32 has several");
}
