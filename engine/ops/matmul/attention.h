// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/pattern.h"
#include "geometry/walk.h"

#include <cstdint>

namespace pumice::ops {

struct AttentionAttrs {
    float scale = 1.0F;
    bool is_causal = false;
};

/// Most batch dimensions of an attention after neighbours are merged.
inline constexpr std::int64_t kMaxAttentionBatchRank = 3;

/// kMask* of shaders/include/attention_mask.glsl.
enum class MaskKind : std::uint32_t { kNone = 0, kBool = 1, kAdditive = 2 };

MaskKind mask_kind(const Tensor& mask) noexcept;

/// Strides of an operand's dimensions before its last two, over `batch_sizes`; 0 where broadcast,
/// and everywhere for an undefined one.
Dims batch_strides(const Tensor& tensor, const Dims& batch_sizes);

/// Stride of dimension `d` (negative) of a mask, 0 where it is broadcast or undefined.
std::uint32_t mask_stride(const Tensor& mask, std::int64_t d) noexcept;

/// See attention_pattern.cpp.
extern const dispatch::Pattern kAttentionPattern;

}  // namespace pumice::ops
