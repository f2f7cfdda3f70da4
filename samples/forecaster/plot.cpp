// SPDX-License-Identifier: Apache-2.0
#include "forecaster/plot.h"

#include "pumice/error.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <unistd.h>

namespace forecaster {

namespace {

constexpr const char* kPreamble =
    "set terminal svg size 1000,480 dynamic background rgb 'white' font 'Helvetica,13'\n"
    "set border 3 lc rgb '#888888'\nset tics nomirror\nset grid y lc rgb '#e5e5e5'\n"
    "set key top left reverse Left\nset datafile missing 'nan'\n";

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char letter : text) {
        out += letter;
        if (letter == '\'') {
            out += letter;  // gnuplot doubles a quote within quotes
        }
    }
    return out + "'";
}

void write_block(std::ostream& out,
                 const char* name,
                 const std::vector<std::vector<double>>& rows) {
    out << '$' << name << " << EOD\n";
    for (const std::vector<double>& row : rows) {
        for (const double value : row) {
            out << value << ' ';
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

bool has_gnuplot() {
    FILE* pipe = ::popen("command -v gnuplot >/dev/null 2>&1", "r");
    return pipe != nullptr && ::pclose(pipe) == 0;
}

}  // namespace

void run_gnuplot(const std::string& picture_path, const std::string& script) {
    if (!has_gnuplot()) {
        throw pumice::UnsupportedError(
            "plot", "gnuplot is not installed; install gnuplot-nox or leave the plot out");
    }
    const std::string sibling = picture_path + "." + std::to_string(::getpid()) + ".tmp";
    FILE* pipe = ::popen("gnuplot 2>/dev/null", "w");
    if (pipe == nullptr) {
        throw pumice::FileError(picture_path, "gnuplot cannot be started");
    }
    const std::string whole =
        std::string(kPreamble) + "set output " + quoted(sibling) + "\n" + script;
    std::fwrite(whole.data(), 1, whole.size(), pipe);
    const int status = ::pclose(pipe);
    std::error_code failure;
    if (status == 0) {
        std::filesystem::rename(sibling, picture_path, failure);
    }
    if (status != 0 || failure) {
        std::filesystem::remove(sibling, failure);
        throw pumice::FileError(picture_path, "gnuplot could not write the picture");
    }
}

void plot_forecast(const std::string& path, const ForecastPlot& plot) {
    std::ostringstream script;
    script.precision(10);
    const double start = static_cast<double>(plot.history.size());
    std::vector<std::vector<double>> history;
    for (std::size_t i = 0; i < plot.history.size(); ++i) {
        history.push_back({static_cast<double>(i), plot.history[i]});
    }
    std::vector<std::vector<double>> held_out;
    for (std::size_t i = 0; i < plot.held_out.size(); ++i) {
        held_out.push_back({start + static_cast<double>(i), plot.held_out[i]});
    }
    std::vector<std::vector<double>> forecast;
    for (std::size_t i = 0; i < plot.forecast.size(); ++i) {
        std::vector<double>& row = forecast.emplace_back();
        row.push_back(start + static_cast<double>(i));
        row.insert(row.end(), plot.forecast[i].begin(), plot.forecast[i].end());
    }
    write_block(script, "history", history);
    write_block(script, "heldout", held_out);
    write_block(script, "forecast", forecast);
    script << "set title " << quoted(plot.title) << " noenhanced\nset xlabel 'step'\nplot ";
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
    script << "$forecast using 1:" << median_index(plot.quantiles) + 2
           << " with lines lw 2.2 lc rgb '#1f77b4' title 'median forecast'\n";
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
