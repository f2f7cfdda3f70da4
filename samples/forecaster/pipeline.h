// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "forecaster/model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace forecaster {

/// Loads DIR/config.json and DIR/model.safetensors.
/// @throws pumice::FileError, pumice::ArgumentError for keys that do not fit
Forecaster load_model(const std::string& directory);

/// Writes DIR/config.json and DIR/model.safetensors, making DIR.
void save_model(const std::string& directory, const ForecasterImpl& model);

/// Forecasts of one series: value of each requested quantile at each step.
struct Forecast {
    std::vector<double> quantiles;
    std::vector<std::vector<double>> values;  ///< [step][quantile]
};

/// What forecast() would refuse, without a model.
/// @throws pumice::ArgumentError for a horizon outside [1, horizon_length], no quantiles, or one
///         outside of those that the model was trained for
void check_request(const Config& config,
                   std::int64_t horizon,
                   const std::vector<double>& quantiles);

/// Forecasts `horizon` steps after the series (NaN where missing). Requested quantiles between
/// trained ones are interpolated linearly.
/// @throws pumice::ArgumentError as check_request, for an empty or all-missing series, and for one so
///         large that its forecast is no finite float64
Forecast forecast(const Forecaster& model,
                  const std::vector<double>& series,
                  std::int64_t horizon,
                  const std::vector<double>& quantiles);

}  // namespace forecaster
