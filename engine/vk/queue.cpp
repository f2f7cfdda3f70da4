// SPDX-License-Identifier: Apache-2.0
// The queue's public face: what is checked and compiled before the lock is taken.
#include "vk/queue.h"

#include "pumice/error.h"

#include "base/invariant.h"
#include "vk/check.h"
#include "vk/device.h"
#include "vk/pipelines.h"
#include "vk/recorder.h"
#include "vk/reports.h"
#include "vk/runtime_kernels.h"
#include "vk/standstill.h"
#include "vk/timings.h"
#include "vk/watcher.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pumice::vk {

namespace {

constexpr std::chrono::milliseconds kLockPause{1};

/// Inside its buffer, not empty, in whole words.
bool is_inside(const Binding& range) noexcept {
    const std::uint64_t end = range.offset_bytes + range.size_bytes;
    return end > range.offset_bytes && end <= range.buffer->size_bytes &&
           ((range.offset_bytes | range.size_bytes) & 3U) == 0;
}

}  // namespace

const KernelInfo& info_of(const Dispatch& dispatch) noexcept {
    return dispatch.runtime == nullptr ? kernel_info(dispatch.kernel) : dispatch.runtime->info();
}

struct Queue::State {
    explicit State(Device& its_device)
        : device(its_device),
          caps(its_device.capabilities()),
          pipelines(its_device.pipelines()),
          kernels(its_device),
          recorder(its_device) {}

    /// The queue's lock. Once the process ends, only the thread that ends it gets on at once.
    std::unique_lock<std::mutex> turn();
    /// @throws DeviceError once the device was lost or the process ends
    void check_alive();
    void prepare(std::span<const KernelUse> uses);
    /// Made if nobody has. Not under the lock.
    const Pipeline& pipeline_of(const KernelUse& use);
    std::vector<const Pipeline*> pipelines_of(std::span<const Dispatch> dispatches);
    void check_range(const Binding& range) const;
    void check(const Dispatch& dispatch, const KernelInfo& info) const;
    [[noreturn]] void refuse(const Dispatch& dispatch, const KernelInfo& info) const;

    Device& device;
    const Capabilities caps;
    PipelineCache& pipelines;
    RuntimeKernels kernels;  ///< die after the recorder, which waits for the device
    std::mutex mutex;        ///< guards what follows, up to the recorder
    Standstill standstill;
    Recorder recorder;
    Watcher watcher{recorder.timeline()};
};

std::unique_lock<std::mutex> Queue::State::turn() {
    std::unique_lock lock(mutex);
    standstill.heed(lock);
    return lock;
}

void Queue::State::check_alive() {
    const auto lock = turn();
    recorder.check_alive();
}

void Queue::State::prepare(std::span<const KernelUse> uses) {
    const bool is_prepared = std::all_of(uses.begin(), uses.end(), [this](const KernelUse& use) {
        return pipelines.find(use) != nullptr;
    });
    if (!is_prepared) [[unlikely]] {
        check_alive();  // rather than what the compiler says of a lost device
        pipelines.prepare(uses);
    }
}

const Pipeline& Queue::State::pipeline_of(const KernelUse& use) {
    const Pipeline* const found = pipelines.find(use);
    if (found != nullptr) [[likely]] {
        return *found;
    }
    check_alive();
    return pipelines.get(use);
}

std::vector<const Pipeline*> Queue::State::pipelines_of(std::span<const Dispatch> dispatches) {
    std::vector<KernelUse> uses;
    for (const Dispatch& dispatch : dispatches) {
        if (dispatch.runtime == nullptr) {
            uses.push_back({dispatch.kernel, dispatch.spec});
        }
    }
    prepare(uses);
    std::vector<const Pipeline*> found;
    for (const Dispatch& dispatch : dispatches) {
        found.push_back(dispatch.runtime == nullptr
                            ? &pipelines.get({dispatch.kernel, dispatch.spec})
                            : &dispatch.runtime->pipeline());
    }
    return found;
}

void Queue::State::check_range(const Binding& range) const {
    PUMICE_INVARIANT(range.buffer != nullptr && range.buffer->handle != 0);
    PUMICE_INVARIANT(is_inside(range));
}

void Queue::State::refuse(const Dispatch& dispatch, const KernelInfo& info) const {
    std::string text = "wrong range or too many workgroups; got groups";
    for (const std::uint32_t count : dispatch.groups) {
        text += " " + std::to_string(count);
    }
    for (const Binding& binding : dispatch.bindings) {
        text += ", offset " + std::to_string(binding.offset_bytes) + " range " +
                std::to_string(binding.size_bytes) + " of " +
                std::to_string(binding.buffer == nullptr ? 0 : binding.buffer->size_bytes);
    }
    text += "; wanted groups";
    for (const std::uint32_t count : caps.max_group_count) {
        text += " " + std::to_string(count);
    }
    text += ", offsets that are multiples of " + std::to_string(caps.storage_alignment_bytes) +
            ", ranges of 4 to " + std::to_string(caps.max_storage_range_bytes) +
            " inside their buffers";
    throw InternalError(info.name, text);
}

void Queue::State::check(const Dispatch& dispatch, const KernelInfo& info) const {
    PUMICE_INVARIANT(dispatch.bindings.size() == info.binding_count);
    PUMICE_INVARIANT(dispatch.push.size() == info.push_size_bytes);
    // One branch for all on the hot path; what is wrong is found out only when something is.
    bool is_good = true;
    for (const Binding& binding : dispatch.bindings) {
        is_good &= binding.buffer != nullptr && is_inside(binding);
        // The alignment is a power of two.
        is_good &= (binding.offset_bytes & (caps.storage_alignment_bytes - 1)) == 0;
        is_good &= binding.size_bytes <= caps.max_storage_range_bytes;
    }
    for (std::size_t i = 0; i < 3; ++i) {
        is_good &= dispatch.groups[i] <= caps.max_group_count[i];
    }
    if (!is_good) [[unlikely]] {
        refuse(dispatch, info);
    }
}

Queue::Queue(Device& device) : state_(std::make_unique<State>(device)) {}

Queue::~Queue() = default;

void Queue::prepare(std::span<const KernelUse> uses) {
    state_->prepare(uses);
}

void Queue::dispatch(const Dispatch& dispatch) {
    const KernelInfo& info = kernel_info(dispatch.kernel);
    state_->check(dispatch, info);
    if (info.reports) {
        state_->device.reports().prepare();
    }
    const Pipeline& pipeline = state_->pipeline_of({dispatch.kernel, dispatch.spec});
    const auto lock = state_->turn();
    state_->recorder.dispatch(dispatch, info, pipeline);
}

void Queue::copy(const Binding& source, const Binding& target) {
    state_->check_range(source);
    state_->check_range(target);
    PUMICE_INVARIANT(source.size_bytes == target.size_bytes);
    PUMICE_INVARIANT(source.buffer->id != target.buffer->id ||
                     source.offset_bytes + source.size_bytes <= target.offset_bytes ||
                     target.offset_bytes + target.size_bytes <= source.offset_bytes);
    const auto lock = state_->turn();
    state_->recorder.copy(source, target);
}

void Queue::fill(const Binding& target, std::uint32_t word) {
    state_->check_range(target);
    const auto lock = state_->turn();
    state_->recorder.fill(target, word);
}

std::uint64_t Queue::release_to_host(const Binding& source) {
    state_->check_range(source);
    const auto lock = state_->turn();
    return state_->recorder.release_to_host();
}

bool Queue::is_idle(const Binding& range) {
    state_->check_range(range);
    const auto lock = state_->turn();
    state_->recorder.check_alive();
    return state_->recorder.is_idle(range);
}

std::shared_ptr<const RuntimeKernel> Queue::make_kernel(const KernelSource& source) {
    state_->check_alive();
    return state_->kernels.get(source);
}

std::shared_ptr<Recording> Queue::record(std::span<const Dispatch> dispatches) {
    for (const Dispatch& dispatch : dispatches) {
        state_->check(dispatch, info_of(dispatch));
        if (info_of(dispatch).reports) {
            state_->device.reports().prepare();
        }
    }
    const std::vector<const Pipeline*> pipelines = state_->pipelines_of(dispatches);
    const auto lock = state_->turn();
    return state_->recorder.record(dispatches, pipelines);
}

std::uint64_t Queue::replay(const Recording& recording) {
    const auto lock = state_->turn();
    return state_->recorder.replay(recording);
}

QueueCounters Queue::counters_of(const Recording& recording) noexcept {
    return recording.counters();
}

void Queue::start_timing() {
    const auto lock = state_->turn();
    state_->recorder.start_timing();
}

Timings Queue::stop_timing() noexcept {
    Recorder& recorder = state_->recorder;
    std::uint64_t value = 0;
    {
        const auto lock = state_->turn();
        value = recorder.end_timing();
    }
    // Without the lock: others go on recording. A lost device has nothing to wait for.
    const VkResult result =
        value > recorder.timeline().known() ? recorder.timeline().wait(value) : VK_SUCCESS;
    const auto lock = state_->turn();
    return recorder.take_timings(result);
}

std::uint64_t Queue::flush() {
    const auto lock = state_->turn();
    state_->recorder.check_alive();
    return state_->recorder.submit();
}

void Queue::wait(std::uint64_t value) {
    Recorder& recorder = state_->recorder;
    {
        const auto lock = state_->turn();
        recorder.check_alive();
        if (value > recorder.submitted()) {
            recorder.submit();
        }
        PUMICE_INVARIANT(value <= recorder.submitted());
    }
    // Without the lock: others go on recording.
    const VkResult result = recorder.timeline().wait(value);
    const auto lock = state_->turn();
    if (result < 0) {
        recorder.fail(result, "vkWaitSemaphores");
    }
    recorder.check_alive();
    recorder.learn_waited(value);
}

std::optional<Report> Queue::take_report(std::uint64_t value) {
    Reports& reports = state_->device.reports();
    Recorder& recorder = state_->recorder;
    const std::lock_guard lock(state_->mutex);
    if (!reports.is_due()) {
        return {};
    }
    if (!reports.has_any()) [[likely]] {
        reports.mark_checked(value);
        return {};
    }
    // Later commands may be about to report into the same slots: with all of them over, and the
    // lock held against more, the words are whole and can be cleared.
    const std::uint64_t last = recorder.release_to_host();
    if (const VkResult result = recorder.timeline().wait(last); result < 0) {
        recorder.fail(result, "vkWaitSemaphores");
    }
    recorder.learn_waited(last);
    reports.mark_checked(last);
    return reports.take();
}

void Queue::when_reached(std::uint64_t value, std::function<void()> then) {
    state_->watcher.when_reached(value, std::move(then));
}

std::uint64_t Queue::completed() {
    const auto lock = state_->turn();
    Recorder& recorder = state_->recorder;
    recorder.check_alive();
    if (const VkResult result = recorder.timeline().query(); result < 0) {
        recorder.fail(result, "vkGetSemaphoreCounterValue");
    }
    return recorder.timeline().known();
}

std::uint64_t Queue::completed_or_known() noexcept {
    const auto lock = state_->turn();
    if (!state_->recorder.is_lost()) {
        state_->recorder.timeline().query();
    }
    return state_->recorder.timeline().known();
}

std::uint64_t Queue::next_value() noexcept {
    const auto lock = state_->turn();
    return state_->recorder.next_value();
}

QueueCounters Queue::counters() const {
    const auto lock = state_->turn();
    return state_->recorder.counters();
}

Hazard Queue::last_hazard() const noexcept {
    return state_->recorder.last_hazard();
}

bool Queue::shut_down(Deadline deadline) noexcept {
    if (!state_->watcher.stop(deadline)) {
        return false;
    }
    std::unique_lock lock(state_->mutex, std::defer_lock);
    while (!lock.try_lock()) {  // another thread may be in a long call of the driver
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(kLockPause);
    }
    Recorder& recorder = state_->recorder;
    const bool must_wait =
        !recorder.is_lost() && recorder.timeline().known() < recorder.submitted();
    recorder.mark_lost(kProcessEnds);
    state_->standstill.begin();
    // A lost device has nothing to wait for.
    return !must_wait ||
           recorder.timeline().wait_until(recorder.submitted(), deadline) != VK_TIMEOUT;
}

}  // namespace pumice::vk
