// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/device.h"

#include "vk/buffer.h"
#include "vk/capabilities.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct VolkDeviceTable;

namespace pumice::vk {

class Queue;
class PipelineCache;
struct DeviceHandles;
class Reports;
class TexelViews;

/// The logical device with its queue, pipelines and the table of driver entries.
///
/// The table is a seam (docs/architecture.md#drivers-and-validation): null execution, fault
/// injection and the gate's dropped barriers replace its entries (`vk/seam.h`), nothing else does.
class Device {
public:
    Device();
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
    Device(Device&&) = delete;
    Device& operator=(Device&&) = delete;

    [[nodiscard]] const Capabilities& capabilities() const noexcept;
    [[nodiscard]] const DeviceInfo& info() const noexcept;
    Queue& queue() noexcept;
    PipelineCache& pipelines() noexcept;
    /// Under the queue's lock, as its head says.
    Reports& reports() noexcept;
    TexelViews& texel_views() noexcept;
    VolkDeviceTable& table() noexcept;
    /// For the seam, as `table` is; no call may be on its way.
    void set_storage_range(std::uint64_t most_bytes) noexcept;
    /// Likewise.
    void set_timestamp_bits(std::uint32_t bits) noexcept;
    /// The raw handles, for this room's files (`vk/vulkan.h`).
    [[nodiscard]] const DeviceHandles& handles() const noexcept;

    /// @throws OutOfMemoryError when the driver has no more memory of that kind
    Buffer create_buffer(std::uint64_t size_bytes, MemoryKind kind);
    /// Destroys the buffer once the queue has passed everything recorded so far.
    void destroy_buffer(const Buffer& buffer) noexcept;
    /// Gives destroyed buffers that the queue has passed back to the driver. The two functions
    /// above do it as well.
    void collect_garbage() noexcept;
    /// Bytes of the device-local heap(s) not yet taken by this process, as far as known.
    [[nodiscard]] std::uint64_t free_bytes() const;
    /// Names a range's current tenant for RenderDoc and validation messages; cheap no-op without
    /// VK_EXT_debug_utils.
    void set_name(const Buffer& buffer, std::string_view name);

    /// For the end of the process: waits for the device, saves the pipeline cache, and refuses all
    /// further work. Ends the process with that code where the device does not come to an end. See
    /// Note [End of the process] in device.cpp.
    void shut_down(int status) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The process's device, made on first use as `PUMICE_DEVICE` says. Thread-safe.
/// @throws DeviceError with one line that says what is missing and what to install
Device& device();

/// The device if it was made already, else null.
Device* device_if_made() noexcept;

}  // namespace pumice::vk
