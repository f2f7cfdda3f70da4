// SPDX-License-Identifier: Apache-2.0
// Tutorial 4: a decoder writes token after token, with a cache of keys and values. One step is
// captured once and replayed for every position.
#include <pumice/graph.h>
#include <pumice/indexing.h>
#include <pumice/pumice.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

using namespace pumice;
using indexing::Slice;

constexpr std::int64_t kTokens = 32, kDim = 16, kLength = 12;

struct Decoder {
    Tensor tokens = randn({kTokens, kDim}), places = randn({kLength, kDim});
    Tensor query_weight = randn({kDim, kDim}), key_weight = randn({kDim, kDim});
    Tensor value_weight = randn({kDim, kDim}), output_weight = randn({kDim, kTokens});
    // What earlier tokens left for later ones: states, which every step writes in place.
    Tensor keys = zeros({kLength, kDim}), values = zeros({kLength, kDim});

    // token and position: int32 [1]. Gives the likeliest next token: int32 [1].
    Tensor step(const Tensor& token, const Tensor& position) {
        const Tensor x = embedding(tokens, token) + embedding(places, position);
        keys.index_put_({position, Slice()}, matmul(x, key_weight));
        values.index_put_({position, Slice()}, matmul(x, value_weight));
        // Places behind this one are not written yet: a query does not see them.
        const Tensor mask = arange(kLength).view({1, kLength}) <= position;
        const Tensor query = matmul(x, query_weight);
        const Tensor seen = scaled_dot_product_attention(query, keys, values, mask);
        return argmax(matmul(x + seen, output_weight), 1);
    }
};

template <class Step>
std::vector<std::int32_t> generate(const Step& step) {
    std::vector<std::int32_t> written;
    Tensor token = tensor({1});
    for (std::int32_t position = 0; position < kLength; ++position) {
        token = step(token, tensor({position}));
        written.push_back(token.item<std::int32_t>());
    }
    return written;
}

void run() {
    manual_seed(5);
    Decoder decoder;
    const InferenceMode guard;
    const auto eager = [&](const Tensor& t, const Tensor& p) { return decoder.step(t, p); };
    const std::vector<std::int32_t> wanted = generate(eager);
    const Plan plan = capture(eager, {tensor({1}), tensor({0})});
    const auto replayed = [&](const Tensor& t, const Tensor& p) { return plan(t, p)[0]; };
    const bool agrees = generate(replayed) == wanted;
    std::printf("tokens");
    for (const std::int32_t token : wanted) {
        std::printf(" %d", token);
    }
    std::printf("\neager and captured agree: %s\n", agrees ? "yes" : "no");
    std::printf("planned at the lower bound: %s\n",
                plan.stats().planned_bytes == plan.stats().lower_bound_bytes ? "yes" : "no");
}

}  // namespace

int main() {
    try {
        run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
