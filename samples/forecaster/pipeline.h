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

/// Forecasts `horizon` steps after the series (NaN where missing). Requested quantiles between
/// trained ones are interpolated linearly; outside of them the outermost is taken.
/// @throws pumice::ArgumentError for an empty or all-missing series, a horizon outside
///         [1, horizon_length], quantiles outside (0, 1)
Forecast forecast(const Forecaster& model,
                  const std::vector<double>& series,
                  std::int64_t horizon,
                  const std::vector<double>& quantiles);

}  // namespace forecaster
