// SPDX-License-Identifier: Apache-2.0
// ResNet-18 with random weights on a random image, in inference mode: the time of a run, and the
// peak of its memory beside the lower bound.
#include "models_zoo/resnet18.h"

#include "pumice/memory.h"
#include "pumice/pumice.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

using pumice::Tensor;

struct Options {
    std::int64_t extent = 224;
    std::int64_t batch = 1;
    std::int64_t runs = 5;
};

double run_ms(models_zoo::ResNet18& model, const Tensor& image) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<float> logits = model(image).to_vector<float>();
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    return taken.count();
}

void run(const Options& options) {
    pumice::manual_seed(0);
    models_zoo::ResNet18 model;
    model->eval();
    const pumice::InferenceMode guard;
    const Tensor image = pumice::randn({options.batch, 3, options.extent, options.extent});
    std::printf("first run, pipelines compiled: %.0f ms\n", run_ms(model, image));
    double best = 1e30;
    for (std::int64_t i = 0; i < options.runs; ++i) {
        best = std::min(best, run_ms(model, image));
    }
    std::printf("best of %lld runs: %.0f ms\n", static_cast<long long>(options.runs), best);
    pumice::reset_peak_memory_stats();
    pumice::MemoryTrace trace;
    run_ms(model, image);
    trace.finish();
    std::printf(
        "trace: peak %llu bytes, lower bound %llu bytes, ratio %.3f\n",
        static_cast<unsigned long long>(trace.peak_bytes()),
        static_cast<unsigned long long>(trace.lower_bound_bytes()),
        static_cast<double>(trace.peak_bytes()) / static_cast<double>(trace.lower_bound_bytes()));
    const pumice::MemoryStats stats = pumice::memory_stats();
    std::printf("transient peak %llu bytes, reserved %llu bytes\n",
                static_cast<unsigned long long>(stats.transient_peak_bytes),
                static_cast<unsigned long long>(stats.reserved_bytes));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Runs ResNet-18 with random weights.");
    Options options;
    app.add_option("--extent", options.extent, "rows and columns of the image, from 32");
    app.add_option("--batch", options.batch, "images");
    app.add_option("--runs", options.runs, "timed runs");
    CLI11_PARSE(app, argc, argv);
    try {
        run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
