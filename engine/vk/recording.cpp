// SPDX-License-Identifier: Apache-2.0
// Command buffers that are recorded once and run many times.
#include "vk/recording.h"

#include "vk/check.h"
#include "vk/command_timer.h"
#include "vk/command_writer.h"
#include "vk/device.h"
#include "vk/runtime_kernel.h"
#include "vk/texel_views.h"

namespace pumice::vk {

Recording::Recording(Device& device,
                     std::span<const Dispatch> dispatches,
                     std::span<const Pipeline* const> pipelines,
                     Hazard& last_hazard,
                     CommandTimer* timer)
    : texel_views_(device.texel_views()),
      list_(timer == nullptr ? dispatches : std::span<const Dispatch>()),
      pipelines_(pipelines.begin(), pipelines.end()) {
    try {
        record(device, dispatches, last_hazard, timer);
    } catch (...) {
        destroy_views();
        throw;
    }
}

Recording::~Recording() {
    destroy_views();
}

void Recording::destroy_views() noexcept {
    for (VkBufferView view : views_) {
        texel_views_.destroy(view);
    }
}

void Recording::record(Device& device,
                       std::span<const Dispatch> dispatches,
                       Hazard& last_hazard,
                       CommandTimer* timer) {
    Stopwatch* stopwatch = nullptr;
    CommandWriter writer(device, counters_, last_hazard, nullptr, &views_);
    const auto open = [&] {
        if (timer != nullptr) {
            timer->prepare();
        }
        CommandSlot& slot =
            *slots_.emplace_back(std::make_unique<CommandSlot>(device.handles(), device.table()));
        slot.begin(VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT);
        buffers_.push_back(slot.buffer);
        stopwatch = timer != nullptr ? &timer->take(slot.buffer) : nullptr;
        writer.open(slot, stopwatch, 0);
    };
    const auto end = [&] {
        PUMICE_VK_CHECK(device.table().vkEndCommandBuffer(buffers_.back()), "vkEndCommandBuffer");
    };
    open();
    last_hazard = {HazardKind::kFull, true};
    writer.barrier();
    std::uint64_t work = 0;
    for (std::size_t i = 0; i < dispatches.size(); ++i) {
        const Dispatch& dispatch = dispatches[i];
        if (work >= kWorkPerBuffer || (stopwatch != nullptr && stopwatch->is_full())) {
            end();
            open();
            work = 0;
        }
        writer.dispatch(dispatch, info_of(dispatch), *pipelines_[i], 0);
        work += dispatch.work;
        reports_ = reports_ || info_of(dispatch).reports;
        work_ += dispatch.work;
    }
    last_hazard = {HazardKind::kFull, false};
    writer.barrier();
    writer.release_to_host();
    end();
}

}  // namespace pumice::vk
