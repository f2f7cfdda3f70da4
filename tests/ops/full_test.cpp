// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_throws;

TEST_CASE("full: every dtype and odd counts") {
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        for (const std::int64_t count : {0, 1, 2, 3, 5, 127, 513}) {
            const Tensor x = full({count}, 1, dtype);
            CHECK(x.dtype() == dtype);
            CHECK(x.to_vector<int>() == std::vector<int>(static_cast<std::size_t>(count), 1));
        }
    }
    CHECK(zeros({2, 3}).to_vector<float>() == std::vector<float>(6, 0.0F));
    CHECK(ones({}, kInt32).item() == 1.0);
    CHECK(full({3}, -7, kInt8).to_vector<int>() == std::vector<int>(3, -7));
    CHECK(empty({4, 0}).numel() == 0);
    CHECK(empty({4}, kUInt8).nbytes() == 4);
}

TEST_CASE("full: dtype from the scalar") {
    CHECK(full({2}, 1).dtype() == kInt32);
    CHECK(full({2}, 1.5).dtype() == kFloat32);
    CHECK(full({2}, true).dtype() == kBool);
    CHECK(scalar_tensor(2.5).item() == 2.5);
    CHECK(scalar_tensor(2, kFloat16).dtype() == kFloat16);
}

TEST_CASE("full: like another tensor") {
    const Tensor x = ones({2, 3}, kFloat16);
    CHECK(zeros_like(x.t()).sizes() == Dims{3, 2});
    CHECK(zeros_like(x).dtype() == kFloat16);
    CHECK(ones_like(x).to_vector<int>() == std::vector<int>(6, 1));
    CHECK(full_like(x, 3).to_vector<int>() == std::vector<int>(6, 3));
    CHECK(empty_like(x).sizes() == x.sizes());
}

TEST_CASE("full: errors") {
    check_throws<ShapeError>(
        [] {
            zeros({2, -1});
        },
        "[full] extents must not be negative; got [2, -1]");
    check_throws<ShapeError>([] { empty({-1}); }, "[empty] extents must not be negative");
    check_throws<ShapeError>([] { zeros({65536, 65536}); }, "[full] at most 2147483647 elements");
    check_throws<DTypeError>([] { full({2}, 300, kUInt8); },
                             "[full] uint8 cannot hold the value 300");
    check_throws<DTypeError>([] { zeros({2}, TensorOptions(kInt32, true)); }, "");
}

TEST_CASE("full: kind by mode, requires_grad in every mode, G21 G32") {
    CHECK(zeros({2}, TensorOptions(kFloat32, true)).requires_grad());
    const InferenceMode guard;
    const Tensor x = ones({2}, TensorOptions(kFloat32, true));
    CHECK(x.is_inference());
    CHECK(x.requires_grad());
    CHECK(x.is_leaf());
    CHECK(empty({2}).is_inference());
}
