// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

using namespace pumice;
using namespace pumice::test;

namespace {

double total(const std::vector<double>& group) {
    return std::accumulate(group.begin(), group.end(), 0.0);
}

double average(const std::vector<double>& group) {
    return total(group) / static_cast<double>(group.size());
}

}  // namespace

TEST_CASE("sum, mean: float64 reference over shapes") {
    for (const auto& [sizes, dims] : reduction_cases()) {
        CAPTURE(to_string(sizes));
        CAPTURE(to_string(dims));
        // Positive: the bound is relative to the sum of magnitudes.
        const Tensor x = random_tensor(sizes, 0.0, 1.0);
        check_close(sum(x, dims), reduced(x, dims, total));
        check_close(mean(x, dims), reduced(x, dims, average));
    }
}

TEST_CASE("sum, mean: all modes agree") {
    const Tensor x = random_tensor({3, 5000}, 0.0, 1.0);
    const Tensor eager = check_modes([](const auto& in) { return sum(in[0], {1}); }, {x});
    check_close(eager, reduced(x, {1}, total));
    check_modes([](const auto& in) { return mean(in[0], {0}, true); }, {x});
}

TEST_CASE("sum: ten million elements keep 1e-6 of the sum of magnitudes") {
    const std::int64_t count = 10'000'000;
    const std::vector<float> values = random_values(count, 0.0, 1.0);
    const double wanted = std::accumulate(values.begin(), values.end(), 0.0);
    const Tensor x = from_values<float>(values, {count}, kFloat32);
    CHECK(std::abs(sum(x).item() - wanted) <= 1e-6 * wanted);
    CHECK(std::abs(sum(view(x, {10, count / 10}), {1}).to_vector<double>()[0] * 10 - wanted) <=
          1e-2 * wanted);
    // One row of a thousand each: the error of a fold that is not split.
    const Tensor columns = sum(view(x, {count / 1000, 1000}), {0});
    CHECK(std::abs(total(columns.to_vector<double>()) - wanted) <= 1e-6 * wanted);
    // The worst for plain addition: equal terms, all rounded the same way.
    const Tensor tenths = full({count}, 0.1F);
    const double tenth = static_cast<double>(0.1F);
    CHECK(std::abs(sum(tenths).item() - 1e7 * tenth) <= 1e-6 * 1e7 * tenth);
}

TEST_CASE("sum: infinities and NaN come through") {
    const float inf = INFINITY;
    CHECK(sum(tensor<float>({1.0F, inf})).item() == inf);
    CHECK(sum(tensor<float>({1.0F, -inf})).item() == -inf);
    CHECK(std::isnan(sum(tensor<float>({inf, -inf})).item()));
    CHECK(std::isnan(sum(tensor<float>({1.0F, NAN})).item()));
}

TEST_CASE("sum: of nothing is 0, mean of nothing is NaN") {
    check_close(sum(zeros({3, 0}), {1}), {0.0, 0.0, 0.0});
    check_close(mean(zeros({2, 0}), {1}), {NAN, NAN});
    CHECK(sum(zeros({0})).item() == 0.0);
}

TEST_CASE("sum: integers and bool give int32") {
    for (const DType dtype : {kInt32, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({7, 33}, 0.0, 100.0, 3, dtype);
        const Tensor result = sum(x, {1});
        CHECK(result.dtype() == kInt32);
        check_close(result, reduced(x, {1}, total));
    }
    // Beyond what float32 holds exactly.
    const Tensor large = full({4097}, 16777, kInt32);
    CHECK(sum(large).item() == 4097.0 * 16777.0);
}

TEST_CASE("sum, mean: narrow floats accumulate in float32 and round once") {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        CAPTURE(to_string(dtype));
        for (const Dims& sizes : {Dims{5, 1000}, Dims{4, 999}, Dims{1, 3}}) {
            const Tensor x = random_tensor(sizes, -1.0, 1.0, 5, dtype);
            CHECK(sum(x, {1}).dtype() == dtype);
            check_close(sum(x, {1}), reduced(x, {1}, total));
            check_close(mean(x, {0}), reduced(x, {0}, average));
        }
    }
}

TEST_CASE("sum: views of any strides") {
    const Tensor base = random_tensor({6, 7, 8});
    const Tensor permuted = permute(base, {2, 0, 1});
    for (const Dims& dims : {Dims{0}, Dims{1}, Dims{2}, Dims{0, 2}, Dims{}}) {
        CAPTURE(to_string(dims));
        check_close(sum(permuted, dims), reduced(permuted, dims, total));
    }
    const Tensor part = slice(slice(base, 1, 1, 6, 2), 2, 3);
    check_close(sum(part, {1}), reduced(part, {1}, total));
    const Tensor row = random_tensor({1, 9});
    const Tensor expanded = expand(row, {50, 9});
    check_close(sum(expanded, {0}), reduced(expanded, {0}, total));
    check_close(sum(expanded, {1}), reduced(expanded, {1}, total));
    const Tensor half = slice(random_tensor({5, 11}, -1.0, 1.0, 2, kFloat16), 1, 3, 8);
    check_close(sum(half, {1}), reduced(half, {1}, total));
}

TEST_CASE("sum: eight dimensions in reverse order take a copy") {
    const Tensor x = permute(random_tensor({2, 3, 2, 1, 2, 3, 2, 2}), {7, 6, 5, 4, 3, 2, 1, 0});
    check_close(sum(x, {0, 3}), reduced(x, {0, 3}, total));
}

TEST_CASE("sum, mean: keepdim") {
    const Tensor x = random_tensor({2, 3, 4});
    CHECK(sum(x, {1}).sizes() == Dims{2, 4});
    CHECK(sum(x, {1}, true).sizes() == Dims{2, 1, 4});
    CHECK(mean(x, {}, true).sizes() == Dims{1, 1, 1});
    CHECK(mean(x).sizes() == Dims{});
}

TEST_CASE("sum, mean: errors") {
    const Tensor x = zeros({2, 3});
    check_throws<ArgumentError>([&] { sum(x, {2}); }, "[sum] dim must be in [-2, 2); got 2");
    check_throws<ArgumentError>([&] { sum(x, {1, -1}); }, "[sum] each dim may appear once");
    check_throws<DTypeError>([&] { mean(zeros({2}, kInt32)); },
                             "[mean] x must have a floating dtype; got x [2] int32");
    check_throws<ArgumentError>([] { sum(Tensor()); }, "undefined");
}

TEST_CASE("sum, mean: gradients") {
    const Tensor x = random_tensor({2, 3, 4});
    check_gradients([](const auto& in) { return sum(in[0], {0, 2}); }, {x});
    check_gradients([](const auto& in) { return sum(in[0]); }, {x});
    check_gradients([](const auto& in) { return mean(in[0], {1}, true); }, {x});
    check_gradients([](const auto& in) { return mean(in[0]); }, {x});
}

TEST_CASE("sum_to_size: sums what was broadcast") {
    const Tensor x = random_tensor({4, 2, 3});
    CHECK(sum_to_size(x, {4, 2, 3}).is_same(x));
    check_close(sum_to_size(x, {2, 1}), reduced(x, {0, 2}, total));
    CHECK(sum_to_size(x, {2, 1}).sizes() == Dims{2, 1});
    check_close(sum_to_size(x, {3}), reduced(x, {0, 1}, total));
    check_close(sum_to_size(x, {}), reduced(x, {}, total));
    check_throws<ShapeError>(
        [&] {
            sum_to_size(x, {2, 2});
        },
        "[sum_to_size] sizes must broadcast to x's shape; got [2, 2]");
    check_gradients([](const auto& in) { return sum_to_size(in[0], {2, 1}); }, {x});
}
