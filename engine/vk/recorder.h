// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/capabilities.h"
#include "vk/command_ring.h"
#include "vk/command_timer.h"
#include "vk/command_writer.h"
#include "vk/flight_log.h"
#include "vk/hazards.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/recording.h"
#include "vk/timeline.h"
#include "vk/vulkan.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace pumice::vk {

/// The part of Queue that runs under its lock: commands in, barriers found, submits out. Nothing is
/// compiled here.
class Recorder {
public:
    explicit Recorder(Device& device);
    /// Waits for the device. Commands that were not submitted are dropped: nobody can see them.
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    Recorder(Recorder&&) = delete;
    Recorder& operator=(Recorder&&) = delete;

    void dispatch(const Dispatch& dispatch, const KernelInfo& info, const Pipeline& pipeline);
    void copy(const Binding& source, const Binding& target);
    void fill(const Binding& target, std::uint32_t word);
    std::uint64_t release_to_host();
    bool is_idle(const Binding& range);

    /// The pipelines are those of the dispatches.
    std::shared_ptr<Recording> record(std::span<const Dispatch> dispatches,
                                      std::span<const Pipeline* const> pipelines);
    /// The recording's commands come after what is pending; returns the value that will mark the
    /// end of both.
    std::uint64_t replay(const Recording& recording);

    /// Times every later command. @throws as Queue::start_timing
    void start_timing();
    /// Ends that and submits; returns the timeline value that ends what was timed, or one that was
    /// seen if the device is lost.
    std::uint64_t end_timing() noexcept;
    /// What was timed, once that value was waited for with this result.
    Timings take_timings(VkResult result) noexcept;

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
    void count_command(std::uint64_t work);
    [[noreturn]] void lose(VkResult result, std::string_view what);
    void submit_if_full();
    void collect_open();
    /// `kept` lives until the submit has ended if commands are timed.
    std::uint64_t submit_with(const std::shared_ptr<const Recording>& kept);
    std::shared_ptr<const Recording> record_timed(const Recording& recording);

    Device& device_;
    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    Timeline timeline_;
    CommandRing ring_;
    FlightLog log_;
    Hazard last_hazard_;
    QueueCounters counters_;
    CommandWriter writer_;                    ///< open while commands are recorded
    std::vector<VkCommandBuffer> collected_;  ///< ended, of the next submit
    std::vector<VkSubmitInfo> batches_;       ///< of the submit being made; kept for its capacity
    std::uint64_t submitted_ = 0;             ///< timeline value of the last submit
    std::uint64_t pending_work_ = 0;
    std::uint32_t pending_count_ = 0;
    std::unique_ptr<CommandTimer> timer_;  ///< until its times were taken; a lost device keeps it
    bool is_timing_ = false;
    bool is_released_ = true;  ///< the host may see all that was submitted
    std::string_view lost_reason_;
};

}  // namespace pumice::vk
