// SPDX-License-Identifier: Apache-2.0
// Most rows, or columns, of what one element of a pooling adds up: of a window, or of the windows
// that an element is in.
//@iterations average_span(is_gradient, is_adaptive, in, out, kernel, stride) =
//@    is_adaptive ? (is_gradient ? ceil(out / in) : ceil(in / out)) + 1
//@                : is_gradient ? min(out, ceil(kernel / stride)) : min(in, kernel)
//@iterations won_span(out, kernel, stride, dilation) =
//@    min(out, ceil(((kernel - 1) * dilation + 1) / stride))
//@iterations max_span(in, kernel, dilation) = min(kernel, ceil(in / dilation) + 1)
#ifndef PUMICE_POOL_GLSL
#define PUMICE_POOL_GLSL

#include "dtype.glsl"
#include "grid.glsl"

#endif
