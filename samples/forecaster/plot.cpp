// SPDX-License-Identifier: Apache-2.0
#include "forecaster/plot.h"

#include "forecaster/gnuplot.h"

#include <cmath>
#include <cstddef>
#include <sstream>

namespace forecaster {

namespace {

void write_block(std::ostream& out,
                 const char* name,
                 const std::vector<std::vector<double>>& rows) {
    out << '$' << name << " << EOD\n";
    for (const std::vector<double>& row : rows) {
        for (const double value : row) {
            if (std::isnan(value)) {
                out << "nan ";
            } else {
                out << value << ' ';
            }
        }
        out << '\n';
    }
    out << "EOD\n";
}

std::size_t median_index(const std::vector<double>& quantiles) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < quantiles.size(); ++i) {
        if (std::abs(quantiles[i] - 0.5) < std::abs(quantiles[best] - 0.5)) {
            best = i;
        }
    }
    return best;
}

std::vector<std::vector<double>> points(const std::vector<double>& at,
                                        const std::vector<double>& values) {
    std::vector<std::vector<double>> rows;
    rows.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        rows.push_back({at[i], values[i]});
    }
    return rows;
}

void write_data(std::ostream& script, const ForecastPlot& plot) {
    std::vector<std::vector<double>> forecast;
    for (std::size_t i = 0; i < plot.forecast.size(); ++i) {
        std::vector<double>& row = forecast.emplace_back();
        row.push_back(plot.axis.forecast[i]);
        row.insert(row.end(), plot.forecast[i].begin(), plot.forecast[i].end());
    }
    write_block(script, "history", points(plot.axis.history, plot.history));
    write_block(script, "heldout", points(plot.axis.held_out, plot.held_out));
    write_block(script, "forecast", forecast);
}

// As much of a date as tells the ticks apart.
const char* date_format(double span_s) {
    constexpr double kDayS = 86400.0;
    if (span_s > 365.0 * 5 * kDayS) {
        return "%Y";
    }
    if (span_s > 120.0 * kDayS) {
        return "%Y-%m";
    }
    return span_s > 3.0 * kDayS ? "%Y-%m-%d" : "%m-%d %H:%M";
}

void write_axes(std::ostream& script, const ForecastPlot& plot) {
    script << "set title " << gnuplot_text(plot.title) << " noenhanced\nset xlabel "
           << gnuplot_text(plot.axis.title) << " noenhanced\n";
    if (plot.axis.is_dates && !plot.axis.history.empty() && !plot.axis.forecast.empty()) {
        script << "set xdata time\nset timefmt '%s'\nset format x '"
               << date_format(plot.axis.forecast.back() - plot.axis.history.front()) << "'\n";
    }
    if (plot.value_range) {
        const auto [low, high] = *plot.value_range;
        const double margin = 0.05 * (high > low ? high - low : 1.0);
        script << "set yrange [" << low - margin << ":" << high + margin << "]\n";
    }
}

}  // namespace

void plot_forecast(const std::string& path, const ForecastPlot& plot) {
    std::ostringstream script;
    script.precision(15);
    write_data(script, plot);
    write_axes(script, plot);
    script << "plot ";
    const std::size_t count = plot.quantiles.size();
    for (std::size_t i = 0; i < count / 2; ++i) {
        script << "$forecast using 1:" << i + 2 << ":" << count + 1 - i
               << " with filledcurves fs transparent solid 0.22 noborder lc rgb '#1f77b4' title '"
               << plot.quantiles[i] << " to " << plot.quantiles[count - 1 - i] << "', ";
    }
    script << "$history using 1:2 with lines lw 1.8 lc rgb '#333333' title 'history', ";
    if (!plot.held_out.empty()) {
        script << "$heldout using 1:2 with lines lw 1.8 dt 2 lc rgb '#d62728' title 'held out', ";
    }
    // A line of one point is not seen.
    script << "$forecast using 1:" << median_index(plot.quantiles) + 2 << " with "
           << (plot.forecast.size() == 1 ? "points pt 7 " : "lines ")
           << "lw 2.2 lc rgb '#1f77b4' title 'median forecast'\n";
    run_gnuplot(path, script.str());
}

void plot_losses(const std::string& path, const std::vector<LossPoint>& points) {
    std::ostringstream script;
    std::vector<std::vector<double>> rows;
    rows.reserve(points.size());
    for (const LossPoint& point : points) {
        rows.push_back({point.step, point.training, point.validation});
    }
    write_block(script, "losses", rows);
    script << "set title 'Loss of the forecaster'\nset xlabel 'step'\nset ylabel 'pinball loss'\n"
           << "set key top right\n"
           << "plot $losses using 1:2 with lines lc rgb '#9ecae1' title 'training', "
           << "$losses using 1:3 with linespoints pt 7 ps 0.6 lw 2 lc rgb '#d62728' title "
           << "'synthetic validation'\n";
    run_gnuplot(path, script.str());
}

}  // namespace forecaster
