// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/kernels.h"
#include "vk/pipelines.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pumice::vk {

class Device;

/// A kernel that was written at run time.
struct KernelSource {
    std::string name;
    std::string text;  ///< GLSL with all includes in place; local_size_x is constant 0
    std::uint8_t binding_count = 0;
    std::uint8_t written_mask = 0;  ///< bit i: binding i is written
    std::uint8_t read_mask = 0;     ///< bit i: binding i is read
    std::uint8_t push_size_bytes = 0;
    std::vector<std::uint32_t> spec;  ///< value of specialization constant i at index i
};

/// Such a kernel, ready to be recorded under its specialization constants. Made by
/// Queue::make_kernel; dies after the last replay that runs it.
class RuntimeKernel {
public:
    /// @throws DeviceError, OutOfMemoryError
    RuntimeKernel(Device& device,
                  const KernelSource& source,
                  const std::vector<std::uint32_t>& words);
    ~RuntimeKernel();
    RuntimeKernel(const RuntimeKernel&) = delete;
    RuntimeKernel& operator=(const RuntimeKernel&) = delete;
    RuntimeKernel(RuntimeKernel&&) = delete;
    RuntimeKernel& operator=(RuntimeKernel&&) = delete;

    [[nodiscard]] const KernelInfo& info() const noexcept { return info_; }

    [[nodiscard]] const Pipeline& pipeline() const noexcept { return pipeline_; }

private:
    Device& device_;
    const std::string name_;
    KernelInfo info_;
    Pipeline pipeline_;
};

}  // namespace pumice::vk
