// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process_end.h"
#include "vk/standstill.h"

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace pumice::vk {

/// Knows which threads are in a compiler, so that the process does not end under them; see Note
/// [End of the process] in device.cpp.
class CompileGate {
public:
    /// One thread's stay in a compiler; not within another one.
    class Stay {
    public:
        /// Stands still once the process ends. @throws DeviceError after that
        explicit Stay(CompileGate& gate);
        ~Stay();
        Stay(const Stay&) = delete;
        Stay& operator=(const Stay&) = delete;
        Stay(Stay&&) = delete;
        Stay& operator=(Stay&&) = delete;

    private:
        CompileGate& gate_;
    };

    /// Lets nobody in any more and waits for those within; false if one of them is still there at
    /// the deadline.
    bool close(Deadline deadline) noexcept;

private:
    std::mutex mutex_;
    std::condition_variable left_;
    std::size_t count_ = 0;  ///< of threads within
    Standstill standstill_;
};

}  // namespace pumice::vk
