// SPDX-License-Identifier: Apache-2.0
#include "ops/norm/norm_backward.h"

#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::ops;
using namespace pumice::test;

TEST_CASE("norm_backward: the fused kernels agree with the composed formula" *
          doctest::test_suite("long")) {
    for (const bool is_centered : {true, false}) {
        for (const Dims& sizes : {Dims{1, 1}, Dims{5, 7}, Dims{300, 65}, Dims{70001, 2}}) {
            for (const DType dtype : {kFloat32, kFloat16}) {
                CAPTURE(to_string(sizes));
                CAPTURE(is_centered);
                const NormAttrs attrs{.normalized_shape = {sizes[1]},
                                      .eps = 0.1,
                                      .is_centered = is_centered,
                                      .has_weight = true};
                const NormNeeds all{.x = true, .weight = true, .bias = true};
                const Tensor x = random_tensor(sizes, -1.0, 1.0, 1, dtype);
                const Tensor gradient = random_tensor(sizes, -1.0, 1.0, 2, dtype);
                const Tensor weight = random_tensor({sizes[1]}, 0.5, 1.5, 3);
                const NormGradients fused =
                    norm_gradients(x, gradient, weight, attrs, all, kFloat32);
                const NormGradients composed = norm_gradients_composed(
                    x.to(kFloat32), gradient.to(kFloat32), weight, attrs, all);
                const double tolerance = dtype == kFloat32 ? 1e-5 : tolerance_of(dtype);
                check_close(fused.x, composed.x.to_vector<double>(), tolerance);
                check_close(fused.weight, composed.weight.to_vector<double>(), 1e-5);
                check_close(fused.bias, composed.bias.to_vector<double>(), 1e-5);
            }
        }
    }
}

TEST_CASE("norm_backward: the composed formula has gradients of its own") {
    const Tensor gradient = random_tensor({2, 4}, -1.0, 1.0, 2);
    for (const bool is_centered : {true, false}) {
        const NormAttrs attrs{
            .normalized_shape = {4}, .eps = 1e-5, .is_centered = is_centered, .has_weight = false};
        check_gradients(
            [&](const auto& in) {
                const NormNeeds needs{.x = true, .weight = false, .bias = false};
                return norm_gradients_composed(in[0], in[1], {}, attrs, needs).x;
            },
            {random_tensor({2, 4}), gradient},
            1e-3,
            2e-2);
    }
}

TEST_CASE("norm_backward: unwanted gradients are empty") {
    const NormAttrs attrs{
        .normalized_shape = {3}, .eps = 1e-5, .is_centered = true, .has_weight = false};
    const Tensor x = random_tensor({2, 3});
    const NormGradients gradients =
        norm_gradients(x, x, {}, attrs, {.x = true, .weight = false, .bias = false}, kFloat32);
    CHECK(gradients.x.sizes() == Dims{2, 3});
    CHECK(gradients.weight.numel() == 0);
    CHECK(gradients.bias.numel() == 0);
}
