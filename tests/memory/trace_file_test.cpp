// SPDX-License-Identifier: Apache-2.0
#include "memory/trace_file.h"

#include "pumice/error.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using pumice::memory::TraceEvent;
using pumice::memory::write_trace_file;

namespace {

std::filesystem::path fresh_directory() {
    const auto directory = std::filesystem::temp_directory_path() / "pumice_trace_file_test";
    std::filesystem::remove_all(directory);
    std::filesystem::create_directory(directory);
    return directory;
}

}  // namespace

TEST_CASE("trace_file: one JSON line an event, between begin and end") {
    const auto directory = fresh_directory();
    const auto path = directory / "trace.jsonl";
    write_trace_file(path.string(),
                     {{.kind = TraceEvent::Kind::kAllocated,
                       .is_transient = true,
                       .id = 7,
                       .size_bytes = 64,
                       .buffer = 3,
                       .offset_bytes = 512},
                      {.kind = TraceEvent::Kind::kKernel,
                       .label = "say \"add\"",
                       .read_ids = {5, 6},
                       .written_ids = {7}},
                      {.kind = TraceEvent::Kind::kHostRead, .id = 7},
                      {.kind = TraceEvent::Kind::kFreed, .id = 7, .size_bytes = 64}});
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    CHECK(text.str() ==
          "{\"event\":\"begin\",\"version\":1}\n"
          "{\"event\":\"allocated\",\"id\":7,\"bytes\":64,\"transient\":true,\"buffer\":3,"
          "\"offset\":512}\n"
          "{\"event\":\"kernel\",\"label\":\"say \\\"add\\\"\",\"reads\":[5,6],\"writes\":[7]}\n"
          "{\"event\":\"host_read\",\"id\":7}\n"
          "{\"event\":\"freed\",\"id\":7,\"bytes\":64}\n"
          "{\"event\":\"end\",\"event_count\":4}\n");
    std::filesystem::remove_all(directory);
}

TEST_CASE("trace_file: a path that cannot be replaced leaves no file behind") {
    const auto directory = fresh_directory();
    std::filesystem::create_directories(directory / "taken" / "inside");
    CHECK_THROWS_AS(write_trace_file((directory / "taken").string(), {}), pumice::FileError);
    std::size_t entry_count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) {
        ++entry_count;
    }
    CHECK(entry_count == 1);
    std::filesystem::remove_all(directory);
}
