// SPDX-License-Identifier: Apache-2.0
// Random autograd programs on Pumice and on LibTorch: what they disagree about is printed, as short
// as it gets.
#include "differential/compare.h"
#include "differential/generator.h"
#include "differential/run.h"
#include "differential/samples.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>

namespace {

using namespace differential;

struct Options {
    std::uint64_t count = 1000;
    std::uint64_t seed = 1;
    bool shrinks = false;
    bool prints = false;
    std::uint64_t most_reports = 10;
    std::string samples;
};

Verdict judge_both(const Program& program) {
    return judge(program, run_on_pumice, run_on_libtorch);
}

void report(std::uint64_t seed, Program program, const Options& options) {
    if (options.shrinks) {
        program = shrink(std::move(program), [](const Program& candidate) {
            return !judge_both(candidate).differences.empty();
        });
    }
    std::printf(
        "seed %llu differs:\n%s", static_cast<unsigned long long>(seed), to_text(program).c_str());
    for (const std::string& difference : judge_both(program).differences) {
        std::printf("    // %s\n", difference.c_str());
    }
    std::printf("\n");
    std::fflush(stdout);
}

int compare_all(const Options& options) {
    std::uint64_t differing = 0;
    std::map<std::string, int> known;
    for (std::uint64_t i = 0; i < options.count; ++i) {
        const std::uint64_t seed = options.seed + i;
        const Program program = generate(seed);
        if (options.prints) {
            std::printf("seed %llu:\n%s\n",
                        static_cast<unsigned long long>(seed),
                        to_text(program).c_str());
            std::fflush(stdout);
        }
        const Verdict verdict = judge_both(program);
        for (const std::string& rule : verdict.known) {
            ++known[rule];
        }
        if (!verdict.differences.empty() && ++differing <= options.most_reports) {
            report(seed, program, options);
        }
    }
    for (const auto& [rule, count] : known) {
        std::printf("known: %s: %d times\n", rule.c_str(), count);
    }
    std::printf("%llu programs, %llu differ\n",
                static_cast<unsigned long long>(options.count),
                static_cast<unsigned long long>(differing));
    return differing == 0 ? 0 : 1;
}

// Programs that end in no error and need no rule, with LibTorch's answers.
int write_samples(const Options& options) {
    std::vector<Sample> samples;
    for (std::uint64_t seed = options.seed; samples.size() < options.count; ++seed) {
        const Program program = generate(seed);
        const Verdict verdict = judge_both(program);
        if (verdict.known.empty() && verdict.differences.empty()) {
            samples.push_back({program, run_on_libtorch(program)});
        }
    }
    std::ofstream out(options.samples);
    out << write(samples);
    out.close();
    return out ? 0 : 1;
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app("Compares Pumice's autograd with LibTorch's on random programs.");
    app.add_option("--count", options.count, "programs");
    app.add_option("--seed", options.seed, "of the first; the next ones follow");
    app.add_flag("--shrink", options.shrinks, "shorten what differs");
    app.add_flag("--print", options.prints, "print every program before it runs");
    app.add_option("--most-reports", options.most_reports, "how many differences to print");
    app.add_option("--samples", options.samples, "write the programs and LibTorch's answers here");
    CLI11_PARSE(app, argc, argv);
    return options.samples.empty() ? compare_all(options) : write_samples(options);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "differential_autograd: %s\n", error.what());
        return 2;
    }
}
