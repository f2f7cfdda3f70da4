// SPDX-License-Identifier: Apache-2.0
// The kernel of a chain that runs by itself.
#include "graph/fused_kernel.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "graph/chain.h"
#include "vk/glsl.h"
#include "vk/kernels/shared.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>
#include <vector>

namespace pumice::graph {

namespace {

// Operands lie at the first bindings in their order, the result after them. The frame's loops are
// all there are, as in eager maps (//@iterations in map_frame.glsl): formulas have none.
std::string whole_text(ChainWriter& writer, const Chain& chain, const ChainWalk& walk) {
    std::vector<std::uint32_t> bindings(chain.operands.size());
    std::iota(bindings.begin(), bindings.end(), 0U);
    const std::string body = writer.body(chain, walk, bindings);
    std::string text = "#version 450\n";
    text += writer.texel_mask() != 0 ? "#define READS_TEXELS 1\n" : "";
    text +=
        "layout(push_constant) uniform Push {\n    uint zero;\n} push;\n"
        "#define UNKNOWN_ZERO push.zero\n" +
        writer.declarations();
    text += fmt::format(
        "layout(std430, set = 0, binding = {}) buffer Output {{ uint output_words[]; }};\n",
        chain.operands.size());
    text += "#include \"map_frame.glsl\"\n";
    text += "uint output_at(uvec4 index) {\n    return 0u;\n}\n";  // never scattered
    return text + "uint result_bits(uvec4 index) {\n" + body + "}\n";
}

}  // namespace

bool fits_kernel(const Graph& graph,
                 const std::vector<TensorRef>& inputs,
                 const TensorRef& result) {
    const Chain chain{.parts = {}, .result = result, .operands = inputs};
    return inputs.size() < kMostBindings && walk_of(graph, chain).dim_count <= ops::kMostMapDims;
}

KernelCall write_fused(const Graph& graph, const Node& node, const vk::Capabilities& caps) {
    const Chain chain{.parts = node.parts, .result = node.outputs[0], .operands = node.inputs};
    const ChainWalk walk = walk_of(graph, chain);
    const Tensor result = make_tensor(graph, chain.result);
    const TensorImpl& output = impl_of(result);
    const auto count = static_cast<std::uint64_t>(output.numel);
    const std::uint32_t offset = dispatch::bound_offset(output, caps);
    const auto schedule = ops::schedule_map(
        ops::word_count(offset, count, dispatch::item_shift(output.dtype)), caps.is_cpu);
    const auto layout = walk.dim_count == 1 ? vk::Layout::kContiguous : vk::Layout::kStrided;
    const auto frame = vk::MapFrameSpec{.local_size = ops::MapSchedule::kLocalSize,
                                        .out_dtype = output.dtype,
                                        .layout = static_cast<std::uint32_t>(layout),
                                        .dim_count = static_cast<std::uint32_t>(walk.dim_count),
                                        .words = schedule.words}
                           .by_id();
    const auto operand_mask = static_cast<std::uint8_t>((1U << chain.operands.size()) - 1);
    const std::uint8_t texel_mask = caps.reads_texels ? operand_mask : std::uint8_t{0};
    ChainWriter writer(graph, caps, {frame.begin(), frame.end()}, texel_mask);
    writer.add_constant("MAP_COUNT", static_cast<std::uint32_t>(count));
    writer.add_constant("MAP_OUTPUT_OFFSET", offset);
    writer.add_sizes("MAP", walk, 3);
    vk::KernelSource source;
    source.text = vk::expand_includes(whole_text(writer, chain, walk));
    source.name = name_of(node);
    source.spec = writer.spec();
    source.binding_count = static_cast<std::uint8_t>(chain.operands.size() + 1);
    source.written_mask = static_cast<std::uint8_t>(1U << chain.operands.size());
    source.read_mask = static_cast<std::uint8_t>(~source.written_mask);
    source.texel_mask = texel_mask;
    source.push_size_bytes = sizeof(std::uint32_t);
    KernelCall call;
    call.push.resize(source.push_size_bytes);  // the zero
    call.groups = dispatch::fold_groups(schedule.groups, caps);
    call.work = count * (chain.operands.size() + 1 + node.parts.size());
    call.source = std::make_shared<const vk::KernelSource>(std::move(source));
    call.label = call.source->name;
    for (const TensorRef& operand : chain.operands) {
        call.slots.push_back(slot_of(graph, operand));
    }
    call.slots.push_back(slot_of(graph, chain.result));
    return call;
}

}  // namespace pumice::graph
