// SPDX-License-Identifier: Apache-2.0
#include "pumice/dtype.h"

#include <doctest/doctest.h>

#include <array>

using namespace pumice;

namespace {

constexpr std::array kAll = {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool};

}  // namespace

TEST_CASE("dtype: promotion is symmetric, and a dtype with itself is itself") {
    for (const DType a : kAll) {
        CHECK(promote_types(a, a) == a);
        for (const DType b : kAll) {
            CHECK(promote_types(a, b) == promote_types(b, a));
        }
    }
}

TEST_CASE("dtype: promotion follows the lattice") {
    CHECK(promote_types(kBool, kUInt8) == kUInt8);
    CHECK(promote_types(kBool, kInt8) == kInt8);
    CHECK(promote_types(kUInt8, kInt8) == kInt32);
    CHECK(promote_types(kUInt8, kInt32) == kInt32);
    CHECK(promote_types(kInt32, kFloat16) == kFloat16);
    CHECK(promote_types(kInt32, kBFloat16) == kBFloat16);
    CHECK(promote_types(kBool, kFloat32) == kFloat32);
    CHECK(promote_types(kFloat16, kBFloat16) == kFloat32);
    CHECK(promote_types(kFloat16, kFloat32) == kFloat32);
}

TEST_CASE("dtype: sizes, classes and names") {
    CHECK(itemsize(kFloat32) == 4);
    CHECK(itemsize(kBFloat16) == 2);
    CHECK(itemsize(kBool) == 1);
    CHECK(is_floating_point(kBFloat16));
    CHECK_FALSE(is_floating_point(kInt32));
    CHECK(is_integral(kBool, true));
    CHECK_FALSE(is_integral(kBool, false));
    CHECK_FALSE(is_integral(kFloat16, true));
    CHECK(to_string(kBFloat16) == "bfloat16");
    CHECK(to_string(kUInt8) == "uint8");
}
