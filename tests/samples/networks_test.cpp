// SPDX-License-Identifier: Apache-2.0
#include "pumice/graph.h"
#include "pumice/memory.h"
#include "pumice/pumice.h"

#include "networks/resnet18.h"
#include "networks/transformers.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>

namespace pumice {

namespace {

using Forward = std::function<Tensor(const Tensor&)>;

// Eager inference and a plan give the same bits, and both stay near their lower bounds.
void check_network(const Forward& forward, const Tensor& input) {
    const InferenceMode guard;
    const Tensor wanted = forward(input);
    const Plan plan = capture(forward, {input});
    for (int i = 0; i < 3; ++i) {
        test::check_same_bits(plan(input)[0], wanted);
    }
    const PlanStats stats = plan.stats();
    CHECK(static_cast<double>(stats.planned_bytes) <=
          1.01 * static_cast<double>(stats.lower_bound_bytes));
    MemoryTrace trace;
    (void)forward(input).to_host();
    trace.finish();
    CHECK(static_cast<double>(trace.peak_bytes()) <=
          1.05 * static_cast<double>(trace.lower_bound_bytes()));
}

}  // namespace

TEST_CASE("networks: an encoder, eager and captured" * doctest::test_suite("long")) {
    const networks::Encoder encoder(networks::EncoderConfig{.vocabulary = 50,
                                                            .most_positions = 16,
                                                            .dim = 64,
                                                            .head_count = 4,
                                                            .feed_forward_dim = 256,
                                                            .layer_count = 2});
    check_network([&](const Tensor& ids) { return encoder(ids); },
                  view(tensor({3, 1, 4, 1, 5, 9, 2, 6, 5, 3}), {2, 5}));
}

TEST_CASE("networks: a residual block, eager and captured") {
    const networks::BasicBlock block(4, 8, 2);
    block->eval();
    check_network([&](const Tensor& x) { return block(x); }, test::random_tensor({2, 4, 9, 9}));
}

TEST_CASE("networks: a decoder's steps write the cache, eager and captured") {
    const networks::DecoderConfig config{
        .dim = 64, .head_count = 4, .feed_forward_dim = 256, .layer_count = 2, .most_positions = 8};
    const networks::Decoder decoder(config);
    check_network([&](const Tensor& x) { return decoder->forward(x, 3); },
                  test::random_tensor({1, 1, 64}));
    // A later position sees what an earlier one wrote.
    const InferenceMode guard;
    const Tensor x = test::random_tensor({1, 1, 64}, -1, 1, 2);
    decoder->forward(x, 0);
    const Tensor before = decoder->forward(x, 1);
    decoder->forward(mul(x, -1.0), 0);
    const Tensor after = decoder->forward(x, 1);
    CHECK(!equal(before, after));
}

}  // namespace pumice
