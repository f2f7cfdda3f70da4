// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/capabilities.h"
#include "vk/command_ring.h"
#include "vk/flight_log.h"
#include "vk/hazards.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/timeline.h"
#include "vk/vulkan.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pumice::vk {

/// The part of Queue that runs under its lock: commands in, barriers found, submits out.
class Recorder {
public:
    explicit Recorder(Device& device);
    /// Waits for the device. Commands that were not submitted are dropped: nobody can see them.
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    Recorder(Recorder&&) = delete;
    Recorder& operator=(Recorder&&) = delete;

    void dispatch(const Dispatch& dispatch, const KernelInfo& info);
    void copy(const Binding& source, const Binding& target);
    void fill(const Binding& target, std::uint32_t word);
    std::uint64_t release_to_host();
    bool is_idle(const Binding& range);

    std::uint64_t submit();
    /// @throws DeviceError once the device was lost or the process ends
    void check_alive() const;
    /// Every later call throws, with this reason in the text. The first reason stays.
    void mark_lost(std::string_view reason) noexcept;
    /// Throws what a failed call deserves; the device counts as lost if the driver says so.
    [[noreturn]] void fail(VkResult result, std::string_view what);

    [[nodiscard]] bool is_lost() const noexcept { return !lost_reason_.empty(); }

    /// The host has waited for this value: hazards of earlier submits are over.
    void learn_waited(std::uint64_t value) noexcept;

    Timeline& timeline() noexcept { return timeline_; }

    [[nodiscard]] std::uint64_t submitted() const noexcept { return submitted_; }

    [[nodiscard]] std::uint64_t next_value() const noexcept {
        return submitted_ + (has_pending() ? 1U : 0U);
    }

    [[nodiscard]] const QueueCounters& counters() const noexcept { return counters_; }

    [[nodiscard]] Hazard last_hazard() const noexcept { return last_hazard_; }

private:
    [[nodiscard]] bool has_pending() const noexcept { return pending_count_ > 0; }

    /// Opens a command buffer if none is open.
    void begin();
    /// Puts a barrier first if the accesses conflict with earlier ones, then remembers them.
    void order(std::span<const Access> accesses) noexcept;
    void record_barrier() noexcept;
    void bind(const Pipeline& pipeline,
              VkDescriptorSet set,
              std::span<const Binding> bindings) noexcept;
    void record_dispatch(const Dispatch& dispatch, const Pipeline& pipeline) noexcept;
    void count_command(std::uint64_t work);

    Device& device_;
    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    const bool has_push_descriptors_;
    Timeline timeline_;
    CommandRing ring_;
    CommandSlot* slot_ = nullptr;  ///< open for recording
    VkPipeline bound_pipeline_ = VK_NULL_HANDLE;
    HazardTracker hazards_;
    FlightLog log_;
    Hazard last_hazard_;
    std::uint64_t submitted_ = 0;  ///< timeline value of the last submit
    std::uint64_t pending_work_ = 0;
    std::uint32_t pending_count_ = 0;
    bool is_released_ = true;  ///< the host may see all that was submitted
    QueueCounters counters_;
    std::string_view lost_reason_;
};

}  // namespace pumice::vk
