// SPDX-License-Identifier: Apache-2.0
// The `pumice` command. Exit codes: 0 done, 1 bad input or a check that failed, 2 no usable
// device, else CLI11's for usage.
#include "pumice/error.h"

#include "commands.h"

#include <cstdio>
#include <exception>

namespace {

int run(int argc, char** argv) {
    CLI::App app("Pumice: a tensor engine on Vulkan compute.", "pumice");
    app.require_subcommand(1);
    pumice::command::add_info(app);
    pumice::command::add_forecast(app);
    pumice::command::add_bench(app);
    pumice::command::add_plan(app);
    pumice::command::add_memory(app);
    pumice::command::add_profile(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const pumice::DeviceError& error) {
        std::fprintf(stderr, "pumice: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pumice: %s\n", error.what());
        return 1;
    }
}
