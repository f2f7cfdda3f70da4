// SPDX-License-Identifier: Apache-2.0
// The five uses of inference mode that torch.js's documentation shows, for Pumice.
#pragma once

#include "pumice/nn/containers.h"
#include "pumice/pumice.h"

#include <string>
#include <vector>

namespace inference_modes {

/// The model of all examples: two linear layers, 4 features to 3 logits.
pumice::nn::Sequential make_model();

/// Pure inference: no gradient can come of it.
pumice::Tensor predict(const pumice::nn::Sequential& model, const pumice::Tensor& input);

/// Serving: the mode covers the whole asynchronous handler, on whichever thread it goes on, and
/// nobody else. No thread waits for the device.
pumice::Task<std::vector<float>> handle_request(const pumice::nn::Sequential& model,
                                                std::vector<float> request);

/// Batch inference: predictions stay valid past the scope in which they were made.
std::vector<pumice::Tensor> evaluate(const pumice::nn::Sequential& model,
                                     const std::vector<pumice::Tensor>& dataset);

/// no_grad against inference: whether the prediction may take part in training later.
struct Comparison {
    bool no_grad_can_train = false;
    bool inference_can_train = false;
    std::string refusal;  ///< what training with the inference tensor says
};

Comparison compare_modes(const pumice::nn::Sequential& model, const pumice::Tensor& input);

/// One model with two branches, of which only one can ever be trained.
pumice::Tensor forward(const pumice::nn::Sequential& model,
                       const pumice::Tensor& batch,
                       bool is_training);

}  // namespace inference_modes
