// SPDX-License-Identifier: Apache-2.0
// The `pumice` command. Exit codes: 0 done, 1 bad input, an output that could not be written or a
// check that failed, 2 no usable device, else CLI11's for usage.
#include "pumice/error.h"

#include "commands.h"
#include "standard_streams.h"

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
    int code = 0;
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        code = app.exit(error);
    }
    pumice::command::finish_stdout();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        pumice::command::occupy_standard_streams();
        return run(argc, argv);
    } catch (const pumice::DeviceError& error) {
        std::fprintf(stderr, "pumice: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pumice: %s\n", error.what());
        return 1;
    }
}
