// SPDX-License-Identifier: Apache-2.0
// Note [Fusion]: a group has one result, its last call's, and stands where that call stood. Another
// call may join if
//   - it is a map (OpDef::express) whose result has the group's shape and lies in one piece,
//   - the group alone reads that result, as it was written, and the result is no output,
//   - none of its operands is written between its call and the group's, but by the group's last
//     call where that reads it: operands are read later than they were,
//   - the group still binds few enough buffers, and walks few enough dimensions.
// One call that is no map may join as the group's host: its kernels run the maps on what they store
// (the group's own), and on what they read of one operand (a second group, whose result the host
// alone reads). What the host and the second group read must not be written by the group at all,
// because kernels with hooks read elements after others were stored. A chain between two such calls
// joins the first: the second one would compute elements as often as it reads them.
// Each part computes from and to the bits that eager calls would have stored, so the bits stay.
#include "graph/fusion.h"

#include "dispatch/windows.h"
#include "graph/fused_kernel.h"
#include "graph/hosted_kernel.h"
#include "graph/uses.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace pumice::graph {

namespace {

constexpr std::size_t kMostParts = 32;

bool is_in_one_piece(const TensorRef& ref) {
    return ref.strides == contiguous_strides(ref.sizes);
}

void add_new(std::vector<TensorRef>& refs, const TensorRef& ref) {
    if (ref.is_defined() && std::find(refs.begin(), refs.end(), ref) == refs.end()) {
        refs.push_back(ref);
    }
}

class Fusion {
public:
    Fusion(Graph& graph, const vk::Capabilities& caps, bool into_kernels)
        : graph_(graph),
          caps_(caps),
          into_kernels_(into_kernels),
          uses_(graph),
          is_taken_(graph.nodes.size()) {}

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
        std::size_t call = 0;  ///< number of the call where the group's kernels stand
        std::vector<std::size_t> parts;
        std::vector<TensorRef> inputs;  ///< each once
        TensorRef result;
    };

    [[nodiscard]] bool fits_range(const Node& node) const {
        const NodeCall call(graph_, node);
        return !dispatch::needs_windows(call.call(), call.outputs(), caps_);
    }

    [[nodiscard]] bool is_map(const Node& node) const {
        return node.def->express != nullptr && node.outputs.size() == 1 &&
               is_in_one_piece(node.outputs[0]) && fits_range(node);
    }

    // The elements of its value, from the first one on: what kernels with hooks number.
    [[nodiscard]] bool is_whole(const TensorRef& ref) const {
        const std::int64_t bytes = numel(ref.sizes) * itemsize(ref.dtype);
        return ref.offset == 0 && is_in_one_piece(ref) &&
               graph_.values[ref.value].storage->size_bytes() == static_cast<std::uint64_t>(bytes);
    }

    // Reads of a value by the calls.
    [[nodiscard]] std::size_t reads_by(const std::vector<std::size_t>& parts,
                                       std::uint32_t value) const {
        std::size_t count = 0;
        for (const std::size_t part : parts) {
            for (const TensorRef& input : graph_.nodes[part].inputs) {
                count += input.value == value ? 1 : 0;
            }
        }
        return count;
    }

    static bool reads_other_geometry(const std::vector<TensorRef>& inputs, const TensorRef& ref) {
        return std::any_of(inputs.begin(), inputs.end(), [&](const TensorRef& input) {
            return input.value == ref.value && input != ref;
        });
    }

    [[nodiscard]] bool has_same_elements(const TensorRef& a, const TensorRef& b) const {
        return a == b || (a.dtype == b.dtype && is_whole(a) && is_whole(b));
    }

    // The call that alone made `ref`, which only these calls read, in the order it was made in.
    [[nodiscard]] std::optional<std::size_t> own_producer(const std::vector<std::size_t>& readers,
                                                          const std::vector<TensorRef>& inputs,
                                                          const TensorRef& ref) const {
        const auto producer = uses_.producer_of(ref);
        const bool is_own = producer && !is_taken_[*producer] &&
                            reads_by(readers, ref.value) == uses_.read_count(ref.value) &&
                            !reads_other_geometry(inputs, ref) &&
                            graph_.nodes[*producer].outputs.size() == 1 &&
                            has_same_elements(graph_.nodes[*producer].outputs[0], ref);
        return is_own ? producer : std::nullopt;
    }

    // Whether kernels that stand at call number `last` find in `input` what call number `first`
    // found. `may_be_result`: they read elements before that call writes them.
    [[nodiscard]] bool is_unchanged(const TensorRef& input,
                                    std::size_t first,
                                    std::size_t last,
                                    bool may_be_result) const {
        return uses_.is_unchanged(input, first, last) ||
               (may_be_result && uses_.next_writer(input.value, first) == last &&
                graph_.nodes[last].outputs[0] == input);
    }

    [[nodiscard]] bool are_unchanged(std::size_t part, std::size_t last, bool may_be_result) const {
        const std::vector<TensorRef>& inputs = graph_.nodes[part].inputs;
        return std::all_of(inputs.begin(), inputs.end(), [&](const TensorRef& input) {
            return is_unchanged(input, part, last, may_be_result);
        });
    }

    // The map that made `ref`, if it may join.
    [[nodiscard]] std::optional<std::size_t> find_map(const Group& group,
                                                      const TensorRef& ref) const {
        const bool may_be_result = group.parts.front() == group.call;
        const auto producer = own_producer(group.parts, group.inputs, ref);
        const bool joins = producer && ref.sizes == group.result.sizes &&
                           graph_.nodes[*producer].outputs[0] == ref &&
                           is_map(graph_.nodes[*producer]) &&
                           are_unchanged(*producer, group.call, may_be_result);
        return joins ? producer : std::nullopt;
    }

    // The group with the call that made input number `index`.
    [[nodiscard]] Group joined(const Group& group, std::size_t index, std::size_t producer) const {
        Group larger = group;
        larger.parts.push_back(producer);
        larger.inputs.erase(larger.inputs.begin() + static_cast<std::ptrdiff_t>(index));
        for (const TensorRef& input : graph_.nodes[producer].inputs) {
            add_new(larger.inputs, input);
        }
        return larger;
    }

    bool grow(Group& group) const {
        for (std::size_t index = 0; index < group.inputs.size(); ++index) {
            const auto producer = find_map(group, group.inputs[index]);
            if (!producer) {
                continue;
            }
            Group larger = joined(group, index, *producer);
            if (larger.parts.size() <= kMostParts &&
                fits_kernel(graph_, larger.inputs, larger.result)) {
                group = std::move(larger);
                return true;
            }
        }
        return false;
    }

    // The map with all that joins it, for kernels that stand at call number `call`.
    [[nodiscard]] Group group_of(std::size_t map, std::size_t call) const {
        const Node& node = graph_.nodes[map];
        Group group{.call = call, .parts = {map}, .inputs = {}, .result = node.outputs[0]};
        for (const TensorRef& input : node.inputs) {
            add_new(group.inputs, input);
        }
        while (grow(group)) {
        }
        std::sort(group.parts.begin(), group.parts.end());
        return group;
    }

    // Of the calls that made the group's inputs, the last that may be its host.
    [[nodiscard]] std::optional<std::size_t> find_host(const Group& group) const {
        std::optional<std::size_t> host;
        if (!is_whole(group.result)) {
            return host;
        }
        for (const TensorRef& input : group.inputs) {
            const auto producer = own_producer(group.parts, group.inputs, input);
            if (!producer || (host && *producer < *host) || !is_whole(input) ||
                input.sizes != group.result.sizes || input.dtype != group.result.dtype) {
                continue;
            }
            const Node& node = graph_.nodes[*producer];
            if (node.def->express == nullptr && fits_range(node) &&
                are_unchanged(*producer, group.call, false) &&
                can_host(graph_, hosted({}, *producer, group.parts), caps_)) {
                host = producer;
            }
        }
        return host;
    }

    // The maps that make one of the host's operands and may join it; the host stands at `call`,
    // where `after` follow it.
    [[nodiscard]] std::vector<std::size_t> find_maps_before(
        std::size_t host, std::size_t call, const std::vector<std::size_t>& after) const {
        const Node& node = graph_.nodes[host];
        for (const TensorRef& input : node.inputs) {
            const auto producer = own_producer({host}, node.inputs, input);
            if (!producer || uses_.read_count(input.value) != 1 || !is_whole(input) ||
                !is_map(graph_.nodes[*producer]) || !are_unchanged(*producer, call, false)) {
                continue;
            }
            const Group group = group_of(*producer, call);
            if (!find_host(group) && can_host(graph_, hosted(group.parts, host, after), caps_)) {
                return group.parts;
            }
        }
        return {};
    }

    [[nodiscard]] Node hosted(const std::vector<std::size_t>& before,
                              std::size_t host,
                              const std::vector<std::size_t>& after) const {
        std::vector<std::size_t> parts = before;
        parts.push_back(host);
        parts.insert(parts.end(), after.begin(), after.end());
        Node whole = joined_node(parts);
        whole.host = before.size();
        return whole;
    }

    // Calls as one: its inputs are those that none of them makes.
    [[nodiscard]] Node joined_node(const std::vector<std::size_t>& parts) const {
        Node whole;
        whole.def = graph_.nodes[parts.back()].def;
        whole.outputs = graph_.nodes[parts.back()].outputs;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const Node& part = graph_.nodes[parts[i]];
            for (const TensorRef& input : part.inputs) {
                const bool is_made =
                    std::any_of(whole.parts.begin(), whole.parts.end(), [&](const Node& before) {
                        return before.outputs[0].value == input.value;
                    });
                if (!is_made) {
                    add_new(whole.inputs, input);
                }
            }
            whole.parts.push_back(part);
        }
        return whole;
    }

    // The call alone, or with all that joined it.
    Node fused(std::size_t last) {
        std::vector<std::size_t> maps;
        std::optional<std::size_t> host;
        if (is_map(graph_.nodes[last])) {
            const Group group = group_of(last, last);
            maps = group.parts;
            host = into_kernels_ ? find_host(group) : std::nullopt;
        } else if (into_kernels_ && graph_.nodes[last].outputs.size() == 1 &&
                   fits_range(graph_.nodes[last])) {
            host = last;
        }
        std::vector<std::size_t> before;
        if (host) {
            before = find_maps_before(*host, last, maps);
        }
        if (before.size() + maps.size() + (host ? 1 : 0) <= 1) {
            return std::move(graph_.nodes[last]);
        }
        Node whole = host ? hosted(before, *host, maps) : joined_node(maps);
        for (const auto& parts : {before, maps}) {
            for (const std::size_t part : parts) {
                is_taken_[part] = true;
            }
        }
        if (host) {
            is_taken_[*host] = true;
        }
        return whole;
    }

    Graph& graph_;
    const vk::Capabilities& caps_;
    const bool into_kernels_;
    const Uses uses_;
    std::vector<bool> is_taken_;  ///< by node: part of a group
};

}  // namespace

void fuse_maps(Graph& graph, const vk::Capabilities& caps, bool into_kernels) {
    Fusion(graph, caps, into_kernels).run();
}

}  // namespace pumice::graph
