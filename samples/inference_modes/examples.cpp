// SPDX-License-Identifier: Apache-2.0
#include "inference_modes/examples.h"

#include "pumice/nn/layers.h"

#include <algorithm>

namespace inference_modes {

using pumice::Tensor;

pumice::nn::Sequential make_model() {
    pumice::nn::Sequential model(pumice::nn::Linear(4, 16));
    model->push_back(pumice::tanh);
    model->push_back(pumice::nn::Linear(16, 3));
    return model;
}

Tensor predict(const pumice::nn::Sequential& model, const Tensor& input) {
    return pumice::inference_mode([&] { return model->forward(input); });
}

pumice::Task<std::vector<float>> handle_request(const pumice::nn::Sequential& model,
                                                std::vector<float> request) {
    const auto body = [](pumice::nn::Sequential served,
                         std::vector<float> values) -> pumice::Task<std::vector<float>> {
        const auto count = static_cast<std::int64_t>(values.size()) / 4;
        const Tensor input = pumice::tensor(values).view({count, 4});
        const Tensor probabilities = pumice::softmax(served->forward(input), 1);
        const pumice::HostTensor host = co_await probabilities.to_host_async();
        co_return host.values<float>();
    };
    return pumice::inference_mode([&] { return body(model, std::move(request)); });
}

std::vector<Tensor> evaluate(const pumice::nn::Sequential& model,
                             const std::vector<Tensor>& dataset) {
    std::vector<Tensor> predictions;
    pumice::inference_mode([&] {
        for (const Tensor& batch : dataset) {
            predictions.push_back(model->forward(batch));
        }
    });
    return predictions;
}

Comparison compare_modes(const pumice::nn::Sequential& model, const Tensor& input) {
    const Tensor detached = pumice::no_grad([&] { return model->forward(input); });
    const Tensor final = pumice::inference_mode([&] { return model->forward(input); });
    const Tensor scale = pumice::ones({3}, {pumice::kFloat32, true});
    Comparison result;
    result.no_grad_can_train = (detached * scale).requires_grad();
    try {
        result.inference_can_train = (final * scale).requires_grad();
    } catch (const pumice::GradModeError& error) {
        result.refusal = error.what();
    }
    return result;
}

Tensor forward(const pumice::nn::Sequential& model, const Tensor& batch, bool is_training) {
    if (is_training) {
        return model->forward(batch);
    }
    return pumice::inference_mode([&] { return model->forward(batch); });
}

}  // namespace inference_modes
