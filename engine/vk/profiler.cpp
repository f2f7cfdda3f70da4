// SPDX-License-Identifier: Apache-2.0
// The device's times as a trace that browsers draw.
#include "pumice/profiler.h"

#include "pumice/error.h"

#include "base/whole_file.h"
#include "vk/device.h"
#include "vk/queue.h"
#include "vk/timings.h"
#include "vk/vulkan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>

namespace pumice {

struct Profiler::State {
    explicit State(vk::Device& the_device) : device(the_device) {}

    void take(const vk::Timings& timings);

    vk::Device& device;
    const std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
    bool is_stopped = false;
    std::vector<ProfileEvent> events;
    std::size_t lost_count = 0;
};

namespace {

using Json = nlohmann::ordered_json;

double end_of(const ProfileEvent& event) noexcept {
    return event.start_us + event.duration_us;
}

Json name_of(const char* what, int process, std::size_t row, const std::string& name) {
    return {
        {"name", what}, {"ph", "M"}, {"pid", process}, {"tid", row}, {"args", {{"name", name}}}};
}

// A row cannot show events that overlap: each goes to the first row that is free at its start.
std::size_t row_of(const ProfileEvent& event, std::vector<double>& row_ends) {
    const auto row = std::find_if(
        row_ends.begin(), row_ends.end(), [&](double end_us) { return end_us <= event.start_us; });
    const auto index = static_cast<std::size_t>(row - row_ends.begin());
    if (row == row_ends.end()) {
        row_ends.push_back(0.0);
    }
    row_ends[index] = end_of(event);
    return index;
}

Json trace_of(const std::vector<ProfileEvent>& events, const std::string& device_name) {
    constexpr int kDevice = 1;
    constexpr int kHost = 2;
    Json list = Json::array();
    list.push_back(name_of("process_name", kDevice, 0, device_name));
    list.push_back(name_of("process_name", kHost, 0, "host"));
    list.push_back(name_of("thread_name", kHost, 0, "recording"));
    std::vector<double> row_ends;
    for (const ProfileEvent& event : events) {
        list.push_back({{"name", event.label},
                        {"cat", "operator"},
                        {"ph", "X"},
                        {"pid", kDevice},
                        {"tid", row_of(event, row_ends)},
                        {"ts", event.start_us},
                        {"dur", event.duration_us},
                        {"args", {{"submit", event.submit}}}});
        list.push_back({{"name", event.label},
                        {"cat", "record"},
                        {"ph", "i"},
                        {"s", "t"},
                        {"pid", kHost},
                        {"tid", 0},
                        {"ts", event.host_us}});
    }
    for (std::size_t row = 0; row < row_ends.size(); ++row) {
        list.push_back(name_of("thread_name", kDevice, row, fmt::format("queue {}", row)));
    }
    return {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(list)}};
}

}  // namespace

void Profiler::State::take(const vk::Timings& timings) {
    const vk::DeviceHandles& handles = device.handles();
    vk::TickClock clock(handles.timestamp_bits, handles.timestamp_period_ns);
    lost_count = timings.lost_count;
    double first_us = 0.0;
    for (const vk::TimedCommand& command : timings.commands) {
        const double start_us = clock.microseconds(command.begin_ticks);
        const double end_us = clock.microseconds(command.end_ticks);
        const std::chrono::duration<double, std::micro> host = command.recorded - begun;
        events.push_back({.label = command.label.data(),
                          .start_us = start_us,
                          .duration_us = std::max(end_us - start_us, 0.0),
                          .submit = command.submit,
                          .host_us = host.count()});
        first_us = std::min(first_us, start_us);
    }
    for (ProfileEvent& event : events) {
        event.start_us -= first_us;
    }
}

Profiler::Profiler() : state_(std::make_unique<State>(vk::device())) {
    state_->device.queue().start_timing();
}

Profiler::~Profiler() {
    stop();
}

void Profiler::stop() noexcept {
    if (state_->is_stopped) {
        return;
    }
    state_->is_stopped = true;
    const vk::Timings timings = state_->device.queue().stop_timing();
    try {
        state_->take(timings);
    } catch (const std::exception&) {  // host memory ran out
        state_->events.clear();
        state_->lost_count = timings.commands.size() + timings.lost_count;
    }
}

const std::vector<ProfileEvent>& Profiler::events() const {
    if (!state_->is_stopped) {
        throw ArgumentError("Profiler", "is still on; stop() it before its events are read");
    }
    return state_->events;
}

std::size_t Profiler::lost_count() const {
    static_cast<void>(events());
    return state_->lost_count;
}

double Profiler::span_us() const {
    double span_us = 0.0;
    for (const ProfileEvent& event : events()) {
        span_us = std::max(span_us, end_of(event));
    }
    return span_us;
}

std::vector<ProfileRow> Profiler::summary() const {
    std::map<std::string, ProfileRow> by_label;
    double total_us = 0.0;
    for (const ProfileEvent& event : events()) {
        ProfileRow& row = by_label[event.label];
        row.label = event.label;
        ++row.count;
        row.total_us += event.duration_us;
        total_us += event.duration_us;
    }
    std::vector<ProfileRow> rows;
    for (auto& [label, row] : by_label) {
        row.mean_us = row.total_us / static_cast<double>(row.count);
        row.share = total_us > 0.0 ? row.total_us / total_us : 0.0;
        rows.push_back(std::move(row));
    }
    std::stable_sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) {
        return a.total_us > b.total_us;
    });
    return rows;
}

std::string Profiler::table() const {
    std::string text = fmt::format(
        "{:<32} {:>8} {:>12} {:>12} {:>7}\n", "operator", "count", "total us", "mean us", "share");
    for (const ProfileRow& row : summary()) {
        text += fmt::format("{:<32} {:>8} {:>12.1f} {:>12.2f} {:>6.1f}%\n",
                            row.label,
                            row.count,
                            row.total_us,
                            row.mean_us,
                            100.0 * row.share);
    }
    return text;
}

void Profiler::write(const std::string& path) const {
    const Json trace = trace_of(events(), state_->device.info().name);
    write_whole_file(path, trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace pumice
