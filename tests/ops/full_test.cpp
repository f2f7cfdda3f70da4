// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

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
        "[zeros] extents must not be negative; got [2, -1]");
    check_throws<ShapeError>([] { empty({-1}); }, "[empty] extents must not be negative");
    check_throws<ShapeError>([] { zeros({65536, 65536}); }, "[zeros] at most 2147483647 elements");
    check_throws<DTypeError>([] { full({2}, 300, kUInt8); },
                             "[full] uint8 cannot hold the value 300");
    check_throws<DTypeError>([] { zeros({2}, TensorOptions(kInt32, true)); }, "[zeros] only");
}

TEST_CASE("full: numbers past a floating dtype's largest are refused, as in LibTorch 1.13") {
    const double inf = std::numeric_limits<double>::infinity();
    check_throws<DTypeError>([] { full({1}, 1e10, kFloat16); },
                             "[full] float16 cannot hold the value 10000000000");
    check_throws<DTypeError>([] { full({1}, 65510.0, kFloat16); }, "[full] float16 cannot hold");
    check_throws<DTypeError>([] { full({1}, -100000, kFloat16); },
                             "[full] float16 cannot hold the value -100000");
    check_throws<DTypeError>([] { full({1}, 3.4e38, kBFloat16); }, "[full] bfloat16 cannot hold");
    check_throws<DTypeError>([] { full({1}, 1e39); }, "[full] float32 cannot hold");
    check_throws<DTypeError>([] { full_like(ones({2}, kFloat16), 1e5); }, "[full_like] float16");
    check_throws<DTypeError>([] { scalar_tensor(1e5, kFloat16); }, "[scalar_tensor] float16");
    check_throws<DTypeError>([] { ones({1}, kFloat16).fill_(1e10); }, "[fill_] float16");
    check_throws<DTypeError>([] { masked_fill(ones({1}, kFloat16), ones({1}, kBool), 1e10); },
                             "[masked_fill] float16");
    check_throws<DTypeError>([] { pad(ones({1}, kFloat16), {1, 1}, 1e10); }, "[pad] float16");
    check_throws<DTypeError>([] { ones({2}, kFloat16).index_put_({0}, 1e10); },
                             "[index_put_] float16");
    check_throws<DTypeError>([] { arange(0, 2e5, 1e5, kFloat16); },
                             "[arange] float16 cannot hold the value 100000");
    check_throws<DTypeError>(
        [] {
            tensor<double>({1.0, 1e10}, kFloat16);
        },
        "[tensor] element 1 is 10000000000, which float16 cannot hold");
    check_throws<DTypeError>([] { tensor<double>({1e39}); }, "[tensor] element 0 is 1e+39");
    check_throws<DTypeError>([] { tensor<int>({300}, kInt8); }, "[tensor] element 0 is 300");
    // What the dtypes hold stays, the infinities and NaN among it; arithmetic rounds as ever.
    CHECK(full({1}, 65504, kFloat16).item() == 65504.0);
    CHECK(full({1}, inf, kFloat16).item() == inf);
    CHECK(tensor<double>({-inf}, kBFloat16).item() == -inf);
    CHECK(std::isnan(full({1}, std::nan(""), kFloat16).item().toDouble()));
    CHECK((zeros({1}, kFloat16) + 1e10).item() == inf);
    const std::vector<double> values = {1e10};
    CHECK(from_values(std::span<const double>(values), {1}, kFloat16).item() == inf);
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
