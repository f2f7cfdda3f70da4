// SPDX-License-Identifier: Apache-2.0
// Work on other threads, under the modes of the thread that asked.
#include "pumice/parallel.h"

#include "pumice/error.h"

#include "base/process_end.h"
#include "base/thread_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace pumice {

namespace {

// Note [The pool's end]: the pool is never destroyed, because futures may be static. Its threads
// end before the device does.
class Pool {
public:
    int thread_count() {
        const std::lock_guard lock(mutex_);
        return thread_count_;
    }

    void set_thread_count(int count) {
        const std::lock_guard lock(mutex_);
        if (threads_ != nullptr || count < 1) {
            throw ArgumentError(
                "set_num_threads",
                fmt::format("wants at least one thread, before the pool's first use; got {}{}",
                            count,
                            threads_ != nullptr ? " after it" : ""));
        }
        thread_count_ = count;
    }

    ThreadPool& threads() {
        const std::lock_guard lock(mutex_);
        if (threads_ == nullptr) {
            threads_ = new ThreadPool(thread_count_);
            at_process_end(EndStage::kThreads, [](int status) {
                if (!the_pool().threads().stop(std::chrono::steady_clock::now() + kEndPatience)) {
                    end_process_now(status, "a thread of the pool is still at work");
                }
            });
        }
        return *threads_;
    }

    static Pool& the_pool() {
        static auto* pool = new Pool();
        return *pool;
    }

private:
    std::mutex mutex_;
    int thread_count_ = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    ThreadPool* threads_ = nullptr;
};

// The pieces of one parallel_for. Shared, because a helper may come when all is done.
class Pieces {
public:
    Pieces(std::int64_t begin,
           std::int64_t end,
           std::int64_t grain,
           const std::function<void(std::int64_t, std::int64_t)>& fn)
        : begin_(begin),
          end_(end),
          grain_(grain),
          count_((end - begin + grain - 1) / grain),
          fn_(fn) {}

    [[nodiscard]] std::int64_t count() const noexcept { return count_; }

    // Does pieces until none is left.
    void help() {
        for (std::int64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
            const std::int64_t from = begin_ + i * grain_;
            std::exception_ptr error;
            try {
                fn_(from, std::min(from + grain_, end_));
            } catch (...) {
                error = std::current_exception();
            }
            end_piece(error);
        }
    }

    void wait() {
        std::unique_lock lock(mutex_);
        all_done_.wait(lock, [this] { return done_ == count_; });
        if (error_) {
            std::rethrow_exception(error_);
        }
    }

private:
    void end_piece(const std::exception_ptr& error) {
        const std::lock_guard lock(mutex_);
        ++done_;
        error_ = error_ ? error_ : error;
        if (done_ == count_) {
            all_done_.notify_all();
        }
    }

    std::int64_t begin_;
    std::int64_t end_;
    std::int64_t grain_;
    std::int64_t count_;
    const std::function<void(std::int64_t, std::int64_t)>& fn_;  // used before the caller returns
    std::atomic<std::int64_t> next_{0};
    std::mutex mutex_;
    std::condition_variable all_done_;
    std::int64_t done_ = 0;
    std::exception_ptr error_;
};

}  // namespace

int get_num_threads() noexcept {
    return Pool::the_pool().thread_count();
}

void set_num_threads(int count) {
    Pool::the_pool().set_thread_count(count);
}

void parallel_for(std::int64_t begin,
                  std::int64_t end,
                  std::int64_t grain_size,
                  const std::function<void(std::int64_t, std::int64_t)>& fn) {
    if (grain_size < 1) {
        throw ArgumentError("parallel_for",
                            fmt::format("the grain must be at least 1; got {}", grain_size));
    }
    if (begin >= end) {
        return;
    }
    const auto pieces = std::make_shared<Pieces>(begin, end, grain_size, fn);
    const std::int64_t helpers = std::min<std::int64_t>(pieces->count() - 1, get_num_threads());
    for (std::int64_t i = 0; i < helpers; ++i) {
        detail::post(bind_mode([pieces] { pieces->help(); }));
    }
    pieces->help();
    pieces->wait();
}

namespace detail {

void post(std::function<void()> work) {
    Pool::the_pool().threads().post(std::move(work));
}

bool Completion::is_done() const {
    const std::lock_guard lock(mutex_);
    return is_done_;
}

void Completion::wait() const {
    std::unique_lock lock(mutex_);
    done_changed_.wait(lock, [this] { return is_done_; });
}

void Completion::when_done(std::function<void()> then) {
    {
        const std::lock_guard lock(mutex_);
        if (!is_done_) {
            waiting_.push_back(std::move(then));
            return;
        }
    }
    then();
}

void Completion::finish(std::exception_ptr error) {
    std::vector<std::function<void()>> waiting;
    {
        const std::lock_guard lock(mutex_);
        error_ = std::move(error);
        is_done_ = true;
        waiting.swap(waiting_);
        done_changed_.notify_all();
    }
    for (const std::function<void()>& then : waiting) {
        then();
    }
}

void Completion::check() const {
    const std::lock_guard lock(mutex_);
    if (error_) {
        std::rethrow_exception(error_);
    }
}

}  // namespace detail

}  // namespace pumice
