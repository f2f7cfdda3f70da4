// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/command_ring.h"
#include "vk/dispatch_list.h"
#include "vk/hazards.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/vulkan.h"

#include <memory>
#include <span>
#include <vector>

namespace pumice::vk {

class CommandTimer;
class TexelViews;

/// Command buffers that are recorded once and submitted as often as wanted, also while an earlier
/// submit of theirs is on its way: the first command is a barrier, and so is the last, which also
/// serves the host. Barriers between the commands stand where eager recording would put them.
/// Made and replayed by Queue, under its lock; dies after its last submit has ended.
class Recording {
public:
    /// The pipelines are those of the dispatches. With a timer, the commands are timed at their
    /// next submit, the only one then. @throws OutOfMemoryError, DeviceError
    Recording(Device& device,
              std::span<const Dispatch> dispatches,
              std::span<const Pipeline* const> pipelines,
              Hazard& last_hazard,
              CommandTimer* timer);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    Recording(Recording&&) = delete;
    Recording& operator=(Recording&&) = delete;

    [[nodiscard]] std::span<const VkCommandBuffer> buffers() const noexcept { return buffers_; }

    /// What was recorded, to be recorded again; none if it was timed.
    [[nodiscard]] std::span<const Dispatch> dispatches() const noexcept { return list_.calls(); }

    /// Of these dispatches; they live as long as their kernels.
    [[nodiscard]] std::span<const Pipeline* const> pipelines() const noexcept { return pipelines_; }

    /// Whether a kernel of it may report (Note [Reports] in reports.h).
    [[nodiscard]] bool reports() const noexcept { return reports_; }

    /// Dispatches and barriers of one replay.
    [[nodiscard]] const QueueCounters& counters() const noexcept { return counters_; }

    /// Estimated operations of one replay.
    [[nodiscard]] std::uint64_t work() const noexcept { return work_; }

private:
    void record(Device& device,
                std::span<const Dispatch> dispatches,
                Hazard& last_hazard,
                CommandTimer* timer);
    void destroy_views() noexcept;

    TexelViews& texel_views_;
    std::vector<VkBufferView> views_;
    DispatchList list_;
    std::vector<const Pipeline*> pipelines_;
    std::vector<std::unique_ptr<CommandSlot>> slots_;
    std::vector<VkCommandBuffer> buffers_;
    QueueCounters counters_;
    bool reports_ = false;
    std::uint64_t work_ = 0;
};

}  // namespace pumice::vk
