// SPDX-License-Identifier: Apache-2.0
// backward() and grad(): what may start a walk, and with which gradient.
#include "pumice/autograd.h"
#include "pumice/error.h"
#include "pumice/ops.h"

#include "autograd/meta.h"
#include "autograd/walk.h"
#include "base/warn.h"
#include "dispatch/state.h"

#include <fmt/format.h>

namespace pumice::autograd {

namespace {

void check_mode(std::string_view op) {
    if (is_inference_mode_enabled()) {
        throw GradModeError(op, "Cannot run backward inside inference_mode");
    }
}

Tensor root_gradient(std::string_view op, const Tensor& root, const Tensor& given) {
    if (given.defined()) {
        if (given.sizes() != root.sizes()) {
            throw ShapeError(op,
                             fmt::format("the gradient has shape {}, the output {}",
                                         to_string(given.sizes()),
                                         describe(root)));
        }
        return to(given, root.dtype());
    }
    if (root.numel() != 1) {
        throw ShapeError(op,
                         fmt::format("grad can be implicitly created only for outputs with one "
                                     "element; got {}",
                                     describe(root)));
    }
    const dispatch::UncheckedState state({.grad = false, .inference = false, .fw_grad = false});
    return ones(root.sizes(), root.dtype());
}

void add_roots(std::string_view op,
               const std::vector<Tensor>& roots,
               const std::vector<Tensor>& gradients,
               WalkRequest& request) {
    check_mode(op);
    if (!gradients.empty() && gradients.size() != roots.size()) {
        throw ArgumentError(
            op, fmt::format("got {} tensors but {} gradients", roots.size(), gradients.size()));
    }
    for (std::size_t i = 0; i < roots.size(); ++i) {
        checked_impl(roots[i], "backward");
        GraphEdge edge = gradient_edge(roots[i]);
        if (!edge.node) {
            throw GradModeError(
                op,
                fmt::format("element {} of tensors does not require grad and does not have a "
                            "grad_fn",
                            i));
        }
        request.roots.push_back(std::move(edge));
        request.root_gradients.push_back(
            root_gradient(op, roots[i], gradients.empty() ? Tensor() : gradients[i]));
    }
}

void add_captures(const char* op, const std::vector<Tensor>& inputs, WalkRequest& request) {
    for (const Tensor& input : inputs) {
        checked_impl(input, op);
        if (!impl_of(input).tracks_grad()) {
            throw GradModeError(op, "One of the differentiated Tensors does not require grad");
        }
        // Nowhere for a view made without history (G38), which no walk reaches.
        request.captures.push_back(gradient_edge(input));
    }
}

}  // namespace

void backward(const std::vector<Tensor>& tensors,
              const std::vector<Tensor>& grad_tensors,
              std::optional<bool> retain_graph,
              bool create_graph,
              const std::optional<std::vector<Tensor>>& inputs) {
    if (inputs && inputs->empty()) {
        throw ArgumentError("backward", "inputs argument to backward cannot be empty");
    }
    WalkRequest request;
    add_roots("backward", tensors, grad_tensors, request);
    request.retain_graph = retain_graph.value_or(create_graph);
    request.create_graph = create_graph;
    if (create_graph) {
        static constinit WarningOnce warning(
            "Using backward() with create_graph=True makes a reference cycle between a leaf and "
            "its gradient; grad() does not, or set_grad({}) breaks it");
        warning.give();
    }
    if (!inputs) {
        walk(request);
        return;
    }
    add_captures("backward", *inputs, request);
    const std::vector<Tensor> gradients = walk(request);
    const dispatch::UncheckedState state(
        {.grad = create_graph, .inference = false, .fw_grad = false});
    for (std::size_t i = 0; i < inputs->size(); ++i) {
        if (gradients[i].defined()) {
            meta_of(impl_of((*inputs)[i])).add_to_grad(gradients[i]);
        }
    }
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                         const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs,
                         std::optional<bool> retain_graph,
                         bool create_graph,
                         bool allow_unused) {
    if (inputs.empty()) {
        throw ArgumentError("grad", "grad requires non-empty inputs.");
    }
    WalkRequest request;
    add_roots("grad", outputs, grad_outputs, request);
    add_captures("grad", inputs, request);
    request.retain_graph = retain_graph.value_or(create_graph);
    request.create_graph = create_graph;
    request.allow_unused = allow_unused;
    return walk(request);
}

Tensor make_dual(const Tensor& /*primal*/, const Tensor& /*tangent*/) {
    if (is_inference_mode_enabled()) {
        throw GradModeError("make_dual", "Forward-mode AD is disabled in inference_mode");
    }
    throw UnsupportedError("make_dual", "there is no forward-mode differentiation");
}

}  // namespace pumice::autograd
