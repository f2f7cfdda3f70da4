// SPDX-License-Identifier: Apache-2.0
// Which results may take the place of an operand that dies with them.
#include "graph/lending.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace pumice::graph {

namespace {

constexpr std::uint32_t kUnplanned = UINT32_MAX;

bool is_plain(const TensorRef& ref) noexcept {
    return ref.offset == 0 && ref.strides == contiguous_strides(ref.sizes);
}

bool is_alike(const TensorRef& operand, const TensorRef& result) noexcept {
    return operand.dtype == result.dtype && operand.sizes == result.sizes && is_plain(operand) &&
           is_plain(result);
}

bool reads(const Node& part, std::uint32_t value) noexcept {
    return std::any_of(part.inputs.begin(), part.inputs.end(), [value](const TensorRef& input) {
        return input.value == value;
    });
}

// Bits over the inputs that are read only at the index that is written. All of a fused kernel are,
// where they are like its result; of a hosted one, those that only the chain after the host reads.
std::uint32_t lends_of(const Node& node) noexcept {
    if (node.parts.empty()) {
        return node.def->lends;
    }
    const std::size_t others = node.host == Node::kNoHost ? 0 : node.host + 1;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(node.inputs.size(), 32); ++i) {
        const bool is_elsewhere =
            std::any_of(node.parts.begin(),
                        node.parts.begin() + static_cast<std::ptrdiff_t>(others),
                        [&](const Node& part) { return reads(part, node.inputs[i].value); });
        bits |= is_elsewhere ? 0U : 1U << i;
    }
    return bits;
}

// Whether the call reads the value through lending operands alone, each like the result.
bool reads_in_place(const Node& node, std::uint32_t value) noexcept {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const TensorRef& input = node.inputs[i];
        const bool lends = (lends_of(node) >> i & 1U) != 0;
        if (input.value == value && !(lends && is_alike(input, node.outputs[0]))) {
            return false;
        }
    }
    return true;
}

// A call that writes what was there before, wholly or in part, has its result among its operands.
bool makes_result(const Node& node) noexcept {
    return node.outputs.size() == 1 &&
           std::none_of(node.inputs.begin(), node.inputs.end(), [&](const TensorRef& input) {
               return input.value == node.outputs[0].value;
           });
}

class Lending {
public:
    explicit Lending(Lowered& lowered)
        : lowered_(lowered), buffer_of_(lowered.value_bytes.size(), kUnplanned) {
        for (std::size_t i = 0; i < lowered.planned.size(); ++i) {
            buffer_of_[lowered.planned[i]] = static_cast<std::uint32_t>(i);
        }
    }

    /// The node's kernels are the steps [first, end).
    void lend_in(const Node& node, std::int64_t first, std::int64_t end) {
        if (lends_of(node) == 0 || !makes_result(node)) {
            return;
        }
        const std::uint32_t result = node.outputs[0].value;
        if (!is_planned(result) || buffer(result).lower != first) {
            return;
        }
        for (const TensorRef& operand : node.inputs) {
            if (operand.is_defined() && is_planned(operand.value) &&
                buffer(operand.value).upper == end &&
                lowered_.value_bytes[operand.value] == lowered_.value_bytes[result] &&
                reads_in_place(node, operand.value)) {
                lowered_.place_of[result] = lowered_.place_of[operand.value];
                return;
            }
        }
    }

    /// Leaves one buffer a place.
    void merge_buffers() {
        std::vector<std::uint32_t> planned;
        std::vector<PlanBuffer> buffers;
        for (const std::uint32_t value : lowered_.planned) {
            const std::uint32_t place = lowered_.place_of[value];
            PlanBuffer& shared = buffer(place);
            shared.lower = std::min(shared.lower, buffer(value).lower);
            shared.upper = std::max(shared.upper, buffer(value).upper);
        }
        for (const std::uint32_t value : lowered_.planned) {
            if (lowered_.place_of[value] == value) {
                planned.push_back(value);
                buffers.push_back(buffer(value));
            }
        }
        lowered_.planned = std::move(planned);
        lowered_.buffers = std::move(buffers);
    }

private:
    [[nodiscard]] bool is_planned(std::uint32_t value) const noexcept {
        return buffer_of_[value] != kUnplanned;
    }

    [[nodiscard]] PlanBuffer& buffer(std::uint32_t value) noexcept {
        return lowered_.buffers[buffer_of_[value]];
    }

    Lowered& lowered_;
    std::vector<std::uint32_t> buffer_of_;  // by value
};

}  // namespace

void lend_places(const Graph& graph, std::span<const std::size_t> node_ends, Lowered& lowered) {
    Lending lending(lowered);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        // Kernel k is step k + 1.
        lending.lend_in(graph.nodes[i],
                        static_cast<std::int64_t>(begin) + 1,
                        static_cast<std::int64_t>(node_ends[i]) + 1);
        begin = node_ends[i];
    }
    lending.merge_buffers();
}

}  // namespace pumice::graph
