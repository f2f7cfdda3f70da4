// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace PUMICE_API pumice {

/// A value of one of a few types, as AutogradContext::saved_data keeps them. Each `to` throws
/// ArgumentError for another type than the one it holds. Source: c10::IValue.
class IValue {
public:
    /// None.
    IValue() = default;

    /// A truth value.
    template <std::same_as<bool> T>
    explicit(false) IValue(T value) : value_(value) {}

    /// An integer.
    template <std::integral T>

    requires(!std::same_as<T, bool>) explicit(false) IValue(T value)
        : value_(static_cast<std::int64_t>(value)) {}

    /// A floating number.
    template <std::floating_point T>
    explicit(false) IValue(T value) : value_(static_cast<double>(value)) {}

    /// A text.
    explicit(false) IValue(std::string value) : value_(std::move(value)) {}

    /// A text.
    explicit(false) IValue(const char* value) : value_(std::string(value)) {}

    /// A tensor, which may be undefined.
    explicit(false) IValue(Tensor value) : value_(std::move(value)) {}

    /// An object of the caller's own.
    explicit(false) IValue(std::shared_ptr<void> value) : value_(std::move(value)) {}

    /// Whether it holds nothing, or the type of that name.
    /// @{
    [[nodiscard]] bool isNone() const noexcept { return value_.index() == 0; }

    [[nodiscard]] bool isBool() const noexcept { return std::holds_alternative<bool>(value_); }

    [[nodiscard]] bool isInt() const noexcept {
        return std::holds_alternative<std::int64_t>(value_);
    }

    [[nodiscard]] bool isDouble() const noexcept { return std::holds_alternative<double>(value_); }

    [[nodiscard]] bool isString() const noexcept {
        return std::holds_alternative<std::string>(value_);
    }

    [[nodiscard]] bool isTensor() const noexcept { return std::holds_alternative<Tensor>(value_); }

    /// @}

    /// What it holds. @throws ArgumentError if that is of another type
    /// @{
    [[nodiscard]] bool toBool() const;
    [[nodiscard]] std::int64_t toInt() const;
    [[nodiscard]] double toDouble() const;
    [[nodiscard]] const std::string& toStringRef() const;
    [[nodiscard]] const Tensor& toTensor() const;
    [[nodiscard]] const std::shared_ptr<void>& toPointer() const;
    /// @}

private:
    template <class T>
    [[nodiscard]] const T& as(const char* wanted) const;

    std::variant<std::monostate,
                 bool,
                 std::int64_t,
                 double,
                 std::string,
                 Tensor,
                 std::shared_ptr<void>>
        value_;
};

}  // namespace pumice
