// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"
#include "vk/kernels/shared.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace pumice::ops {

using MapParams = decltype(vk::MapPush::params);

/// One elementwise kernel call: operand 0 is the output, the others are broadcast to its shape.
struct MapCall {
    vk::KernelId kernel;
    std::span<const TensorImpl* const> operands;
    std::span<const dispatch::Operand> bindings;
    MapParams params{};
};

/// A step that lacks its kernel, with what all map kernels are handed.
struct MapStep {
    dispatch::Step& step;
    vk::MapFrameSpec frame;
    vk::MapPush push;
};

/// Appends the step. At most four dimensions may remain after collapsing; see fits_map.
MapStep begin_map_step(const MapCall& call,
                       const vk::Capabilities& caps,
                       dispatch::Program& program);

/// Appends the step of a kernel with these constants; their `map_frame` is set here.
template <class Spec>
void add_map_step(const MapCall& call,
                  Spec spec,
                  const vk::Capabilities& caps,
                  dispatch::Program& program) {
    const MapStep made = begin_map_step(call, caps, program);
    spec.map_frame = made.frame;
    made.step.set(call.kernel, spec, made.push);
}

/// Whether the operands' geometries, broadcast to `sizes`, collapse to four dimensions at most.
/// `target` (may be null) is the written tensor when it is given.
bool fits_map(const Dims& sizes, std::span<const Tensor> inputs, const Tensor* target);

/// Shape that all inputs broadcast to (NumPy's rule); nothing where they do not.
std::optional<Dims> common_sizes(std::span<const Tensor> inputs);

/// That of a call's operands. @throws ShapeError naming them
Dims broadcast_sizes(const dispatch::OpCall& call);

}  // namespace pumice::ops
