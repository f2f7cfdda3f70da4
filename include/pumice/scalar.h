// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dtype.h"
#include "pumice/export.h"

#include <concepts>
#include <cstdint>

namespace PUMICE_API pumice {

/// A number from the host: bool, integer or floating. Its class, not its width, takes part in type
/// promotion, as in PyTorch.
class Scalar {
public:
    /// Of class bool.
    explicit(false) Scalar(bool value) noexcept
        : integer_(value ? 1 : 0), class_(Class::kBoolean) {}

    /// Of class integer, kept as int64 (an unsigned value past it wraps).
    template <std::integral T>

    requires(!std::same_as<T, bool>) explicit(false) Scalar(T value) noexcept
        : integer_(static_cast<std::int64_t>(value)), class_(Class::kInt) {}

    /// Of class floating, kept as float64.
    template <std::floating_point T>
    explicit(false) Scalar(T value) noexcept
        : real_(static_cast<double>(value)), class_(Class::kReal) {}

    /// Whether it was made from a bool.
    [[nodiscard]] bool is_bool() const noexcept { return class_ == Class::kBoolean; }

    /// Whether it was made from an integer other than bool.
    [[nodiscard]] bool is_integral() const noexcept { return class_ == Class::kInt; }

    /// Whether it was made from a floating number.
    [[nodiscard]] bool is_floating_point() const noexcept { return class_ == Class::kReal; }

    /// The value as float64; integers past 2^53 are rounded.
    [[nodiscard]] double toDouble() const noexcept {
        return is_floating_point() ? real_ : static_cast<double>(integer_);
    }

    /// The value rounded to float32.
    [[nodiscard]] float toFloat() const noexcept { return static_cast<float>(toDouble()); }

    /// The value as int64; a floating one is truncated toward zero.
    /// @throws DTypeError for NaN and for a floating value past int64
    [[nodiscard]] std::int64_t toLong() const {
        return is_floating_point() ? truncate(real_) : integer_;
    }

    /// The value as int32, else as toLong. @throws DTypeError for a value past int32 too
    [[nodiscard]] int toInt() const;

    /// Whether the value is not zero.
    [[nodiscard]] bool toBool() const noexcept { return toDouble() != 0.0; }

    /// A number of the host's again, as toDouble.
    explicit(false) operator double() const noexcept { return toDouble(); }

    /// Dtype this scalar has when no tensor takes part: kBool, kInt32 or kFloat32.
    [[nodiscard]] DType dtype() const noexcept {
        return is_bool() ? kBool : (is_integral() ? kInt32 : kFloat32);
    }

private:
    enum class Class : std::uint8_t { kBoolean, kInt, kReal };

    static std::int64_t truncate(double value);

    std::int64_t integer_ = 0;
    double real_ = 0.0;
    Class class_;
};

}  // namespace pumice
