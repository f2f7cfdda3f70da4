// SPDX-License-Identifier: Apache-2.0
// The kernel of a chain that runs inside another operator's kernel.
#include "graph/hosted_kernel.h"

#include "dispatch/corridor.h"
#include "dispatch/execute.h"
#include "graph/chain.h"
#include "vk/glsl.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pumice::graph {

namespace {

// The chains around a host; without parts where there is none.
struct Chains {
    Chain operand;  ///< makes the elements of one of the host's operands
    Chain result;   ///< of those of its result makes the node's
};

// The value that the chain before the host makes, or kNone.
std::uint32_t made_for(const Node& node) noexcept {
    return node.host == 0 ? TensorRef::kNone : node.parts[node.host - 1].outputs[0].value;
}

// The value that the chain after the host takes, or kNone.
std::uint32_t taken_from(const Node& node) noexcept {
    return node.host + 1 == node.parts.size() ? TensorRef::kNone
                                              : node.parts[node.host].outputs[0].value;
}

Chains chains_of(const Node& node) {
    const std::span<const Node> parts = node.parts;
    Chains chains;
    if (made_for(node) != TensorRef::kNone) {
        chains.operand = make_chain(parts.first(node.host), parts[node.host - 1].outputs[0]);
    }
    if (taken_from(node) != TensorRef::kNone) {
        chains.result = make_chain(
            parts.subspan(node.host + 1), node.outputs[0], parts[node.host].outputs[0].value);
    }
    return chains;
}

bool is_walkable(const Graph& graph, const Chain& chain) {
    return chain.parts.empty() || (chain.operands.size() <= kMostBindings &&
                                   walk_of(graph, chain).dim_count <= ops::kMostMapDims);
}

// Whether computing an element costs about as little as storing and loading it.
bool is_cheap(const Graph& graph, const Chain& chain) {
    dispatch::Element element;
    for (const Node& part : chain.parts) {
        const std::vector<std::string> names(part.inputs.size(), "x");
        element.operands = names;
        const NodeCall call(graph, part);
        part.def->express(call.call(), call.outputs()[0], element);
    }
    return std::all_of(element.macros.begin(), element.macros.end(), [](const auto& macro) {
        return macro == "FORMULA_SIMPLE";
    });
}

// Whether the chain's operand is the one that the kernel's hook is about: other tensors may be
// bound to those bindings too, but are read without the hook.
bool hooks_operand(const vk::HostText& host, std::uint32_t slots) {
    return host.operand_binding >= 0 && (slots >> host.operand_binding & 1U) != 0 &&
           (slots & ~std::uint32_t{host.operand_mask}) == 0;
}

// What one kernel of the host has to do with the chains.
struct Touched {
    std::uint32_t operands = 0;  ///< bit i: slot i is the operand that a chain makes
    std::uint32_t results = 0;   ///< bit i: slot i is the result that a chain takes
};

// Bit i: slot i is of that storage.
std::uint32_t slots_of(const dispatch::BoundStep& bound, const Storage* storage) {
    std::uint32_t slots = 0;
    for (std::size_t i = 0; i < bound.storages.size(); ++i) {
        slots |= bound.storages[i] == storage ? 1U << i : 0U;
    }
    return slots;
}

bool has_hooks(const Graph& graph,
               const Touched& touched,
               const dispatch::Step& step,
               const Chains& chains) {
    if (touched.operands == 0 && touched.results == 0) {
        return true;
    }
    const vk::HostText* const host = vk::host_text(step.kernel());
    const vk::KernelInfo& info = vk::kernel_info(step.kernel());
    if (host == nullptr || step.spec().size() != info.spec_count ||
        (touched.operands != 0 && !hooks_operand(*host, touched.operands)) ||
        (touched.results != 0 &&
         (host->result_binding < 0 ||
          touched.results != 1U << static_cast<unsigned>(host->result_binding)))) {
        return false;
    }
    if (touched.operands != 0 && host->operand_reads > 1 && !is_cheap(graph, chains.operand)) {
        return false;
    }
    std::size_t wanted = touched.results != 0 ? chains.result.operands.size() : 0;
    if (touched.operands != 0) {
        wanted += chains.operand.operands.size();
    }
    const auto freed = static_cast<std::size_t>(std::popcount(touched.operands));
    return info.binding_count - freed + wanted <= kMostBindings;
}

// A host's kernel with its chains.
class HostedWriter {
public:
    HostedWriter(const Graph& graph,
                 const Node& node,
                 const vk::Capabilities& caps,
                 KernelCall& kernel)
        : graph_(graph),
          node_(node),
          kernel_(kernel),
          host_(*vk::host_text(kernel.kernel)),
          chains_(chains_of(node)),
          writer_(graph, caps, kernel.spec, texel_mask_of(kernel, caps)) {}

    void run() && {
        std::string hooks;
        std::string defines{host_.defines};
        const bool makes_operand = frees_slots();
        const bool takes_result = moves_result();
        if (makes_operand) {
            defines += "#define HOOKS_OPERAND 1\n";
            hooks += hook("OPERAND", "hooked_operand(uint element)", chains_.operand);
        }
        if (takes_result) {
            defines += "#define HOOKS_RESULT 1\n";
            hooks += hook("RESULT", "hooked_result(uint result, uint element)", chains_.result);
        }
        fill_freed_slots();
        set_source(defines, hooks);
    }

private:
    // A binding of the host's own is read as the host does, whoever lies there now.
    static std::uint32_t texel_mask_of(const KernelCall& kernel, const vk::Capabilities& caps) {
        const vk::KernelInfo& info = vk::kernel_info(kernel.kernel);
        const std::uint32_t own = (1U << info.binding_count) - 1;
        return caps.reads_texels ? info.texel_mask | ~own : 0;
    }

    // The slots of what has no memory any more go to other operands.
    bool frees_slots() {
        for (std::uint32_t i = 0; i < kernel_.slots.size(); ++i) {
            if (kernel_.slots[i].value == made_for(node_)) {
                freed_.push_back(i);
            }
        }
        return !freed_.empty();
    }

    bool moves_result() {
        for (Slot& slot : kernel_.slots) {
            if (slot.value == taken_from(node_)) {
                slot = slot_of(graph_, node_.outputs[0]);
                return true;
            }
        }
        return false;
    }

    std::uint32_t add_slot(const TensorRef& operand) {
        const Slot slot = slot_of(graph_, operand);
        if (used_ < freed_.size()) {
            kernel_.slots[freed_[used_]] = slot;
            return freed_[used_++];
        }
        kernel_.slots.push_back(slot);
        return static_cast<std::uint32_t>(kernel_.slots.size() - 1);
    }

    // Bindings that nothing is read from any more still want a buffer.
    void fill_freed_slots() {
        for (; used_ < freed_.size(); ++used_) {
            const auto other =
                std::find_if(kernel_.slots.begin(), kernel_.slots.end(), [this](const Slot& slot) {
                    return slot.value != made_for(node_);
                });
            kernel_.slots[freed_[used_]] = *other;
        }
    }

    // The function that a hook calls, after the one that finds the index.
    std::string hook(std::string_view name, std::string_view signature, const Chain& chain) {
        constexpr std::string_view kAxes = "xyzw";
        const ChainWalk walk = walk_of(graph_, chain);
        const auto last = static_cast<std::size_t>(walk.dim_count - 1);
        writer_.add_sizes(name, walk, last);
        std::vector<std::uint32_t> bindings;
        for (const TensorRef& operand : chain.operands) {
            bindings.push_back(add_slot(operand));
        }
        std::string text =
            fmt::format("uint {} {{\n    uvec4 index = uvec4(element, 0u, 0u, 0u);\n", signature);
        if (chain.carried != TensorRef::kNone) {
            text += "    uint carried = opaque_bits(result);\n";
        }
        for (std::size_t dim = 0; dim < last; ++dim) {
            text += fmt::format(
                "    index.{1} = divide(index.{0}, {2}_MAGIC_{3}, {2}_SHIFT_{3});\n"
                "    index.{0} -= index.{1} * {2}_SIZE_{3};\n",
                kAxes[dim],
                kAxes[dim + 1],
                name,
                dim);
        }
        return text + writer_.body(chain, walk, bindings) + "}\n";
    }

    void set_source(const std::string& defines, const std::string& hooks) {
        std::string text{host_.text};
        // Macros may stand after the version and the extensions that depend on them alone.
        const std::string reads = writer_.texel_mask() != 0 ? "#define READS_TEXELS 1\n" : "";
        text.insert(text.find('\n', text.find("#version")) + 1, reads + defines);
        text += "#include \"divide.glsl\"\n";
        text += writer_.declarations() + hooks;
        const vk::KernelInfo& info = vk::kernel_info(kernel_.kernel);
        vk::KernelSource source;
        source.text = vk::expand_includes(text);
        source.name = name_of(node_);
        source.spec = writer_.spec();
        source.binding_count = static_cast<std::uint8_t>(kernel_.slots.size());
        source.written_mask = info.written_mask;
        source.read_mask =
            static_cast<std::uint8_t>(info.read_mask | ~((1U << info.binding_count) - 1));
        source.texel_mask =
            static_cast<std::uint8_t>(writer_.texel_mask() & ((1U << kernel_.slots.size()) - 1));
        source.push_size_bytes = info.push_size_bytes;
        kernel_.source = std::make_shared<const vk::KernelSource>(std::move(source));
        kernel_.label = kernel_.source->name;
    }

    const Graph& graph_;
    const Node& node_;
    KernelCall& kernel_;
    const vk::HostText& host_;
    const Chains chains_;
    ChainWriter writer_;
    std::vector<std::uint32_t> freed_;  ///< slots
    std::size_t used_ = 0;              ///< of these, the first ones
};

}  // namespace

bool can_host(const Graph& graph, const Node& node, const vk::Capabilities& caps) {
    const Chains chains = chains_of(node);
    if (!is_walkable(graph, chains.operand) || !is_walkable(graph, chains.result)) {
        return false;
    }
    const auto storage_of = [&graph](std::uint32_t value) -> const Storage* {
        return value == TensorRef::kNone ? nullptr : graph.values[value].storage.get();
    };
    const Storage* const made = storage_of(made_for(node));
    const Storage* const taken = storage_of(taken_from(node));
    bool is_able = true;
    int maker_count = 0;
    int taker_count = 0;
    const NodeCall call(graph, node.parts[node.host]);
    dispatch::lower(call.call(), call.outputs(), caps, [&](const dispatch::BoundStep& bound) {
        const Touched touched{.operands = slots_of(bound, made), .results = slots_of(bound, taken)};
        maker_count += static_cast<int>(touched.operands != 0);
        taker_count += static_cast<int>(touched.results != 0);
        is_able = is_able && has_hooks(graph, touched, bound.step, chains);
    });
    return is_able && (made == nullptr || maker_count > 0) &&
           (taken == nullptr || taker_count == 1);
}

void write_hosted(const Graph& graph,
                  const Node& node,
                  const vk::Capabilities& caps,
                  std::span<KernelCall> kernels) {
    for (KernelCall& kernel : kernels) {
        const bool is_touched =
            std::any_of(kernel.slots.begin(), kernel.slots.end(), [&node](const Slot& slot) {
                return slot.value == made_for(node) || slot.value == taken_from(node);
            });
        if (is_touched) {
            HostedWriter(graph, node, caps, kernel).run();
        }
    }
}

}  // namespace pumice::graph
