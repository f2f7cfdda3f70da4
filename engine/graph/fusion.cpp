// SPDX-License-Identifier: Apache-2.0
// Note [Fusion]. A group has one result, its last call's, and stands where that call stood. Another
// call may join if
//   - it is a map (OpDef::express) whose result has the group's shape and lies in one piece,
//   - the group alone reads that result, as it was written, and the result is no output,
//   - none of its operands is written between its place and the group's, but by the group's last
//     call where that reads it: operands are read later than they were,
//   - the group still binds few enough buffers, and walks few enough dimensions.
// Each part computes from and to the bits that eager calls would have stored, so the bits stay.
#include "graph/fusion.h"

#include "dispatch/windows.h"
#include "graph/fused_kernel.h"

#include <algorithm>
#include <utility>

namespace pumice::graph {

namespace {

constexpr std::size_t kMostParts = 32;

bool is_in_one_piece(const TensorRef& ref) {
    return ref.strides == contiguous_strides(ref.sizes);
}

class Fusion {
public:
    Fusion(Graph& graph, const vk::Capabilities& caps)
        : graph_(graph),
          caps_(caps),
          writers_(graph.values.size()),
          read_count_(graph.values.size()),
          is_taken_(graph.nodes.size()) {
        for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
            for (const TensorRef& input : graph.nodes[i].inputs) {
                count_read(input);
            }
            for (const TensorRef& output : graph.nodes[i].outputs) {
                writers_[output.value].push_back(i);
            }
        }
        for (const TensorRef& output : graph.outputs) {
            count_read(output);
        }
    }

    void run() && {
        std::vector<Node> nodes;
        for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
            if (!is_taken_[i]) {
                nodes.push_back(fused(i));
            }
        }
        std::reverse(nodes.begin(), nodes.end());
        graph_.nodes = std::move(nodes);
    }

private:
    struct Group {
        std::vector<std::size_t> parts;
        std::vector<TensorRef> inputs;  ///< each once
    };

    void count_read(const TensorRef& ref) {
        if (ref.is_defined()) {
            ++read_count_[ref.value];
        }
    }

    [[nodiscard]] bool is_map(const Node& node) const {
        if (node.def->express == nullptr || node.outputs.size() != 1 ||
            !is_in_one_piece(node.outputs[0])) {
            return false;
        }
        const NodeCall call(graph_, node);
        return !dispatch::needs_windows(call.call(), call.outputs(), caps_);
    }

    // Reads of a value by the group's parts.
    [[nodiscard]] std::size_t reads_of(const Group& group, std::uint32_t value) const {
        std::size_t count = 0;
        for (const std::size_t part : group.parts) {
            for (const TensorRef& input : graph_.nodes[part].inputs) {
                count += input.value == value ? 1 : 0;
            }
        }
        return count;
    }

    [[nodiscard]] bool reads_other_geometry(const Group& group, const TensorRef& ref) const {
        return std::any_of(group.inputs.begin(), group.inputs.end(), [&](const TensorRef& input) {
            return input.value == ref.value && input != ref;
        });
    }

    // Whether `input` has the same elements for the group, which stands at call number `last`, as
    // it had for call number `first`.
    [[nodiscard]] bool is_unchanged(const TensorRef& input,
                                    std::size_t first,
                                    std::size_t last) const {
        const std::vector<std::size_t>& writers = writers_[input.value];
        const auto next = std::upper_bound(writers.begin(), writers.end(), first);
        return next == writers.end() || *next > last ||
               (*next == last && graph_.nodes[last].outputs[0] == input);
    }

    // Whether the call that made `ref` may join.
    [[nodiscard]] bool may_join(const Group& group, const TensorRef& ref) const {
        const std::vector<std::size_t>& writers = writers_[ref.value];
        if (graph_.values[ref.value].kind != ValueKind::kPlanned || writers.size() != 1 ||
            is_taken_[writers[0]] || reads_of(group, ref.value) != read_count_[ref.value] ||
            reads_other_geometry(group, ref)) {
            return false;
        }
        const std::size_t last = group.parts.front();
        const Node& node = graph_.nodes[writers[0]];
        return node.outputs[0] == ref && ref.sizes == graph_.nodes[last].outputs[0].sizes &&
               is_map(node) &&
               std::all_of(node.inputs.begin(), node.inputs.end(), [&](const TensorRef& input) {
                   return is_unchanged(input, writers[0], last);
               });
    }

    // The group with the call that made input number `place`.
    [[nodiscard]] Group joined(const Group& group, std::size_t place) const {
        Group larger = group;
        const std::size_t producer = writers_[group.inputs[place].value][0];
        larger.parts.push_back(producer);
        larger.inputs.erase(larger.inputs.begin() + static_cast<std::ptrdiff_t>(place));
        add_inputs(larger, graph_.nodes[producer]);
        return larger;
    }

    static void add_inputs(Group& group, const Node& node) {
        for (const TensorRef& input : node.inputs) {
            if (std::find(group.inputs.begin(), group.inputs.end(), input) == group.inputs.end()) {
                group.inputs.push_back(input);
            }
        }
    }

    bool grow(Group& group) const {
        for (std::size_t place = 0; place < group.inputs.size(); ++place) {
            if (!may_join(group, group.inputs[place])) {
                continue;
            }
            Group larger = joined(group, place);
            const TensorRef& result = graph_.nodes[group.parts.front()].outputs[0];
            if (larger.parts.size() <= kMostParts && fits_kernel(graph_, larger.inputs, result)) {
                group = std::move(larger);
                return true;
            }
        }
        return false;
    }

    // The call alone, or with all that joined it.
    Node fused(std::size_t last) {
        Node& node = graph_.nodes[last];
        Group group{.parts = {last}, .inputs = {}};
        if (is_map(node)) {
            add_inputs(group, node);
            while (grow(group)) {
            }
        }
        if (group.parts.size() == 1) {
            return std::move(node);
        }
        std::sort(group.parts.begin(), group.parts.end());
        Node whole;
        whole.def = node.def;
        whole.inputs = std::move(group.inputs);
        whole.outputs = node.outputs;
        for (const std::size_t part : group.parts) {
            is_taken_[part] = true;
            whole.parts.push_back(std::move(graph_.nodes[part]));
        }
        return whole;
    }

    Graph& graph_;
    const vk::Capabilities& caps_;
    std::vector<std::vector<std::size_t>> writers_;  ///< by value: calls, in order
    std::vector<std::size_t> read_count_;            ///< by value, outputs too
    std::vector<bool> is_taken_;                     ///< by node: part of a group
};

}  // namespace

void fuse_maps(Graph& graph, const vk::Capabilities& caps) {
    Fusion(graph, caps).run();
}

}  // namespace pumice::graph
