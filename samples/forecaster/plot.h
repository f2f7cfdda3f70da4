// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace forecaster {

/// Runs gnuplot on the script. The picture goes where the script's `set output` says.
/// @throws pumice::UnsupportedError if gnuplot is not installed, pumice::FileError if it fails
void run_gnuplot(const std::string& picture_path, const std::string& script);

/// What a forecast plot shows.
struct ForecastPlot {
    std::string title;
    std::vector<double> history;   ///< NaN where missing
    std::vector<double> held_out;  ///< empty unless a backtest
    std::vector<double> quantiles;
    std::vector<std::vector<double>> forecast;  ///< [step][quantile]
};

/// Draws history, forecast median and quantile bands as SVG.
void plot_forecast(const std::string& path, const ForecastPlot& plot);

/// One point of a training run.
struct LossPoint {
    double step = 0.0;
    double training = 0.0;
    double validation = 0.0;  ///< NaN where it was not computed
};

/// Draws the loss curve as SVG.
void plot_losses(const std::string& path, const std::vector<LossPoint>& points);

}  // namespace forecaster
