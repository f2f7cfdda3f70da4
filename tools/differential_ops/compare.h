// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

#include <cstddef>
#include <string>
#include <vector>

namespace pumice::differential {

/// Equal, or both NaN. -0 and 0 are equal here; `differing_bits` sees them.
bool is_same_value(double a, double b) noexcept;

/// The row's reference.
std::vector<Expected> compute(const Step& step, const std::vector<Flat>& flats);

/// Fails unless each value of result number `which` is within its bound. Devices may flush
/// subnormal floats (Vulkan, shaderDenormFlushToZeroFloat32): a value is right too if it is that of
/// operands so flushed. @throws Finding
void check_values(const Step& step,
                  const std::vector<Expected>& wanted,
                  const std::vector<Flat>& flats,
                  std::size_t which,
                  const std::vector<double>& got);

/// What differs in two tensors, or nothing. NaNs are equal whatever their payload.
std::string differing_bits(const Tensor& got, const Tensor& wanted);

}  // namespace pumice::differential
