// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/philox_reference.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::test;

namespace {

struct KeepsRandomState {
    GeneratorState before = get_rng_state();
    KeepsRandomState() = default;
    KeepsRandomState(const KeepsRandomState&) = delete;
    KeepsRandomState& operator=(const KeepsRandomState&) = delete;
    KeepsRandomState(KeepsRandomState&&) = delete;
    KeepsRandomState& operator=(KeepsRandomState&&) = delete;

    ~KeepsRandomState() { set_rng_state(before); }
};

}  // namespace

TEST_CASE("philox: the host reference gives Random123's known answers") {
    using Words = std::array<std::uint32_t, 4>;
    CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}) ==
          Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("dropout: the mask is the generator's, at any offset, dtype and p") {
    const KeepsRandomState keeps;
    for (const GeneratorState state : {GeneratorState{.seed = 1, .offset = 0},
                                       GeneratorState{.seed = 0x123456789, .offset = 0xfffffffe}}) {
        for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
            for (const std::int64_t count : {1, 4, 7, 1001}) {
                for (const double p : {0.1, 0.5}) {
                    set_rng_state(state);
                    const Tensor y = dropout(ones({count}, dtype), p);
                    CHECK(get_rng_state().offset ==
                          state.offset + static_cast<std::uint64_t>(count + 3) / 4);
                    std::vector<double> wanted;
                    for (std::int64_t i = 0; i < count; ++i) {
                        const std::uint32_t word =
                            random_word(state.seed, state.offset, static_cast<std::uint64_t>(i));
                        const bool is_kept =
                            static_cast<float>(word >> 8U) * 0x1p-24F >= static_cast<float>(p);
                        wanted.push_back(is_kept ? 1.0 / (1.0 - p) : 0.0);
                    }
                    check_close(y, wanted);
                }
            }
        }
    }
}

TEST_CASE("dropout: about p of the elements are zero") {
    const KeepsRandomState keeps;
    manual_seed(3);
    const double kept = mean(dropout(ones({300'000}), 0.3)).item();
    CHECK(kept == doctest::Approx(1.0).epsilon(0.01));
}

TEST_CASE("dropout: itself when not training or p is 0; zeros when p is 1") {
    const Tensor x = random_tensor({5});
    CHECK(dropout(x, 0.5, false).is_same(x));
    CHECK(dropout(x, 0.0).is_same(x));
    check_close(dropout(x, 1.0), {0.0, 0.0, 0.0, 0.0, 0.0}, 0.0);
}

TEST_CASE("dropout: modes consume alike; the gradient has the same mask") {
    const KeepsRandomState keeps;
    const auto seeded = [](const auto& in) {
        manual_seed(11);
        return dropout(in[0], 0.4);
    };
    const Tensor x = random_tensor({6, 7});
    check_modes(seeded, {x});
    check_gradients(seeded, {x});
    check_modes(seeded, {permute(x, {1, 0})});
}

TEST_CASE("dropout: errors") {
    check_throws<ArgumentError>([] { dropout(zeros({2}), 1.5); },
                                "[dropout] p must be in [0, 1]; got 1.5");
    check_throws<DTypeError>([] { dropout(zeros({2}, kInt32)); },
                             "[dropout] x must have a floating dtype; got x [2] int32");
}
