// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/dtype.h"
#include "pumice/export.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace PUMICE_API pumice {

/// Element types that host memory and files can hold. float64 and int64 have no counterpart on the
/// device: float64 is rounded to float32, int64 is range-checked to int32.
enum class HostDType : std::uint8_t {
    kF32,      ///< float32
    kF16,      ///< float16
    kBF16,     ///< bfloat16
    kI32,      ///< int32
    kI8,       ///< int8
    kU8,       ///< uint8
    kBoolean,  ///< a byte, true if not 0
    kF64,      ///< float64, on the host only
    kI64,      ///< int64, on the host only
};

/// Bytes of one element on the host.
constexpr std::size_t host_itemsize(HostDType dtype) noexcept {
    switch (dtype) {
        case HostDType::kF64:
        case HostDType::kI64: return 8;
        case HostDType::kF32:
        case HostDType::kI32: return 4;
        case HostDType::kF16:
        case HostDType::kBF16: return 2;
        default: return 1;
    }
}

/// The host dtype with the same bits as a device dtype.
constexpr HostDType host_dtype(DType dtype) noexcept {
    return static_cast<HostDType>(dtype);
}

/// The device dtype that a host dtype becomes: float64 float32, int64 int32, the others themselves.
constexpr DType device_dtype(HostDType dtype) noexcept {
    if (dtype == HostDType::kF64) {
        return kFloat32;
    }
    return dtype == HostDType::kI64 ? kInt32 : static_cast<DType>(dtype);
}

/// The host dtype of a C++ type: float, double, std::int32_t, std::int64_t, std::int8_t,
/// std::uint8_t or bool. Other types do not compile.
template <class T>
constexpr HostDType host_dtype_of() noexcept {
    if constexpr (std::is_same_v<T, float>) {
        return HostDType::kF32;
    } else if constexpr (std::is_same_v<T, double>) {
        return HostDType::kF64;
    } else if constexpr (std::is_same_v<T, bool>) {
        return HostDType::kBoolean;
    } else {
        static_assert(std::is_integral_v<T>, "no host dtype for this type");
        if constexpr (sizeof(T) == 8) {
            return HostDType::kI64;
        } else if constexpr (sizeof(T) == 4) {
            static_assert(std::is_signed_v<T>, "no host dtype for this type");
            return HostDType::kI32;
        } else {
            static_assert(sizeof(T) == 1, "no host dtype for this type");
            return std::is_signed_v<T> ? HostDType::kI8 : HostDType::kU8;
        }
    }
}

/// Converts `count` elements between host dtypes. To a floating dtype: rounded to nearest, ties to
/// even, once. From a floating to an integer one: truncated toward zero. To bool: whether not 0.
/// @throws DTypeError naming the first element that an integer dtype cannot hold ("element 5 is
/// 3000000000, which int32 cannot hold")
void convert_host(const std::byte* source,
                  HostDType source_dtype,
                  std::byte* target,
                  HostDType target_dtype,
                  std::int64_t count);

/// Contiguous values on the host.
struct HostTensor {
    Dims sizes;                    ///< shape
    DType dtype = kFloat32;        ///< of the values
    std::vector<std::byte> bytes;  ///< numel(sizes) * itemsize(dtype), row-major

    /// All values in row-major order, converted to T by convert_host.
    /// @throws DTypeError for a value that T cannot hold
    template <class T>
    [[nodiscard]] std::vector<T> values() const {
        // vector<bool> has no contiguous storage; bools come as bytes.
        using Element = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
        std::vector<Element> out(static_cast<std::size_t>(numel(sizes)));
        convert_host(bytes.data(),
                     host_dtype(dtype),
                     reinterpret_cast<std::byte*>(out.data()),
                     host_dtype_of<T>(),
                     numel(sizes));
        return std::vector<T>(out.begin(), out.end());
    }
};

}  // namespace pumice
