// SPDX-License-Identifier: Apache-2.0
#include "pumice/data.h"
#include "pumice/error.h"
#include "pumice/io.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "forecaster/pipeline.h"
#include "forecaster/plot.h"
#include "subjects.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string file;
    std::string column;
    std::string time;
    std::string model;
    std::string mode = "inference";
    std::string output;
    std::string plot;
    std::vector<double> quantiles = {0.1, 0.5, 0.9};
    std::int64_t horizon = 0;
    std::int64_t holdout = 0;
    std::int64_t season = 0;
    bool as_json = false;
};

struct Series {
    std::string column;
    std::vector<double> history;
    std::vector<double> held_out;
    std::vector<std::string> future_labels;
    std::int64_t season = 1;
};

struct ModeFigures {
    std::string mode;
    double latency_ms = 0.0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t reserved_bytes = 0;
    std::uint64_t lower_bound_bytes = 0;
};

bool is_time_like(const data::CsvTable& table, const std::string& name) {
    try {
        static_cast<void>(table.number_column(name));
        return name == "time" || name == "date" || name == "month" || name == "year";
    } catch (const FileError&) {
        return true;
    }
}

// Without names: the time is the first column that is no number or is called so, the value the
// first other one.
void choose_columns(const data::CsvTable& table, Options& options) {
    for (const std::string& name : table.column_names()) {
        if (options.time.empty() && name != options.column && is_time_like(table, name)) {
            options.time = name;
        } else if (options.column.empty() && name != options.time) {
            options.column = name;
        }
    }
    if (options.column.empty()) {
        throw FileError(table.path(), "has no column of numbers; name one with --column");
    }
}

Series read_series(Options& options) {
    const data::CsvTable table(options.file);
    choose_columns(table, options);
    Series series;
    series.column = options.column;
    series.history = table.number_column(options.column);
    std::vector<std::string> labels =
        options.time.empty() ? std::vector<std::string>() : table.text_column(options.time);
    const std::int64_t count = table.row_count();
    if (options.holdout < 0 || options.holdout >= std::max<std::int64_t>(count, 1)) {
        throw ArgumentError(
            "forecast", fmt::format("holdout must be in [0, {}); got {}", count, options.holdout));
    }
    const auto kept = static_cast<std::ptrdiff_t>(count - options.holdout);
    series.held_out.assign(series.history.begin() + kept, series.history.end());
    series.history.resize(static_cast<std::size_t>(kept));
    if (!labels.empty()) {
        labels.resize(static_cast<std::size_t>(kept));
        const data::TimeAxis axis(options.file, labels);
        series.future_labels = axis.next(options.horizon);
        series.season = axis.season_length();
    } else {
        for (std::int64_t i = 0; i < options.horizon; ++i) {
            series.future_labels.push_back(fmt::format("{}", kept + i + 1));
        }
    }
    if (options.season > 0) {
        series.season = options.season;
    }
    return series;
}

template <class F>
auto in_mode(const std::string& mode, F&& run) {
    if (mode == "inference") {
        return inference_mode(run);
    }
    return mode == "no_grad" ? no_grad(run) : run();
}

// One traced pass for the memory, several timed ones for the latency.
ModeFigures measure(const std::string& mode,
                    const forecaster::Forecaster& model,
                    const Series& series,
                    const Options& options,
                    forecaster::Forecast& result) {
    constexpr int kTimedPasses = 7;
    const auto pass = [&] {
        return in_mode(mode, [&] {
            return forecaster::forecast(model, series.history, options.horizon, options.quantiles);
        });
    };
    result = pass();
    empty_cache();
    ModeFigures figures;
    figures.mode = mode;
    {
        MemoryTrace trace;
        pass();
        trace.finish();
        figures.peak_bytes = trace.peak_bytes();
        figures.lower_bound_bytes = trace.lower_bound_bytes();
        // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment
        if (const char* folder = std::getenv("PUMICE_TRACE_DIR")) {
            trace.dump(fmt::format("{}/{}.jsonl", folder, mode));
        }
    }
    figures.reserved_bytes = memory_stats().reserved_bytes;
    std::vector<double> latencies;
    for (int i = 0; i < kTimedPasses; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        pass();
        const std::chrono::duration<double, std::milli> taken =
            std::chrono::steady_clock::now() - begin;
        latencies.push_back(taken.count());
    }
    std::sort(latencies.begin(), latencies.end());
    figures.latency_ms = latencies[kTimedPasses / 2];
    return figures;
}

std::string to_csv(const Series& series, const forecaster::Forecast& result) {
    std::string csv = "time";
    for (const double quantile : result.quantiles) {
        csv += fmt::format(",q{}", quantile);
    }
    csv += "\n";
    for (std::size_t step = 0; step < result.values.size(); ++step) {
        csv += series.future_labels[step];
        for (const double value : result.values[step]) {
            csv += fmt::format(",{}", value);
        }
        csv += "\n";
    }
    return csv;
}

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

// Mean absolute errors over the held-out steps that were observed.
Errors backtest(const Series& series, const forecaster::Forecast& result) {
    const std::size_t median = median_index(result.quantiles);
    const auto season = static_cast<std::size_t>(
        std::min<std::int64_t>(series.season, static_cast<std::int64_t>(series.history.size())));
    Errors errors;
    for (std::size_t i = 0; i < std::min(series.held_out.size(), result.values.size()); ++i) {
        const double actual = series.held_out[i];
        const double repeated = series.history[series.history.size() - season + i % season];
        if (!std::isnan(actual) && !std::isnan(repeated)) {
            errors.forecast += std::abs(result.values[i][median] - actual);
            errors.seasonal_naive += std::abs(repeated - actual);
            ++errors.count;
        }
    }
    errors.forecast /= static_cast<double>(std::max<std::int64_t>(errors.count, 1));
    errors.seasonal_naive /= static_cast<double>(std::max<std::int64_t>(errors.count, 1));
    return errors;
}

void print_json(const Series& series,
                const forecaster::Forecast& result,
                const std::vector<ModeFigures>& figures) {
    Json json;
    json["forecast"] = {{"column", series.column},
                        {"time", series.future_labels},
                        {"quantiles", result.quantiles},
                        {"values", result.values}};
    if (!series.held_out.empty()) {
        const Errors errors = backtest(series, result);
        json["backtest"] = {{"mae", errors.forecast},
                            {"seasonal_naive_mae", errors.seasonal_naive},
                            {"season", series.season},
                            {"count", errors.count}};
    }
    json["modes"] = Json::array();
    for (const ModeFigures& row : figures) {
        json["modes"].push_back({{"mode", row.mode},
                                 {"latency_ms", row.latency_ms},
                                 {"peak_bytes", row.peak_bytes},
                                 {"reserved_bytes", row.reserved_bytes},
                                 {"lower_bound_bytes", row.lower_bound_bytes}});
    }
    fmt::print("{}\n", json.dump(2));
}

void print_text(const Series& series,
                const forecaster::Forecast& result,
                const std::vector<ModeFigures>& figures,
                const Options& options) {
    if (options.output.empty() && options.plot.empty()) {
        fmt::print("{}", to_csv(series, result));
    }
    if (!series.held_out.empty()) {
        const Errors errors = backtest(series, result);
        fmt::print(
            "mean absolute error over {} held-out steps: forecast {:.4g}, repeating the "
            "last {} steps {:.4g}\n",
            errors.count,
            errors.forecast,
            series.season,
            errors.seasonal_naive);
    }
    fmt::print("{:<10} {:>11} {:>12} {:>14} {:>12} {:>6}\n",
               "mode",
               "latency ms",
               "peak bytes",
               "reserved bytes",
               "lower bound",
               "ratio");
    for (const ModeFigures& row : figures) {
        fmt::print("{:<10} {:>11.2f} {:>12} {:>14} {:>12} {:>6.3f}\n",
                   row.mode,
                   row.latency_ms,
                   row.peak_bytes,
                   row.reserved_bytes,
                   row.lower_bound_bytes,
                   static_cast<double>(row.peak_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(row.lower_bound_bytes, 1)));
    }
    if (!options.output.empty()) {
        fmt::print("forecast: {}\n", options.output);
    }
    if (!options.plot.empty()) {
        fmt::print("plot: {}\n", options.plot);
    }
}

void run(Options options) {
    const Series series = read_series(options);
    const forecaster::Forecaster model =
        forecaster::load_model(options.model.empty() ? default_model_folder() : options.model);
    forecaster::Forecast wanted;
    std::vector<ModeFigures> figures;
    for (const std::string mode : {"grad", "no_grad", "inference"}) {
        forecaster::Forecast result;
        figures.push_back(measure(mode, model, series, options, result));
        if (mode == options.mode) {
            wanted = std::move(result);
        }
    }
    if (!options.output.empty()) {
        io::write_file(options.output, to_csv(series, wanted));
    }
    if (!options.plot.empty()) {
        forecaster::plot_forecast(options.plot,
                                  {.title = series.column,
                                   .history = series.history,
                                   .held_out = series.held_out,
                                   .quantiles = wanted.quantiles,
                                   .forecast = wanted.values});
    }
    if (options.as_json) {
        print_json(series, wanted, figures);
    } else {
        print_text(series, wanted, figures, options);
    }
}

}  // namespace

void add_forecast(CLI::App& app) {
    CLI::App* command = app.add_subcommand("forecast", "forecast a column of a CSV file");
    const auto options = std::make_shared<Options>();
    command->add_option("FILE", options->file, "CSV with a header line")->required();
    command->add_option("--column", options->column, "values; default: the first of numbers");
    command->add_option("--time", options->time, "dates or numbers; default: the first of dates");
    command->add_option("--horizon", options->horizon, "steps to forecast")->required();
    command->add_option("--model", options->model, "folder of config.json and model.safetensors");
    command->add_option("--quantiles", options->quantiles)->delimiter(',')->capture_default_str();
    command->add_option("--mode", options->mode, "mode that gives the result")
        ->check(CLI::IsMember({"inference", "no_grad", "grad"}))
        ->capture_default_str();
    command->add_option("--holdout", options->holdout, "last values to hide and compare with");
    command->add_option("--season", options->season, "steps a season, for the comparison");
    command->add_option("--output", options->output, "CSV of the quantiles, full precision");
    command->add_option("--plot", options->plot, "SVG, drawn with gnuplot");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run(*options); });
}

}  // namespace pumice::command
