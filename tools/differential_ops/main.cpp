// SPDX-License-Identifier: Apache-2.0
//
// differential_ops: random programs of operators, in every mode against each other bit for bit and
// against float64 on the host. A program is its seed: `--seed S --count 1` runs it again (with the
// same --large-every and --leave-out). Exit codes: 0 all agreed, 1 findings, 2 usage, 3 a program
// that does not end.
#include "pumice/pumice.h"

#include "draw.h"
#include "modes.h"
#include "shrink.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using pumice::differential::Draw;
using pumice::differential::DrawOptions;
using pumice::differential::Program;
using pumice::differential::Row;

struct Options {
    std::uint64_t seed = 1;
    std::uint64_t count = 1000;
    double seconds = 0.0;
    std::uint64_t large_every = 40;
    double shrink_seconds = 30.0;
    std::size_t most_findings = 20;
    std::size_t most_steps = 8;
    bool captures = true;
    bool lists = false;
    bool prints = false;
    std::vector<std::string> left_out;
    std::vector<std::string> only;
};

using Clock = std::chrono::steady_clock;

// The program that runs, for whoever finds that it does not end or ends the process.
std::atomic<std::uint64_t> current_seed{0};
std::atomic<std::int64_t> current_start{0};

std::int64_t seconds_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(Clock::now().time_since_epoch())
        .count();
}

void report_crash(int signal) {
    char text[96];
    const int length = std::snprintf(text,
                                     sizeof text,
                                     "signal %d in the program of seed %llu\n",
                                     signal,
                                     static_cast<unsigned long long>(current_seed.load()));
    if (length > 0 && write(STDERR_FILENO, text, static_cast<std::size_t>(length)) < 0) {
        std::_Exit(1);
    }
    std::_Exit(1);
}

void watch() {
    constexpr std::int64_t kMostSeconds = 300;
    for (;;) {
        std::this_thread::sleep_for(std::chrono::seconds(1));
        if (seconds_now() - current_start.load() > kMostSeconds) {
            std::cerr << "the program of seed " << current_seed.load() << " does not end"
                      << std::endl;
            std::_Exit(3);
        }
    }
}

// What is wrong, or nothing; an exception of a foreign kind is a finding as well.
template <class F>
std::string finding_of(F&& body) {
    current_start = seconds_now();
    try {
        body();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

std::string without_digits(const std::string& text) {
    std::string out;
    std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char letter) {
        return letter < '0' || letter > '9';
    });
    return out;
}

// What a finding is about: the mode or the operator, and whether a value or an error.
std::string start_of(const std::string& what) {
    const std::size_t first = what.find(':');
    return without_digits(what.substr(0, first == std::string::npos ? first : first + 8));
}

class Tester {
public:
    explicit Tester(const Options& options) : options_(options) {
        draw_.left_out.insert(options.left_out.begin(), options.left_out.end());
        draw_.most_steps = options.most_steps;
        for (const Row& row : pumice::differential::table()) {
            const bool is_wanted =
                options.only.empty() ||
                std::count(options.only.begin(), options.only.end(), row.name) > 0;
            if (!is_wanted) {
                draw_.left_out.insert(row.name);
            }
        }
    }

    // A program leaves nothing behind: what it allocated is free again.
    void run(std::uint64_t seed) {
        const std::uint64_t before = pumice::memory_stats().live_bytes;
        const Program program = run_program(seed);
        const std::uint64_t after = pumice::memory_stats().live_bytes;
        if (after != before) {
            report(program, fmt::format("{} bytes live after it; {} before", after, before), false);
        }
        // Recorded apart: a tensor that is written after a node saved it may own itself.
        const std::string what = finding_of([&] { pumice::differential::check_recorded(program); });
        if (!what.empty()) {
            report(program, what, true);
        }
    }

    [[nodiscard]] bool has_enough() const { return reported_ >= options_.most_findings; }

    int finish() const {
        if (options_.lists) {
            for (const Row& row : pumice::differential::table()) {
                const auto found = uses_.find(row.name);
                std::cout << fmt::format(
                    "{:6} {}\n", found == uses_.end() ? 0 : found->second, row.name);
            }
        }
        std::cout << fmt::format("{} programs, {} findings of {} kinds\n",
                                 program_count_,
                                 finding_count_,
                                 kinds_.size());
        return finding_count_ == 0 ? 0 : 1;
    }

private:
    Program run_program(std::uint64_t seed) {
        current_seed = seed;
        draw_.is_large = options_.large_every != 0 && seed % options_.large_every == 0;
        Draw draw(seed, draw_);
        std::string what = finding_of([&] { draw.draw_program(); });
        if (options_.prints) {
            std::cout << to_text(draw.program) << std::endl;
        }
        if (what.empty()) {
            what = finding_of(
                [&] { pumice::differential::check_modes(draw.program, options_.captures); });
        }
        ++program_count_;
        for (const auto& step : draw.program.steps) {
            ++uses_[step.row->name];
        }
        if (!what.empty()) {
            report(draw.program, what, true);
        }
        return draw.program;
    }

    // Findings of one text, but for numbers, are one kind; the first of each is shrunk and shown.
    void report(Program program, std::string what, bool can_shrink) {
        ++finding_count_;
        if (kinds_[without_digits(what.substr(0, 60))]++ > 0) {
            return;
        }
        ++reported_;
        const std::string wanted_start = start_of(what);
        const auto check = [&](const Program& one) {
            std::string found =
                finding_of([&] { pumice::differential::check_program(one, options_.captures); });
            return start_of(found) == wanted_start ? found : std::string();
        };
        std::cout << "FINDING in the program of seed " << program.seed << ": " << what << std::endl;
        if (can_shrink && options_.shrink_seconds > 0) {
            program =
                pumice::differential::shrink(std::move(program), check, options_.shrink_seconds);
            what = check(program);
        }
        std::cout << what << "\n" << to_text(program) << std::endl;
    }

    const Options& options_;
    DrawOptions draw_;
    std::map<std::string, std::uint64_t> uses_;
    std::map<std::string, std::uint64_t> kinds_;
    std::uint64_t program_count_ = 0;
    std::uint64_t finding_count_ = 0;
    std::size_t reported_ = 0;
};

int run_all(const Options& options) {
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) {
        std::signal(signal, report_crash);
    }
    current_start = seconds_now();
    std::thread(watch).detach();
    Tester tester(options);
    const Clock::time_point start = Clock::now();
    for (std::uint64_t i = 0; i < options.count && !tester.has_enough(); ++i) {
        const std::chrono::duration<double> spent = Clock::now() - start;
        if (options.seconds > 0 && spent.count() > options.seconds) {
            break;
        }
        tester.run(options.seed + i);
    }
    return tester.finish();
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    bool is_eager = false;
    CLI::App app("Random programs of operators: every mode against each other and float64.");
    app.add_option("--seed", options.seed, "Seed of the first program")->capture_default_str();
    app.add_option("--count", options.count, "Most programs")->capture_default_str();
    app.add_option("--seconds", options.seconds, "Most seconds, 0 for any");
    app.add_option("--large-every", options.large_every, "Seeds divisible by it draw large shapes")
        ->capture_default_str();
    app.add_option("--shrink", options.shrink_seconds, "Seconds to shrink a finding, 0 for none")
        ->capture_default_str();
    app.add_option("--findings", options.most_findings, "Stop after so many kinds of findings")
        ->capture_default_str();
    app.add_option("--steps", options.most_steps, "Most calls in a program")->capture_default_str();
    app.add_option("--leave-out",
                   options.left_out,
                   "Rows by name, scalars (0, NaN, infinities), constants (written in place), "
                   "strided (arguments)");
    app.add_option("--only", options.only, "These rows alone");
    app.add_flag("--eager", is_eager, "Capture nothing");
    app.add_flag("--list", options.lists, "Print how often each row was drawn");
    app.add_flag("--print", options.prints, "Print every program");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : 2;
    }
    options.captures = !is_eager;
    try {
        return run_all(options);
    } catch (const std::exception& error) {
        std::cerr << "differential_ops: " << error.what() << '\n';
        return 1;
    }
}
