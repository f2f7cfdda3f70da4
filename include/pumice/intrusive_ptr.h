// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>

namespace PUMICE_API pumice {

/// Base of objects that count their own owners.
class RefCounted {
public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    RefCounted(RefCounted&&) = delete;
    RefCounted& operator=(RefCounted&&) = delete;
    virtual ~RefCounted() = default;

    /// Adds an owner.
    void retain() const noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }

    /// The first owner of a new object: nobody else can see it yet, so a plain store will do.
    void own_first() const noexcept { owners_.store(1, std::memory_order_relaxed); }

    /// Takes an owner away; the last one destroys the object.
    void release() const noexcept {
        // A sole owner needs no atomic read-modify-write: nobody else can retain meanwhile.
        if (owners_.load(std::memory_order_acquire) == 1 ||
            owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            destroy();
        }
    }

    /// Owners now; other threads may change it at once.
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
    /// Owns nothing.
    constexpr IntrusivePtr() noexcept = default;

    /// One more owner of the object, which may be null.
    explicit IntrusivePtr(T* object) noexcept : object_(object) { retain(); }

    /// One more owner of the other's object.
    IntrusivePtr(const IntrusivePtr& other) noexcept : object_(other.object_) { retain(); }

    /// Takes the other's part; it owns nothing then.
    IntrusivePtr(IntrusivePtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

    /// One more owner, as the object's base.
    template <std::derived_from<T> U>
    explicit(false) IntrusivePtr(const IntrusivePtr<U>& other) noexcept : object_(other.get()) {
        retain();
    }

    /// Takes the other's part, as the object's base.
    template <std::derived_from<T> U>
    explicit(false) IntrusivePtr(IntrusivePtr<U>&& other) noexcept : object_(other.give_up()) {}

    /// Gives up its part and becomes one more owner of the other's object.
    // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): copy and swap takes it in its stride
    IntrusivePtr& operator=(const IntrusivePtr& other) noexcept {
        IntrusivePtr(other).swap(*this);
        return *this;
    }

    /// Gives up its part and takes the other's.
    IntrusivePtr& operator=(IntrusivePtr&& other) noexcept {
        IntrusivePtr(std::move(other)).swap(*this);
        return *this;
    }

    /// Gives up its part.
    ~IntrusivePtr() {
        if (object_ != nullptr) {
            object_->release();
        }
    }

    /// A new object and its first owner.
    template <class... Args>
    static IntrusivePtr make(Args&&... args) {
        IntrusivePtr pointer;
        pointer.object_ = new T(std::forward<Args>(args)...);
        pointer.object_->own_first();
        return pointer;
    }

    /// Takes over a count that the caller holds.
    static IntrusivePtr adopt(T* object) noexcept {
        IntrusivePtr pointer;
        pointer.object_ = object;
        return pointer;
    }

    /// Hands its count to the caller, and is null.
    [[nodiscard]] T* give_up() noexcept { return std::exchange(object_, nullptr); }

    /// The object, or null.
    [[nodiscard]] T* get() const noexcept { return object_; }

    /// The object; there must be one.
    T& operator*() const noexcept { return *object_; }

    /// The object; there must be one.
    T* operator->() const noexcept { return object_; }

    /// Whether it owns an object.
    explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Gives up its part.
    void reset() noexcept { IntrusivePtr().swap(*this); }

    /// Exchanges the objects.
    void swap(IntrusivePtr& other) noexcept { std::swap(object_, other.object_); }

    /// The same object, or both null.
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
