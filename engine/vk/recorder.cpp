// SPDX-License-Identifier: Apache-2.0
// When commands are submitted, what waits for what, and what a lost device means.
#include "vk/recorder.h"

#include "pumice/error.h"

#include "vk/check.h"
#include "vk/device.h"
#include "vk/reports.h"

namespace pumice::vk {

// Note [Hazards]: commands on one queue start in order but overlap, and what one wrote another sees
// only through a memory dependency; submission order is none. So the tracker keeps the ranges that
// were read and written since the last barrier, over submits, and a command that conflicts gets one
// global barrier, after which the tracker is empty. Ranges are those bound, because that is what
// synchronization validation compares. A kernel's written binding counts as read too: it conflicts
// with reads and writes alike. The tracker forgets submitted ranges when the host has waited for
// the last submit; that a counter was merely read is not taken as enough.

namespace {

/// A command buffer is submitted with this many commands (or kWorkPerBuffer): enough to make a
/// submit's cost (20 us on lavapipe) small, few enough that the device starts while the host goes
/// on recording.
constexpr std::uint32_t kCommandsPerSubmit = 128;
static_assert(kCommandsPerSubmit <= Stopwatch::kMostCommands);

/// Command buffers that wait for one submit: fewer than the ring has, so that it never waits for
/// one that was not submitted.
constexpr std::size_t kMostCollected = CommandRing::kMaxSlots / 2;

constexpr std::string_view kLost =
    "the device was lost (VK_ERROR_DEVICE_LOST) by an earlier command; restart the process";

}  // namespace

Recorder::Recorder(Device& device)
    : device_(device),
      handles_(device.handles()),
      table_(device.table()),
      timeline_(handles_, table_),
      ring_(handles_, table_),
      writer_(device, counters_, last_hazard_, &log_, nullptr) {}

Recorder::~Recorder() {
    table_.vkDeviceWaitIdle(handles_.device);  // a lost device returns at once
}

void Recorder::check_alive() const {
    if (is_lost()) [[unlikely]] {
        throw DeviceError("vulkan", lost_reason_);
    }
}

void Recorder::mark_lost(std::string_view reason) noexcept {
    if (!is_lost()) {
        lost_reason_ = reason;
    }
    writer_.close();
    collected_.clear();
    pending_count_ = 0;
    pending_work_ = 0;
}

void Recorder::fail(VkResult result, std::string_view what) {
    if (result == VK_ERROR_DEVICE_LOST) {
        mark_lost(kLost);
    }
    throw_result(result, what);
}

// Tensors are missing values from here on, whatever the reason was.
void Recorder::lose(VkResult result, std::string_view what) {
    mark_lost(kLost);
    throw DeviceError("vulkan",
                      std::string(what) + " gave " + std::string(result_name(result)) +
                          "; the device is lost, restart the process");
}

void Recorder::begin() {
    if (writer_.is_open()) {
        return;
    }
    if (is_timing_) {
        timer_->prepare();
    }
    try {
        CommandSlot& slot = ring_.begin_next(timeline_);
        writer_.open(slot, is_timing_ ? &timer_->take(slot.buffer) : nullptr, timeline_.known());
    } catch (const DeviceError&) {
        mark_lost(kLost);
        throw;
    }
}

void Recorder::dispatch(const Dispatch& dispatch,
                        const KernelInfo& info,
                        const Pipeline& pipeline) {
    check_alive();
    begin();
    writer_.dispatch(dispatch, info, pipeline, submitted_ + 1);
    count_command(dispatch.work);
}

void Recorder::copy(const Binding& source, const Binding& target) {
    check_alive();
    begin();
    writer_.copy(source, target, submitted_ + 1);
    count_command(source.size_bytes / sizeof(std::uint32_t));
}

void Recorder::fill(const Binding& target, std::uint32_t word) {
    check_alive();
    begin();
    writer_.fill(target, word, submitted_ + 1);
    count_command(target.size_bytes / sizeof(std::uint32_t));
}

std::uint64_t Recorder::release_to_host() {
    check_alive();
    if (!is_released_) {  // or an earlier release covers every write
        begin();
        writer_.release_to_host();
        ++pending_count_;
        is_released_ = true;
    }
    return submit();
}

bool Recorder::is_idle(const Binding& range) {
    const Access access = access_of(range, true);
    if (log_.last_use(access, timeline_.known()) <= timeline_.known()) {
        return true;
    }
    if (const VkResult result = timeline_.query(); result < 0) {
        fail(result, "vkGetSemaphoreCounterValue");
    }
    return log_.last_use(access, timeline_.known()) <= timeline_.known();
}

void Recorder::count_command(std::uint64_t work) {
    ++pending_count_;
    pending_work_ += work;
    is_released_ = false;
    submit_if_full();
}

void Recorder::submit_if_full() {
    if (pending_count_ >= kCommandsPerSubmit || pending_work_ >= kWorkPerBuffer) {
        submit();
    }
}

std::uint64_t Recorder::submit() {
    return has_pending() ? submit_with(nullptr) : submitted_;
}

// Ends the open command buffer; it goes to the driver before what is recorded next.
void Recorder::collect_open() {
    if (!writer_.is_open()) {
        return;
    }
    CommandSlot& slot = writer_.slot();
    collected_.reserve(collected_.size() + 1);  // may throw, so before the buffer ends
    if (const VkResult result = table_.vkEndCommandBuffer(slot.buffer); result < 0) {
        lose(result, "vkEndCommandBuffer");
    }
    collected_.push_back(slot.buffer);
    slot.value = submitted_ + 1;
    writer_.close();
}

// One call to the driver, a batch for each command buffer: a long batch loses the device on real
// drivers. The last batch signals.
std::uint64_t Recorder::submit_with(const std::shared_ptr<const Recording>& kept) {
    collect_open();
    const std::uint64_t value = submitted_ + 1;
    VkSemaphore semaphore = timeline_.handle();
    VkTimelineSemaphoreSubmitInfo timeline{};
    timeline.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
    timeline.signalSemaphoreValueCount = 1;
    timeline.pSignalSemaphoreValues = &value;
    batches_.clear();
    VkSubmitInfo batch{};
    batch.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
    batch.commandBufferCount = 1;
    for (const VkCommandBuffer& buffer : collected_) {
        batch.pCommandBuffers = &buffer;
        batches_.push_back(batch);
    }
    batches_.back().pNext = &timeline;
    batches_.back().signalSemaphoreCount = 1;
    batches_.back().pSignalSemaphores = &semaphore;
    const VkResult result = table_.vkQueueSubmit(handles_.queue,
                                                 static_cast<std::uint32_t>(batches_.size()),
                                                 batches_.data(),
                                                 VK_NULL_HANDLE);
    if (result < 0) {
        lose(result, "vkQueueSubmit");
    }
    submitted_ = value;
    collected_.clear();
    pending_count_ = 0;
    pending_work_ = 0;
    writer_.hazards().mark_submit();
    ++counters_.submits;
    if (timer_ != nullptr) [[unlikely]] {
        timer_->submitted(value, kept);
        timer_->collect(timeline_.known());
    }
    return value;
}

std::shared_ptr<Recording> Recorder::record(std::span<const Dispatch> dispatches,
                                            std::span<const Pipeline* const> pipelines) {
    check_alive();
    return std::make_shared<Recording>(device_, dispatches, pipelines, last_hazard_, nullptr);
}

// Small recordings wait for a submit as other commands do: somebody reads their results soon, and
// then all goes to the driver in one call.
std::uint64_t Recorder::replay(const Recording& recording) {
    check_alive();
    // What may throw, before anything else.
    const std::size_t buffer_count = recording.buffers().size();
    collected_.reserve(collected_.size() + buffer_count + kMostCollected);
    batches_.reserve(collected_.capacity());
    const std::shared_ptr<const Recording> timed = is_timing_ ? record_timed(recording) : nullptr;
    collect_open();
    const auto buffers = timed != nullptr ? timed->buffers() : recording.buffers();
    collected_.insert(collected_.end(), buffers.begin(), buffers.end());
    const std::uint64_t value = submitted_ + 1;
    // The recording begins and ends with a barrier of its own, and the last one serves the host.
    writer_.hazards().clear();
    log_.add({0, UINT64_MAX, true}, value);
    if (recording.reports()) {
        device_.reports().note(value);
    }
    is_released_ = true;
    counters_.dispatches += recording.counters().dispatches;
    counters_.barriers += recording.counters().barriers;
    pending_count_ += static_cast<std::uint32_t>(recording.counters().dispatches) + 1;
    pending_work_ += recording.work();
    if (timed != nullptr || collected_.size() >= kMostCollected) {
        submit_with(timed);
    } else {
        submit_if_full();
    }
    return value;
}

// The same commands with timestamps between them: what was recorded before can have none.
std::shared_ptr<const Recording> Recorder::record_timed(const Recording& recording) {
    const std::size_t taken_count = timer_->taken_count();
    try {
        auto timed = std::make_shared<const Recording>(
            device_, recording.dispatches(), recording.pipelines(), last_hazard_, timer_.get());
        collected_.reserve(collected_.size() + timed->buffers().size() + 1);
        batches_.reserve(collected_.capacity());
        return timed;
    } catch (...) {
        timer_->drop_taken(taken_count);
        throw;
    }
}

void Recorder::start_timing() {
    check_alive();
    if (timer_ != nullptr) {
        throw ArgumentError("Profiler", "one profiler at a time; another one is still on");
    }
    if (handles_.timestamp_bits == 0) {
        throw UnsupportedError("Profiler",
                               "this device's queue takes no timestamps (timestampValidBits is 0)");
    }
    auto timer = std::make_unique<CommandTimer>(handles_, table_);
    submit();
    writer_.close();  // a command buffer without commands may still be open
    timer_ = std::move(timer);
    is_timing_ = true;
}

std::uint64_t Recorder::end_timing() noexcept {
    is_timing_ = false;
    try {
        submit();
    } catch (const Error&) {
        // The device is lost; what was timed is, too.
    }
    writer_.close();
    return is_lost() ? timeline_.known() : submitted_;
}

Timings Recorder::take_timings(VkResult result) noexcept {
    if (result < 0) {
        mark_lost(kLost);
    }
    if (timer_ == nullptr) {
        return {};
    }
    if (is_lost()) {
        return timer_->finish();  // its queries and commands may be in use
    }
    timer_->collect(timeline_.known());
    Timings timings = timer_->finish();
    timer_.reset();
    return timings;
}

void Recorder::learn_waited(std::uint64_t value) noexcept {
    if (value >= submitted_) {
        writer_.hazards().forget_submitted();
    }
}

}  // namespace pumice::vk
