// SPDX-License-Identifier: Apache-2.0
// Tutorial 5: four threads answer requests with one compiled model.
#include <pumice/graph.h>
#include <pumice/nn/containers.h>
#include <pumice/nn/layers.h>
#include <pumice/pumice.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <future>
#include <vector>

namespace {

using namespace pumice;

constexpr std::size_t kRequests = 64, kThreads = 4;

using Values = std::vector<float>;

nn::Sequential make_model() {
    nn::Sequential model;
    model->push_back(nn::Linear(8, 32));
    model->push_back(silu);
    model->push_back(nn::Linear(32, 4));
    model->eval();
    return model;
}

template <class Model>
Values answer(Model& model, std::size_t request) {
    // Threads start in grad mode, whatever mode their maker was in.
    const InferenceMode guard;
    const Tensor x = full({1, 8}, static_cast<double>(request) / kRequests);
    return softmax(model(x), 1).template to_vector<float>();
}

void run() {
    manual_seed(3);
    const nn::Sequential model = make_model();
    auto compiled = compile(model);  // captures at the first call, for all threads
    std::vector<Values> answers(kRequests);
    std::atomic<std::size_t> next = 0;
    const auto serve = [&] {
        for (std::size_t i = next++; i < kRequests; i = next++) {
            answers[i] = answer(compiled, i);
        }
    };
    std::vector<std::future<void>> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
        threads.push_back(std::async(std::launch::async, serve));
    }
    for (std::future<void>& thread : threads) {
        thread.get();  // or throws what ended it
    }
    std::size_t right = 0;
    for (std::size_t i = 0; i < kRequests; ++i) {
        right += answers[i] == answer(model, i) ? 1U : 0U;  // the same bits
    }
    std::printf("%zu of %zu answers as the model alone gives them\n", right, kRequests);
    std::printf("captured %zu time\n", compiled.capture_count());
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
