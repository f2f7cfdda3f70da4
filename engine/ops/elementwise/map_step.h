// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace pumice::ops {

/// Push constants of shaders/include/layout.glsl; see there.
struct MapPush {
    std::uint32_t count;
    std::array<std::uint32_t, 4> offsets;
    std::array<std::uint32_t, 3> sizes;
    std::array<std::uint32_t, 3> magics;
    std::uint32_t shifts;
    std::array<std::array<std::uint32_t, 4>, 4> strides;
    std::array<std::uint32_t, 4> params;
};

static_assert(sizeof(MapPush) == 128);

using MapParams = std::array<std::uint32_t, 4>;

/// One elementwise kernel call: operand 0 is the output, the others are broadcast to its shape.
struct MapCall {
    vk::KernelId kernel;
    std::span<const TensorImpl* const> operands;
    std::span<const dispatch::Operand> bindings;
    std::span<const std::uint32_t> spec;  ///< the kernel's own, from id 5 on
    MapParams params{};
};

/// Appends the step. At most four dimensions may remain after collapsing; see fits_map.
void add_map_step(const MapCall& call, const vk::Capabilities& caps, dispatch::Program& program);

/// Whether the operands' geometries, broadcast to `sizes`, collapse to four dimensions at most.
/// `target` (may be null) is the written tensor when it is given.
bool fits_map(const Dims& sizes, std::span<const Tensor> inputs, const Tensor* target);

/// Shape that all inputs broadcast to (NumPy's rule); nothing where they do not.
std::optional<Dims> common_sizes(std::span<const Tensor> inputs);

/// That of a call's operands. @throws ShapeError naming them
Dims broadcast_sizes(const dispatch::OpCall& call);

/// Replaces inputs whose geometry no map kernel takes by contiguous copies of their expansion.
/// Leaves those that do not broadcast to infer, which refuses them.
void make_mappable(std::span<Tensor> inputs, const Tensor* target);

/// Replaces inputs that share memory with the written tensor other than index by index by copies.
/// @throws ArgumentError if the target itself has several elements in one place, ShapeError if it
///         has more than kernels count
void make_disjoint(std::string_view op, const Tensor& target, std::span<Tensor> inputs);

/// As make_disjoint, for operators whose kernels read elements after others were written: an input
/// that is the written tensor itself is copied too.
void make_separate(std::string_view op, const Tensor& target, std::span<Tensor> inputs);

/// Runs an elementwise operator on `inputs`, the first of which is `self`, into `self`; geometries
/// that no map kernel takes go by way of a contiguous result.
void write_mapped(const dispatch::OpDef& def,
                  Tensor& self,
                  std::span<Tensor> inputs,
                  dispatch::AttrsRef attrs);

/// Runs an elementwise operator into `out`.
/// @throws UnsupportedError if no map kernel takes out's geometry
void write_mapped_out(const dispatch::OpDef& def,
                      Tensor& out,
                      std::span<Tensor> inputs,
                      dispatch::AttrsRef attrs);

}  // namespace pumice::ops
