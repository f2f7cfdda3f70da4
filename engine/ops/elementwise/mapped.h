// SPDX-License-Identifier: Apache-2.0
// What elementwise operators do around their kernels: operands of geometries that no map kernel
// takes, and operands that share memory with what is written.
#pragma once

#include "geometry/map_step.h"

#include <span>
#include <string_view>

namespace pumice::ops {

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
