// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>

namespace pumice {

/// Base of objects that count their own owners.
class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    RefCounted(RefCounted&&) = delete;
    RefCounted& operator=(RefCounted&&) = delete;
    virtual ~RefCounted() = default;

    void retain() const noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }

    void release() const noexcept {
        // A sole owner needs no atomic read-modify-write: nobody else can retain meanwhile.
        if (owners_.load(std::memory_order_acquire) == 1 ||
            owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            destroy();
        }
    }

    std::uint32_t use_count() const noexcept { return owners_.load(std::memory_order_acquire); }

private:
    /// Out of line: inlined, GCC 12 takes a second handle's release for a use after free.
    void destroy() const noexcept;

    mutable std::atomic<std::uint32_t> owners_{0};
};

/// Shared owner of a RefCounted object; one pointer wide.
template <class T>
class IntrusivePtr {
public:
    constexpr IntrusivePtr() noexcept = default;

    explicit IntrusivePtr(T* object) noexcept : object_(object) { retain(); }

    IntrusivePtr(const IntrusivePtr& other) noexcept : object_(other.object_) { retain(); }

    IntrusivePtr(IntrusivePtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

    template <std::derived_from<T> U>
    // NOLINTNEXTLINE(google-explicit-constructor): as pointers convert
    IntrusivePtr(const IntrusivePtr<U>& other) noexcept : object_(other.get()) {
        retain();
    }

    IntrusivePtr& operator=(const IntrusivePtr& other) noexcept {
        IntrusivePtr(other).swap(*this);
        return *this;
    }

    IntrusivePtr& operator=(IntrusivePtr&& other) noexcept {
        IntrusivePtr(std::move(other)).swap(*this);
        return *this;
    }

    ~IntrusivePtr() {
        if (object_ != nullptr) {
            object_->release();
        }
    }

    /// Takes over a count that the caller holds.
    static IntrusivePtr adopt(T* object) noexcept {
        IntrusivePtr pointer;
        pointer.object_ = object;
        return pointer;
    }

    [[nodiscard]] T* get() const noexcept { return object_; }

    T& operator*() const noexcept { return *object_; }

    T* operator->() const noexcept { return object_; }

    explicit operator bool() const noexcept { return object_ != nullptr; }

    void reset() noexcept { IntrusivePtr().swap(*this); }

    void swap(IntrusivePtr& other) noexcept { std::swap(object_, other.object_); }

    friend bool operator==(const IntrusivePtr& a, const IntrusivePtr& b) noexcept {
        return a.object_ == b.object_;
    }

private:
    void retain() noexcept {
        if (object_ != nullptr) {
            object_->retain();
        }
    }

    T* object_ = nullptr;
};

}  // namespace pumice
