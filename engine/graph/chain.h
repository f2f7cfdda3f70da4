// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/element.h"
#include "geometry/map_walk.h"
#include "graph/lowering.h"
#include "vk/pipelines.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pumice::graph {

/// Calls that compute an element of a result from the elements of operands at its index.
struct Chain {
    std::span<const Node> parts;      ///< in order; the last one's result is the chain's
    TensorRef result;                 ///< whose geometry is walked; in one piece
    std::vector<TensorRef> operands;  ///< that are read from memory, each once
    /// The value whose element the kernel already has when the chain begins.
    std::uint32_t carried = TensorRef::kNone;
};

/// A chain of all these calls: what no call before makes is an operand, but for `carried`.
Chain make_chain(std::span<const Node> parts,
                 const TensorRef& result,
                 std::uint32_t carried = TensorRef::kNone);

inline constexpr std::size_t kMostBindings = vk::PipelineCache::kMaxBindings;
using ChainWalk = ops::MapWalk<kMostBindings>;  ///< operand 0 is the result

ChainWalk walk_of(const Graph& graph, const Chain& chain);

/// What a call binds of a tensor.
Slot slot_of(const Graph& graph, const TensorRef& ref);

/// The GLSL of chains within one kernel, and the values of its specialization constants: geometry
/// and numbers, so that calls of one structure share one text.
class ChainWriter {
public:
    /// `spec`: of the constants that the rest of the kernel declares, which come first. Bit i of
    /// `texel_mask`: binding i is read as shaders/include/reads.glsl says, with READS_TEXELS.
    ChainWriter(const Graph& graph,
                const vk::Capabilities& caps,
                std::vector<std::uint32_t> spec,
                std::uint32_t texel_mask)
        : graph_(graph), caps_(caps), spec_(std::move(spec)), texel_mask_(texel_mask) {}

    void add_constant(const std::string& name, std::uint32_t value);
    /// NAME_SIZE_i, NAME_MAGIC_i and NAME_SHIFT_i of the innermost `count` dimensions.
    void add_sizes(std::string_view name, const ChainWalk& walk, std::size_t count);
    /// Statements that end with returning the element's bits at `uvec4 index`; operand i lies at
    /// binding `bindings[i]`. The carried element's bits are in `carried`.
    std::string body(const Chain& chain,
                     const ChainWalk& walk,
                     std::span<const std::uint32_t> bindings);
    /// Everything that bodies use, to stand before them. Ends the writing of bodies.
    std::string declarations();

    [[nodiscard]] const std::vector<std::uint32_t>& spec() const noexcept { return spec_; }

    [[nodiscard]] std::uint32_t texel_mask() const noexcept { return texel_mask_; }

private:
    void write_loads(const Chain& chain,
                     const ChainWalk& walk,
                     std::span<const std::uint32_t> bindings,
                     std::string& out);

    const Graph& graph_;
    const vk::Capabilities& caps_;
    std::vector<std::uint32_t> spec_;
    const std::uint32_t texel_mask_;
    dispatch::Element element_;
    std::string constants_;
    std::string buffers_;
};

}  // namespace pumice::graph
