// SPDX-License-Identifier: Apache-2.0
// Who is in a compiler while the process ends.
#include "vk/compile_gate.h"

#include "pumice/error.h"

namespace pumice::vk {

CompileGate::Stay::Stay(CompileGate& gate) : gate_(gate) {
    std::unique_lock lock(gate.mutex_);
    gate.standstill_.heed(lock);
    if (gate.standstill_.is_on()) {
        throw DeviceError("vulkan", kProcessEnds);
    }
    ++gate.count_;
}

CompileGate::Stay::~Stay() {
    const std::lock_guard lock(gate_.mutex_);
    --gate_.count_;
    gate_.left_.notify_all();
}

bool CompileGate::close(Deadline deadline) noexcept {
    std::unique_lock lock(mutex_);
    standstill_.begin();
    return left_.wait_until(lock, deadline, [this] { return count_ == 0; });
}

}  // namespace pumice::vk
