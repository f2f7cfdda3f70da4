// SPDX-License-Identifier: Apache-2.0
// A transformer block, pass after pass: what docs/architecture.md#memory-and-hazards promises.
#include "pumice/memory.h"
#include "pumice/nn/attention.h"
#include "pumice/nn/layers.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <vector>

namespace {

using pumice::Tensor;

class BlockImpl : public pumice::nn::Module {
public:
    BlockImpl() {
        attention =
            register_module("attention",
                            pumice::nn::MultiheadAttention(pumice::nn::MultiheadAttentionOptions{
                                .embed_dim = 32, .num_heads = 4}));
        norm = register_module("norm", pumice::nn::LayerNorm(pumice::Dims{32}));
        up = register_module("up", pumice::nn::Linear(32, 128));
        down = register_module("down", pumice::nn::Linear(128, 32));
    }

    Tensor forward(const Tensor& x) {
        const Tensor seen = add(x, attention->forward(x, x, x));
        return add(seen, down->forward(gelu(up->forward(norm->forward(seen)))));
    }

    pumice::nn::MultiheadAttention attention = nullptr;
    pumice::nn::LayerNorm norm = nullptr;
    pumice::nn::Linear up = nullptr;
    pumice::nn::Linear down = nullptr;
};

float first_of(BlockImpl& block, const Tensor& x) {
    return block.forward(x).to_vector<float>().front();
}

}  // namespace

TEST_CASE("in steady state a forward pass in inference mode makes no driver allocation") {
    BlockImpl block;
    const Tensor x = pumice::test::random_tensor({2, 24, 32});
    const pumice::InferenceMode guard;
    const float wanted = first_of(block, x);
    first_of(block, x);
    const pumice::MemoryStats before = pumice::memory_stats();
    for (int pass = 0; pass < 50; ++pass) {
        CHECK(first_of(block, x) == wanted);
    }
    const pumice::MemoryStats after = pumice::memory_stats();
    CHECK(after.dispatch_count > before.dispatch_count + 50);
    CHECK(after.driver_allocation_count == before.driver_allocation_count);
    CHECK(after.reserved_bytes == before.reserved_bytes);
    CHECK(after.live_bytes == before.live_bytes);
}

TEST_CASE("the transient peak of a forward pass stays within 1.10 of its lower bound") {
    BlockImpl block;
    const Tensor x = pumice::test::random_tensor({2, 24, 32});
    const pumice::InferenceMode guard;
    first_of(block, x);
    pumice::reset_peak_memory_stats();
    {
        const pumice::MemoryTrace trace;
        first_of(block, x);
    }
    const pumice::MemoryStats stats = pumice::memory_stats();
    MESSAGE("peak " << stats.transient_peak_bytes << ", bound " << stats.lower_bound_bytes);
    CHECK(stats.lower_bound_bytes > 0);
    CHECK(stats.ratio() <= 1.10);
}
