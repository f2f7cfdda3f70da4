// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pumice::vk {

/// A label's text, cut to fit, with a zero at its end.
using LabelText = std::array<char, 64>;

inline LabelText to_label_text(std::string_view label) noexcept {
    LabelText text{};
    std::copy_n(label.data(), std::min(label.size(), text.size() - 1), text.data());
    return text;
}

/// One command that was timed.
struct TimedCommand {
    LabelText label{};
    std::chrono::steady_clock::time_point recorded;  ///< by the host
    std::uint64_t begin_ticks = 0;                   ///< of the device's clock
    std::uint64_t end_ticks = 0;
    std::uint64_t submit = 0;  ///< timeline value that ended it
};

/// What Queue timed, in the order of recording.
struct Timings {
    std::vector<TimedCommand> commands;
    std::size_t lost_count = 0;  ///< commands whose times could not be read
};

/// A device's ticks as microseconds. Ticks wrap around after `valid_bits`, and above these they may
/// be anything; steps between one call and the next are taken to be shorter than half a turn.
class TickClock {
public:
    TickClock(std::uint32_t valid_bits, double period_ns) noexcept
        : shift_(64 - std::clamp(valid_bits, 1U, 64U)), period_ns_(period_ns) {}

    /// Microseconds since the first call's ticks; negative for a moment before it.
    double microseconds(std::uint64_t ticks) noexcept {
        if (!has_begun_) {
            has_begun_ = true;
            last_ticks_ = ticks;
        }
        // Shifted up, the difference wraps as the counter does, and has its sign; down again it
        // keeps that.
        position_ += static_cast<std::int64_t>((ticks - last_ticks_) << shift_) >> shift_;
        last_ticks_ = ticks;
        return static_cast<double>(position_) * period_ns_ * 1e-3;
    }

private:
    std::uint32_t shift_;
    double period_ns_;
    bool has_begun_ = false;
    std::uint64_t last_ticks_ = 0;
    std::int64_t position_ = 0;  ///< ticks since the first call's
};

}  // namespace pumice::vk
