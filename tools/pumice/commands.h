// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace pumice::command {

// Each adds one subcommand whose callback does the work and throws pumice::Error.
void add_info(CLI::App& app);
void add_forecast(CLI::App& app);
void add_bench(CLI::App& app);
void add_bench_memory(CLI::App& bench);
void add_bench_chain(CLI::App& bench);
void add_bench_fusion(CLI::App& bench);
void add_bench_replay(CLI::App& bench);
void add_bench_soak(CLI::App& bench);
void add_bench_start(CLI::App& bench);
void add_plan(CLI::App& app);
void add_memory(CLI::App& app);
void add_profile(CLI::App& app);

}  // namespace pumice::command
