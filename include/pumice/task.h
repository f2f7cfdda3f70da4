// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/future.h"
#include "pumice/grad_mode.h"

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace PUMICE_API pumice {

namespace detail {

/// The grad-mode state of a coroutine: installed while its body runs, on whichever thread, and
/// taken out wherever it suspends. It begins with the modes of the flow that makes it.
class Flow {
public:
    /// Takes over the modes of the running flow.
    Flow() noexcept : own_(copy_modes()) {}

    /// The body goes on: its state in, the resumer's out.
    void enter() noexcept {
        if (!is_entered_) {
            swap_flow_state(own_);
            is_entered_ = true;
        }
    }

    /// The body stops: the resumer's state back.
    void leave() noexcept {
        if (is_entered_) {
            is_entered_ = false;
            swap_flow_state(own_);
        }
    }

    /// The state while the body does not run.
    [[nodiscard]] const FlowState& state() const noexcept { return own_; }

private:
    FlowState own_;  ///< the resumer's while the body runs
    bool is_entered_ = false;
};

/// What `co_await` in a body asks: the operand's own operator, or the operand.
template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
    if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
        return std::forward<A>(awaitable).operator co_await();
    } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
        return operator co_await(std::forward<A>(awaitable));
    } else {
        return std::forward<A>(awaitable);
    }
}

/// Somebody's awaiter (a value or a reference), with the flow left before it suspends and entered
/// when it resumes.
template <class Awaiter>
class FlowAwaiter {
public:
    template <class A>
    FlowAwaiter(Flow& flow, A&& awaitable)
        : flow_(flow), awaiter_(awaiter_of(std::forward<A>(awaitable))) {}

    bool await_ready() noexcept(noexcept(awaiter().await_ready())) {
        return awaiter().await_ready();
    }

    template <class Promise>
    auto await_suspend(std::coroutine_handle<Promise> coroutine) noexcept(
        noexcept(awaiter().await_suspend(coroutine))) {
        // Once the awaiter has the handle another thread may resume, and even end, the coroutine:
        // nothing of it may be touched after a call that suspends.
        Reentry reentry(&flow_);
        flow_.leave();
        using Result = decltype(awaiter().await_suspend(coroutine));
        if constexpr (std::is_void_v<Result>) {
            awaiter().await_suspend(coroutine);
            reentry.flow = nullptr;
        } else {
            const Result result = awaiter().await_suspend(coroutine);
            if (!std::is_same_v<Result, bool> || result) {
                reentry.flow = nullptr;
            }
            return result;
        }
    }

    decltype(auto) await_resume() noexcept(noexcept(awaiter().await_resume())) {
        flow_.enter();
        return awaiter().await_resume();
    }

private:
    // The body goes on at once: the awaiter did not suspend, or threw.
    struct Reentry {
        explicit Reentry(Flow* the_flow) noexcept : flow(the_flow) {}

        Reentry(const Reentry&) = delete;
        Reentry& operator=(const Reentry&) = delete;
        Reentry(Reentry&&) = delete;
        Reentry& operator=(Reentry&&) = delete;

        ~Reentry() {
            if (flow != nullptr) {
                flow->enter();
            }
        }

        Flow* flow;
    };

    std::remove_reference_t<Awaiter>& awaiter() noexcept { return awaiter_; }

    Flow& flow_;
    Awaiter awaiter_;
};

}  // namespace detail

/// Base of promise types whose coroutines keep the modes in which they were made, across
/// suspension, threads and exceptions (grad-mode rules G60 to G62). The promise's own
/// initial_suspend, yield_value and final_suspend return `keep_mode(awaiter)`. Say so with
/// is_async_result_v for the coroutine's type.
class ModePromise {
public:
    /// Every co_await of the body keeps the modes, whatever it awaits.
    template <class A>
    auto await_transform(A&& awaitable) {
        using Awaiter = decltype(detail::awaiter_of(std::forward<A>(awaitable)));
        return detail::FlowAwaiter<Awaiter>(flow_, std::forward<A>(awaitable));
    }

    /// The awaiter, with the body's modes taken out before it suspends and installed when it
    /// resumes.
    template <class Awaiter>
    auto keep_mode(Awaiter awaiter) noexcept {
        return detail::FlowAwaiter<Awaiter>(flow_, std::move(awaiter));
    }

    /// Destroys a coroutine that is suspended, in its own modes, so that its guards end where they
    /// belong.
    template <class Promise>
    static void destroy(std::coroutine_handle<Promise> coroutine) noexcept {
        const detail::FlowScope scope(coroutine.promise().flow_.state());
        coroutine.destroy();
    }

private:
    detail::Flow flow_;
};

template <class T = void>
class Task;

namespace detail {

/// The part of a task's promise that does not depend on its value.
class TaskPromiseBase : public ModePromise {
public:
    /// The body starts at once, as an asynchronous function of JavaScript does.
    auto initial_suspend() noexcept { return keep_mode(std::suspend_never()); }

    /// Tells whoever waits.
    auto final_suspend() noexcept { return keep_mode(Finish()); }

    /// Keeps what ended the body.
    void unhandled_exception() noexcept { error_ = std::current_exception(); }

    [[nodiscard]] bool is_done() const noexcept {
        return waiter_.load(std::memory_order_acquire) == this;
    }

    /// Blocks until the body has ended.
    void wait() const noexcept;
    /// Has `coroutine` resumed at the end of the body; false if it has ended.
    bool when_done(std::coroutine_handle<> coroutine) noexcept;

    /// Throws what ended the body.
    void check() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
    }

    /// One of the two owners, the handle and the body, is through; true for the last.
    bool drop_owner() noexcept { return owners_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

private:
    struct Finish {
        static bool await_ready() noexcept { return false; }

        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> body) noexcept {
            TaskPromiseBase& promise = body.promise();
            const std::coroutine_handle<> waiter = promise.finish();
            if (promise.drop_owner()) {
                body.destroy();
            }
            return waiter;
        }

        static void await_resume() noexcept {}
    };

    /// Marks the end; what is to go on.
    std::coroutine_handle<> finish() noexcept;

    std::exception_ptr error_;
    std::atomic<void*> waiter_{nullptr};  ///< the coroutine that awaits; this object once done
    std::atomic<std::uint32_t> owners_{2};
};

template <class T>
class TaskPromise final : public TaskPromiseBase {
public:
    Task<T> get_return_object() noexcept;

    template <class U>
    void return_value(U&& value) {
        value_.emplace(std::forward<U>(value));
    }

    T take() {
        check();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <class T>
class TaskPromise<T&> final : public TaskPromiseBase {
public:
    Task<T&> get_return_object() noexcept;

    void return_value(T& value) noexcept { value_ = &value; }

    T& take() {
        check();
        return *value_;
    }

private:
    T* value_ = nullptr;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
public:
    Task<void> get_return_object() noexcept;

    static void return_void() noexcept {}

    void take() const { check(); }
};

}  // namespace detail

/// A coroutine that gives a T. Its body runs in the modes in which it was called: up to the first
/// suspension on the caller's thread, and then on the thread on which what it awaits resumes it.
/// Modes that it sets are seen by nobody else (grad-mode rules G60 to G63). A task whose handle is
/// dropped runs to its end. Movable; `get` or `co_await` may be used once.
template <class T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::TaskPromise<T>;  ///< as coroutines want it

    /// Not valid.
    Task() noexcept = default;

    /// For the promise.
    explicit Task(std::coroutine_handle<promise_type> body) noexcept : body_(body) {}

    /// Leaves the other not valid.
    Task(Task&& other) noexcept : body_(std::exchange(other.body_, {})) {}

    /// Exchanges the two.
    Task& operator=(Task&& other) noexcept {
        std::swap(body_, other.body_);
        return *this;
    }

    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    ~Task() {
        if (body_ && body_.promise().drop_owner()) {
            body_.destroy();
        }
    }

    /// Whether there is a value to get.
    [[nodiscard]] bool is_valid() const noexcept { return static_cast<bool>(body_); }

    /// True once `get` would not block.
    [[nodiscard]] bool is_ready() const noexcept { return body_.promise().is_done(); }

    /// Blocks until the body has ended and takes its value, or throws what ended it.
    T get() {
        const Task self(std::move(*this));
        self.body_.promise().wait();
        return self.body_.promise().take();
    }

    /// Suspends a coroutine until the body has ended, and takes its value.
    auto operator co_await() && noexcept { return Awaiter{std::move(*this)}; }

private:
    struct Awaiter {
        Task task;

        [[nodiscard]] bool await_ready() const noexcept { return task.is_ready(); }

        [[nodiscard]] bool await_suspend(std::coroutine_handle<> waiter) const noexcept {
            return task.body_.promise().when_done(waiter);
        }

        // NOLINTNEXTLINE(modernize-use-nodiscard): a value may be dropped, and there may be none
        T await_resume() const { return task.body_.promise().take(); }
    };

    std::coroutine_handle<promise_type> body_;
};

/// A mode covers a task's whole body.
template <class T>
inline constexpr bool is_async_result_v<Task<T>> = true;

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

template <class T>
Task<T&> TaskPromise<T&>::get_return_object() noexcept {
    return Task<T&>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace detail

/// A coroutine that yields values of type T one at a time. Its body runs in the modes in which it
/// was called; between two values the consumer has its own modes (grad-mode rule G18). The body
/// starts when the first value is asked for.
template <class T>
class [[nodiscard]] LazyRange {
public:
    class promise_type : public ModePromise {
    public:
        LazyRange get_return_object() noexcept {
            return LazyRange(std::coroutine_handle<promise_type>::from_promise(*this));
        }

        auto initial_suspend() noexcept { return keep_mode(std::suspend_always()); }

        auto final_suspend() noexcept { return keep_mode(std::suspend_always()); }

        template <class U>
        auto yield_value(U&& value) {
            value_.emplace(std::forward<U>(value));
            return keep_mode(std::suspend_always());
        }

        static void return_void() noexcept {}

        void unhandled_exception() noexcept { error_ = std::current_exception(); }

    private:
        friend LazyRange;
        std::optional<T> value_;
        std::exception_ptr error_;
    };

    /// Ends where the body ends. Advancing throws what the body throws.
    class Iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        /// A place in the range.
        explicit Iterator(LazyRange* range) noexcept : range_(range) {}

        T& operator*() const noexcept { return *range_->current_; }

        Iterator& operator++() {
            range_->current_ = range_->next();
            return *this;
        }

        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t /*end*/) noexcept {
            return it.is_at_end();
        }

    private:
        [[nodiscard]] bool is_at_end() const noexcept { return !range_->current_; }

        LazyRange* range_;
    };

    /// Leaves the other empty.
    LazyRange(LazyRange&& other) noexcept
        : body_(std::exchange(other.body_, {})), current_(std::move(other.current_)) {}

    /// Exchanges the two.
    LazyRange& operator=(LazyRange&& other) noexcept {
        std::swap(body_, other.body_);
        std::swap(current_, other.current_);
        return *this;
    }

    LazyRange(const LazyRange&) = delete;
    LazyRange& operator=(const LazyRange&) = delete;

    ~LazyRange() {
        if (body_) {
            ModePromise::destroy(body_);
        }
    }

    /// The next value; none once the body has ended. Throws what the body throws.
    std::optional<T> next() {
        if (body_.done()) {
            return std::nullopt;
        }
        promise_type& promise = body_.promise();
        promise.value_.reset();
        body_.resume();
        if (promise.error_) {
            std::rethrow_exception(std::exchange(promise.error_, nullptr));
        }
        return std::exchange(promise.value_, std::nullopt);
    }

    /// The first value not yet taken. One walk at a time.
    Iterator begin() {
        current_ = next();
        return Iterator(this);
    }

    /// Compares equal to an iterator past the last value.
    static std::default_sentinel_t end() noexcept { return {}; }

private:
    explicit LazyRange(std::coroutine_handle<promise_type> body) noexcept : body_(body) {}

    std::coroutine_handle<promise_type> body_;
    std::optional<T> current_;
};

}  // namespace pumice
