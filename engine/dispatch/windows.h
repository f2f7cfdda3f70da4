// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pumice::dispatch {

/// Note [Windows]: a device binds at most maxStorageBufferRange bytes, which is 128 MiB on lavapipe
/// and on many phones, while a tensor may be as large as the heap. Two things make a call with
/// larger operands run, and nothing is copied for either:
/// - The call is cut in two along a dimension of its outputs, and each half again, while that makes
///   an operand that is too large markedly smaller. How the inputs follow such a cut stands in the
///   operator's OpDef (`window`). The halves are views. Kernels that take any view as an output say
///   so
///   (`writes_strided`); the others' parts are contiguous, cut along the outermost dimension alone,
///   and start at an offset that can be bound.
/// - What remains `select` may cut itself, where parts depend on one another or on their position:
/// it
///   appends a step for each window of elements that it binds (`Operand::first`, `count`).
/// A call with a range that still is too large throws UnsupportedError before any part has run.

/// Bytes that can be bound wherever they start: the start is rounded down to the alignment.
constexpr std::uint64_t bindable_bytes(const vk::Capabilities& caps) noexcept {
    return caps.max_storage_range_bytes - caps.storage_alignment_bytes;
}

/// The same in elements, as far as kernels count.
constexpr std::int64_t bindable_elements(DType dtype, const vk::Capabilities& caps) noexcept {
    return static_cast<std::int64_t>(bindable_bytes(caps)) / itemsize(dtype);
}

/// Whether a tensor's range is too large to be bound whole.
bool exceeds_range(const TensorImpl& impl, const vk::Capabilities& caps) noexcept;

/// Positions along dimension `dim` whose window can be bound at once; 0 if not even one's can.
std::int64_t bindable_positions(const TensorImpl& impl,
                                std::int64_t dim,
                                const vk::Capabilities& caps) noexcept;

/// [first, first + count): elements of a contiguous operand, or positions along a dimension.
struct Run {
    std::int64_t first = 0;
    std::int64_t count = 0;
};

/// Cuts the elements of a contiguous output into runs that can be bound, each starting where
/// outputs may and at a multiple of `unit` (a power of two) elements; `visit(Run)` sees them in
/// order.
template <class Visit>
void for_each_run(std::int64_t element_count,
                  DType dtype,
                  const vk::Capabilities& caps,
                  const Visit& visit,
                  std::int64_t unit = 64) {
    const std::int64_t most = bindable_elements(dtype, caps);
    unit = std::max(unit, static_cast<std::int64_t>(caps.storage_alignment_bytes));
    const std::int64_t length = element_count <= most ? element_count : most - most % unit;
    for (std::int64_t first = 0; first < element_count; first += length) {
        visit(Run{.first = first, .count = std::min(length, element_count - first)});
    }
}

/// WindowFn of operators whose inputs broadcast to the output, element by element.
std::int64_t window_of_map(const OpCall& call,
                           std::size_t input,
                           std::int64_t output_rank,
                           std::int64_t dim) noexcept;

/// Whether a tensor's storage is too large to be bound whole, so that cuts may be needed.
bool needs_windows(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps) noexcept;

/// Part of a call: the same operator and attributes on halves of its operands.
struct Window {
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;
};

/// The two halves of a call; nothing when every operand's range fits, or no cut makes it fit.
std::optional<std::array<Window, 2>> cut_window(const OpCall& call,
                                                std::span<const Tensor> outputs,
                                                const vk::Capabilities& caps);

}  // namespace pumice::dispatch
