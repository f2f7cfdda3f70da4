// SPDX-License-Identifier: Apache-2.0
#include "inference_modes/examples.h"
#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::test {

TEST_CASE("the examples of inference mode do what they say") {
    manual_seed(3);
    const nn::Sequential model = inference_modes::make_model();
    const Tensor input = random_tensor({2, 4});
    const Tensor recorded = inference_modes::forward(model, input, true);
    CHECK(recorded.requires_grad());

    const Tensor prediction = inference_modes::predict(model, input);
    CHECK(prediction.is_inference());
    check_same_bits(prediction, recorded.detach());
    check_throws<GradModeError>([&] { prediction.sum().backward(); },
                                "does not require grad and does not have a grad_fn");

    Task<std::vector<float>> answer =
        inference_modes::handle_request(model, input.to_vector<float>());
    CHECK(is_grad_enabled());
    check_close(softmax(recorded.detach(), 1).view({6}), [&answer] {
        const std::vector<float> values = answer.get();
        return std::vector<double>(values.begin(), values.end());
    }());
    CHECK(is_grad_enabled());

    const auto predictions = inference_modes::evaluate(model, {input, input * 2, input});
    CHECK(predictions.size() == 3);
    check_same_bits(predictions[0], prediction);
    check_same_bits(predictions[2], prediction);

    const auto comparison = inference_modes::compare_modes(model, input);
    CHECK(comparison.no_grad_can_train);
    CHECK(!comparison.inference_can_train);
    CHECK(comparison.refusal.find("Inference tensors cannot be saved for backward.") !=
          std::string::npos);
    CHECK(!inference_modes::forward(model, input, false).requires_grad());
}

}  // namespace pumice::test
