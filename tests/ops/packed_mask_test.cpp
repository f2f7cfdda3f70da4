// SPDX-License-Identifier: Apache-2.0
#include "ops/elementwise/packed_mask.h"

#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pumice {
namespace {

using ops::apply_mask;
using ops::CodeBits;
using ops::pack_mask;
using test::check_close;
using test::random_tensor;

constexpr std::array<float, 4> kWeights = {0.0F, 1.0F, -2.0F, 0.5F};

std::vector<std::uint8_t> codes_of(std::int64_t count, CodeBits bits) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] =
            static_cast<std::uint8_t>((i * 2654435761U >> 7U) & (bits == CodeBits::kOne ? 1U : 3U));
    }
    return codes;
}

}  // namespace

TEST_CASE("packed masks: a bit or two an element, whatever their count") {
    for (const CodeBits bits : {CodeBits::kOne, CodeBits::kTwo}) {
        const std::size_t width = bits == CodeBits::kOne ? 1 : 2;
        for (const std::int64_t count : {0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 65, 4099}) {
            INFO("codes " << count << ", bits " << width);
            const std::vector<std::uint8_t> codes = codes_of(count, bits);
            const Tensor packed = pack_mask(tensor(codes), bits);
            const std::size_t per_word = 32 / width;
            CHECK(packed.sizes() ==
                  Dims{static_cast<std::int64_t>((codes.size() + per_word - 1) / per_word)});
            const auto words = packed.to_vector<std::int32_t>();
            bool is_same = true;
            for (std::size_t i = 0; i < codes.size(); ++i) {
                const auto word = static_cast<std::uint32_t>(words[i / per_word]);
                const std::uint32_t kept = word >> (i % per_word * width) & ((1U << width) - 1);
                is_same = is_same && kept == codes[i];
            }
            CHECK(is_same);
        }
    }
}

TEST_CASE("packed masks: every element gets the weight of its code") {
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
        for (const CodeBits bits : {CodeBits::kOne, CodeBits::kTwo}) {
            for (const std::int64_t count : {0, 1, 33, 70, 1031}) {
                INFO(to_string(dtype) << ", elements " << count);
                const std::vector<std::uint8_t> codes = codes_of(count, bits);
                const Tensor mask = pack_mask(tensor(codes), bits);
                const Tensor x = random_tensor({count}, -2, 2, 3, dtype);
                std::vector<double> wanted = x.to_vector<double>();
                for (std::size_t i = 0; i < wanted.size(); ++i) {
                    wanted[i] *= static_cast<double>(kWeights.at(codes[i]));
                }
                const Tensor y = apply_mask(x, mask, bits, kWeights);
                CHECK(y.dtype() == dtype);
                check_close(y, wanted);
            }
        }
    }
}

TEST_CASE("packed masks: views are walked in their own order, weight 0 keeps infinity out") {
    const float inf = std::numeric_limits<float>::infinity();
    const Tensor x = tensor<float>({inf, 1.0F, 2.0F, -inf, 3.0F, 4.0F}).view({2, 3});
    const Tensor codes = tensor<std::uint8_t>({0, 1, 0, 1, 1, 1}).view({3, 2});
    const Tensor mask = pack_mask(codes, CodeBits::kOne);
    const Tensor y = apply_mask(transpose(x, 0, 1), mask, CodeBits::kOne, kWeights);
    CHECK(y.to_vector<float>() == std::vector<float>{0, -inf, 0, 3, 2, 4});
    const Tensor turned = pack_mask(transpose(codes, 0, 1), CodeBits::kOne);
    CHECK(apply_mask(x, turned, CodeBits::kOne, kWeights).to_vector<float>() ==
          std::vector<float>{0, 0, 2, -inf, 3, 4});
}

TEST_CASE("packed masks: applying one is differentiable, and so again") {
    const Tensor mask = pack_mask(tensor(codes_of(12, CodeBits::kTwo)), CodeBits::kTwo);
    test::check_gradients(
        [&mask](const std::vector<Tensor>& in) {
            return square(apply_mask(in[0], mask, CodeBits::kTwo, kWeights));
        },
        {random_tensor({3, 4}, 0.5, 1.5, 4)});
    Tensor x = ones({12});
    x.set_requires_grad(true);
    const Tensor y = square(apply_mask(x, mask, CodeBits::kTwo, kWeights));
    const Tensor first = autograd::grad({sum(y)}, {x}, {}, true, true)[0];
    const Tensor second = autograd::grad({sum(first)}, {x})[0];
    std::vector<double> wanted;
    for (const std::uint8_t code : codes_of(12, CodeBits::kTwo)) {
        const auto weight = static_cast<double>(kWeights.at(code));
        wanted.push_back(2 * weight * weight);
    }
    check_close(second, wanted);
}

TEST_CASE("packed masks: a captured step's gradients are those of the eager one") {
    const Tensor other = random_tensor({9, 1}, -1, 1, 6);
    const auto step = [&](const Tensor& x) {
        Tensor leaf = x.detach();
        leaf.set_requires_grad(true);
        const Tensor y = nan_to_num(maximum(clamp(mul(leaf, 2.0), -0.5, 1.5), other));
        return autograd::grad({sum(square(minimum(y, full({1}, 1.25))))}, {leaf})[0];
    };
    const Tensor x = random_tensor({9, 47}, -1, 1, 5);
    const Plan plan = capture(step, {x});
    for (const std::uint64_t seed : {7, 8}) {
        const Tensor fresh = random_tensor({9, 47}, -1, 1, seed);
        test::check_same_bits(plan(fresh)[0], step(fresh));
    }
}

}  // namespace pumice
