// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"
#include "graph/host_state.h"
#include "graph/leaf_gradients.h"
#include "tensor/tensor_impl.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pumice::graph {

/// Where a value's bytes are.
enum class ValueKind : std::uint8_t {
    kInput,     ///< planned, copied in before each replay
    kPlanned,   ///< planned, written by the graph before it is read
    kExternal,  ///< memory of its own, which others see too: parameters, states, gradients
    kConstant,  ///< memory of its own, written once: folded
};

/// A tensor of the program that the function used.
struct Holder {
    IntrusivePtr<TensorImpl> tensor;  ///< of a view, its base
    bool requires_grad = false;       ///< when the function returned
};

/// One storage as the graph sees it.
struct Value {
    ValueKind kind = ValueKind::kPlanned;
    IntrusivePtr<Storage> storage;  ///< a placeholder where planned
    std::vector<Holder> holders;    ///< of an external one: the tensors that it came with
    std::uint32_t write_count = 0;  ///< nodes that write it
};

/// Writes that a replay counts.
struct Bump {
    IntrusivePtr<VersionCounter> version;
    std::uint32_t count = 0;
};

/// A tensor of the graph: a geometry on a value.
struct TensorRef {
    static constexpr std::uint32_t kNone = UINT32_MAX;  ///< an optional operand that is not there
    std::uint32_t value = kNone;
    Dims sizes;
    Dims strides;
    std::int64_t offset = 0;
    DType dtype = kFloat32;

    [[nodiscard]] bool is_defined() const noexcept { return value != kNone; }

    friend bool operator==(const TensorRef&, const TensorRef&) = default;
};

/// One operator call. Views are no calls: they are geometry.
struct Node {
    const dispatch::OpDef* def = nullptr;  ///< of a fused node, its last part's
    std::vector<TensorRef> inputs;
    std::vector<TensorRef> outputs;
    std::vector<std::max_align_t> attrs;  ///< the attribute struct's bytes
    std::uint32_t attrs_bytes = 0;
    /// Of a fused node: the calls that one kernel computes element by element, in order. Results of
    /// all but the last one, which is the node's, exist within the kernel alone.
    std::vector<Node> parts;
    /// The one of these parts whose kernels compute the others around their own work; kNoHost if
    /// all are maps.
    std::size_t host = kNoHost;
    static constexpr std::size_t kNoHost = SIZE_MAX;
};

/// Gives the node a copy of a call's attributes.
void set_attrs(Node& node, dispatch::AttrsRef attrs);

/// The operator's name; of a fused node its parts' names, joined by +.
std::string name_of(const Node& node);

/// What a function did, in its order.
struct Graph {
    std::vector<Value> values;
    std::vector<Node> nodes;
    std::vector<TensorRef> inputs;
    std::vector<TensorRef> outputs;
    /// Of normal tensors that outlive the function and were written.
    std::vector<Bump> bumped;
    /// Whether an operator ran where it may record, so that requires_grad matters.
    bool may_record = false;
    LeafGradients gradients;
    /// What replays get from the host, in values of their own.
    std::shared_ptr<HostState> host = std::make_shared<HostState>();
};

/// A tensor of that geometry on the value's storage (or on another); for infer and select.
Tensor make_tensor(const Graph& graph, const TensorRef& ref);
Tensor make_tensor(const IntrusivePtr<Storage>& storage, const TensorRef& ref);

/// A node as the corridor would call it; the tensors live as long as this object.
class NodeCall {
public:
    NodeCall(const Graph& graph, const Node& node);
    [[nodiscard]] dispatch::OpCall call() const noexcept;

    [[nodiscard]] std::span<const Tensor> outputs() const noexcept { return outputs_; }

private:
    const Node& node_;
    std::vector<Tensor> inputs_;
    std::vector<Tensor> outputs_;
};

}  // namespace pumice::graph
