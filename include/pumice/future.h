// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

namespace pumice {

namespace detail {

/// What a future waits for; made by the engine.
template <class T>
class FutureSource {
public:
    FutureSource() = default;
    FutureSource(const FutureSource&) = delete;
    FutureSource& operator=(const FutureSource&) = delete;
    FutureSource(FutureSource&&) = delete;
    FutureSource& operator=(FutureSource&&) = delete;
    virtual ~FutureSource() = default;
    /// As Future::is_ready.
    [[nodiscard]] virtual bool is_ready() const = 0;
    /// As Future::get.
    virtual T get() = 0;
};

}  // namespace detail

/// A value that the device is still producing. Movable; `get` may be called once.
template <class T>
class Future {
public:
    /// Not valid.
    Future() = default;

    /// For the engine.
    explicit Future(std::unique_ptr<detail::FutureSource<T>> source) : source_(std::move(source)) {}

    /// Whether there is a value to get: false for an empty future and after `get`.
    [[nodiscard]] bool is_valid() const noexcept { return source_ != nullptr; }

    /// True once `get` would not block; the future must be valid. @throws DeviceError if the device
    /// is lost
    [[nodiscard]] bool is_ready() const { return source_->is_ready(); }

    /// Blocks until the value is there and takes it; the future must be valid and is not after it.
    /// @throws DeviceError if the device is lost
    T get() {
        const auto source = std::move(source_);
        return source->get();
    }

private:
    std::unique_ptr<detail::FutureSource<T>> source_;
};

}  // namespace pumice
