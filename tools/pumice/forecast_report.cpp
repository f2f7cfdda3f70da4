// SPDX-License-Identifier: Apache-2.0
#include "forecast_report.h"

#include "csv_field.h"
#include "forecaster/plot.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Errors {
    double forecast = 0.0;
    double seasonal_naive = 0.0;
    std::int64_t count = 0;
};

std::size_t median_index(const std::vector<double>& quantiles) {
    const auto nearest =
        std::min_element(quantiles.begin(), quantiles.end(), [](double a, double b) {
            return std::abs(a - 0.5) < std::abs(b - 0.5);
        });
    return static_cast<std::size_t>(nearest - quantiles.begin());
}

std::size_t held_out_count(const ForecastReport& report) {
    return report.series.values.size() - report.history_count;
}

// Mean absolute errors over the held-out steps that were observed.
Errors backtest(const ForecastReport& report) {
    const std::vector<double>& values = report.series.values;
    const std::size_t median = median_index(report.result.quantiles);
    const std::size_t season =
        std::min(static_cast<std::size_t>(report.season), report.history_count);
    Errors errors;
    for (std::size_t i = 0; i < std::min(held_out_count(report), report.result.values.size());
         ++i) {
        const double actual = values[report.history_count + i];
        const double repeated = values[report.history_count - season + i % season];
        if (!std::isnan(actual) && !std::isnan(repeated)) {
            errors.forecast += std::abs(report.result.values[i][median] - actual);
            errors.seasonal_naive += std::abs(repeated - actual);
            ++errors.count;
        }
    }
    errors.forecast /= static_cast<double>(std::max<std::int64_t>(errors.count, 1));
    errors.seasonal_naive /= static_cast<double>(std::max<std::int64_t>(errors.count, 1));
    return errors;
}

std::vector<std::string> future_labels(const ForecastReport& report) {
    std::vector<std::string> labels;
    labels.reserve(report.result.values.size());
    for (std::size_t i = 0; i < report.result.values.size(); ++i) {
        labels.push_back(report.series.label(report.history_count + i));
    }
    return labels;
}

std::vector<double> places(const series::Series& series, std::size_t begin, std::size_t end) {
    std::vector<double> found;
    found.reserve(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
        found.push_back(series.place(i));
    }
    return found;
}

// Of all that is drawn but the outliers, if there are any.
std::optional<std::pair<double, double>> value_range(const ForecastReport& report) {
    if (report.outliers.empty()) {
        return std::nullopt;
    }
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    const auto take = [&](double value) {
        low = std::isnan(value) ? low : std::min(low, value);
        high = std::isnan(value) ? high : std::max(high, value);
    };
    for (std::size_t i = 0; i < report.series.values.size(); ++i) {
        if (!std::binary_search(report.outliers.begin(), report.outliers.end(), i)) {
            take(report.series.values[i]);
        }
    }
    for (const std::vector<double>& row : report.result.values) {
        std::for_each(row.begin(), row.end(), take);
    }
    return std::pair(low, high);
}

// "file: column 'y', time 'ds' (daily, 2024-01-01 to 2024-01-31), 31 values"
std::string headline(const ForecastReport& report) {
    const series::Series& series = report.series;
    const std::string held_out = held_out_count(report) > 0
                                     ? fmt::format(", {} of them held out", held_out_count(report))
                                     : "";
    const std::string count = fmt::format("{} values{}", series.values.size(), held_out);
    if (series.time.empty()) {
        return fmt::format(
            "{}: column '{}', no time column, {}", series.path, series.column, count);
    }
    return fmt::format("{}: column '{}', time '{}' ({}, {} to {}), {}",
                       series.path,
                       series.column,
                       series.time,
                       series.frequency(),
                       series.first_label,
                       series.label(series.values.size() - 1),
                       count);
}

std::string mode_table(const std::vector<ModeFigures>& figures) {
    std::string text = fmt::format("{:<10} {:>11} {:>12} {:>14} {:>12} {:>6}\n",
                                   "mode",
                                   "latency ms",
                                   "peak bytes",
                                   "reserved bytes",
                                   "lower bound",
                                   "ratio");
    for (const ModeFigures& row : figures) {
        text +=
            fmt::format("{:<10} {:>11.2f} {:>12} {:>14} {:>12} {:>6.3f}\n",
                        row.mode,
                        row.latency_ms,
                        row.peak_bytes,
                        row.reserved_bytes,
                        row.lower_bound_bytes,
                        static_cast<double>(row.peak_bytes) /
                            static_cast<double>(std::max<std::uint64_t>(row.lower_bound_bytes, 1)));
    }
    return text;
}

}  // namespace

std::string forecast_csv(const ForecastReport& report) {
    std::string csv = "time";
    for (const double quantile : report.result.quantiles) {
        csv += fmt::format(",q{}", quantile);
    }
    csv += "\n";
    const std::vector<std::string> labels = future_labels(report);
    for (std::size_t step = 0; step < labels.size(); ++step) {
        csv += csv_field(labels[step]);
        for (const double value : report.result.values[step]) {
            csv += fmt::format(",{}", value);
        }
        csv += "\n";
    }
    return csv;
}

std::string forecast_json(const ForecastReport& report) {
    const series::Series& series = report.series;
    Json json;
    json["series"] = {{"file", series.path},
                      {"column", series.column},
                      {"time", series.time},
                      {"frequency", series.frequency()},
                      {"count", series.values.size()},
                      {"first", series.first_label},
                      {"last", series.label(series.values.size() - 1)},
                      {"notes", report.notes}};
    json["forecast"] = {{"column", series.column},
                        {"time", future_labels(report)},
                        {"quantiles", report.result.quantiles},
                        {"values", report.result.values}};
    if (held_out_count(report) > 0) {
        const Errors errors = backtest(report);
        json["backtest"] = {{"mae", errors.forecast},
                            {"seasonal_naive_mae", errors.seasonal_naive},
                            {"season", report.season},
                            {"count", errors.count}};
    }
    json["modes"] = Json::array();
    for (const ModeFigures& row : report.figures) {
        json["modes"].push_back({{"mode", row.mode},
                                 {"latency_ms", row.latency_ms},
                                 {"peak_bytes", row.peak_bytes},
                                 {"reserved_bytes", row.reserved_bytes},
                                 {"lower_bound_bytes", row.lower_bound_bytes}});
    }
    // A file's name need not be UTF-8.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string forecast_text(const ForecastReport& report) {
    std::string text = headline(report) + "\n";
    for (const std::string& note : report.notes) {
        text += fmt::format("note: {}\n", note);
    }
    if (held_out_count(report) > 0) {
        const Errors errors = backtest(report);
        text += fmt::format(
            "mean absolute error over {} held-out steps: forecast {:.4g}, repeating the "
            "last {} steps {:.4g}\n",
            errors.count,
            errors.forecast,
            report.season,
            errors.seasonal_naive);
    }
    return text + mode_table(report.figures);
}

void draw_forecast(const std::string& path, const ForecastReport& report) {
    const series::Series& series = report.series;
    const auto kept = static_cast<std::ptrdiff_t>(report.history_count);
    forecaster::ForecastPlot plot;
    plot.title = series.column;
    plot.history.assign(series.values.begin(), series.values.begin() + kept);
    plot.held_out.assign(series.values.begin() + kept, series.values.end());
    plot.quantiles = report.result.quantiles;
    plot.forecast = report.result.values;
    plot.axis.title = series.time.empty() ? "step" : series.time;
    plot.axis.is_dates = series.has_dates();
    plot.axis.history = places(series, 0, report.history_count);
    plot.axis.held_out = places(series, report.history_count, series.values.size());
    plot.axis.forecast =
        places(series, report.history_count, report.history_count + report.result.values.size());
    plot.value_range = value_range(report);
    forecaster::plot_forecast(path, plot);
}

}  // namespace pumice::command
