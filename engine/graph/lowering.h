// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include "graph/graph.h"
#include "vk/capabilities.h"
#include "vk/kernels.h"
#include "vk/runtime_kernel.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace pumice::graph {

/// Bytes of a value that a kernel binds, from the value's start.
struct Slot {
    std::uint32_t value = 0;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
};

/// One kernel call on values.
struct KernelCall {
    vk::KernelId kernel{};
    std::shared_ptr<const vk::KernelSource> source;  ///< of a fused one, instead of `kernel`
    std::vector<std::uint32_t> spec;
    std::vector<Slot> slots;
    std::vector<std::byte> push;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
    std::uint64_t work = 0;
    std::uint8_t quad_mask = 0;  ///< as Step's
    std::string_view label;      ///< static, or the source's name

    /// Bit i: slot i is written.
    [[nodiscard]] std::uint32_t written_mask() const noexcept {
        return source ? source->written_mask : vk::kernel_info(kernel).written_mask;
    }
};

/// A graph as kernels. Values of the graph come first, then scratch memory of single calls.
struct Lowered {
    std::vector<KernelCall> kernels;
    std::vector<std::uint64_t> value_bytes;
    /// The value whose place each value has: its own, or that of the operand that lent it.
    std::vector<std::uint32_t> place_of;
    /// Of the planned places, with their bytes and lifetimes in steps: step 0 copies the inputs in,
    /// kernel i is step i + 1, the last one copies the outputs out.
    std::vector<std::uint32_t> planned;
    std::vector<PlanBuffer> buffers;
};

/// Selects the kernels of every call. @throws what select throws, UnsupportedError
Lowered lower(const Graph& graph, const vk::Capabilities& caps);

}  // namespace pumice::graph
