// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace PUMICE_API pumice {

/// The walk back over recorded operators.
namespace autograd {

class Node;

/// Where a gradient goes: slot `input_nr` of a node, or nowhere.
struct Edge {
    std::shared_ptr<Node> function;  ///< null for nowhere
    std::uint32_t input_nr = 0;      ///< which of the node's forward outputs

    /// Whether it leads to a node.
    [[nodiscard]] bool is_valid() const noexcept { return function != nullptr; }
};

/// A recorded operator, or a leaf's accumulator, as Tensor::grad_fn gives it. Made by the engine.
class Node {
public:
    Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    Node(Node&&) = delete;
    Node& operator=(Node&&) = delete;

    /// "MulBackward"; "AccumulateGrad" for leaves.
    [[nodiscard]] virtual std::string name() const = 0;
    /// One edge an operand.
    [[nodiscard]] virtual std::vector<Edge> next_edges() const = 0;

protected:
    ~Node() = default;
};

/// Adds the gradients of the sum over i of tensors[i] times grad_tensors[i] to `grad` of the
/// leaves. Source: torch.autograd.backward.
///
/// grad_tensors has one gradient for each tensor, of its shape, which is converted to its dtype. An
/// undefined gradient, or an empty list, stands for ones and needs tensors of one element.
/// retain_graph keeps what operators saved, for a second walk; it defaults to create_graph.
/// create_graph records the walk, so that gradients can be differentiated, and warns of the
/// reference cycle that this makes. With `inputs`, only these receive a gradient; they need not be
/// leaves.
/// @throws GradModeError for a tensor without history (E12), in inference mode (E16), if a saved
///         tensor was modified (E9) or freed by an earlier walk; ShapeError for a gradient of
///         another shape; ArgumentError for another count, an undefined tensor, or an empty list
///         of inputs. These are all thrown before the walk begins. OutOfMemoryError may come during
///         the walk: then no `grad` is written, but without retain_graph the saved tensors of the
///         nodes that were passed are freed
void backward(const std::vector<Tensor>& tensors,
              const std::vector<Tensor>& grad_tensors = {},
              std::optional<bool> retain_graph = {},
              bool create_graph = false,
              const std::optional<std::vector<Tensor>>& inputs = {});

/// Returns the gradients of `outputs` with respect to `inputs`, one for each input in its shape and
/// dtype; no leaf's `grad` is touched. The rest as backward. With allow_unused, an input that is
/// not reached gets an undefined gradient. Source: torch.autograd.grad.
/// @throws GradModeError as backward, and for an input that does not require grad or, unless
///         `allow_unused`, is not reached (thrown before the walk, or after it if there is a path
///         but no gradient came along it); ShapeError as backward; ArgumentError as backward, and
///         for no inputs
std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                         const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {},
                         std::optional<bool> retain_graph = {},
                         bool create_graph = false,
                         bool allow_unused = false);

/// A tensor with a tangent for forward-mode differentiation, which Pumice does not have.
/// @throws GradModeError (E20) in inference mode, UnsupportedError in the others
[[noreturn]] Tensor make_dual(const Tensor& primal, const Tensor& tangent);

}  // namespace autograd

/// For tests and measurements.
namespace debug {

/// Objects that the grad-mode layer made since the process started; inference tensors need none.
struct Counters {
    std::uint64_t version_counters = 0;  ///< of normal tensors that are no views
    std::uint64_t view_records = 0;      ///< of views of normal tensors
    std::uint64_t autograd_metas = 0;    ///< gradients and histories of tensors
    std::uint64_t nodes = 0;             ///< recorded operators, accumulators of leaves included
};

/// Reads the counters. Takes no lock.
Counters counters() noexcept;

}  // namespace debug

}  // namespace pumice
