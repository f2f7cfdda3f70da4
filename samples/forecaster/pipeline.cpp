// SPDX-License-Identifier: Apache-2.0
#include "forecaster/pipeline.h"

#include "pumice/error.h"
#include "pumice/io.h"
#include "pumice/ops.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

namespace forecaster {

namespace {

// The series in float64 units of its own mean and deviation, so that float32 on the device sees
// values near 1 whatever the units are. The model normalises again; the two commute.
struct Standardised {
    std::vector<float> values;
    double mean = 0.0;
    double deviation = 1.0;
};

Standardised standardise(const std::vector<double>& series, std::int64_t most) {
    const std::size_t count = std::min(series.size(), static_cast<std::size_t>(most));
    const std::vector<double> recent(series.end() - static_cast<std::ptrdiff_t>(count),
                                     series.end());
    // Extremes first, so that squares of large values do not overflow.
    double largest = 0.0;
    std::int64_t observed = 0;
    for (const double value : recent) {
        if (!std::isnan(value)) {
            largest = std::max(largest, std::abs(value));
            ++observed;
        }
    }
    if (observed == 0) {
        throw pumice::ArgumentError(
            "forecast",
            "the last " + std::to_string(recent.size()) + " values are all missing; wanted one");
    }
    const double unit = largest > 0.0 ? largest : 1.0;
    double mean = 0.0;
    for (const double value : recent) {
        mean += std::isnan(value) ? 0.0 : value / unit / static_cast<double>(observed);
    }
    double variance = 0.0;
    for (const double value : recent) {
        const double centered = std::isnan(value) ? 0.0 : value / unit - mean;
        variance += centered * centered / static_cast<double>(observed);
    }
    Standardised result;
    result.mean = mean;
    // What rounding leaves of a constant series is not its deviation.
    constexpr double kRounding = 1e-12;
    result.deviation = std::sqrt(variance) > kRounding ? std::sqrt(variance) : 1.0;
    for (const double value : recent) {
        result.values.push_back(static_cast<float>((value / unit - mean) / result.deviation));
    }
    result.mean *= unit;
    result.deviation *= unit;
    return result;
}

double interpolate(const std::vector<double>& trained, const double* values, double quantile) {
    const auto above = std::lower_bound(trained.begin(), trained.end(), quantile);
    if (above == trained.begin()) {
        return values[0];
    }
    const auto i = static_cast<std::size_t>(above - trained.begin());
    const double weight = (quantile - trained[i - 1]) / (trained[i] - trained[i - 1]);
    return values[i - 1] + weight * (values[i] - values[i - 1]);
}

void check_finite(const std::vector<double>& values, std::size_t step) {
    for (const double value : values) {
        if (!std::isfinite(value)) {
            throw pumice::ArgumentError(
                "forecast",
                "step " + std::to_string(step + 1) +
                    " is no finite float64; divide the values by a power of ten");
        }
    }
}

}  // namespace

Forecaster load_model(const std::string& directory) {
    Forecaster model(read_config(directory + "/config.json"));
    model->load_state_dict(pumice::io::load_safetensors(directory + "/model.safetensors"));
    model->eval();
    return model;
}

void save_model(const std::string& directory, const ForecasterImpl& model) {
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    write_config(directory + "/config.json", model.config());
    pumice::io::save_safetensors(directory + "/model.safetensors", model.state_dict());
}

void check_request(const Config& config,
                   std::int64_t horizon,
                   const std::vector<double>& quantiles) {
    if (horizon < 1 || horizon > config.horizon_length) {
        throw pumice::ArgumentError("forecast",
                                    "horizon must be in [1, " +
                                        std::to_string(config.horizon_length) + "]; got " +
                                        std::to_string(horizon));
    }
    if (quantiles.empty()) {
        throw pumice::ArgumentError("forecast", "wanted at least one quantile; got none");
    }
    const double least = config.quantiles.front();
    const double most = config.quantiles.back();
    for (const double quantile : quantiles) {
        if (!(quantile >= least && quantile <= most)) {
            std::ostringstream text;
            text << "quantiles must be in [" << least << ", " << most
                 << "], which the model was trained for; got " << quantile;
            throw pumice::ArgumentError("forecast", text.str());
        }
    }
}

Forecast forecast(const Forecaster& model,
                  const std::vector<double>& series,
                  std::int64_t horizon,
                  const std::vector<double>& quantiles) {
    const Config& config = model->config();
    check_request(config, horizon, quantiles);
    if (series.empty()) {
        throw pumice::ArgumentError("forecast", "the series is empty; wanted at least one value");
    }
    const Standardised input = standardise(series, config.context_length);
    const pumice::Tensor context = pumice::from_values<float>(
        input.values, {1, static_cast<std::int64_t>(input.values.size())}, pumice::kFloat32);
    const std::int64_t patches = (horizon + config.patch_length - 1) / config.patch_length;
    const std::vector<double> predicted = model->predict(context, patches).to_vector<double>();

    Forecast result{.quantiles = quantiles, .values = {}};
    const std::size_t trained_count = config.quantiles.size();
    for (std::size_t step = 0; step < static_cast<std::size_t>(horizon); ++step) {
        // Independently trained quantiles may cross; sorting restores their order.
        std::vector<double> row(
            predicted.begin() + static_cast<std::ptrdiff_t>(step * trained_count),
            predicted.begin() + static_cast<std::ptrdiff_t>((step + 1) * trained_count));
        std::sort(row.begin(), row.end());
        std::vector<double>& values = result.values.emplace_back();
        for (const double quantile : quantiles) {
            values.push_back(input.mean +
                             input.deviation * interpolate(config.quantiles, row.data(), quantile));
        }
        check_finite(values, step);
    }
    return result;
}

}  // namespace forecaster
