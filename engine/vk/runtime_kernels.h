// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/made_once.h"
#include "vk/module_store.h"
#include "vk/runtime_kernel.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pumice::vk {

/// Kernels that were written at run time, each compiled once while it is among the last ones asked
/// for: two captures of one function share theirs. Thread-safe; who asks for one that another
/// thread compiles waits for that one alone.
class RuntimeKernels {
public:
    static constexpr std::size_t kMostInMemory = 256;

    explicit RuntimeKernels(Device& device);

    /// @throws InternalError with the compiler's messages, OutOfMemoryError, DeviceError
    std::shared_ptr<const RuntimeKernel> get(const KernelSource& source);

private:
    /// A source whose text is what became of it.
    struct Key {
        std::shared_ptr<const ModuleWords> words;
        KernelInterface interface;

        auto operator<=>(const Key&) const = default;
    };

    Device& device_;
    ModuleStore modules_;
    MadeOnce<Key, RuntimeKernel> kernels_{kMostInMemory};
};

}  // namespace pumice::vk
