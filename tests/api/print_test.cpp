// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace pumice;

TEST_CASE("print: brackets, shape and dtype") {
    CHECK(to_string(arange(3)) == "[0, 1, 2]\n[3] int32");
    CHECK(to_string(tensor<float>({1, -2.5F}).view({2, 1})) ==
          "[[   1],\n [-2.5]]\n[2, 1] float32");
    CHECK(to_string(arange(4).view({2, 1, 2})) == "[[[0, 1]],\n\n [[2, 3]]]\n[2, 1, 2] int32");
    CHECK(to_string(scalar_tensor(true)) == "true\n[] bool");
    CHECK(to_string(tensor<float>({0.1F}, kFloat16)) == "[0.099976]\n[1] float16");
    CHECK(to_string(tensor<float>({0.1F}, kBFloat16)) == "[0.1001]\n[1] bfloat16");
    CHECK(to_string(zeros({0, 3})) == "[]\n[0, 3] float32");
    CHECK(to_string(zeros({2, 0})) == "[[],\n []]\n[2, 0] float32");
    CHECK(to_string(Tensor()) == "undefined tensor");
}

TEST_CASE("print: long dimensions show six values at each end") {
    CHECK(to_string(arange(12)) == "[ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11]\n[12] int32");
    CHECK(to_string(arange(100)) ==
          "[ 0,  1,  2,  3,  4,  5, ..., 94, 95, 96, 97, 98, 99]\n[100] int32");
    std::ostringstream out;
    out << tensor<std::int8_t>({-1, 5}) << '\n';
    CHECK(out.str() == "[-1,  5]\n[2] int8\n");
}
