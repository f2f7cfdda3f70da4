// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pumice::dispatch {

/// Note [Windows]: a device binds at most maxStorageBufferRange bytes, which is 128 MiB on lavapipe
/// and on many phones, while a tensor may be as large as the heap. A call with larger operands is
/// cut in two along a dimension of its output, and each half again, until every operand's range
/// fits; the halves are views on the same storages, so that nothing is copied. How the operands
/// follow such a cut stands in the operator's OpDef (`window`). Cuts lie where the output's parts
/// start at an offset that can be bound, so that kernels need no offset for what they write. A call
/// that no such cut makes small enough throws UnsupportedError.

/// Bytes that can be bound wherever they start: the start is rounded down to the alignment.
constexpr std::uint64_t bindable_bytes(const vk::Capabilities& caps) noexcept {
    return caps.max_storage_range_bytes - caps.storage_alignment_bytes;
}

/// Whether a tensor's storage is too large to be bound whole, so that cuts may be needed.
bool needs_windows(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps) noexcept;

/// Part of a call: the same operator and attributes on halves of its operands.
struct Window {
    std::vector<Tensor> inputs;
    Tensor output;
};

/// The two halves of a call, or nothing when every operand's range fits.
/// @throws UnsupportedError if no cut makes an operand that is too large any smaller
std::optional<std::array<Window, 2>> cut_window(const OpCall& call,
                                                const Tensor& output,
                                                const vk::Capabilities& caps);

}  // namespace pumice::dispatch
