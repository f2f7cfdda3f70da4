// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

TEST_CASE("any, all: reference over shapes and dtypes" * doctest::test_suite("long")) {
    const auto is_true = [](double value) { return value != 0.0; };
    const auto has_any = [&](const std::vector<double>& group) {
        return std::any_of(group.begin(), group.end(), is_true) ? 1.0 : 0.0;
    };
    const auto has_all = [&](const std::vector<double>& group) {
        return std::all_of(group.begin(), group.end(), is_true) ? 1.0 : 0.0;
    };
    for (const auto& [sizes, dims] : reduction_cases()) {
        CAPTURE(to_string(sizes));
        CAPTURE(to_string(dims));
        const Tensor x = random_tensor(sizes, 0.0, 1.5, 4, kInt32);
        CHECK(any(x, dims).dtype() == kBool);
        check_close(any(x, dims), reduced(x, dims, has_any));
        check_close(all(x, dims), reduced(x, dims, has_all));
    }
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({67, 3}, 0.0, 1.5, 4, kInt32).to(dtype);
        check_close(any(x, {1}), reduced(x, {1}, has_any));
        check_close(all(x, {1}), reduced(x, {1}, has_all));
    }
}

TEST_CASE("any, all: NaN is true, of nothing, keepdim, modes") {
    CHECK(any(tensor<float>({0.0F, NAN})).item() == 1.0);
    CHECK(all(tensor<float>({-0.0F, 1.0F})).item() == 0.0);
    CHECK(any(zeros({0})).item() == 0.0);
    CHECK(all(zeros({0})).item() == 1.0);
    CHECK(any(zeros({2, 3}), {1}, true).sizes() == Dims{2, 1});
    CHECK(all(zeros({2, 3}), {1}, true).sizes() == Dims{2, 1});
    const Tensor x = random_tensor({5, 7}, 0.0, 2.0, 1, kInt32);
    check_modes([](const auto& in) { return any(in[0], {1}); }, {x});
    check_modes([](const auto& in) { return all(in[0], {1}); }, {x});
}

TEST_CASE("any, all: errors") {
    check_throws<ArgumentError>([] { any(zeros({2}), {1}); },
                                "[any] dim must be in [-1, 1); got 1");
    check_throws<ArgumentError>([] { all(Tensor()); }, "[all] got an undefined tensor");
}
