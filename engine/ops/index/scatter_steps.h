// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/index_user.h"
#include "dispatch/op_def.h"
#include "ops/index/indexing.h"

#include <cstdint>
#include <limits>
#include <span>

namespace pumice::ops {

/// Of scatter_sum, scatter_add, index_add and index_copy.
struct ScatterAttrs {
    Dims sizes;  ///< of the output
    std::int64_t dim = 0;
    std::int64_t ignored = -1;
    IndexForm form{};
    bool takes_last = false;  ///< index_copy: instead of the sum
    bool is_padded = false;   ///< the index has kPadding where its caller had nothing
    IndexUser user = IndexUser::kNone;
};

/// An index that is left out and not reported.
inline constexpr std::int32_t kPadding = std::numeric_limits<std::int32_t>::min();

/// Where the operands stand among the inputs; the base is optional.
/// @{
inline constexpr std::size_t kScatterSource = 0;
inline constexpr std::size_t kScatterIndex = 1;
inline constexpr std::size_t kScatterBase = 2;
/// @}

/// Note [Deterministic scatter]: the entries of one target are linked into a list in rising order
/// by integer minima (shaders/index/bucket_*.comp), and one invocation a target element walks it;
/// no float atomics, the same sum on every run. All entries may have one target, so that lists are
/// made and walked for some thousand of them at a time, each onto the sums so far.
void select_scatter(const dispatch::OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    dispatch::Program& program);

}  // namespace pumice::ops
