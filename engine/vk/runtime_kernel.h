// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/kernels.h"
#include "vk/pipelines.h"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::vk {

class Device;

/// What a kernel that was written at run time has beside its code.
struct KernelInterface {
    std::string name;
    std::uint8_t binding_count = 0;
    std::uint8_t written_mask = 0;  ///< bit i: binding i is written
    std::uint8_t read_mask = 0;     ///< bit i: binding i is read
    std::uint8_t texel_mask = 0;    ///< bit i: binding i is a uniform texel buffer
    std::uint8_t push_size_bytes = 0;
    std::vector<std::uint32_t> spec;  ///< value of specialization constant i at index i

    auto operator<=>(const KernelInterface&) const = default;
};

/// A kernel that was written at run time.
struct KernelSource : KernelInterface {
    std::string text;  ///< GLSL with all includes in place; local_size_x is constant 0
};

/// Such a kernel, ready to be recorded under its specialization constants. Made by
/// RuntimeKernels; dies after the last replay that runs it.
class RuntimeKernel {
public:
    /// @throws DeviceError, OutOfMemoryError
    RuntimeKernel(Device& device,
                  const KernelInterface& source,
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
