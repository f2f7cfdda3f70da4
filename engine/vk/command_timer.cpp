// SPDX-License-Identifier: Apache-2.0
// Times of commands on the device.
#include "vk/command_timer.h"

#include "vk/check.h"
#include "vk/recording.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace pumice::vk {

Stopwatch::Stopwatch(const DeviceHandles& handles, const VolkDeviceTable& table)
    : handles_(handles), table_(table) {
    VkQueryPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    info.queryType = VK_QUERY_TYPE_TIMESTAMP;
    info.queryCount = 2 * kMostCommands;
    PUMICE_VK_CHECK(table_.vkCreateQueryPool(handles_.device, &info, nullptr, &pool_),
                    "vkCreateQueryPool");
}

Stopwatch::~Stopwatch() {
    table_.vkDestroyQueryPool(handles_.device, pool_, nullptr);
}

void Stopwatch::start(VkCommandBuffer buffer) noexcept {
    buffer_ = buffer;
    count_ = 0;
    table_.vkCmdResetQueryPool(buffer, pool_, 0, 2 * kMostCommands);
}

void Stopwatch::begin(std::string_view label) noexcept {
    laps_[count_] = {to_label_text(label), std::chrono::steady_clock::now()};
    table_.vkCmdWriteTimestamp(buffer_, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, pool_, 2 * count_);
}

void Stopwatch::end() noexcept {
    table_.vkCmdWriteTimestamp(
        buffer_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool_, 2 * count_ + 1);
    ++count_;
}

bool Stopwatch::read(std::uint64_t submit, std::vector<TimedCommand>& commands) {
    if (count_ == 0) {
        return true;
    }
    if (commands.capacity() - commands.size() < count_) {  // room for all, or none is added
        commands.reserve(std::max(2 * commands.capacity(), commands.size() + count_));
    }
    std::array<std::uint64_t, std::size_t{2} * kMostCommands> ticks{};
    const VkResult result = table_.vkGetQueryPoolResults(handles_.device,
                                                         pool_,
                                                         0,
                                                         2 * count_,
                                                         sizeof(ticks),
                                                         ticks.data(),
                                                         sizeof(std::uint64_t),
                                                         VK_QUERY_RESULT_64_BIT);
    if (result != VK_SUCCESS) {
        return false;
    }
    for (std::size_t i = 0; i < count_; ++i) {
        commands.push_back({.label = laps_[i].label,
                            .recorded = laps_[i].recorded,
                            .begin_ticks = ticks[2 * i],
                            .end_ticks = ticks[2 * i + 1],
                            .submit = submit});
    }
    clear();
    return true;
}

// Each list has room for all stopwatches, so that nothing else here allocates.
void CommandTimer::prepare() {
    if (!free_.empty()) {
        return;
    }
    const std::size_t count = all_.size() + 1;
    all_.reserve(count);
    free_.reserve(count);
    taken_.reserve(count);
    flights_.reserve(count);
    free_.push_back(all_.emplace_back(std::make_unique<Stopwatch>(handles_, table_)).get());
}

Stopwatch& CommandTimer::take(VkCommandBuffer buffer) noexcept {
    Stopwatch* const stopwatch = free_.back();
    free_.pop_back();
    taken_.push_back(stopwatch);
    stopwatch->start(buffer);
    return *stopwatch;
}

void CommandTimer::drop_taken(std::size_t kept_count) noexcept {
    for (; taken_.size() > kept_count; taken_.pop_back()) {
        taken_.back()->clear();
        free_.push_back(taken_.back());
    }
}

void CommandTimer::submitted(std::uint64_t value,
                             const std::shared_ptr<const Recording>& recording) noexcept {
    for (Stopwatch* const stopwatch : taken_) {
        flights_.push_back({stopwatch, value, recording});
    }
    taken_.clear();
}

void CommandTimer::read(const Flight& flight) noexcept {
    try {
        if (!flight.stopwatch->read(flight.value, timings_.commands)) {
            timings_.lost_count += flight.stopwatch->count();
        }
    } catch (const std::exception&) {  // host memory ran out
        timings_.lost_count += flight.stopwatch->count();
    }
    flight.stopwatch->clear();
}

void CommandTimer::collect(std::uint64_t value) noexcept {
    const auto running = std::find_if(
        flights_.begin(), flights_.end(), [value](const Flight& f) { return f.value > value; });
    for (auto flight = flights_.begin(); flight != running; ++flight) {
        read(*flight);
        free_.push_back(flight->stopwatch);
    }
    flights_.erase(flights_.begin(), running);
}

Timings CommandTimer::finish() noexcept {
    for (const auto& stopwatch : all_) {
        timings_.lost_count += stopwatch->count();
        stopwatch->clear();
    }
    return std::exchange(timings_, {});
}

}  // namespace pumice::vk
