// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

double largest(const std::vector<double>& group) {
    return *std::max_element(group.begin(), group.end());
}

double smallest(const std::vector<double>& group) {
    return *std::min_element(group.begin(), group.end());
}

}  // namespace

TEST_CASE("amax, amin: reference over shapes and dtypes" * doctest::test_suite("long")) {
    for (const auto& [sizes, dims] : reduction_cases()) {
        if (sizes == Dims{4, 0} || sizes == Dims{0, 3}) {
            continue;
        }
        CAPTURE(to_string(sizes));
        CAPTURE(to_string(dims));
        const Tensor x = random_tensor(sizes, -5.0, -1.0);
        check_close(amax(x, dims), reduced(x, dims, largest), 0.0);
        check_close(amin(x, dims), reduced(x, dims, smallest), 0.0);
    }
    for (const DType dtype : {kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({9, 37}, 0.0, 100.0, 3, dtype);
        CHECK(amax(x, {1}).dtype() == dtype);
        check_close(amax(x, {1}), reduced(x, {1}, largest), 0.0);
        check_close(amin(x, {0}), reduced(x, {0}, smallest), 0.0);
    }
    CHECK(amax(zeros({0, 3}), {1}).sizes() == Dims{0});
}

TEST_CASE("amax, amin: NaN wins, infinities count") {
    for (const std::int64_t count : {3, 5000}) {
        std::vector<float> values = random_values(count);
        values[1] = NAN;
        const Tensor x = from_values<float>(values, {count}, kFloat32);
        CHECK(std::isnan(amax(x).item()));
        CHECK(std::isnan(amin(x).item()));
    }
    CHECK(amax(tensor<float>({-INFINITY, -INFINITY})).item() == -INFINITY);
    CHECK(amin(tensor<float>({INFINITY, INFINITY})).item() == INFINITY);
}

TEST_CASE("amax: keepdim and modes") {
    const Tensor x = random_tensor({3, 4, 5});
    CHECK(amax(x, {0, 2}, true).sizes() == Dims{1, 4, 1});
    check_modes([](const auto& in) { return amax(in[0], {1}); }, {x});
    check_modes([](const auto& in) { return amin(in[0]); }, {x});
}

TEST_CASE("amax, amin: errors") {
    check_throws<ShapeError>(
        [] {
            amax(zeros({2, 0}), {1});
        },
        "[amax] each reduced dim must have an extent above 0; got x [2, 0]");
    check_throws<ArgumentError>(
        [] {
            amin(zeros({2}), {0, 0});
        },
        "[amin] each dim may appear once");
}

TEST_CASE("amax, amin: gradients; ties share evenly") {
    const Tensor x = random_tensor({4, 6});
    check_gradients([](const auto& in) { return amax(in[0], {1}); }, {x}, 1e-3);
    check_gradients([](const auto& in) { return amin(in[0]); }, {x}, 1e-3);
    Tensor ties = tensor<float>({2.0F, 5.0F, 5.0F, 1.0F}).set_requires_grad(true);
    amax(ties).backward();
    check_close(ties.grad(), {0.0, 0.5, 0.5, 0.0}, 0.0);
}
