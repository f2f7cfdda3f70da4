// SPDX-License-Identifier: Apache-2.0
#include "graph/fused_kernel.h"

#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "ops/map_walk.h"
#include "vk/glsl.h"
#include "vk/pipelines.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pumice::graph {

namespace {

constexpr std::size_t kMostInputs = vk::PipelineCache::kMaxBindings - 1;
using Walk = ops::MapWalk<kMostInputs + 1>;

// Placeholders of the result and the operands, in this order.
std::vector<Tensor> make_operands(const Graph& graph,
                                  const std::vector<TensorRef>& inputs,
                                  const TensorRef& result) {
    std::vector<Tensor> operands = {make_tensor(graph, result)};
    for (const TensorRef& input : inputs) {
        operands.push_back(make_tensor(graph, input));
    }
    return operands;
}

Walk walk_of(const std::vector<Tensor>& operands) {
    std::vector<const TensorImpl*> impls;
    impls.reserve(operands.size());
    for (const Tensor& operand : operands) {
        impls.push_back(&impl_of(operand));
    }
    return ops::collapse<kMostInputs + 1>(impls[0]->sizes, impls);
}

std::uint32_t word(std::int64_t value) noexcept {
    return static_cast<std::uint32_t>(value);
}

// The text, and the values of its specialization constants beside it.
class FusedWriter {
public:
    FusedWriter(const Graph& graph, const Node& node, const vk::Capabilities& caps)
        : graph_(graph),
          node_(node),
          caps_(caps),
          operands_(make_operands(graph, node.inputs, node.outputs[0])),
          walk_(walk_of(operands_)) {}

    KernelCall run() && {
        const TensorImpl& output = impl_of(operands_[0]);
        const std::uint32_t offset = dispatch::bound_offset(output, caps_);
        const auto schedule =
            ops::schedule_map(ops::word_count(offset,
                                              static_cast<std::uint64_t>(output.numel),
                                              dispatch::item_shift(output.dtype)),
                              caps_.is_cpu);
        const bool is_plain = walk_.dim_count == 1;
        source_.spec = {
            ops::MapSchedule::kLocalSize,
            static_cast<std::uint32_t>(output.dtype),
            static_cast<std::uint32_t>(is_plain ? vk::Layout::kContiguous : vk::Layout::kStrided),
            word(walk_.dim_count),
            schedule.words};
        std::vector<std::string> lines = write_parts();
        write_constants(output, offset);
        write_loads();
        source_.text = vk::expand_includes(whole_text(lines));
        source_.name = name_of(node_);
        source_.binding_count = static_cast<std::uint8_t>(operands_.size());
        source_.written_mask = static_cast<std::uint8_t>(1U << node_.inputs.size());
        KernelCall call;
        call.groups = dispatch::fold_groups(schedule.groups, caps_);
        call.work =
            static_cast<std::uint64_t>(output.numel) * (operands_.size() + node_.parts.size());
        call.source = std::make_shared<const vk::KernelSource>(std::move(source_));
        call.label = call.source->name;
        add_slots(call);
        return call;
    }

private:
    template <class... Args>
    static void add(std::string& out, fmt::format_string<Args...> text, Args&&... args) {
        fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
    }

    void add_constant(const std::string& name, std::uint32_t value) {
        add(constants_,
            "layout(constant_id = {}) const uint {} = 0u;\n",
            source_.spec.size(),
            name);
        source_.spec.push_back(value);
    }

    // What the frame asks for, and where the operands lie.
    void write_constants(const TensorImpl& output, std::uint32_t offset) {
        add_constant("MAP_COUNT", word(output.numel));
        add_constant("MAP_OUTPUT_OFFSET", offset);
        for (std::size_t dim = 0; dim < 3; ++dim) {
            const std::uint32_t size = std::max(word(walk_.sizes[dim]), 1U);
            const ops::Divisor divisor = ops::divisor_of(size);
            add_constant(fmt::format("MAP_SIZE_{}", dim), size);
            add_constant(fmt::format("MAP_MAGIC_{}", dim), divisor.magic);
            add_constant(fmt::format("MAP_SHIFT_{}", dim), divisor.shift);
        }
        for (std::size_t i = 1; i < operands_.size(); ++i) {
            add_constant(fmt::format("OFFSET_{}", i - 1),
                         dispatch::bound_offset(operands_[i], caps_));
            for (std::int64_t dim = 0; dim < walk_.dim_count; ++dim) {
                add_constant(fmt::format("STRIDE_{}_{}", i - 1, dim),
                             word(walk_.strides[i][static_cast<std::size_t>(dim)]));
            }
        }
        for (std::size_t i = 0; i < element_.parameters.size(); ++i) {
            add_constant(fmt::format("P{}", i), element_.parameters[i]);
        }
    }

    // xN: the bits of operand N.
    void write_loads() {
        constexpr std::string_view kAxes = "xyzw";
        for (std::size_t i = 0; i + 1 < operands_.size(); ++i) {
            add(buffers_,
                "layout(std430, set = 0, binding = {0}) readonly buffer X{0} {{ uint x{0}_words[]; "
                "}};\n",
                i);
            add(loads_, "    uint at{0} = OFFSET_{0}", i);
            for (std::int64_t dim = 0; dim < walk_.dim_count; ++dim) {
                add(loads_,
                    " + index.{} * STRIDE_{}_{}",
                    kAxes[static_cast<std::size_t>(dim)],
                    i,
                    dim);
            }
            loads_ += ";\n";
            add(loads_, "    uint x{} = {};\n", i, load(i, impl_of(operands_[i + 1]).dtype));
        }
    }

    static std::string load(std::size_t operand, DType dtype) {
        return itemsize(dtype) == sizeof(std::uint32_t)
                   ? fmt::format("x{0}_words[at{0}]", operand)
                   : fmt::format("extract_bits(x{0}_words[word_index(at{0}, {1}u)], at{0}, {1}u)",
                                 operand,
                                 static_cast<std::uint32_t>(dtype));
    }

    // Name of a part's operand: an earlier part's result, or one of the node's operands.
    [[nodiscard]] std::string name_of_operand(const TensorRef& ref, std::size_t part) const {
        for (std::size_t i = 0; i < part; ++i) {
            if (node_.parts[i].outputs[0].value == ref.value && i + 1 < node_.parts.size()) {
                return fmt::format("v{}", i);
            }
        }
        const auto place = std::find(node_.inputs.begin(), node_.inputs.end(), ref);
        return fmt::format("x{}", place - node_.inputs.begin());
    }

    // One line a part: vN is the bits of part N's result.
    std::vector<std::string> write_parts() {
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < node_.parts.size(); ++i) {
            const Node& part = node_.parts[i];
            std::vector<std::string> names;
            for (const TensorRef& input : part.inputs) {
                names.push_back(name_of_operand(input, i));
            }
            const NodeCall call(graph_, part);
            element_.operands = names;
            lines.push_back(fmt::format("    uint v{} = {};  // {}\n",
                                        i,
                                        part.def->express(call.call(), call.outputs()[0], element_),
                                        part.def->name));
        }
        return lines;
    }

    [[nodiscard]] std::string whole_text(const std::vector<std::string>& lines) const {
        std::string text = "#version 450\n";
        for (const std::string& macro : element_.macros) {
            add(text, "#define {} 1\n", macro);
        }
        for (const char* file : {"dtype", "math", "unary", "binary", "convert"}) {
            add(text, "#include \"{}.glsl\"\n", file);
        }
        for (const auto& [name, function] : element_.functions) {
            text += function;
        }
        text += buffers_;
        add(text,
            "layout(std430, set = 0, binding = {}) buffer Output {{ uint output_words[]; }};\n",
            node_.inputs.size());
        text += constants_;
        text += "#include \"map_frame.glsl\"\n";
        text += "uint output_at(uvec4 index) {\n    return 0u;\n}\n";  // never scattered
        text += "uint result_bits(uvec4 index) {\n" + loads_;
        for (const std::string& line : lines) {
            text += line;
        }
        add(text, "    return v{};\n}}\n", lines.size() - 1);
        return text;
    }

    void add_slots(KernelCall& call) const {
        for (std::size_t i = 1; i <= operands_.size(); ++i) {
            const std::size_t operand = i % operands_.size();  // the result comes last
            const TensorRef& ref = operand == 0 ? node_.outputs[0] : node_.inputs[operand - 1];
            const dispatch::BoundRange bound = dispatch::bind(operands_[operand]);
            const vk::Binding& all = graph_.values[ref.value].storage->allocation().range;
            call.slots.push_back({.value = ref.value,
                                  .offset_bytes = bound.binding.offset_bytes - all.offset_bytes,
                                  .size_bytes = bound.binding.size_bytes});
        }
    }

    const Graph& graph_;
    const Node& node_;
    const vk::Capabilities& caps_;
    const std::vector<Tensor> operands_;  ///< the result first
    const Walk walk_;
    dispatch::Element element_;
    vk::KernelSource source_;
    std::string constants_;
    std::string buffers_;
    std::string loads_;
};

}  // namespace

bool fits_kernel(const Graph& graph,
                 const std::vector<TensorRef>& inputs,
                 const TensorRef& result) {
    return inputs.size() <= kMostInputs &&
           walk_of(make_operands(graph, inputs, result)).dim_count <= ops::kMostMapDims;
}

KernelCall write_fused(const Graph& graph, const Node& node, const vk::Capabilities& caps) {
    return FusedWriter(graph, node, caps).run();
}

}  // namespace pumice::graph
