// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

#include <cstddef>

namespace pumice::graph {

// Note [Layouts of arguments]: some kernels add up in an order that follows strides (a reduction
// walks along what lies together), so the bits of a result may depend on how an argument lies. A
// placeholder therefore lies as its example does, and so do the copies of arguments: a function of
// arguments that lie like the examples sees what it sees in an eager call. Examples with large gaps
// (a column of a matrix) get small gaps: what lies together, and in which order, stays.

/// How a placeholder for the example lies in memory of its own: strides of its sizes, in elements.
Dims placeholder_strides(const TensorImpl& example);

/// Whether the tensor's elements lie like those of `ref`, wherever they begin.
bool lies_like(const TensorImpl& tensor, const TensorRef& ref) noexcept;

/// What a replay's argument must be like.
struct Argument {
    Dims sizes;
    DType dtype = kFloat32;
    bool is_inference = false;
    bool tracks_grad = false;
};

Argument argument_of(const Tensor& example);

/// `input`: where replays copy argument number `index`. @throws ArgumentError, ShapeError or
/// DTypeError naming it; GradModeError if it has no memory
void check_argument(const Tensor& argument,
                    const Argument& wanted,
                    const TensorRef& input,
                    std::size_t index);

/// Copies an argument to its place, a tensor of the input's layout.
void copy_in(const Tensor& place, const Tensor& argument);

}  // namespace pumice::graph
