// SPDX-License-Identifier: Apache-2.0
// The logical device, and the order in which it ends.
#include "vk/device.h"

#include "pumice/error.h"

#include "base/process_end.h"
#include "vk/buffer_store.h"
#include "vk/check.h"
#include "vk/features.h"
#include "vk/first_kernel.h"
#include "vk/instance.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/reports.h"
#include "vk/texel_views.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

namespace pumice::vk {
namespace {

VkDevice create_logical(const PhysicalDevice& physical) {
    FeatureChain available(physical.api_version);
    vkGetPhysicalDeviceFeatures2(physical.handle, available.head());
    FeatureChain enabled(physical.api_version);
    enabled.enable_from(available);

    std::vector<const char*> extensions;
    if (physical.capabilities.has_push_descriptors) {
        extensions.push_back(VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
    }
    if (physical.has_memory_budget) {
        extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    }
    const float priority = 1.0F;
    VkDeviceQueueCreateInfo queue{};
    queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
    queue.queueFamilyIndex = physical.queue_family;
    queue.queueCount = 1;
    queue.pQueuePriorities = &priority;
    VkDeviceCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
    info.pNext = enabled.head();
    info.queueCreateInfoCount = 1;
    info.pQueueCreateInfos = &queue;
    info.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
    info.ppEnabledExtensionNames = extensions.data();
    VkDevice device = VK_NULL_HANDLE;
    PUMICE_VK_CHECK(vkCreateDevice(physical.handle, &info, nullptr, &device), "vkCreateDevice");
    return device;
}

}  // namespace

/// Members die in reverse order: the queue first, the logical device last.
struct Device::State {
    explicit State(const PhysicalDevice& chosen)
        : physical(chosen), capabilities(chosen.capabilities), info(chosen.info) {
        handles.physical = chosen.handle;
        handles.queue_family = chosen.queue_family;
        handles.timestamp_bits = chosen.timestamp_bits;
        handles.timestamp_period_ns = chosen.properties.limits.timestampPeriod;
        handles.has_debug_utils = Instance::get().has_debug_utils();
        handles.device = create_logical(chosen);
        volkLoadDeviceTable(&table, handles.device);
        table.vkGetDeviceQueue(handles.device, handles.queue_family, 0, &handles.queue);
        info.is_chosen = true;
    }

    ~State() {
        queue.reset();
        if (reports && reports->buffer().mapped != nullptr) {
            buffers->retire(reports->buffer(), 0);
        }
        pipelines.reset();
        buffers.reset();
        views.reset();
        table.vkDestroyDevice(handles.device, nullptr);
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;
    State(State&&) = delete;
    State& operator=(State&&) = delete;

    const PhysicalDevice& physical;
    Capabilities capabilities;  ///< the physical device's; the seam may lower a limit
    DeviceInfo info;
    DeviceHandles handles;
    VolkDeviceTable table{};
    std::optional<TexelViews> views;
    std::optional<BufferStore> buffers;
    std::optional<PipelineCache> pipelines;
    std::optional<Reports> reports;
    std::optional<Queue> queue;
    std::atomic<bool> is_shut_down{false};
};

Device::Device() : state_(std::make_unique<State>(Instance::get().chosen())) {
    state_->views.emplace(state_->handles, state_->table);
    state_->buffers.emplace(state_->physical, state_->handles, state_->table, *state_->views);
    state_->pipelines.emplace(state_->physical, state_->handles, state_->table);
    state_->reports.emplace(*this);
    state_->queue.emplace(*this);
}

Device::~Device() = default;

const Capabilities& Device::capabilities() const noexcept {
    return state_->capabilities;
}

void Device::set_storage_range(std::uint64_t most_bytes) noexcept {
    state_->capabilities.max_storage_range_bytes = most_bytes;
}

void Device::set_timestamp_bits(std::uint32_t bits) noexcept {
    state_->handles.timestamp_bits = bits;
}

const DeviceInfo& Device::info() const noexcept {
    return state_->info;
}

Queue& Device::queue() noexcept {
    return *state_->queue;
}

PipelineCache& Device::pipelines() noexcept {
    return *state_->pipelines;
}

Reports& Device::reports() noexcept {
    return *state_->reports;
}

TexelViews& Device::texel_views() noexcept {
    return *state_->views;
}

VolkDeviceTable& Device::table() noexcept {
    return state_->table;
}

const DeviceHandles& Device::handles() const noexcept {
    return state_->handles;
}

Buffer Device::create_buffer(std::uint64_t size_bytes, MemoryKind kind) {
    collect_garbage();
    try {
        return state_->buffers->create(size_bytes, kind);
    } catch (const OutOfMemoryError&) {
        if (!state_->buffers->has_retired()) {
            throw;
        }
    }
    // What was destroyed may only be waiting for the queue.
    state_->queue->wait(state_->queue->flush());
    collect_garbage();
    return state_->buffers->create(size_bytes, kind);
}

void Device::destroy_buffer(const Buffer& buffer) noexcept {
    if (state_->is_shut_down) {
        return;  // the process ends, and takes the memory with it
    }
    state_->buffers->retire(buffer, state_->queue->next_value());
    collect_garbage();
}

void Device::collect_garbage() noexcept {
    if (!state_->is_shut_down && state_->buffers->has_retired()) {
        state_->buffers->collect(state_->queue->completed_or_known());
    }
}

std::uint64_t Device::free_bytes() const {
    return state_->buffers->free_bytes();
}

void Device::set_name(const Buffer& buffer, std::string_view name) {
    state_->buffers->set_name(buffer, name);
}

void Device::shut_down(int status) noexcept {
    if (state_->is_shut_down.exchange(true)) {
        return;
    }
    const Deadline deadline = std::chrono::steady_clock::now() + kEndPatience;
    if (!state_->queue->shut_down(deadline) || !state_->pipelines->gate().close(deadline)) {
        end_process_now(status, "the device is still at work");
    }
    // The validation layer makes statics for this entry, which die before the handler runs.
    if (!state_->handles.has_debug_utils) {
        state_->pipelines->save();
    }
}

// Note [End of the process]: the process's device is never destroyed, because tensors may be static
// and die after main, after the statics of this library, or after those of the driver. What must
// not happen is that a driver's threads run while its statics die, or threads of ours within it. So
// a handler waits for what is in flight and for who is compiling (CompileGate), saves the pipeline
// cache, and turns every later call into an error or, in destructors, into nothing.
//
// Handlers and the destructors of statics run in the reverse order of their making. A driver that
// compiles on its own threads makes statics there, with the first code that it generates (lavapipe:
// five of LLVM's), and those die before a handler that was registered earlier: its thread then
// compiles on without them, which crashed or never came to an end. No handler can be registered
// while that happens, and any thread may call std::exit meanwhile. So device() has the driver
// generate code before it returns: one kernel that no cache can have, for it contains a new number,
// is compiled and waited for; then comes the handler.
//
// Until then a thread that ends the process would find no handler on top of the driver's statics,
// which are made while the driver is loaded. So it waits where std::exit begins, in the destructor
// of an object of its own (HeldEnd). Only a thread that has nothing to do with this library, and
// calls std::exit in the very milliseconds in which another one makes the device, has none.
//
// Other threads that call an operator from then on stand still for as long as an end takes (a few
// seconds, then they get an error), rather than throw at once where nobody may catch: the process
// is about to take them away. The thread that ends it gets the error.
//
// A device that does not come to its end in ten seconds is left at work: the process ends there,
// with the code that it was given.
namespace {

std::atomic<Device*> made_device{nullptr};
std::mutex making;

}  // namespace

Device& device() {
    if (Device* made = made_device.load(std::memory_order_acquire); made != nullptr) {
        return *made;
    }
    heed_held_end();
    const std::lock_guard lock(making);
    if (Device* made = made_device.load(std::memory_order_acquire); made != nullptr) {
        return *made;
    }
    const HeldEnd until_registered;
    auto made = std::make_unique<Device>();
    if (made->capabilities().is_cpu) {
        run_first_kernel(*made);
    }
    at_process_end(EndStage::kDevice, [](int status) {
        if (Device* const its = made_device.load(); its != nullptr) {
            its->shut_down(status);
        }
    });
    made_device.store(made.get(), std::memory_order_release);
    return *made.release();
}

Device* device_if_made() noexcept {
    return made_device.load(std::memory_order_acquire);
}

}  // namespace pumice::vk
