// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

/// The words of Tensor::index and Tensor::index_put_, as in torch::indexing.
namespace PUMICE_API pumice {
namespace indexing {

/// Type of Ellipsis.
enum class EllipsisIndexType : std::uint8_t { kEllipsis };

/// A new dimension of extent 1; in a Slice, the bound left out.
inline constexpr std::nullopt_t None = std::nullopt;
/// The dimensions that no other index names, whole.
inline constexpr EllipsisIndexType Ellipsis = EllipsisIndexType::kEllipsis;

/// start:stop:step by Python's rules: negative bounds count from the end, bounds past either end
/// are clamped.
class Slice {
public:
    /// What is left out, or None, is the first, past the last, and 1. `index` refuses a step
    /// below 1.
    explicit(false) constexpr Slice(std::optional<std::int64_t> start = {},
                                    std::optional<std::int64_t> stop = {},
                                    std::optional<std::int64_t> step = {}) noexcept
        : start_(start.value_or(0)), stop_(stop), step_(step.value_or(1)) {}

    /// The first position.
    [[nodiscard]] constexpr std::int64_t start() const noexcept { return start_; }

    /// Past the last position; none is the end.
    [[nodiscard]] constexpr std::optional<std::int64_t> stop() const noexcept { return stop_; }

    /// From one position to the next.
    [[nodiscard]] constexpr std::int64_t step() const noexcept { return step_; }

private:
    std::int64_t start_;
    std::optional<std::int64_t> stop_;
    std::int64_t step_;
};

/// One of the things in x.index({...}); all of its constructors convert.
class TensorIndex {
public:
    /// What it may be; nullopt_t stands for None.
    using Value =
        std::variant<std::nullopt_t, EllipsisIndexType, std::int64_t, bool, Slice, Tensor>;

    /// None.
    explicit(false) TensorIndex(std::nullopt_t none) : value_(none) {}

    /// Ellipsis.
    explicit(false) TensorIndex(EllipsisIndexType ellipsis) : value_(ellipsis) {}

    /// "...", which is Ellipsis. @throws ArgumentError for another text
    explicit(false) TensorIndex(const char* text);

    /// One position.
    template <std::integral T>

    requires(!std::same_as<T, bool>) explicit(false) TensorIndex(T position)
        : value_(static_cast<std::int64_t>(position)) {}

    /// A new dimension, of extent 1 for true and 0 for false.
    explicit(false) TensorIndex(bool keep) : value_(keep) {}

    /// Some positions.
    explicit(false) TensorIndex(Slice slice) : value_(slice) {}

    /// Positions (int32) or a mask (bool).
    explicit(false) TensorIndex(Tensor tensor) : value_(std::move(tensor)) {}

    /// What it is.
    [[nodiscard]] const Value& value() const noexcept { return value_; }

private:
    Value value_;
};

}  // namespace indexing
}  // namespace pumice
