// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace PUMICE_API pumice {

/// Most dimensions a tensor can have.
inline constexpr std::int64_t kMaxDims = 8;

/// Up to eight integers stored in place: shapes, strides, lists of dimensions.
class Dims {
public:
    /// No values: the shape of a zero-dimensional tensor.
    constexpr Dims() noexcept = default;

    /// The values in order. @throws ShapeError for more than eight
    explicit(false) constexpr Dims(std::initializer_list<std::int64_t> values)
        : Dims(std::span(values.begin(), values.size())) {}

    /// One value.
    template <std::integral T>

    requires(!std::same_as<T, bool>) explicit(false) constexpr Dims(T value)
        : values_{static_cast<std::int64_t>(value)}, count_(1) {}

    /// The values in order. @throws ShapeError for more than eight
    explicit(false) constexpr Dims(std::span<const std::int64_t> values) {
        if (values.size() > kMaxDims) {
            throw_too_many(values.size());
        }
        for (const std::int64_t value : values) {
            values_[count_++] = value;
        }
    }

    /// `count` times `value`. @throws ShapeError for more than eight
    static constexpr Dims filled(std::int64_t count, std::int64_t value) {
        Dims dims;
        for (std::int64_t i = 0; i < count; ++i) {
            dims.push_back(value);
        }
        return dims;
    }

    /// How many values there are.
    [[nodiscard]] constexpr std::int64_t count() const noexcept {
        return static_cast<std::int64_t>(count_);
    }

    /// count(), as containers have it.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }

    /// Whether there are no values.
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }

    /// Value i in [0, count()), which is not checked.
    constexpr std::int64_t operator[](std::int64_t i) const noexcept {
        return values_[static_cast<std::size_t>(i)];
    }

    /// Value i in [0, count()), which is not checked.
    constexpr std::int64_t& operator[](std::int64_t i) noexcept {
        return values_[static_cast<std::size_t>(i)];
    }

    /// The last value; there must be one.
    [[nodiscard]] constexpr std::int64_t back() const noexcept { return values_[count_ - 1U]; }

    /// The first value.
    [[nodiscard]] constexpr const std::int64_t* begin() const noexcept { return values_.data(); }

    /// Past the last value.
    [[nodiscard]] constexpr const std::int64_t* end() const noexcept {
        return values_.data() + count_;
    }

    /// The values, contiguous.
    [[nodiscard]] constexpr const std::int64_t* data() const noexcept { return values_.data(); }

    /// Appends a value. @throws ShapeError if there are eight
    constexpr void push_back(std::int64_t value) {
        if (count_ == kMaxDims) {
            throw_too_many(kMaxDims + 1);
        }
        values_[count_++] = value;
    }

    /// Drops the last value; there must be one.
    constexpr void pop_back() noexcept { --count_; }

    /// Puts a value before position `at` in [0, count()]. @throws ShapeError if there are eight
    constexpr void insert(std::int64_t at, std::int64_t value) {
        push_back(value);
        for (std::int64_t i = count() - 1; i > at; --i) {
            (*this)[i] = (*this)[i - 1];
        }
        (*this)[at] = value;
    }

    /// Drops the value at position `at` in [0, count()).
    constexpr void erase(std::int64_t at) noexcept {
        for (std::int64_t i = at; i + 1 < count(); ++i) {
            (*this)[i] = (*this)[i + 1];
        }
        --count_;
    }

    /// Equal counts and values.
    friend constexpr bool operator==(const Dims& a, const Dims& b) noexcept {
        if (a.count_ != b.count_) {
            return false;
        }
        for (std::size_t i = 0; i < a.count_; ++i) {
            if (a.values_[i] != b.values_[i]) {
                return false;
            }
        }
        return true;
    }

private:
    [[noreturn]] static void throw_too_many(std::size_t count);
    std::array<std::int64_t, kMaxDims> values_{};
    std::uint32_t count_ = 0;
};

/// Product of the values: the element count of a shape (1 for zero dimensions). Wraps for shapes
/// that no tensor can have.
constexpr std::int64_t numel(const Dims& sizes) noexcept {
    std::uint64_t product = 1;
    for (const std::int64_t value : sizes) {
        product *= static_cast<std::uint64_t>(value);
    }
    return static_cast<std::int64_t>(product);
}

/// "[2, 3]".
std::string to_string(const Dims& dims);

}  // namespace pumice
