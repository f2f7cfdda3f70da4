// SPDX-License-Identifier: Apache-2.0
// A sample of tools/differential_autograd's programs with LibTorch's answers, which the tool wrote:
//   differential_autograd --samples tests/data/autograd_programs.json --count 150
#include "differential/compare.h"
#include "differential/generator.h"
#include "differential/run.h"
#include "differential/samples.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace differential;

TEST_CASE("differential: random autograd programs give LibTorch's answers") {
    std::ifstream file(PUMICE_TEST_DATA_DIR "/autograd_programs.json");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::vector<Sample> samples = read(text);
    REQUIRE(samples.size() == 150);
    for (const Sample& sample : samples) {
        std::vector<std::string> known;
        const std::vector<std::string> found =
            differences(sample.program, run_on_pumice(sample.program), sample.outcome, known);
        if (!found.empty()) {
            CAPTURE(to_text(sample.program));
            CAPTURE(found[0]);
            CHECK(found.empty());
        }
    }
}

TEST_CASE("differential: a seed is one program, and a difference is found and shrunk") {
    CHECK(to_text(generate(7)) == to_text(generate(7)));
    CHECK(to_text(generate(7)) != to_text(generate(8)));
    // An engine that forgets what tanh gives.
    const Run forgetful = [](const Program& program) {
        Outcome outcome = run_on_pumice(program);
        for (const Instruction& step : program.steps) {
            for (TensorState& state : outcome.tensors) {
                if (step.op == Op::kTanh && state.slot == step.results[0] &&
                    !state.values.empty()) {
                    state.values[0] += 1;
                }
            }
        }
        return outcome;
    };
    const auto differs = [&forgetful](const Program& program) {
        return !judge(program, run_on_pumice, forgetful).differences.empty();
    };
    std::uint64_t seed = 1;
    while (!differs(generate(seed))) {
        ++seed;
    }
    const Program shortest = shrink(generate(seed), differs);
    CHECK(shortest.steps.size() == 2);
    CHECK(to_text(shortest.steps[1]).find("tanh(") != std::string::npos);
}
