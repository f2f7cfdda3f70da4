// SPDX-License-Identifier: Apache-2.0
// A kernel that no cache has, so that the driver's compiler is set up before anything else.
#include "vk/first_kernel.h"

#include "vk/device.h"
#include "vk/kernels/device_number.h"
#include "vk/queue.h"

#include <array>
#include <chrono>
#include <unistd.h>

namespace pumice::vk {
namespace {

// No two processes of a machine draw the same one, but for chance.
std::uint32_t new_number() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto ticks = static_cast<std::uint64_t>(now.count());
    return static_cast<std::uint32_t>(
        (ticks ^ static_cast<std::uint64_t>(::getpid()) << 40U) * 0x9E3779B97F4A7C15U >> 32U);
}

}  // namespace

void run_first_kernel(Device& device) {
    constexpr std::uint32_t kWordCount = 64;
    constexpr std::uint64_t kWordBytes = sizeof(std::uint32_t);
    const std::array<Buffer, 2> buffers = {
        device.create_buffer(kWordCount * kWordBytes, MemoryKind::kDevice),
        device.create_buffer(kWordBytes, MemoryKind::kDevice)};
    const std::array<Binding, 2> bindings = {
        Binding{.buffer = &buffers[0], .size_bytes = buffers[0].size_bytes},
        Binding{.buffer = &buffers[1], .size_bytes = buffers[1].size_bytes}};
    const auto spec = DeviceNumberSpec{.local_size = 8, .number = new_number()}.by_id();
    const DeviceNumberPush push{.word_count = kWordCount};
    Dispatch dispatch;
    dispatch.kernel = KernelId::kDeviceNumber;
    dispatch.spec = spec;
    dispatch.bindings = bindings;
    dispatch.push = std::as_bytes(std::span(&push, 1));
    dispatch.label = "first kernel";
    device.queue().fill(bindings[0], 0);
    device.queue().dispatch(dispatch);
    device.queue().wait(device.queue().flush());
    for (const Buffer& each : buffers) {
        device.destroy_buffer(each);
    }
}

}  // namespace pumice::vk
