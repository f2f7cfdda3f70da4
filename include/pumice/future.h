// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/grad_mode.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {

template <class T>
class Future;

namespace detail {

/// What a future waits for. Shared, because whoever completes it may outlive the future.
class FutureState {
public:
    FutureState() = default;
    FutureState(const FutureState&) = delete;
    FutureState& operator=(const FutureState&) = delete;
    FutureState(FutureState&&) = delete;
    FutureState& operator=(FutureState&&) = delete;
    virtual ~FutureState() = default;
    /// As Future::is_ready.
    [[nodiscard]] virtual bool is_ready() = 0;
    /// As Future::wait.
    virtual void wait() = 0;
    /// Calls `then` once the value is there, on some engine thread or at once on this one.
    virtual void when_ready(std::function<void()> then) = 0;
};

/// One that gives a T.
template <class T>
class FutureSource : public FutureState {
public:
    /// As Future::get.
    virtual T get() = 0;
};

/// Done or not, with the exception that ended it; the part of a promise without the value.
class Completion {
public:
    /// Whether it was finished.
    [[nodiscard]] bool is_done() const;
    /// Blocks until it is finished.
    void wait() const;
    /// Calls `then` once it is finished, or at once.
    void when_done(std::function<void()> then);
    /// Wakes everybody. `error` is null for success.
    void finish(std::exception_ptr error = nullptr);
    /// Throws what ended it, if anything.
    void check() const;

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable done_changed_;
    std::vector<std::function<void()>> waiting_;
    std::exception_ptr error_;
    bool is_done_ = false;
};

/// A value that another thread of the host makes.
template <class T>
class HostResult final : public FutureSource<T> {
public:
    /// As FutureState's.
    [[nodiscard]] bool is_ready() override { return completion_.is_done(); }

    /// As FutureState's.
    void wait() override { completion_.wait(); }

    /// As FutureState's.
    void when_ready(std::function<void()> then) override { completion_.when_done(std::move(then)); }

    /// As FutureSource's.
    T get() override {
        completion_.wait();
        completion_.check();
        if constexpr (!std::is_void_v<T>) {
            return std::move(*value_);
        }
    }

    /// Calls `make` and keeps its result or its exception.
    template <class F>
    void run(F&& make) {
        try {
            if constexpr (std::is_void_v<T>) {
                std::forward<F>(make)();
            } else {
                value_.emplace(std::forward<F>(make)());
            }
        } catch (...) {
            completion_.finish(std::current_exception());
            return;
        }
        completion_.finish();
    }

private:
    Completion completion_;
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value_;
};

/// Runs `work` on a thread of the pool, in grad mode.
void post(std::function<void()> work);

/// What `co_await future` waits with: no thread blocks, a thread of the pool goes on.
template <class T>
class FutureAwaiter {
public:
    /// Takes the future over.
    explicit FutureAwaiter(std::shared_ptr<FutureSource<T>> source) : source_(std::move(source)) {}

    /// Whether the value is there.
    [[nodiscard]] bool await_ready() const { return source_->is_ready(); }

    /// Has the coroutine resumed once the value is there.
    template <class Handle>
    void await_suspend(Handle coroutine) {
        const auto source = source_;  // this object may be gone before when_ready returns
        source->when_ready([coroutine] { post([coroutine] { coroutine.resume(); }); });
    }

    /// The value, or the exception that came instead of it.
    T await_resume() { return source_->get(); }

private:
    std::shared_ptr<FutureSource<T>> source_;
};

}  // namespace detail

/// A value that the device or another thread is still producing. Movable; `get`, `then` or
/// `co_await` may be used once, and the future must be valid for all but `is_valid`.
template <class T>
class [[nodiscard]] Future {
public:
    /// Not valid.
    Future() = default;

    /// For the engine.
    explicit Future(std::shared_ptr<detail::FutureSource<T>> source) : source_(std::move(source)) {}

    /// Whether there is a value to get: false for an empty future and after it was used.
    [[nodiscard]] bool is_valid() const noexcept { return source_ != nullptr; }

    /// True once `get` would not block. @throws DeviceError if the device is lost
    [[nodiscard]] bool is_ready() const { return source_->is_ready(); }

    /// Blocks until `get` would not. @throws DeviceError if the device is lost
    void wait() const { source_->wait(); }

    /// Blocks until the value is there and takes it.
    /// @throws DeviceError if the device is lost, and what the work threw that should have made it
    T get() {
        const auto source = std::move(source_);
        return source->get();
    }

    /// Has the pool call `fn` with the value (without arguments for void) once it is there, in the
    /// modes of the thread that calls `then`. If there is an exception instead of a value, `fn` is
    /// not called and the returned future has the exception.
    template <class F>
    auto then(F fn) {
        const auto source = std::move(source_);
        auto call = bind_mode([source, fn = std::move(fn)]() mutable {
            if constexpr (std::is_void_v<T>) {
                source->get();
                return fn();
            } else {
                return fn(source->get());
            }
        });
        using Result = std::invoke_result_t<decltype(call)&>;
        const auto result = std::make_shared<detail::HostResult<Result>>();
        const auto run = std::make_shared<decltype(call)>(std::move(call));
        source->when_ready([result, run] { detail::post([result, run] { result->run(*run); }); });
        return Future<Result>(result);
    }

    /// Suspends a coroutine until the value is there, and takes it.
    auto operator co_await() && { return detail::FutureAwaiter<T>(std::move(source_)); }

private:
    std::shared_ptr<detail::FutureSource<T>> source_;
};

/// A mode covers a future's whole work.
template <class T>
inline constexpr bool is_async_result_v<Future<T>> = true;

}  // namespace pumice
