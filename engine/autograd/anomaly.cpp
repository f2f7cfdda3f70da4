// SPDX-License-Identifier: Apache-2.0
// Anomaly detection: which call made a node whose gradient is NaN or whose formula throws.
#include "autograd/anomaly.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/warn.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace pumice::autograd {

namespace {

std::atomic<bool> is_enabled{false};
std::atomic<bool> checks_nan{false};
thread_local GraphNode* evaluating = nullptr;

}  // namespace

DetectAnomalyGuard::DetectAnomalyGuard(bool check_nan) noexcept
    : was_enabled_(is_enabled.exchange(true)), did_check_nan_(checks_nan.exchange(check_nan)) {}

DetectAnomalyGuard::~DetectAnomalyGuard() {
    checks_nan.store(did_check_nan_);
    is_enabled.store(was_enabled_);
}

bool is_anomaly_detected() noexcept {
    return is_enabled.load(std::memory_order_relaxed);
}

void note_forward(GraphNode& node, std::string_view op, std::span<const Tensor> inputs) {
    if (!is_anomaly_detected()) {
        return;
    }
    std::string call(op);
    for (const Tensor& input : inputs) {
        call += fmt::format("{}{}",
                            &input == inputs.data() ? "(" : ", ",
                            input.defined() ? describe(input) : "undefined");
    }
    node.set_origin(
        std::make_unique<Origin>(Origin{.call = call + (inputs.empty() ? "" : ")"),
                                        .induced_by = IntrusivePtr<GraphNode>(evaluating)}));
}

EvaluatingNode::EvaluatingNode(GraphNode& node) noexcept
    : before_(std::exchange(evaluating, &node)) {}

EvaluatingNode::~EvaluatingNode() {
    evaluating = before_;
}

void warn_of_forward(const GraphNode& node) {
    if (!is_anomaly_detected()) {
        return;
    }
    constexpr const char* kUnknown = "not known: it ran before anomalies were detected";
    const Origin* origin = node.origin();
    warn(fmt::format("Error detected in {}. Traceback of forward call that caused the error: {}",
                     node.name(),
                     origin != nullptr ? origin->call : kUnknown));
    while (origin != nullptr && origin->induced_by) {
        const GraphNode& parent = *origin->induced_by;
        origin = parent.origin();
        warn(
            fmt::format("Previous calculation was induced by {}. Traceback of forward call that "
                        "induced the previous calculation: {}",
                        parent.name(),
                        origin != nullptr ? origin->call : kUnknown));
    }
}

void check_nan(const GraphNode& node, std::span<const Tensor> input_gradients) {
    if (!is_anomaly_detected() || !checks_nan.load(std::memory_order_relaxed)) {
        return;
    }
    const NoGradGuard guard;
    for (std::size_t i = 0; i < input_gradients.size(); ++i) {
        const Tensor& gradient = input_gradients[i];
        if (gradient.defined() && any(isnan(gradient)).item().toBool()) {
            warn_of_forward(node);
            throw GradModeError(
                node.name(),
                fmt::format(
                    "Function '{}' returned nan values in its {}th output.", node.name(), i));
        }
    }
}

}  // namespace pumice::autograd
