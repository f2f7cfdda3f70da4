// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/source_location.h"
#include "pumice/tensor.h"

#include "dispatch/program.h"
#include "tensor/tensor_impl.h"

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pumice::dispatch {

/// That the tensor has memory. `line` is the user's, where it is known.
/// @throws GradModeError naming `op` and the line for a tensor of a captured function, or for a
///         result of a replay that was taken back
void check_placed(std::string_view op,
                  const Tensor& tensor,
                  const std::optional<SourceLocation>& line = std::nullopt);

/// The tight range of a tensor's elements, aligned as the device binds it.
struct BoundRange {
    vk::Binding binding;
    std::int64_t offset_elements = 0;  ///< from the bound start to the first element
};

BoundRange bind(const Tensor& tensor);

/// The same of a window of the tensor (Operand::first, count), as far as the device's alignment
/// asks.
BoundRange bind_window(const TensorImpl& impl,
                       const Operand& window,
                       std::uint64_t alignment_bytes) noexcept;

/// log2 of the item size: sizes and alignments are powers of two, and no operator waits for a
/// division.
constexpr unsigned item_shift(DType dtype) noexcept {
    return static_cast<unsigned>(std::countr_zero(static_cast<std::uint64_t>(itemsize(dtype))));
}

/// Elements between the bound start of a tensor, or of its window from `first` on (Operand::first),
/// and the first element bound; pure, for push constants.
inline std::uint32_t bound_offset(const TensorImpl& impl,
                                  const vk::Capabilities& caps,
                                  std::int64_t first = 0) noexcept {
    const std::uint64_t offset_bytes = static_cast<std::uint64_t>(impl.offset + first)
                                       << item_shift(impl.dtype);
    return static_cast<std::uint32_t>((offset_bytes & (caps.storage_alignment_bytes - 1)) >>
                                      item_shift(impl.dtype));
}

inline std::uint32_t bound_offset(const Tensor& tensor,
                                  const vk::Capabilities& caps,
                                  std::int64_t first = 0) noexcept {
    return bound_offset(impl_of(tensor), caps, first);
}

}  // namespace pumice::dispatch
