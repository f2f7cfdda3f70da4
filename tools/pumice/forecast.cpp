// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/io.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "forecast_report.h"
#include "forecaster/pipeline.h"
#include "series/series.h"
#include "subjects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>

namespace pumice::command {

namespace {

struct Options {
    std::string file;
    series::SeriesOptions series;
    std::string separator;
    std::string header;
    std::string decimal;
    std::string outliers = "missing";
    std::string minimum;
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

template <class F>
auto in_mode(const std::string& mode, F&& run) {
    if (mode == "inference") {
        return inference_mode(run);
    }
    return mode == "no_grad" ? no_grad(run) : run();
}

series::SeriesOptions series_options(const Options& options) {
    series::SeriesOptions wanted = options.series;
    if (!options.separator.empty()) {
        wanted.table.separator = options.separator == "tab" ? '\t' : options.separator[0];
    }
    if (!options.header.empty()) {
        wanted.table.has_header = options.header == "yes";
    }
    if (!options.decimal.empty()) {
        wanted.roles.decimal = options.decimal[0];
    }
    return wanted;
}

std::size_t history_count(const series::Series& series, std::int64_t holdout) {
    const auto count = static_cast<std::int64_t>(series.values.size());
    if (holdout < 0 || holdout >= count) {
        throw ArgumentError("forecast",
                            fmt::format("holdout must be in [0, {}); got {}", count, holdout));
    }
    return static_cast<std::size_t>(count - holdout);
}

// What is so far away that it alone would set the scale is missing to the model.
std::vector<double> model_input(ForecastReport& report, const Options& options) {
    const series::Series& series = report.series;
    std::vector<double> input(
        series.values.begin(),
        series.values.begin() + static_cast<std::ptrdiff_t>(report.history_count));
    if (options.outliers == "keep") {
        return input;
    }
    report.outliers = series::find_outliers(input);
    for (const std::size_t index : report.outliers) {
        input[index] = std::numeric_limits<double>::quiet_NaN();
        report.notes.push_back(
            fmt::format("line {}: {} is at least 20 times as far from the median as other values "
                        "and is missing to the model (--outliers keep takes it)",
                        series.lines[index],
                        series.values[index]));
    }
    return input;
}

bool are_counts(const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double value) {
        return std::isnan(value) || (value >= 0.0 && value == std::floor(value));
    });
}

// What --minimum says, else 0 for counts.
std::optional<double> least_value(const ForecastReport& report, const Options& options) {
    if (options.minimum == "none") {
        return std::nullopt;
    }
    if (options.minimum.empty()) {
        return are_counts(report.series.values) ? std::optional<double>(0.0) : std::nullopt;
    }
    double least = 0.0;
    const char* end = options.minimum.data() + options.minimum.size();
    const auto [stop, failure] = std::from_chars(options.minimum.data(), end, least);
    if (failure != std::errc() || stop != end || !std::isfinite(least)) {
        throw ArgumentError(
            "forecast",
            fmt::format("--minimum must be a number or none; got '{}'", options.minimum));
    }
    return least;
}

void cut_at(ForecastReport& report, double least, bool is_asked) {
    std::size_t count = 0;
    for (std::vector<double>& row : report.result.values) {
        for (double& value : row) {
            count += value < least ? 1 : 0;
            value = std::max(value, least);
        }
    }
    if (count > 0) {
        report.notes.push_back(fmt::format("{} quantiles below {} are cut to it{}",
                                           count,
                                           least,
                                           is_asked ? ""
                                                    : ", because the values are counts (--minimum "
                                                      "none leaves them)"));
    }
}

// One traced pass for the memory, several timed ones for the latency.
ModeFigures measure(const std::string& mode,
                    const forecaster::Forecaster& model,
                    const std::vector<double>& input,
                    const Options& options,
                    forecaster::Forecast& result) {
    constexpr int kTimedPasses = 7;
    const auto pass = [&] {
        return in_mode(mode, [&] {
            return forecaster::forecast(model, input, options.horizon, options.quantiles);
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

void run_model(ForecastReport& report, const std::string& folder, const Options& options) {
    const std::vector<double> input = model_input(report, options);
    const std::optional<double> least = least_value(report, options);
    const forecaster::Forecaster model = forecaster::load_model(folder);
    for (const std::string mode : {"grad", "no_grad", "inference"}) {
        forecaster::Forecast result;
        report.figures.push_back(measure(mode, model, input, options, result));
        if (mode == options.mode) {
            report.result = std::move(result);
        }
    }
    if (least) {
        cut_at(report, *least, !options.minimum.empty());
    }
}

// A CSV on stdout is alone there; what else there is to say goes to stderr.
void print(const ForecastReport& report, const Options& options) {
    if (options.as_json) {
        fmt::print("{}", forecast_json(report));
        return;
    }
    const bool has_csv = options.output.empty() && options.plot.empty();
    fmt::print(has_csv ? stderr : stdout, "{}", forecast_text(report));
    if (has_csv) {
        fmt::print("{}", forecast_csv(report));
    }
    if (!options.output.empty()) {
        fmt::print("forecast: {}\n", options.output);
    }
    if (!options.plot.empty()) {
        fmt::print("plot: {}\n", options.plot);
    }
}

void run(Options options) {
    const std::string folder = options.model.empty() ? default_model_folder() : options.model;
    std::sort(options.quantiles.begin(), options.quantiles.end());
    forecaster::check_request(
        forecaster::read_config(folder + "/config.json"), options.horizon, options.quantiles);
    ForecastReport report;
    report.series = series::read_series(options.file, series_options(options));
    report.notes = report.series.notes;
    report.history_count = history_count(report.series, options.holdout);
    report.season = options.season > 0 ? options.season : data::season_of(report.series.step);
    run_model(report, folder, options);
    if (!options.output.empty()) {
        io::write_file(options.output, forecast_csv(report));
    }
    if (!options.plot.empty()) {
        draw_forecast(options.plot, report);
    }
    print(report, options);
}

void add_table_options(CLI::App& command, Options& options) {
    command.add_option("FILE", options.file, "table with a time column, or without")->required();
    command.add_option("--column", options.series.roles.column, "values: name, or number from 1");
    command.add_option("--time", options.series.roles.time, "times: name, number from 1, or none");
    command.add_option("--date-format",
                       options.series.roles.date_format,
                       "as strftime's: %Y %y %m %d %j %b %q %H %I %M %S %p %z");
    command.add_option("--aggregate", options.series.aggregate, "joins the rows of one time")
        ->check(CLI::IsMember({"mean", "sum", "median", "first", "last", "min", "max"}));
    command.add_option("--fill", options.series.fill, "for times without a row, empty values")
        ->check(CLI::IsMember({"missing", "zero", "previous", "linear"}));
    command.add_option("--decimal", options.decimal, "mark before the fraction of numbers")
        ->check(CLI::IsMember({".", ","}));
    command.add_option("--separator", options.separator, "between the fields")
        ->check(CLI::IsMember({",", ";", "tab", "|"}));
    command.add_option("--header", options.header, "whether the first row is one")
        ->check(CLI::IsMember({"yes", "no"}));
}

void add_forecast_options(CLI::App& command, Options& options) {
    command
        .add_option("--horizon",
                    options.horizon,
                    "steps to forecast, 1 to 60 with the model that comes with Pumice")
        ->required();
    command.add_option("--model", options.model, "folder of config.json and model.safetensors");
    command
        .add_option(
            "--quantiles", options.quantiles, "0.1 to 0.9 with the model that comes with Pumice")
        ->delimiter(',')
        ->capture_default_str();
    command.add_option("--mode", options.mode, "mode that gives the result")
        ->check(CLI::IsMember({"inference", "no_grad", "grad"}))
        ->capture_default_str();
    CLI::Option* holdout =
        command.add_option("--holdout", options.holdout, "last values to hide and compare with");
    command.add_option("--season", options.season, "steps a season, for the comparison")
        ->needs(holdout)
        ->check(CLI::Range(1, 1'000'000));
    command.add_option("--outliers", options.outliers, "what values far from all others are")
        ->check(CLI::IsMember({"missing", "keep"}))
        ->capture_default_str();
    command.add_option(
        "--minimum", options.minimum, "quantiles are cut there: number or none; 0 for counts");
}

}  // namespace

void add_forecast(CLI::App& app) {
    CLI::App* command = app.add_subcommand("forecast", "forecast a column of a table");
    const auto options = std::make_shared<Options>();
    add_table_options(*command, *options);
    add_forecast_options(*command, *options);
    command->add_option("--output", options->output, "CSV of the quantiles, full precision");
    command->add_option("--plot", options->plot, "SVG, drawn with gnuplot");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run(*options); });
}

}  // namespace pumice::command
