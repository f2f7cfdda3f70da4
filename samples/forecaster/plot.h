// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace forecaster {

/// Where the values of a forecast plot stand from left to right, one number a value.
struct PlotAxis {
    std::string title = "step";
    bool is_dates = false;  ///< seconds since 1970, shown as dates
    std::vector<double> history;
    std::vector<double> held_out;
    std::vector<double> forecast;
};

/// What a forecast plot shows.
struct ForecastPlot {
    std::string title;
    std::vector<double> history;   ///< NaN where missing
    std::vector<double> held_out;  ///< empty unless a backtest
    std::vector<double> quantiles;
    std::vector<std::vector<double>> forecast;  ///< [step][quantile]
    PlotAxis axis = {};
    /// Lowest and highest value to show; nothing: all of them.
    std::optional<std::pair<double, double>> value_range = std::nullopt;
};

/// Draws history, forecast median and quantile bands as SVG.
/// @throws as run_gnuplot
void plot_forecast(const std::string& path, const ForecastPlot& plot);

/// One point of a training run.
struct LossPoint {
    double step = 0.0;
    double training = 0.0;
    double validation = 0.0;  ///< NaN where it was not computed
};

/// Draws the loss curve as SVG.
/// @throws as run_gnuplot
void plot_losses(const std::string& path, const std::vector<LossPoint>& points);

}  // namespace forecaster
