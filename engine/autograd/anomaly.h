// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/anomaly.h"

#include "autograd/node.h"
#include "tensor/tensor_impl.h"

#include <span>
#include <string_view>

namespace pumice::autograd {

bool is_anomaly_detected() noexcept;

/// While anomalies are detected, has the node remember the call, and the node that the thread is
/// evaluating; else does nothing.
void note_forward(GraphNode& node, std::string_view op, std::span<const Tensor> inputs);

/// The node that this thread evaluates, for its lifetime.
class EvaluatingNode {
public:
    explicit EvaluatingNode(GraphNode& node) noexcept;
    EvaluatingNode(const EvaluatingNode&) = delete;
    EvaluatingNode& operator=(const EvaluatingNode&) = delete;
    EvaluatingNode(EvaluatingNode&&) = delete;
    EvaluatingNode& operator=(EvaluatingNode&&) = delete;
    ~EvaluatingNode();

private:
    GraphNode* before_;
};

/// Warns with the calls behind the node, if anomalies are detected.
void warn_of_forward(const GraphNode& node);

/// @throws GradModeError, after the warnings, for a gradient with NaN, if those are looked for
void check_nan(const GraphNode& node, std::span<const Tensor> input_gradients);

}  // namespace pumice::autograd
