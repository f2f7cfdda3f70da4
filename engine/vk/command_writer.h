// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/command_ring.h"
#include "vk/hazards.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/vulkan.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace pumice::vk {

class FlightLog;
class Reports;
class Stopwatch;
class TexelViews;

/// Full masks on both sides of every barrier between commands: a driver is known to drop narrower
/// ones.
inline constexpr VkPipelineStageFlags kCommandStages =
    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
inline constexpr VkAccessFlags kCommandWrites =
    VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
inline constexpr VkAccessFlags kCommandAccesses =
    kCommandWrites | VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;

/// A command buffer ends after this much estimated work: long ones lose the device on real drivers.
inline constexpr std::uint64_t kWorkPerBuffer = std::uint64_t{1} << 30U;

Access access_of(const Binding& binding, bool is_write) noexcept;

/// Writes commands into an open command buffer, with a barrier before each that needs one. See Note
/// [Hazards] in recorder.cpp. Not thread-safe.
class CommandWriter {
public:
    /// `counters` counts dispatches and barriers, `log`, if any, is told of every access. Views of
    /// texels that are made are `own_views`' to destroy; without, the device keeps them.
    CommandWriter(Device& device,
                  QueueCounters& counters,
                  Hazard& last_hazard,
                  FlightLog* log,
                  std::vector<VkBufferView>* own_views);

    /// Goes on in this slot's command buffer, which was begun, and times its commands if there is a
    /// stopwatch. `completed` is what the timeline has reached.
    void open(CommandSlot& slot, Stopwatch* stopwatch, std::uint64_t completed) noexcept;

    [[nodiscard]] bool is_open() const noexcept { return slot_ != nullptr; }

    [[nodiscard]] CommandSlot& slot() noexcept { return *slot_; }

    void close() noexcept { slot_ = nullptr; }

    /// `value` is the timeline value that ends the command.
    /// @throws OutOfMemoryError, DeviceError before anything was written
    void dispatch(const Dispatch& dispatch,
                  const KernelInfo& info,
                  const Pipeline& pipeline,
                  std::uint64_t value);
    void copy(const Binding& source, const Binding& target, std::uint64_t value) noexcept;
    void fill(const Binding& target, std::uint32_t word, std::uint64_t value) noexcept;
    /// Orders all before against all after, whatever it touches.
    void barrier() noexcept;
    /// Lets the host see all writes so far, once their timeline value is reached.
    void release_to_host() noexcept;

    HazardTracker& hazards() noexcept { return hazards_; }

private:
    /// Calls `record`, between timestamps if there is a stopwatch.
    template <class Record>
    void timed(std::string_view label, const Record& record) noexcept;
    void order(std::span<const Access> accesses, std::uint64_t value) noexcept;
    using Descriptors = std::array<Descriptor, PipelineCache::kMaxBindings>;

    void describe(const Dispatch& dispatch,
                  const BindingLayout& layout,
                  std::uint64_t value,
                  Descriptors& descriptors);
    void bind(const Pipeline& pipeline,
              VkDescriptorSet set,
              const Descriptors& descriptors) noexcept;
    void record_dispatch(const Dispatch& dispatch, const Pipeline& pipeline) noexcept;

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    const bool has_push_descriptors_;
    Reports& reports_;
    TexelViews& views_;
    std::vector<VkBufferView>* own_views_;
    std::uint64_t completed_ = 0;
    QueueCounters& counters_;
    Hazard& last_hazard_;
    FlightLog* log_;
    CommandSlot* slot_ = nullptr;
    Stopwatch* stopwatch_ = nullptr;
    VkPipeline bound_pipeline_ = VK_NULL_HANDLE;
    HazardTracker hazards_;
};

}  // namespace pumice::vk
