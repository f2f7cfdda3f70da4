// SPDX-License-Identifier: Apache-2.0
// A number's bits in a dtype, or why it has none.
#include "tensor/scalar_bits.h"

#include "pumice/error.h"
#include "pumice/host_tensor.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <limits>

namespace pumice {

namespace {

[[noreturn]] void refuse(std::string_view op, const Scalar& value, DType dtype) {
    throw DTypeError(op,
                     fmt::format("{} cannot hold the value {}",
                                 to_string(dtype),
                                 value.is_floating_point() ? fmt::to_string(value.toDouble())
                                                           : fmt::to_string(value.toLong())));
}

}  // namespace

std::uint32_t scalar_bits(std::string_view op, const Scalar& value, DType dtype) {
    const bool is_real = value.is_floating_point();
    const double real = value.toDouble();
    const std::int64_t integer = is_real ? 0 : value.toLong();
    if (is_floating_point(dtype) && !holds(dtype, real)) {
        refuse(op, value, dtype);
    }
    std::uint32_t bits = 0;
    try {
        convert_host(is_real ? reinterpret_cast<const std::byte*>(&real)
                             : reinterpret_cast<const std::byte*>(&integer),
                     is_real ? HostDType::kF64 : HostDType::kI64,
                     reinterpret_cast<std::byte*>(&bits),
                     host_dtype(dtype),
                     1);
    } catch (const DTypeError&) {
        refuse(op, value, dtype);
    }
    return bits;
}

std::uint32_t missing_bits(DType dtype) noexcept {
    switch (dtype) {
        case kFloat32: return 0x7fc00000U;
        case kFloat16: return 0x7e00U;
        case kBFloat16: return 0x7fc0U;
        default: return 0;
    }
}

}  // namespace pumice

namespace pumice {

int Scalar::toInt() const {
    const std::int64_t value = toLong();
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
        throw DTypeError("Scalar", fmt::format("int32 cannot hold the value {}", value));
    }
    return static_cast<int>(value);
}

std::int64_t Scalar::truncate(double value) {
    constexpr double kAbove = 0x1p63;
    if (!(value >= -kAbove && value < kAbove)) {
        throw DTypeError("Scalar", fmt::format("int64 cannot hold the value {}", value));
    }
    return static_cast<std::int64_t>(value);
}

}  // namespace pumice
