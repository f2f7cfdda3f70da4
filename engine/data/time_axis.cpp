// SPDX-License-Identifier: Apache-2.0
// From the labels of a column to an even grid of times, and the labels that come next.
#include "pumice/data.h"
#include "pumice/error.h"

#include "data/time_reading.h"
#include "data/time_step.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::data {

struct TimeAxis::Reading {
    TimeFormat format;
    TimeStep step;
    Moment last;
};

namespace {

// The header is row 1.
[[noreturn]] void refuse_label(const std::string& path,
                               const std::vector<std::string>& labels,
                               std::size_t i,
                               const std::string& why) {
    throw FileError(path, fmt::format("row {}: the time '{}' {}", i + 2, labels[i], why));
}

TimeReading read_all(const std::string& path, const std::vector<std::string>& labels) {
    if (auto dates = read_number_dates(labels)) {
        if (dates->first_misfit < labels.size()) {
            refuse_label(path, labels, dates->first_misfit, "is no date like the others");
        }
        return *std::move(dates);
    }
    if (auto counts = read_counts(labels)) {
        return *std::move(counts);
    }
    std::vector<TimeReading> readings = read_dates(labels);
    if (readings.empty()) {
        refuse_label(path, labels, 0, "is neither a date nor a number");
    }
    if (readings[0].first_misfit < labels.size()) {
        refuse_label(path, labels, readings[0].first_misfit, "is no date like the others");
    }
    if (readings.size() > 1) {
        refuse_label(
            path,
            labels,
            0,
            fmt::format("fits {} and {}", readings[0].format.pattern, readings[1].format.pattern));
    }
    return std::move(readings[0]);
}

// Rows on different offsets from UTC go on with the last one's.
void move_to_last_clock(std::vector<Moment>& moments) {
    const std::int64_t offset_us = moments.back().offset_us;
    for (Moment& moment : moments) {
        moment.local_us = moment.utc_us() + offset_us;
        moment.offset_us = offset_us;
    }
}

}  // namespace

TimeAxis::TimeAxis(const std::string& path, const std::vector<std::string>& labels) {
    if (labels.size() < 2) {
        throw FileError(path, fmt::format("has {} rows, a time column wants two", labels.size()));
    }
    TimeReading reading = read_all(path, labels);
    const bool are_numbers = reading.format.coding == TimeCoding::kNumber;
    move_to_last_clock(reading.moments);
    const TimeGrid grid = find_grid(reading.moments, are_numbers);
    if (!grid.is_regular && !are_numbers) {
        refuse_label(path, labels, grid.misfit, "breaks the step of the rows before");
    }
    for (std::size_t i = 1; i < labels.size() && !are_numbers; ++i) {
        if (grid.places[i] != grid.places[i - 1] + 1) {
            refuse_label(path, labels, i, "breaks the step of the rows before");
        }
    }
    reading_ = std::make_shared<const Reading>(
        Reading{.format = reading.format, .step = grid.step, .last = reading.moments.back()});
}

std::vector<std::string> TimeAxis::next(std::int64_t count) const {
    std::vector<std::string> labels;
    for (std::int64_t i = 1; i <= count; ++i) {
        labels.push_back(
            write_label(reading_->format, moment_after(reading_->last, reading_->step, i)));
    }
    return labels;
}

std::int64_t TimeAxis::season_length() const noexcept {
    return season_of(reading_->step);
}

}  // namespace pumice::data
