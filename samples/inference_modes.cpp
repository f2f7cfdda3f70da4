// SPDX-License-Identifier: Apache-2.0
// Runs the examples and prints what each shows.
#include "inference_modes/examples.h"

#include <cstdio>
#include <exception>

namespace {

using pumice::Tensor;

void run_examples() {
    pumice::manual_seed(0);
    const pumice::nn::Sequential model = inference_modes::make_model();
    const Tensor input = pumice::randn({2, 4});

    const Tensor prediction = inference_modes::predict(model, input);
    std::printf("pure inference: inference tensor %d, requires grad %d\n",
                prediction.is_inference(),
                prediction.requires_grad());

    pumice::Task<std::vector<float>> answer =
        inference_modes::handle_request(model, {0.1F, 0.2F, 0.3F, 0.4F});
    std::printf("serving: the caller is in grad mode at once: %d\n", pumice::is_grad_enabled());
    const std::vector<float> probabilities = answer.get();
    std::printf("serving: probabilities %.3f %.3f %.3f\n",
                static_cast<double>(probabilities[0]),
                static_cast<double>(probabilities[1]),
                static_cast<double>(probabilities[2]));

    const auto predictions = inference_modes::evaluate(model, {input, input * 2, input * 3});
    std::printf("batch inference: %zu predictions outlive the scope, sum %.3f\n",
                predictions.size(),
                pumice::cat(predictions).sum().item<double>());

    const auto comparison = inference_modes::compare_modes(model, input);
    std::printf("no_grad's result can train later: %d; inference's: %d (%s)\n",
                comparison.no_grad_can_train,
                comparison.inference_can_train,
                comparison.refusal.c_str());

    std::printf("branches: training requires grad %d, inference %d\n",
                inference_modes::forward(model, input, true).requires_grad(),
                inference_modes::forward(model, input, false).requires_grad());
}

}  // namespace

int main() {
    try {
        run_examples();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
