// SPDX-License-Identifier: Apache-2.0
// Dead code, constants and common subexpressions.
#include "graph/passes.h"

#include "dispatch/execute.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace pumice::graph {

namespace {

bool outlives(const Value& value) noexcept {
    return value.kind == ValueKind::kExternal;
}

// Made by one call and never changed.
bool is_made_once(const Value& value) noexcept {
    return value.kind == ValueKind::kPlanned && value.write_count == 1;
}

// The same at every call of one replay.
bool is_steady(const Value& value) noexcept {
    return is_made_once(value) || value.kind == ValueKind::kInput ||
           value.kind == ValueKind::kConstant || value.write_count == 0;
}

template <class Predicate>
bool all_values(const Graph& graph, const std::vector<TensorRef>& refs, const Predicate& is_good) {
    return std::all_of(refs.begin(), refs.end(), [&](const TensorRef& ref) {
        return !ref.is_defined() || is_good(graph.values[ref.value]);
    });
}

void run_now(Graph& graph, const Node& node) {
    for (const TensorRef& ref : node.outputs) {
        Value& value = graph.values[ref.value];
        value.storage->move_to(memory::allocator().allocate(
            value.storage->allocation().range.size_bytes, memory::StorageClass::kPersistent));
        value.kind = ValueKind::kConstant;
    }
    const NodeCall call(graph, node);
    dispatch::execute(call.call(), call.outputs());
}

void mix(std::size_t& hash, std::uint64_t word) noexcept {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29U;
}

std::size_t hash_of(const Node& node) noexcept {
    std::size_t hash = std::hash<const void*>()(node.def);
    for (const TensorRef& ref : node.inputs) {
        mix(hash, ref.value);
        mix(hash, static_cast<std::uint64_t>(ref.offset));
    }
    mix(hash, node.attrs_bytes);
    return hash;
}

bool is_same_call(const Node& a, const Node& b) noexcept {
    return a.def == b.def && a.inputs == b.inputs && a.outputs.size() == b.outputs.size() &&
           a.attrs_bytes == b.attrs_bytes &&
           std::memcmp(a.attrs.data(), b.attrs.data(), a.attrs_bytes) == 0;
}

// Which value stands for which, as calls are merged.
class Renaming {
public:
    explicit Renaming(std::size_t count) : name_(count) {
        std::iota(name_.begin(), name_.end(), 0U);
    }

    void rename(std::uint32_t from, std::uint32_t to) noexcept { name_[from] = to; }

    void apply(std::vector<TensorRef>& refs) const noexcept {
        for (TensorRef& ref : refs) {
            if (ref.is_defined()) {
                ref.value = name_[ref.value];
            }
        }
    }

private:
    std::vector<std::uint32_t> name_;
};

}  // namespace

void eliminate_dead_code(Graph& graph) {
    std::vector<bool> is_needed(graph.values.size());
    for (const TensorRef& output : graph.outputs) {
        is_needed[output.value] = true;
    }
    std::vector<Node> kept;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
        const bool is_live =
            std::any_of(node->outputs.begin(), node->outputs.end(), [&](const TensorRef& ref) {
                return is_needed[ref.value] || outlives(graph.values[ref.value]);
            });
        if (!is_live) {
            continue;
        }
        for (const TensorRef& input : node->inputs) {
            if (input.is_defined()) {
                is_needed[input.value] = true;
            }
        }
        kept.push_back(std::move(*node));
    }
    std::reverse(kept.begin(), kept.end());
    graph.nodes = std::move(kept);
}

void fold_constants(Graph& graph) {
    std::vector<Node> kept;
    for (Node& node : graph.nodes) {
        const bool is_constant =
            all_values(graph,
                       node.inputs,
                       [](const Value& value) { return value.kind == ValueKind::kConstant; }) &&
            all_values(graph, node.outputs, is_made_once);
        if (is_constant) {
            run_now(graph, node);
        } else {
            kept.push_back(std::move(node));
        }
    }
    graph.nodes = std::move(kept);
}

void eliminate_common_subexpressions(Graph& graph) {
    Renaming renaming(graph.values.size());
    std::unordered_multimap<std::size_t, std::size_t> index_of;  // of kept nodes, by hash
    std::vector<Node> kept;
    const auto find = [&](std::size_t hash, const Node& node) -> const Node* {
        const auto [first, last] = index_of.equal_range(hash);
        for (auto at = first; at != last; ++at) {
            if (is_same_call(kept[at->second], node)) {
                return &kept[at->second];
            }
        }
        return nullptr;
    };
    for (Node& node : graph.nodes) {
        renaming.apply(node.inputs);
        const bool may_merge = all_values(graph, node.outputs, is_made_once) &&
                               all_values(graph, node.inputs, is_steady);
        const std::size_t hash = hash_of(node);
        const Node* const same = may_merge ? find(hash, node) : nullptr;
        if (same != nullptr) {
            for (std::size_t i = 0; i < node.outputs.size(); ++i) {
                renaming.rename(node.outputs[i].value, same->outputs[i].value);
            }
            continue;
        }
        if (may_merge) {
            index_of.emplace(hash, kept.size());
        }
        kept.push_back(std::move(node));
    }
    renaming.apply(graph.outputs);
    graph.nodes = std::move(kept);
}

void release_unused_values(Graph& graph) {
    std::vector<bool> is_used(graph.values.size());
    const auto use = [&](const std::vector<TensorRef>& refs) {
        for (const TensorRef& ref : refs) {
            if (ref.is_defined()) {
                is_used[ref.value] = true;
            }
        }
    };
    use(graph.inputs);
    use(graph.outputs);
    for (const Node& node : graph.nodes) {
        use(node.inputs);
        use(node.outputs);
        if (node.host != Node::kNoHost) {
            // Its kernels are selected for tensors that never are in memory.
            use(node.parts[node.host].inputs);
            use(node.parts[node.host].outputs);
        }
    }
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
        if (!is_used[i]) {
            graph.values[i].storage.reset();
            graph.values[i].holders.clear();
        }
    }
}

}  // namespace pumice::graph
