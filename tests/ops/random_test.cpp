// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

using namespace pumice;
using test::check_throws;

namespace {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t seed) {
    auto key0 = static_cast<std::uint32_t>(seed);
    auto key1 = static_cast<std::uint32_t>(seed >> 32U);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xd2511f53U} * counter[0];
        const std::uint64_t product1 = std::uint64_t{0xcd9e8d57U} * counter[2];
        counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key0,
                   static_cast<std::uint32_t>(product1),
                   static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key1,
                   static_cast<std::uint32_t>(product0)};
        key0 += 0x9e3779b9U;
        key1 += 0xbb67ae85U;
    }
    return counter;
}

std::uint32_t random_word(std::uint64_t seed, std::uint64_t offset, std::size_t element) {
    const std::uint64_t block = offset + element / 4;
    return philox(
        {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U), 0, 0},
        seed)[element % 4];
}

double mean_of(const std::vector<double>& values) {
    double total = 0.0;
    for (const double value : values) {
        total += value;
    }
    return total / static_cast<double>(values.size());
}

double variance_of(const std::vector<double>& values) {
    const double mean = mean_of(values);
    double total = 0.0;
    for (const double value : values) {
        total += (value - mean) * (value - mean);
    }
    return total / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("random: the reference generator is Philox4x32-10") {
    // Known answers of Random123 for the zero and the all-ones input.
    CHECK(philox({0, 0, 0, 0}, 0) ==
          std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({~0U, ~0U, ~0U, ~0U}, ~0ULL) ==
          std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("rand: the same bits on every device") {
    const std::uint64_t seed = 0x123456789abcdefULL;
    const std::uint64_t offset = 0xfffffffeULL;  // the counter carries within the tensor
    set_rng_state({.seed = seed, .offset = offset});
    const auto values = rand({37}).to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        CHECK(values[i] == static_cast<float>(random_word(seed, offset, i) >> 8U) * 0x1p-24F);
    }
    CHECK(get_rng_state().offset == offset + 10);
}

TEST_CASE("rand: repeatable, and going on") {
    manual_seed(5);
    const Tensor first = rand({100});
    const Tensor second = rand({100});
    manual_seed(5);
    test::check_same_bits(rand({100}), first);
    CHECK(second.to_host().bytes != first.to_host().bytes);
    manual_seed(5);
    test::check_same_bits(inference_mode([] { return rand({100}); }), first);
    CHECK(rand({0}).numel() == 0);
}

TEST_CASE("rand: halves stay below 1") {
    manual_seed(1);
    for (const DType dtype : {kFloat16, kBFloat16}) {
        const auto values = rand({30001}, dtype).to_vector<double>();
        CHECK(*std::max_element(values.begin(), values.end()) < 1.0);
        CHECK(mean_of(values) == doctest::Approx(0.5).epsilon(0.02));
    }
}

TEST_CASE("randn: Box and Muller's formula, mean 0, variance 1") {
    manual_seed(9);
    const auto values = randn({40001}).to_vector<double>();
    for (std::size_t i = 0; i < 400; i += 2) {
        const double u0 = (random_word(9, 0, i) >> 8U) * 0x1p-24;
        const double u1 = (random_word(9, 0, i + 1) >> 8U) * 0x1p-24;
        const double radius = std::sqrt(-2.0 * std::log(1.0 - u0));
        CHECK(values[i] == doctest::Approx(radius * std::cos(2 * M_PI * u1)).epsilon(1e-5));
        CHECK(values[i + 1] == doctest::Approx(radius * std::sin(2 * M_PI * u1)).epsilon(1e-5));
    }
    CHECK(std::abs(mean_of(values)) < 0.02);
    CHECK(variance_of(values) == doctest::Approx(1.0).epsilon(0.03));
    CHECK(variance_of(randn({4001}, kFloat16).to_vector<double>()) ==
          doctest::Approx(1.0).epsilon(0.1));
}

TEST_CASE("randint: within the range, the same on every device") {
    manual_seed(3);
    const auto values = randint(-5, 6, {1001}).to_vector<int>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto wanted = static_cast<int>(std::uint64_t{random_word(3, 0, i)} * 11 >> 32U) - 5;
        CHECK(values[i] == wanted);
    }
    manual_seed(3);
    const auto all = randint(-2147483648LL, 2147483648LL, {9}).to_vector<int>();
    CHECK(static_cast<std::uint32_t>(all[8]) == random_word(3, 0, 8) + 0x80000000U);
}

TEST_CASE("random: errors") {
    check_throws<DTypeError>([] { rand({2}, kInt32); }, "[rand] dtype must be floating; got int32");
    check_throws<ShapeError>([] { randn({-2}); }, "[randn] extents must not be negative");
    check_throws<ArgumentError>([] { randint(3, 3, {2}); }, "[randint] [low, high) must be");
    check_throws<ArgumentError>([] { randint(0, 3000000000LL, {2}); }, "[randint]");
}
