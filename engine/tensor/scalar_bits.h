// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dtype.h"
#include "pumice/scalar.h"

#include <cstdint>
#include <limits>
#include <string_view>

namespace pumice {

/// The largest finite value of a floating dtype.
constexpr double largest_value(DType dtype) noexcept {
    if (dtype == kFloat16) {
        return 65504.0;
    }
    return dtype == kBFloat16 ? 0x1.fep127 : 0x1.fffffep127;
}

/// Whether a floating dtype holds the value, rounded. NaN and the infinities it holds; a finite
/// value past its largest it does not, though rounding might still reach that (LibTorch's rule).
constexpr bool holds(DType dtype, double value) noexcept {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double size = value < 0.0 ? -value : value;
    return !(size > largest_value(dtype)) || size == kInfinity;
}

/// The bits of a scalar as the dtype keeps them, right-aligned: rounded to nearest for floating
/// dtypes. @throws DTypeError for a value that the dtype cannot hold
std::uint32_t scalar_bits(std::string_view op, const Scalar& value, DType dtype);

/// NaN for floating dtypes, 0 for the others: what reads of places that do not exist give.
std::uint32_t missing_bits(DType dtype) noexcept;

/// An element's bits in every element of a 32-bit word.
constexpr std::uint32_t fill_word(std::uint32_t bits, DType dtype) noexcept {
    switch (itemsize(dtype)) {
        case 4: return bits;
        case 2: return bits * 0x00010001U;
        default: return bits * 0x01010101U;
    }
}

}  // namespace pumice
