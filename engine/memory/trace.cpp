// SPDX-License-Identifier: Apache-2.0
// The trace of tensors and kernels in memory, and the bound computed from it.
#include "memory/trace.h"

#include "pumice/error.h"
#include "pumice/memory.h"

#include "memory/trace_file.h"
#include "plan/lower_bound.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pumice {

struct MemoryTrace::State {
    memory::TraceEvents events;
    bool is_finished = false;
    bool has_lost_events = false;  ///< host memory ran out, so no figure would be true
};

}  // namespace pumice

namespace pumice::memory {

std::atomic<bool> trace_is_open{false};

namespace {

// Guards the open trace and its events. A leaf: nothing else is locked under it.
std::mutex trace_mutex;
TraceEvents* open_events = nullptr;
bool* open_has_lost_events = nullptr;
std::atomic<std::uint64_t> newest_lower_bound_bytes{0};

template <typename Make>
void append(const Make& make_event) noexcept {
    const std::lock_guard lock(trace_mutex);
    if (open_events == nullptr) {
        return;
    }
    try {
        open_events->push_back(make_event());
    } catch (const std::exception&) {
        *open_has_lost_events = true;
    }
}

bool is_open() noexcept {
    return trace_is_open.load(std::memory_order_relaxed);
}

// Steps count kernels and host reads. A storage that no kernel wrote (the host did) is needed from
// its first use on.
std::uint64_t bound_of(const TraceEvents& events) {
    std::vector<plan::Lifetime> lifetimes;
    std::unordered_map<std::uint64_t, std::size_t> index_of_id;
    std::vector<bool> is_used;
    std::uint64_t step = 0;
    const auto use = [&](std::uint64_t id) {
        const auto found = index_of_id.find(id);
        if (found == index_of_id.end()) {
            return;
        }
        plan::Lifetime& lifetime = lifetimes[found->second];
        if (!is_used[found->second]) {
            is_used[found->second] = true;
            lifetime.first_step = step;
        }
        lifetime.last_step = step;
    };
    for (const TraceEvent& event : events) {
        if (event.kind == TraceEvent::Kind::kAllocated) {
            index_of_id[event.id] = lifetimes.size();
            lifetimes.push_back({event.size_bytes, 0, 0});
            is_used.push_back(false);
        } else if (event.kind == TraceEvent::Kind::kKernel) {
            ++step;
            std::for_each(event.read_ids.begin(), event.read_ids.end(), use);
            std::for_each(event.written_ids.begin(), event.written_ids.end(), use);
        } else if (event.kind == TraceEvent::Kind::kHostRead) {
            ++step;
            use(event.id);
        }
    }
    for (std::size_t i = 0; i < lifetimes.size(); ++i) {
        lifetimes[i].size_bytes = is_used[i] ? lifetimes[i].size_bytes : 0;
    }
    return plan::lower_bound_bytes(lifetimes);
}

std::uint64_t peak_of(const TraceEvents& events) {
    std::unordered_map<std::uint64_t, std::uint64_t> live;
    std::uint64_t live_bytes = 0;
    std::uint64_t most_bytes = 0;
    for (const TraceEvent& event : events) {
        if (event.kind == TraceEvent::Kind::kAllocated) {
            live.emplace(event.id, event.size_bytes);
            live_bytes += event.size_bytes;
            most_bytes = std::max(most_bytes, live_bytes);
        } else if (event.kind == TraceEvent::Kind::kFreed && live.erase(event.id) != 0) {
            live_bytes -= event.size_bytes;
        }
    }
    return most_bytes;
}

}  // namespace

void trace_allocated(std::uint64_t id,
                     std::uint64_t size_bytes,
                     bool is_transient,
                     TracePlace place) noexcept {
    if (is_open()) {
        append([&] {
            return TraceEvent{.kind = TraceEvent::Kind::kAllocated,
                              .is_transient = is_transient,
                              .id = id,
                              .size_bytes = size_bytes,
                              .buffer = place.buffer,
                              .offset_bytes = place.offset_bytes};
        });
    }
}

void trace_freed(std::uint64_t id, std::uint64_t size_bytes) noexcept {
    if (is_open()) {
        append([&] {
            return TraceEvent{.kind = TraceEvent::Kind::kFreed, .id = id, .size_bytes = size_bytes};
        });
    }
}

void trace_kernel(std::string_view label,
                  std::span<const std::uint64_t> read_ids,
                  std::span<const std::uint64_t> written_ids) noexcept {
    if (is_open()) {
        append([&] {
            return TraceEvent{.kind = TraceEvent::Kind::kKernel,
                              .label = std::string(label),
                              .read_ids = {read_ids.begin(), read_ids.end()},
                              .written_ids = {written_ids.begin(), written_ids.end()}};
        });
    }
}

void trace_host_read(std::uint64_t id) noexcept {
    if (is_open()) {
        append([&] { return TraceEvent{.kind = TraceEvent::Kind::kHostRead, .id = id}; });
    }
}

std::uint64_t traced_lower_bound_bytes() noexcept {
    return newest_lower_bound_bytes.load(std::memory_order_relaxed);
}

}  // namespace pumice::memory

namespace pumice {

MemoryTrace::MemoryTrace() : state_(std::make_unique<State>()) {
    const std::lock_guard lock(memory::trace_mutex);
    if (memory::open_events != nullptr) {
        throw ArgumentError("MemoryTrace", "one trace at a time; another one is still open");
    }
    memory::open_events = &state_->events;
    memory::open_has_lost_events = &state_->has_lost_events;
    memory::trace_is_open.store(true, std::memory_order_relaxed);
}

MemoryTrace::~MemoryTrace() {
    try {
        finish();
    } catch (const std::exception&) {
        // Without host memory for the figure there is none; recording has ended all the same.
    }
}

void MemoryTrace::finish() {
    if (state_->is_finished) {
        return;
    }
    {
        const std::lock_guard lock(memory::trace_mutex);
        memory::open_events = nullptr;
        memory::open_has_lost_events = nullptr;
        memory::trace_is_open.store(false, std::memory_order_relaxed);
    }
    state_->is_finished = true;
    memory::newest_lower_bound_bytes.store(lower_bound_bytes(), std::memory_order_relaxed);
}

std::uint64_t MemoryTrace::lower_bound_bytes() const {
    const std::lock_guard lock(memory::trace_mutex);
    return state_->has_lost_events ? 0 : memory::bound_of(state_->events);
}

std::uint64_t MemoryTrace::peak_bytes() const {
    const std::lock_guard lock(memory::trace_mutex);
    return state_->has_lost_events ? 0 : memory::peak_of(state_->events);
}

void MemoryTrace::dump(const std::string& path) const {
    memory::TraceEvents events;
    {
        const std::lock_guard lock(memory::trace_mutex);
        if (state_->has_lost_events) {
            throw FileError(path, "the trace is incomplete: host memory ran out while recording");
        }
        events = state_->events;
    }
    memory::write_trace_file(path, events);
}

}  // namespace pumice
