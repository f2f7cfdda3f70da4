// SPDX-License-Identifier: Apache-2.0
// Where a storage's bytes come from: a hole of its own blocks, a hole of the others', a new block,
// or in PUMICE_MEMORY's modes a buffer of its own.
#include "memory/allocator.h"

#include "pumice/error.h"

#include "memory/arena.h"
#include "memory/driver_memory.h"
#include "memory/small_mutex.h"
#include "memory/trace.h"
#include "vk/device.h"
#include "vk/environment.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string_view>

namespace pumice::memory {
namespace {

constexpr std::uint64_t kLeastGranuleBytes = 16;
// Above it, rounding up could wrap around. No device comes near.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60U;
// A NaN as float32, and both halves one as bfloat16 and as float16.
constexpr std::uint32_t kPoisonWord = 0x7fc07fc0;

enum class Mode : std::uint8_t { kBlocks, kDedicated, kPoison };

Mode mode_from_environment() {
    static constexpr std::array<std::string_view, 2> kNames = {"dedicated", "poison"};
    const std::string_view name = vk::environment_choice("PUMICE_MEMORY", kNames);
    if (name.empty()) {
        return Mode::kBlocks;
    }
    return name == "dedicated" ? Mode::kDedicated : Mode::kPoison;
}

// Names of storages are unique over all allocators of the process: the allocator's number above,
// its count below. A shared atomic count would cost a tenth of an allocation.
constexpr unsigned kCountBits = 48;
std::atomic<std::uint64_t> allocator_count{0};

}  // namespace

struct Allocator::State {
    explicit State(vk::Device& the_device);

    Arena& arena_of(StorageClass storage_class) {
        return storage_class == StorageClass::kTransient ? transient : persistent;
    }

    Arena& other_than(const Arena& arena) { return &arena == &transient ? persistent : transient; }

    Range* find_room(Arena& arena, std::uint64_t size_bytes);
    Range* allocate_as_guest(Arena& host, std::uint64_t size_bytes);
    void free(Range* range, StorageClass storage_class) noexcept;
    bool add_block(Arena& arena, std::uint64_t size_bytes);
    vk::Buffer* create_dedicated(std::uint64_t size_bytes);
    void give_back_idle_blocks();
    void poison_freed(const vk::Binding& range) noexcept;
    void count_allocated(std::uint64_t size_bytes, StorageClass storage_class);
    void count_freed(std::uint64_t size_bytes, StorageClass storage_class) noexcept;

    vk::Device& device;
    const Mode mode;
    const std::uint64_t granule_bytes;
    // Guards what follows. The queue's lock may be taken under it, never the other way round.
    mutable SmallMutex mutex;
    std::uint64_t last_id = allocator_count.fetch_add(1) << kCountBits;
    Arena persistent;  ///< holds the planned slabs too: they live as long as their graph
    Arena transient;
    MemoryStats counters;
};

Allocator::State::State(vk::Device& the_device)
    : device(the_device),
      mode(mode_from_environment()),
      granule_bytes(
          std::max(kLeastGranuleBytes, the_device.capabilities().storage_alignment_bytes)),
      persistent(the_device, {.granule_bytes = granule_bytes}),
      transient(the_device, {.granule_bytes = granule_bytes}) {}

// Whether the driver had memory for one.
bool Allocator::State::add_block(Arena& arena, std::uint64_t size_bytes) try {
    const vk::Binding whole = arena.grow(size_bytes);
    if (mode == Mode::kPoison) {
        device.queue().fill(whole, kPoisonWord);
    }
    return true;

} catch (const OutOfMemoryError&) {
    return false;
}

// Note [Guests]: each policy has blocks of its own, so that what lives long does not scatter what
// comes and goes. Two things let one use what the other does not, before the driver is asked: a
// block that the other left idle changes hands, and where enough is free but lies scattered, a
// range is a guest in a hole of the other's. Otherwise memory that had been enough at a run's
// height would not be at its next one, as the free ranges lie.
Range* Allocator::State::find_room(Arena& arena, std::uint64_t size_bytes) {
    Arena& other = other_than(arena);
    if (arena.adopt_idle_block(other, size_bytes)) {  // G67
        return arena.allocate(size_bytes);
    }
    if (arena.free_bytes() >= size_bytes) {
        if (Range* const guest = allocate_as_guest(other, size_bytes)) {
            return guest;
        }
    }
    if (add_block(arena, size_bytes)) {
        return arena.allocate(size_bytes);
    }
    give_back_idle_blocks();
    if (add_block(arena, size_bytes)) {
        return arena.allocate(size_bytes);
    }
    if (Range* const guest = allocate_as_guest(other, size_bytes)) {
        return guest;
    }
    throw OutOfMemoryError("memory",
                           size_bytes,
                           device.free_bytes() + arena.free_bytes(),
                           std::max(arena.largest_hole_bytes(), device.free_bytes()));
}

Range* Allocator::State::allocate_as_guest(Arena& host, std::uint64_t size_bytes) {
    Range* range = host.allocate(size_bytes);
    if (range != nullptr) {
        range->is_guest = true;
    }
    return range;
}

void Allocator::State::free(Range* range, StorageClass storage_class) noexcept {
    Arena& own = arena_of(storage_class);
    Arena& host = range->is_guest ? other_than(own) : own;
    range->is_guest = false;
    host.free(range);
}

vk::Buffer* Allocator::State::create_dedicated(std::uint64_t size_bytes) {
    const std::uint64_t rounded_bytes = (size_bytes + granule_bytes - 1) & ~(granule_bytes - 1);
    auto buffer = std::make_unique<vk::Buffer>();
    try {
        *buffer = create_buffer(device, rounded_bytes, vk::MemoryKind::kDevice);
    } catch (const OutOfMemoryError&) {
        give_back_idle_blocks();
        *buffer = create_buffer(device, rounded_bytes, vk::MemoryKind::kDevice);
    }
    return buffer.release();
}

void Allocator::State::poison_freed(const vk::Binding& range) noexcept {
    try {
        // Before the range can have a next tenant, whose commands must come after this one.
        device.queue().fill(range, kPoisonWord);
    } catch (const Error&) {
        // A lost device reports itself at the next wait; a destructor must not.
    }
}

void Allocator::State::give_back_idle_blocks() {
    // First, because the device destroys at once what the queue has passed already.
    vk::Queue& queue = device.queue();
    queue.wait(queue.flush());
    persistent.trim();
    transient.trim();
}

void Allocator::State::count_allocated(std::uint64_t size_bytes, StorageClass storage_class) {
    ++counters.allocation_count;
    counters.live_bytes += size_bytes;
    counters.peak_bytes = std::max(counters.peak_bytes, counters.live_bytes);
    if (storage_class == StorageClass::kTransient) {
        counters.transient_live_bytes += size_bytes;
        counters.transient_peak_bytes =
            std::max(counters.transient_peak_bytes, counters.transient_live_bytes);
    }
}

void Allocator::State::count_freed(std::uint64_t size_bytes, StorageClass storage_class) noexcept {
    counters.live_bytes -= size_bytes;
    if (storage_class == StorageClass::kTransient) {
        counters.transient_live_bytes -= size_bytes;
    }
}

Allocator::Allocator(vk::Device& device) : state_(std::make_unique<State>(device)) {}

Allocator::~Allocator() = default;

Allocation Allocator::allocate(std::uint64_t size_bytes, StorageClass storage_class) {
    State& state = *state_;
    if (size_bytes > kMostBytes) [[unlikely]] {
        throw OutOfMemoryError(
            "memory", size_bytes, state.device.free_bytes(), state.device.free_bytes());
    }
    Allocation allocation;
    allocation.storage_class = storage_class;
    {
        const std::lock_guard lock(state.mutex);
        allocation.id = ++state.last_id;
        if (size_bytes == 0) [[unlikely]] {
            return allocation;
        }
        if (state.mode == Mode::kDedicated) [[unlikely]] {
            vk::Buffer* buffer = state.create_dedicated(size_bytes);
            allocation.range = {buffer, 0, buffer->size_bytes};
            allocation.node = buffer;
        } else {
            Arena& arena = state.arena_of(storage_class);
            Range* range = arena.allocate(size_bytes);
            if (range == nullptr) [[unlikely]] {
                range = state.find_room(arena, size_bytes);
            }
            Arena& host = range->is_guest ? state.other_than(arena) : arena;
            allocation.range = host.binding(*range);
            allocation.node = range;
        }
        state.count_allocated(allocation.range.size_bytes, storage_class);
    }
    if (trace_is_open.load(std::memory_order_relaxed)) [[unlikely]] {
        trace_allocated(allocation.id,
                        allocation.range.size_bytes,
                        storage_class == StorageClass::kTransient,
                        {allocation.range.buffer->id, allocation.range.offset_bytes});
    }
    return allocation;
}

void Allocator::deallocate(const Allocation& allocation) noexcept {
    if (allocation.node == nullptr) {
        return;
    }
    State& state = *state_;
    if (trace_is_open.load(std::memory_order_relaxed)) [[unlikely]] {
        trace_freed(allocation.id, allocation.range.size_bytes);
    }
    if (state.mode == Mode::kPoison) [[unlikely]] {
        state.poison_freed(allocation.range);
    }
    const std::lock_guard lock(state.mutex);
    state.count_freed(allocation.range.size_bytes, allocation.storage_class);
    if (state.mode == Mode::kDedicated) [[unlikely]] {
        const std::unique_ptr<vk::Buffer> buffer(static_cast<vk::Buffer*>(allocation.node));
        destroy_buffer(state.device, *buffer);
    } else {
        state.free(static_cast<Range*>(allocation.node), allocation.storage_class);
    }
}

std::uint64_t Allocator::rounded_bytes(std::uint64_t size_bytes) const noexcept {
    const std::uint64_t granule_bytes = state_->granule_bytes;
    return (size_bytes + granule_bytes - 1) & ~(granule_bytes - 1);
}

void Allocator::poison(const vk::Binding& range) {
    if (state_->mode == Mode::kPoison) {
        state_->device.queue().fill(range, kPoisonWord);
    }
}

void Allocator::trim() {
    const std::lock_guard lock(state_->mutex);
    state_->give_back_idle_blocks();
}

void Allocator::reset_peaks() noexcept {
    const std::lock_guard lock(state_->mutex);
    state_->counters.peak_bytes = state_->counters.live_bytes;
    state_->counters.transient_peak_bytes = state_->counters.transient_live_bytes;
}

MemoryStats Allocator::stats() const {
    MemoryStats stats;
    {
        const std::lock_guard lock(state_->mutex);
        stats = state_->counters;
    }
    const DriverCounters driver = driver_counters();
    stats.reserved_bytes = driver.reserved_bytes;
    stats.driver_allocation_count = driver.allocation_count;
    const vk::QueueCounters queue = state_->device.queue().counters();
    stats.dispatch_count = queue.dispatches;
    stats.barrier_count = queue.barriers;
    stats.submit_count = queue.submits;
    stats.lower_bound_bytes = traced_lower_bound_bytes();
    return stats;
}

namespace {

std::atomic<Allocator*> made{nullptr};

Allocator* make_allocator() {
    auto* const allocator = new Allocator(vk::device());
    made.store(allocator, std::memory_order_release);
    return allocator;
}

}  // namespace

Allocator& allocator() {
    // Leaked: tensors with static lifetime are freed after any static allocator would be gone.
    static Allocator& instance = *make_allocator();
    return instance;
}

Allocator* made_allocator() noexcept {
    return made.load(std::memory_order_acquire);
}

}  // namespace pumice::memory
