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
std::string whole_text(ChainWriter& writer,
                       const Chain& chain,
                       const ChainWalk& walk,
                       vk::Layout layout) {
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
    if (layout == vk::Layout::kQuads) {
        text += fmt::format(
            "layout(std430, set = 0, binding = {0}) buffer OutputQuads {{ uvec4 output_quads[]; "
            "}};\n"
            "#define MAP_QUADS {0}\n",
            chain.operands.size());
    }
    text += "#include \"map_frame.glsl\"\n";
    if (layout == vk::Layout::kQuads) {
        text += "void load_quads(uint quad) {\n";
        for (const std::uint32_t i : bindings) {
            text += fmt::format(
                "    map_quads[{0}] = read_quad(x{0}_words, (OFFSET_{0} >> 2u) + quad);\n", i);
        }
        text += "}\n";
    }
    text += "uint output_at(uvec4 index) {\n    return 0u;\n}\n";  // never scattered
    return text + "uint result_bits(uvec4 index) {\n" + body + "}\n";
}

// Quads where all operands are contiguous words and in whole quads.
vk::Layout choose_layout(const Graph& graph,
                         const Chain& chain,
                         const ChainWalk& walk,
                         const vk::Capabilities& caps) {
    if (walk.dim_count > 1) {
        return vk::Layout::kStrided;
    }
    std::vector<TensorRef> refs = {chain.result};
    refs.insert(refs.end(), chain.operands.begin(), chain.operands.end());
    bool fits = walk.sizes[0] % 4 == 0 && walk.sizes[0] > 0 && !chain.operands.empty();
    for (std::size_t i = 0; i < refs.size(); ++i) {
        const std::uint32_t offset = dispatch::bound_offset(make_tensor(graph, refs[i]), caps);
        fits = fits && itemsize(refs[i].dtype) == 4 && walk.is_contiguous(i) && offset % 4 == 0;
    }
    return fits ? vk::Layout::kQuads : vk::Layout::kContiguous;
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
    const vk::Layout layout = choose_layout(graph, chain, walk, caps);
    const std::uint64_t word_count =
        ops::word_count(offset, count, dispatch::item_shift(output.dtype));
    const auto schedule =
        ops::schedule_map(layout == vk::Layout::kQuads ? count / 4 : word_count, caps.is_cpu);
    const auto frame = vk::MapFrameSpec{.local_size = ops::MapSchedule::kLocalSize,
                                        .out_dtype = output.dtype,
                                        .layout = static_cast<std::uint32_t>(layout),
                                        .dim_count = static_cast<std::uint32_t>(walk.dim_count),
                                        .words = schedule.words}
                           .by_id();
    const auto operand_mask = static_cast<std::uint8_t>((1U << chain.operands.size()) - 1);
    const std::uint8_t texel_mask = caps.reads_texels ? operand_mask : std::uint8_t{0};
    ChainWriter writer(graph, caps, {frame.begin(), frame.end()}, texel_mask);
    if (layout == vk::Layout::kQuads) {
        writer.use_quads();
    }
    writer.add_constant("MAP_COUNT", static_cast<std::uint32_t>(count));
    writer.add_constant("MAP_OUTPUT_OFFSET", offset);
    writer.add_sizes("MAP", walk, 3);
    vk::KernelSource source;
    source.text = vk::expand_includes(whole_text(writer, chain, walk, layout));
    source.name = name_of(node);
    source.spec = writer.spec();
    source.binding_count = static_cast<std::uint8_t>(chain.operands.size() + 1);
    source.written_mask = static_cast<std::uint8_t>(1U << chain.operands.size());
    source.read_mask = static_cast<std::uint8_t>(~source.written_mask);
    source.texel_mask = texel_mask;
    source.push_size_bytes = sizeof(std::uint32_t);
    KernelCall call;
    call.push.resize(source.push_size_bytes);  // the zero
    call.quad_mask = layout == vk::Layout::kQuads ? operand_mask : std::uint8_t{0};
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
