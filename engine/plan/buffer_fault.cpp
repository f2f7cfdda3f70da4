// SPDX-License-Identifier: Apache-2.0
// Buffers that no plan can hold, and why.
#include "plan/buffer_fault.h"

#include <fmt/format.h>

namespace pumice::plan {
namespace {

std::string fault_of(const PlanBuffer& buffer, std::uint64_t left_bytes) {
    if (buffer.lower >= buffer.upper) {
        return fmt::format("lower must be below upper; got [{}, {})", buffer.lower, buffer.upper);
    }
    if (buffer.alignment_bytes == 0 || buffer.alignment_bytes > kMostBytes) {
        return fmt::format("alignment must be in [1, 2^62]; got {}", buffer.alignment_bytes);
    }
    if (buffer.size_bytes > left_bytes || buffer.alignment_bytes - 1 > left_bytes ||
        2 * (buffer.alignment_bytes - 1) > left_bytes - buffer.size_bytes) {
        return fmt::format(
            "sizes and paddings must add up to at most 2^62; got a size of {} with "
            "alignment {} where {} are left",
            buffer.size_bytes,
            buffer.alignment_bytes,
            left_bytes);
    }
    return {};
}

}  // namespace

std::optional<BufferFault> find_fault(std::span<const PlanBuffer> buffers) {
    std::uint64_t left_bytes = kMostBytes;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        if (std::string reason = fault_of(buffers[i], left_bytes); !reason.empty()) {
            return BufferFault{i, std::move(reason)};
        }
        // A plan is at worst a pile of all buffers, each padded below and above.
        left_bytes -= buffers[i].size_bytes + 2 * (buffers[i].alignment_bytes - 1);
    }
    return std::nullopt;
}

}  // namespace pumice::plan
