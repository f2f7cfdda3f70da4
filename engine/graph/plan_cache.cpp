// SPDX-License-Identifier: Apache-2.0
// Which plan serves a call of a compiled function.
#include "pumice/error.h"
#include "pumice/graph.h"

#include "tensor/tensor_impl.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace pumice::detail {

namespace {

// All that a plan depends on; G72.
using Signature = std::vector<std::int64_t>;

Signature signature_of(std::span<const Tensor> arguments, const std::vector<bool>& modes) {
    Signature words{static_cast<std::int64_t>(current_grad_mode())};
    for (const Tensor& argument : arguments) {
        const TensorImpl& impl = checked_impl(argument, "compile");
        words.push_back(static_cast<std::int64_t>(impl.dtype) * 4 + (impl.is_inference ? 2 : 0) +
                        (impl.tracks_grad() ? 1 : 0));
        words.push_back(impl.sizes.count());
        words.insert(words.end(), impl.sizes.begin(), impl.sizes.end());
        words.push_back(impl.is_contiguous ? 1 : 0);
        if (!impl.is_contiguous) {  // Note [Layouts of arguments]
            words.insert(words.end(), impl.strides.begin(), impl.strides.end());
        }
    }
    words.insert(words.end(), modes.begin(), modes.end());
    return words;
}

}  // namespace

struct PlanCache::State {
    struct Entry {
        Signature signature;
        Plan plan;
    };

    /// The plan for the signature, which counts as used, or null. Under the lock.
    const Plan* find(const Signature& signature) {
        const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
            return entry.signature == signature;
        });
        if (found == entries.end()) {
            return nullptr;
        }
        std::rotate(found, found + 1, entries.end());
        return &entries.back().plan;
    }

    /// A copy of that plan, unless it is stale.
    std::optional<Plan> find_current(const Signature& signature) {
        Plan plan;
        {
            const std::lock_guard lock(mutex);
            if (const Plan* const found = find(signature)) {
                plan = *found;
            } else {
                return std::nullopt;
            }
        }
        return plan.is_stale() ? std::nullopt : std::optional(plan);  // may ask the program
    }

    // A plan that goes waits for its last replay: without the lock.

    void drop(const Signature& signature) {
        Plan dropped;
        const std::lock_guard lock(mutex);
        if (find(signature) != nullptr) {
            dropped = std::move(entries.back().plan);
            entries.pop_back();
        }
    }

    void put(Signature signature, const Plan& plan) {
        Plan dropped;
        const std::lock_guard lock(mutex);
        ++capture_count;
        if (entries.size() == most_plans) {
            dropped = std::move(entries.front().plan);
            entries.erase(entries.begin());
        }
        entries.push_back({std::move(signature), plan});
    }

    CaptureOptions options;
    std::size_t most_plans = 1;
    std::mutex captures;  ///< held by the thread that captures, so that no plan is made twice
    std::mutex mutex;     ///< guards what follows; held shortly, so that replays never wait
    std::vector<Entry> entries;  ///< the least recently used first
    std::size_t capture_count = 0;
};

PlanCache::PlanCache(const CaptureOptions& options, std::size_t most_plans)
    : state_(std::make_shared<State>()) {
    if (most_plans == 0) {
        throw ArgumentError("compile", "most_plans must be at least 1; got 0");
    }
    state_->options = options;
    state_->most_plans = most_plans;
}

std::size_t PlanCache::capture_count() const {
    const std::lock_guard lock(state_->mutex);
    return state_->capture_count;
}

std::vector<Tensor> PlanCache::run(const CaptureFunction& fn,
                                   std::span<const Tensor> arguments,
                                   const std::vector<bool>& modes) {
    if (is_capturing()) {
        return fn(arguments);  // becomes part of the capture around it
    }
    Signature signature = signature_of(arguments, modes);
    std::optional<Plan> plan = state_->find_current(signature);
    if (!plan) {
        const std::lock_guard lock(state_->captures);
        plan = state_->find_current(signature);
        if (!plan) {
            state_->drop(signature);
            plan = detail::capture(fn, arguments, state_->options);
            state_->put(std::move(signature), *plan);
        }
    }
    return plan->replay(arguments);
}

}  // namespace pumice::detail
