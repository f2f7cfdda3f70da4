// SPDX-License-Identifier: Apache-2.0
// Values on the host from one dtype to another.
#include "pumice/error.h"
#include "pumice/host_tensor.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace pumice {

namespace {

struct Half {
    std::uint16_t bits;
};

struct BFloat {
    std::uint16_t bits;
};

// A bool's byte, whatever non-zero value it has.
struct Boolean {
    std::uint8_t bits;
};

// As half_bits_to_float and float_to_half_bits of shaders/include/dtype.glsl, bit for bit.
float widen(Half half) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000U) << 16U;
    const std::uint32_t magnitude = half.bits & 0x7fffU;
    if (magnitude >= 0x7c00U) {
        return std::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13U));
    }
    if (magnitude >= 0x400U) {
        return std::bit_cast<float>(sign | ((magnitude << 13U) + 0x38000000U));
    }
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return sign != 0 ? -value : value;
}

Half narrow_to_half(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16U) & 0x8000U;
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) {
        return {static_cast<std::uint16_t>(sign | 0x7e00U)};
    }
    if (magnitude >= 0x477ff000U) {  // rounds past 65504
        return {static_cast<std::uint16_t>(sign | 0x7c00U)};
    }
    if (magnitude < 0x38800000U) {  // subnormal half, or zero
        const std::uint32_t exponent = magnitude >> 23U;
        if (exponent < 102U) {
            return {static_cast<std::uint16_t>(sign)};
        }
        const std::uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
        const std::uint32_t shift = 126U - exponent;
        const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
        const std::uint32_t half_way = 1U << (shift - 1U);
        std::uint32_t kept = mantissa >> shift;
        kept += (rest > half_way || (rest == half_way && (kept & 1U) != 0)) ? 1U : 0U;
        return {static_cast<std::uint16_t>(sign | kept)};
    }
    const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13U) & 1U);
    return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13U))};
}

float widen(BFloat value) noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}

BFloat narrow_to_bfloat(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffU) > 0x7f800000U) {
        return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
    }
    return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

// float64 to float32 by rounding to odd, so that a second rounding to a half is the only one seen.
float round_to_odd(double value) noexcept {
    const auto nearest = static_cast<float>(value);
    const double back = nearest;
    if (std::isnan(value) || std::isinf(nearest) || back == value) {
        return nearest;
    }
    const float truncated =
        std::abs(back) > std::abs(value) ? std::nextafter(nearest, 0.0F) : nearest;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(truncated) | 1U);
}

template <class T>
auto to_number(T value) noexcept {
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>) {
        return widen(value);
    } else if constexpr (std::is_same_v<T, Boolean>) {
        return static_cast<std::uint8_t>(value.bits != 0 ? 1 : 0);
    } else {
        return value;
    }
}

template <class Target>
constexpr const char* name_of() noexcept {
    if constexpr (std::is_same_v<Target, std::int64_t>) {
        return "int64";
    } else if constexpr (std::is_same_v<Target, std::int32_t>) {
        return "int32";
    } else {
        return std::is_same_v<Target, std::int8_t> ? "int8" : "uint8";
    }
}

template <class Target, class Number>
[[noreturn]] void throw_too_large(Number value, std::int64_t element) {
    throw DTypeError(
        "convert_host",
        fmt::format("element {} is {}, which {} cannot hold", element, +value, name_of<Target>()));
}

template <class Target, class Number>
Target to_integer(Number value, std::int64_t element) {
    if constexpr (std::is_floating_point_v<Number>) {
        // 2^digits is exact in every floating type; the limits themselves may not be.
        const double above = std::ldexp(1.0, std::numeric_limits<Target>::digits);
        const double truncated = std::trunc(static_cast<double>(value));
        const double below = std::is_signed_v<Target> ? -above : 0.0;
        if (!(truncated >= below && truncated < above)) {
            throw_too_large<Target>(value, element);
        }
        return static_cast<Target>(truncated);
    } else {
        if (!std::in_range<Target>(value)) {
            throw_too_large<Target>(value, element);
        }
        return static_cast<Target>(value);
    }
}

template <class Target, class Number>
Target from_number(Number value, std::int64_t element) {
    if constexpr (std::is_same_v<Target, Half> || std::is_same_v<Target, BFloat>) {
        float single = 0.0F;
        if constexpr (std::is_same_v<Number, float>) {
            single = value;
        } else {
            single = round_to_odd(static_cast<double>(value));
        }
        if constexpr (std::is_same_v<Target, Half>) {
            return narrow_to_half(single);
        } else {
            return narrow_to_bfloat(single);
        }
    } else if constexpr (std::is_same_v<Target, Boolean>) {
        return {static_cast<std::uint8_t>(value != Number{} ? 1 : 0)};
    } else if constexpr (std::is_floating_point_v<Target>) {
        return static_cast<Target>(value);
    } else {
        return to_integer<Target>(value, element);
    }
}

template <class Source, class Target>
void convert_all(const std::byte* source, std::byte* target, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        Source from{};
        std::memcpy(&from, source + i * static_cast<std::int64_t>(sizeof(Source)), sizeof(Source));
        const Target to = from_number<Target>(to_number(from), i);
        std::memcpy(target + i * static_cast<std::int64_t>(sizeof(Target)), &to, sizeof(Target));
    }
}

// Calls `run` with a value of the C++ type that stands for the dtype.
template <class F>
void with_type(HostDType dtype, F&& run) {
    switch (dtype) {
        case HostDType::kF32: return run(float{});
        case HostDType::kF16: return run(Half{});
        case HostDType::kBF16: return run(BFloat{});
        case HostDType::kI32: return run(std::int32_t{});
        case HostDType::kI8: return run(std::int8_t{});
        case HostDType::kU8: return run(std::uint8_t{});
        case HostDType::kBoolean: return run(Boolean{});
        case HostDType::kF64: return run(double{});
        case HostDType::kI64: return run(std::int64_t{});
    }
}

}  // namespace

void convert_host(const std::byte* source,
                  HostDType source_dtype,
                  std::byte* target,
                  HostDType target_dtype,
                  std::int64_t count) {
    if (count == 0) {
        return;
    }
    // Booleans are converted all the same: only 0 and 1 reach the device.
    if (source_dtype == target_dtype && source_dtype != HostDType::kBoolean) {
        std::memcpy(target, source, static_cast<std::size_t>(count) * host_itemsize(source_dtype));
        return;
    }
    with_type(source_dtype, [&]<class Source>(Source) {
        with_type(target_dtype, [&]<class Target>(Target) {
            convert_all<Source, Target>(source, target, count);
        });
    });
}

}  // namespace pumice
