// SPDX-License-Identifier: Apache-2.0
// A graph as a drawing: calls as boxes, tensors without a call before them as ovals.
#include "graph/plan_impl.h"

#include <fmt/format.h>

#include <iterator>

namespace pumice {

namespace {

std::string_view style_of(graph::ValueKind kind) noexcept {
    switch (kind) {
        case graph::ValueKind::kInput: return "shape=oval";
        case graph::ValueKind::kExternal: return "shape=oval, style=dashed";
        case graph::ValueKind::kConstant: return "shape=oval, style=dotted";
        case graph::ValueKind::kPlanned: break;
    }
    return "shape=oval, color=gray";
}

std::string text_of(const graph::TensorRef& ref) {
    return fmt::format("{} {}", to_string(ref.sizes), to_string(ref.dtype));
}

// Writes each edge from the call that wrote a value last, or from the value's own oval.
class DotWriter {
public:
    explicit DotWriter(const graph::Graph& graph)
        : graph_(graph), writer_of_(graph.values.size(), kNobody), has_oval_(graph.values.size()) {}

    std::string run() && {
        out_ = "digraph plan {\n  node [shape=box, fontname=\"sans-serif\"];\n";
        for (std::size_t node = 0; node < graph_.nodes.size(); ++node) {
            add_node(node);
        }
        for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
            add_line("out{} [shape=oval, penwidth=2, label=\"output {}\\n{}\"];",
                     i,
                     i,
                     text_of(graph_.outputs[i]));
            add_edge(graph_.outputs[i], fmt::format("out{}", i));
        }
        return std::move(out_) + "}\n";
    }

private:
    static constexpr std::size_t kNobody = SIZE_MAX;

    template <class... Args>
    void add_line(fmt::format_string<Args...> text, Args&&... args) {
        out_ += "  ";
        fmt::format_to(std::back_inserter(out_), text, std::forward<Args>(args)...);
        out_ += '\n';
    }

    void add_node(std::size_t number) {
        const graph::Node& node = graph_.nodes[number];
        add_line(
            "n{} [label=\"{}\\n{}\"];", number, graph::name_of(node), text_of(node.outputs[0]));
        for (const graph::TensorRef& input : node.inputs) {
            if (input.is_defined()) {
                add_edge(input, fmt::format("n{}", number));
            }
        }
        for (const graph::TensorRef& output : node.outputs) {
            writer_of_[output.value] = number;
        }
    }

    void add_edge(const graph::TensorRef& ref, const std::string& to) {
        if (writer_of_[ref.value] != kNobody) {
            add_line("n{} -> {};", writer_of_[ref.value], to);
            return;
        }
        if (!has_oval_[ref.value]) {
            has_oval_[ref.value] = true;
            add_line("v{} [{}, label=\"{}\"];",
                     ref.value,
                     style_of(graph_.values[ref.value].kind),
                     text_of(ref));
        }
        add_line("v{} -> {};", ref.value, to);
    }

    const graph::Graph& graph_;
    std::vector<std::size_t> writer_of_;
    std::vector<bool> has_oval_;
    std::string out_;
};

}  // namespace

std::string Plan::Impl::dot() const {
    return DotWriter(placed_.graph).run();
}

}  // namespace pumice
