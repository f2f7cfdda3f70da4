// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice {

TEST_CASE("rotary_embedding: modes, gradients, strides and half dtypes") {
    const Tensor cos = test::random_tensor({5, 3}, -1, 1, 2);
    const Tensor sin = test::random_tensor({5, 3}, -1, 1, 3);
    const test::Function turn = [&](const std::vector<Tensor>& in) {
        return rotary_embedding(in[0], cos, sin);
    };
    test::check_modes(turn, {test::random_tensor({2, 4, 5, 6})});
    test::check_gradients(turn, {test::random_tensor({1, 2, 5, 6})});
    const Tensor strided = test::random_tensor({2, 5, 4, 6}).transpose(1, 2);
    test::check_same_bits(turn({strided}), turn({strided.contiguous()}));
    for (const DType dtype : {kFloat16, kBFloat16}) {
        const Tensor x = test::random_tensor({2, 4, 5, 6}, -1, 1, 1, dtype);
        test::check_close(
            turn({x}), turn({x.to(kFloat32)}).to_vector<double>(), test::tolerance_of(dtype));
    }
}

TEST_CASE("rotary_embedding: bad input") {
    const Tensor table = ones({5, 3});
    test::check_throws<ShapeError>(
        [&] {
            rotary_embedding(ones({5, 8}), table, table);
        },
        "[rotary_embedding] wanted x [..., T, d]");
    test::check_throws<DTypeError>(
        [&] {
            rotary_embedding(ones({5, 6}, kInt32), table, table);
        },
        "int32");
    const Tensor x = ones({5, 6});
    test::check_throws<ArgumentError>([&] { rotary_embedding(Tensor(), table, table); },
                                      "[rotary_embedding] got an undefined tensor");
    test::check_throws<ArgumentError>([&] { rotary_embedding(x, Tensor(), table); },
                                      "[rotary_embedding] got an undefined tensor");
    test::check_throws<ArgumentError>([&] { rotary_embedding(x, table, Tensor()); },
                                      "[rotary_embedding] got an undefined tensor");
}

}  // namespace pumice
