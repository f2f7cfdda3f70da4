// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "forecaster/pipeline.h"
#include "series/series.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::command {

/// What one mode took.
struct ModeFigures {
    std::string mode;
    double latency_ms = 0.0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t reserved_bytes = 0;
    std::uint64_t lower_bound_bytes = 0;
};

/// A forecast with all that is told about it.
struct ForecastReport {
    series::Series series;          ///< held-out values too
    std::size_t history_count = 0;  ///< values before those held out
    std::int64_t season = 1;
    std::vector<std::size_t> outliers;  ///< that the model does not see
    forecaster::Forecast result;
    std::vector<ModeFigures> figures;
    std::vector<std::string> notes;
};

/// A line a step: its time and the quantiles.
std::string forecast_csv(const ForecastReport& report);
/// Everything.
std::string forecast_json(const ForecastReport& report);
/// What was read, the notes, the comparison with the values held out, and the modes.
std::string forecast_text(const ForecastReport& report);
/// Draws it. @throws as forecaster::plot_forecast
void draw_forecast(const std::string& path, const ForecastReport& report);

}  // namespace pumice::command
