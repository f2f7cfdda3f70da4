// SPDX-License-Identifier: Apache-2.0
// Decides which calls become one: matches the patterns of operators, which stand beside them.
#include "graph/recognise.h"

#include "dispatch/pattern.h"
#include "graph/uses.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

namespace pumice::graph {

namespace {

using dispatch::OutputMeta;
using dispatch::PatternNode;

OutputMeta meta_of(const TensorRef& ref) {
    return {.sizes = ref.sizes, .strides = ref.strides, .offset = ref.offset, .dtype = ref.dtype};
}

std::vector<OutputMeta> metas_of(const std::vector<TensorRef>& refs) {
    std::vector<OutputMeta> metas;
    metas.reserve(refs.size());
    for (const TensorRef& ref : refs) {
        metas.push_back(meta_of(ref));
    }
    return metas;
}

// What was found of a pattern so far.
struct Match {
    std::array<TensorRef, dispatch::kMaxPatternOperands> operands;  ///< by their numbers
    std::vector<std::size_t> parts;  ///< calls before the last that the operator stands for
    std::vector<std::max_align_t> attrs;
};

class Recogniser {
public:
    Recogniser(Graph& graph, std::span<const dispatch::OpDef* const> defs)
        : graph_(graph), defs_(defs), uses_(graph), is_dropped_(graph.nodes.size()) {}

    void run() && {
        for (last_ = 0; last_ < graph_.nodes.size(); ++last_) {
            for (const dispatch::OpDef* const def : defs_) {
                if (def->pattern != nullptr && try_to_replace(*def)) {
                    break;
                }
            }
        }
        std::vector<Node> kept;
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
            if (!is_dropped_[i]) {
                kept.push_back(std::move(graph_.nodes[i]));
            }
        }
        graph_.nodes = std::move(kept);
    }

private:
    // The call that made `ref`, which is read here alone and as it was made, with its operands as
    // they were.
    [[nodiscard]] std::optional<std::size_t> call_that_made(const TensorRef& ref) const {
        const auto producer = uses_.producer_of(ref);
        if (!producer || uses_.read_count(ref.value) != 1) {
            return std::nullopt;
        }
        const Node& node = graph_.nodes[*producer];
        const bool is_steady =
            std::all_of(node.inputs.begin(), node.inputs.end(), [&](const TensorRef& input) {
                return uses_.is_unchanged(input, *producer, last_);
            });
        return is_steady && node.outputs.size() == 1 && node.outputs[0] == ref ? producer
                                                                               : std::nullopt;
    }

    bool match_operand(const TensorRef& ref,
                       const dispatch::PatternOperand& wanted,
                       Match& match) const {
        if (wanted.made_by.empty()) {
            match.operands[wanted.number] = ref;
            return ref.is_defined();
        }
        const auto producer = call_that_made(ref);
        if (!producer) {
            return false;
        }
        for (const PatternNode* const call : wanted.made_by) {
            Match attempt = match;
            attempt.parts.push_back(*producer);
            if (match_call(graph_.nodes[*producer], *call, attempt)) {
                match = std::move(attempt);
                return true;
            }
        }
        return false;
    }

    // NOLINTNEXTLINE(misc-no-recursion): as deep as the pattern
    bool match_call(const Node& node, const PatternNode& wanted, Match& match) const {
        if (node.def != wanted.def || node.inputs.size() < wanted.operand_count) {
            return false;
        }
        const std::vector<OutputMeta> inputs = metas_of(node.inputs);
        const dispatch::PatternCall call{
            .inputs = inputs, .result = meta_of(node.outputs[0]), .attrs = node.attrs.data()};
        if (wanted.accepts != nullptr && !wanted.accepts(call)) {
            return false;
        }
        for (std::size_t i = 0; i < node.inputs.size(); ++i) {
            const bool is_fit = i < wanted.operand_count
                                    ? match_operand(node.inputs[i], wanted.operands[i], match)
                                    : !node.inputs[i].is_defined();
            if (!is_fit) {
                return false;
            }
        }
        if (wanted.take != nullptr) {
            wanted.take(call, match.attrs.data());
        }
        return true;
    }

    bool try_to_replace(const dispatch::OpDef& def) {
        const dispatch::Pattern& pattern = *def.pattern;
        Node whole;
        set_attrs(whole, pattern.attrs);
        Match match;
        match.attrs = whole.attrs;
        if (!match_call(graph_.nodes[last_], *pattern.last, match)) {
            return false;
        }
        whole.def = &def;
        whole.attrs = std::move(match.attrs);
        for (const dispatch::PatternInput& input :
             std::span(pattern.inputs).first(pattern.input_count)) {
            whole.inputs.push_back(viewed(match.operands[input.number], input));
        }
        if (pattern.accepts != nullptr && !pattern.accepts(metas_of(whole.inputs))) {
            return false;
        }
        whole.outputs = std::move(graph_.nodes[last_].outputs);
        add_further_outputs(whole);
        graph_.nodes[last_] = std::move(whole);
        for (const std::size_t part : match.parts) {
            is_dropped_[part] = true;
        }
        return true;
    }

    static TensorRef viewed(TensorRef ref, const dispatch::PatternInput& input) {
        if (ref.is_defined() && input.view != nullptr) {
            const OutputMeta view = input.view(meta_of(ref));
            ref.sizes = view.sizes;
            ref.strides = view.strides;
            ref.offset = view.offset;
        }
        return ref;
    }

    // What the operator makes beside the result of the pattern.
    void add_further_outputs(Node& whole) {
        dispatch::Inferred inferred;
        whole.def->infer(NodeCall(graph_, whole).call(), inferred);
        for (std::size_t i = 1; i < inferred.size(); ++i) {
            const OutputMeta& meta = inferred[i];
            whole.outputs.push_back({.value = static_cast<std::uint32_t>(graph_.values.size()),
                                     .sizes = meta.sizes,
                                     .strides = meta.strides,
                                     .offset = meta.offset,
                                     .dtype = meta.dtype});
            graph_.values.push_back({.kind = ValueKind::kPlanned,
                                     .storage = make_placeholder(static_cast<std::uint64_t>(
                                         numel(meta.sizes) * itemsize(meta.dtype))),
                                     .holders = {},
                                     .write_count = 1});
        }
    }

    Graph& graph_;
    const std::span<const dispatch::OpDef* const> defs_;
    const Uses uses_;
    std::size_t last_ = 0;  ///< the call that is looked at
    std::vector<bool> is_dropped_;
};

}  // namespace

void recognise(Graph& graph, std::span<const dispatch::OpDef* const> defs) {
    Recogniser(graph, defs).run();
}

}  // namespace pumice::graph
