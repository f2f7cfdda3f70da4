// SPDX-License-Identifier: Apache-2.0
// The graph's values and nodes, and views made of them.
#include "graph/graph.h"

#include <cstddef>
#include <cstring>

namespace pumice::graph {

void set_attrs(Node& node, dispatch::AttrsRef attrs) {
    node.attrs_bytes = attrs.size_bytes;
    node.attrs.resize((attrs.size_bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
    if (attrs.size_bytes > 0) {
        std::memcpy(node.attrs.data(), attrs.data, attrs.size_bytes);
    }
}

std::string name_of(const Node& node) {
    if (node.parts.empty()) {
        return std::string(node.def->name);
    }
    std::string name;
    for (const Node& part : node.parts) {
        name += name.empty() ? "" : "+";
        name += part.def->name;
    }
    return name;
}

Tensor make_tensor(const IntrusivePtr<Storage>& storage, const TensorRef& ref) {
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->storage = storage;
    impl->sizes = ref.sizes;
    impl->strides = ref.strides;
    impl->offset = ref.offset;
    impl->numel = numel(ref.sizes);
    impl->dtype = ref.dtype;
    impl->is_contiguous = strides_are_contiguous(ref.sizes, ref.strides);
    impl->is_inference = true;  // no version, no history: the graph keeps those itself
    return Tensor(IntrusivePtr<RefCounted>(std::move(impl)));
}

Tensor make_tensor(const Graph& graph, const TensorRef& ref) {
    return ref.is_defined() ? make_tensor(graph.values[ref.value].storage, ref) : Tensor();
}

NodeCall::NodeCall(const Graph& graph, const Node& node) : node_(node) {
    for (const TensorRef& ref : node.inputs) {
        inputs_.push_back(make_tensor(graph, ref));
    }
    for (const TensorRef& ref : node.outputs) {
        outputs_.push_back(make_tensor(graph, ref));
    }
}

dispatch::OpCall NodeCall::call() const noexcept {
    dispatch::AttrsRef attrs;
    attrs.data = node_.attrs.data();
    attrs.size_bytes = node_.attrs_bytes;
    return {*node_.def, inputs_, attrs};
}

}  // namespace pumice::graph
