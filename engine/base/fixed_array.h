// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>

namespace pumice {

/// A count of elements chosen once; up to `kInline` of them are stored in place.
template <class T, std::size_t kInline>
class FixedArray {
public:
    FixedArray() = default;

    explicit FixedArray(std::size_t count)
        : count_(count), heap_(count > kInline ? std::make_unique<T[]>(count) : nullptr) {}

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    T* begin() noexcept { return heap_ ? heap_.get() : inline_.data(); }

    T* end() noexcept { return begin() + count_; }

    [[nodiscard]] const T* begin() const noexcept { return heap_ ? heap_.get() : inline_.data(); }

    [[nodiscard]] const T* end() const noexcept { return begin() + count_; }

    T& operator[](std::size_t i) noexcept { return begin()[i]; }

    const T& operator[](std::size_t i) const noexcept { return begin()[i]; }

private:
    std::size_t count_ = 0;
    std::array<T, kInline> inline_{};
    std::unique_ptr<T[]> heap_;
};

}  // namespace pumice
