// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dtype.h"

#include <concepts>
#include <cstdint>

namespace pumice {

/// A number from the host: bool, integer or floating. Its class, not its width, takes part in type
/// promotion, as in PyTorch.
class Scalar {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): numbers are meant to convert
    Scalar(bool value) noexcept : integer_(value ? 1 : 0), class_(Class::kBoolean) {}

    template <std::integral T>
    requires(!std::same_as<T, bool>)
        // NOLINTNEXTLINE(google-explicit-constructor): numbers are meant to convert
        Scalar(T value)
    noexcept : integer_(static_cast<std::int64_t>(value)), class_(Class::kInt) {}

    template <std::floating_point T>
    // NOLINTNEXTLINE(google-explicit-constructor): numbers are meant to convert
    Scalar(T value) noexcept : real_(static_cast<double>(value)), class_(Class::kReal) {}

    [[nodiscard]] bool is_bool() const noexcept { return class_ == Class::kBoolean; }

    [[nodiscard]] bool is_integral() const noexcept { return class_ == Class::kInt; }

    [[nodiscard]] bool is_floating_point() const noexcept { return class_ == Class::kReal; }

    [[nodiscard]] double to_double() const noexcept {
        return is_floating_point() ? real_ : static_cast<double>(integer_);
    }

    /// Truncates a floating value toward zero.
    [[nodiscard]] std::int64_t to_int() const noexcept {
        return is_floating_point() ? static_cast<std::int64_t>(real_) : integer_;
    }

    /// Dtype this scalar has when no tensor takes part: kBool, kInt32 or kFloat32.
    [[nodiscard]] DType dtype() const noexcept {
        return is_bool() ? kBool : (is_integral() ? kInt32 : kFloat32);
    }

private:
    enum class Class : std::uint8_t { kBoolean, kInt, kReal };
    std::int64_t integer_ = 0;
    double real_ = 0.0;
    Class class_;
};

}  // namespace pumice
