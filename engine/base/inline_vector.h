// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/invariant.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace pumice {

/// At most `kCapacity` elements stored in place; elements past the count are not constructed, so
/// that an empty one costs nothing on the host path of an operator.
template <class T, std::size_t kCapacity>
class InlineVector {
public:
    InlineVector() noexcept = default;

    InlineVector(const InlineVector& other) {
        for (const T& value : other) {
            push_back(value);
        }
    }

    InlineVector(InlineVector&& other) noexcept {
        for (T& value : other) {
            emplace_back(std::move(value));
        }
    }

    InlineVector& operator=(const InlineVector& other) {
        if (this != &other) {
            clear();
            for (const T& value : other) {
                push_back(value);
            }
        }
        return *this;
    }

    InlineVector& operator=(InlineVector&& other) noexcept {
        if (this != &other) {
            clear();
            for (T& value : other) {
                emplace_back(std::move(value));
            }
        }
        return *this;
    }

    ~InlineVector() { clear(); }

    template <class... Args>
    T& emplace_back(Args&&... args) {
        PUMICE_INVARIANT(count_ < kCapacity);
        T* slot = std::construct_at(data() + count_, std::forward<Args>(args)...);
        ++count_;
        return *slot;
    }

    void push_back(const T& value) { emplace_back(value); }

    void clear() noexcept {
        std::destroy_n(data(), count_);
        count_ = 0;
    }

    T* data() noexcept { return std::launder(reinterpret_cast<T*>(storage_)); }

    [[nodiscard]] const T* data() const noexcept {
        return std::launder(reinterpret_cast<const T*>(storage_));
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    T& operator[](std::size_t i) noexcept { return data()[i]; }

    const T& operator[](std::size_t i) const noexcept { return data()[i]; }

    T& back() noexcept { return data()[count_ - 1]; }

    T* begin() noexcept { return data(); }

    T* end() noexcept { return data() + count_; }

    [[nodiscard]] const T* begin() const noexcept { return data(); }

    [[nodiscard]] const T* end() const noexcept { return data() + count_; }

private:
    // NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers too
    alignas(T) std::byte storage_[sizeof(T) * kCapacity];
    std::size_t count_ = 0;
};

}  // namespace pumice
