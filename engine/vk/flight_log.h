// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/hazards.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace pumice::vk {

/// The ranges that recent commands touch, with the timeline value that ends each command: answers
/// whether the host may write to mapped memory directly. Pure; the caller locks.
///
/// Apart from HazardTracker because a barrier orders commands among each other, not with the host.
class FlightLog {
public:
    static constexpr std::size_t kCapacity = 1024;

    /// `value` never falls from call to call.
    void add(const Access& access, std::uint64_t value) noexcept {
        Entry& entry = entries_[count_ % kCapacity];
        forgotten_value_ = entry.value;  // 0 for an entry not used yet
        entry = {access.begin, access.end, value};
        ++count_;
    }

    /// Timeline value after which no command that was added touches the range; `completed` is a
    /// value known to have been reached, and cuts the search short.
    [[nodiscard]] std::uint64_t last_use(const Access& access,
                                         std::uint64_t completed) const noexcept {
        const std::uint64_t kept = count_ < kCapacity ? count_ : kCapacity;
        for (std::uint64_t back = 1; back <= kept; ++back) {
            const Entry& entry = entries_[(count_ - back) % kCapacity];
            if (entry.value <= completed) {
                return 0;
            }
            if (access.begin < entry.end && entry.begin < access.end) {
                return entry.value;
            }
        }
        return forgotten_value_;  // any of the forgotten commands may have touched it
    }

private:
    struct Entry {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t value = 0;
    };

    std::array<Entry, kCapacity> entries_{};
    std::uint64_t count_ = 0;
    std::uint64_t forgotten_value_ = 0;
};

}  // namespace pumice::vk
