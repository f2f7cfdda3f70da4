// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>
#include <string_view>

namespace PUMICE_API pumice {

/// Element types on the device. The values are part of the shader interface
/// (shaders/include/dtype.glsl). The index dtype is kInt32; see docs/decisions.md.
enum class DType : std::uint8_t {
    kFloat32 = 0,   ///< IEEE 754, 4 bytes
    kFloat16 = 1,   ///< IEEE 754, 2 bytes, up to 65504
    kBFloat16 = 2,  ///< float32's upper 2 bytes
    kInt32 = 3,     ///< also where PyTorch uses int64
    kInt8 = 4,      ///< -128 to 127
    kUInt8 = 5,     ///< 0 to 255
    kBool = 6,      ///< a byte, 0 or 1
    kFloat64 = 7,   ///< only a name: no tensor has it, factories and `to` throw UnsupportedError
};

/// DType's values by their short names.
/// @{
inline constexpr DType kFloat32 = DType::kFloat32;
inline constexpr DType kFloat16 = DType::kFloat16;
inline constexpr DType kBFloat16 = DType::kBFloat16;
inline constexpr DType kInt32 = DType::kInt32;
inline constexpr DType kInt8 = DType::kInt8;
inline constexpr DType kUInt8 = DType::kUInt8;
inline constexpr DType kBool = DType::kBool;
inline constexpr DType kFloat64 = DType::kFloat64;

/// @}

/// Bytes of one element: 8, 4, 2 or 1.
constexpr std::int64_t itemsize(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat64: return 8;
        case DType::kFloat32:
        case DType::kInt32: return 4;
        case DType::kFloat16:
        case DType::kBFloat16: return 2;
        default: return 1;
    }
}

/// True for float32, float16, bfloat16 and float64.
constexpr bool is_floating_point(DType dtype) noexcept {
    return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 ||
           dtype == DType::kFloat64;
}

/// True for the integer dtypes; `include_bool` says whether kBool counts.
constexpr bool is_integral(DType dtype, bool include_bool) noexcept {
    return !is_floating_point(dtype) && (include_bool || dtype != DType::kBool);
}

/// Name as PyTorch prints it without the prefix: "float32", "bfloat16", "bool".
std::string_view to_string(DType dtype) noexcept;

/// Common dtype of two operands (scalars count less, see ops/elementwise.h), by PyTorch's rules
/// without int64 and float64: bool < uint8, int8 < int32 < float16, bfloat16 < float32; uint8 with
/// int8 gives int32 (PyTorch: int16), float16 with bfloat16 gives float32.
DType promote_types(DType a, DType b) noexcept;

}  // namespace pumice
