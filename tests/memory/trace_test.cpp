// SPDX-License-Identifier: Apache-2.0
#include "memory/trace.h"

#include "pumice/error.h"
#include "pumice/memory.h"

#include "support/programs.h"
#include "support/scratch.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using pumice::MemoryTrace;
using pumice::memory::trace_allocated;
using pumice::memory::trace_freed;
using pumice::memory::trace_host_read;
using pumice::memory::trace_kernel;
using Ids = std::vector<std::uint64_t>;

namespace {

void kernel(const Ids& read_ids, const Ids& written_ids) {
    trace_kernel("test", read_ids, written_ids);
}

// 1 -> 2 -> 3 with handles kept to the end: 3 is read by the host.
void record_chain() {
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        trace_allocated(id, 100 * id, true);
    }
    kernel({99}, {1});
    kernel({1}, {2});
    kernel({2, 98}, {3});
    trace_host_read(3);
    for (const std::uint64_t id : {1U, 2U, 3U}) {
        trace_freed(id, 100 * id);
    }
}

std::string temporary_path(const std::string& name) {
    return (std::filesystem::temp_directory_path() / name).string();
}

}  // namespace

TEST_CASE("trace: kept handles do not raise the bound, only the peak") {
    MemoryTrace trace;
    record_chain();
    trace.finish();
    CHECK(trace.lower_bound_bytes() == 500);
    CHECK(trace.peak_bytes() == 600);
    CHECK(pumice::memory::traced_lower_bound_bytes() == 500);
}

TEST_CASE("trace: storages older than the trace do not count") {
    trace_allocated(7, 1 << 20, true);
    MemoryTrace trace;
    trace_allocated(8, 64, true);
    kernel({7}, {8});
    trace_freed(7, 1 << 20);
    CHECK(trace.lower_bound_bytes() == 64);
    CHECK(trace.peak_bytes() == 64);
}

TEST_CASE("trace: a storage never read counts at the kernel that writes it") {
    MemoryTrace trace;
    trace_allocated(1, 64, true);
    trace_allocated(2, 32, true);
    trace_allocated(3, 4096, true);
    kernel({}, {1});
    kernel({}, {2});
    CHECK(trace.lower_bound_bytes() == 64);
}

TEST_CASE("trace: a host read needs the storage up to there") {
    MemoryTrace trace;
    trace_allocated(1, 64, false);
    trace_allocated(2, 32, false);
    kernel({}, {1});
    kernel({}, {2});
    trace_host_read(1);
    CHECK(trace.lower_bound_bytes() == 96);
}

TEST_CASE("trace: nothing is recorded after the end") {
    MemoryTrace trace;
    trace_allocated(1, 64, true);
    trace.finish();
    trace_allocated(2, 64, true);
    trace.finish();
    CHECK(trace.peak_bytes() == 64);
    CHECK_FALSE(pumice::memory::trace_is_open.load());
}

TEST_CASE("trace: one at a time") {
    const MemoryTrace trace;
    CHECK_THROWS_WITH_AS(MemoryTrace(),
                         "[MemoryTrace] one trace at a time; another one is still open",
                         pumice::ArgumentError);
    CHECK(pumice::memory::trace_is_open.load());
}

TEST_CASE("trace: threads record into it together") {
    MemoryTrace trace;
    std::vector<std::thread> threads;
    for (std::uint64_t first_id : {1000U, 2000U, 3000U}) {
        threads.emplace_back([first_id] {
            for (std::uint64_t id = first_id; id < first_id + 200; ++id) {
                trace_allocated(id, 16, true);
                kernel({}, {id});
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(trace.peak_bytes() == 3 * 200 * 16);
    CHECK(trace.lower_bound_bytes() == 16);
}

TEST_CASE("trace: the separate program recomputes the same figures") {
    if (!pumice::test::has_lower_bound()) {
        MESSAGE("skipped: no program lower_bound beside this test");
        return;
    }
    const std::string path = temporary_path("pumice_trace_test.jsonl");
    MemoryTrace trace;
    record_chain();
    trace.dump(path);
    const pumice::test::ProgramResult result = pumice::test::run_lower_bound(path);
    REQUIRE(result.exit_status == 0);
    const auto figures = nlohmann::json::parse(result.output);
    CHECK(figures["lower_bound_bytes"] == trace.lower_bound_bytes());
    CHECK(figures["peak_bytes"] == trace.peak_bytes());
    CHECK(figures["ratio"].get<double>() == doctest::Approx(1.2));

    SUBCASE("and names the line of a malformed trace") {
        std::ofstream(path) << "{\"event\":\"begin\",\"version\":1}\n{\"event\":\"allocat\n";
        const pumice::test::ProgramResult refusal = pumice::test::run_lower_bound(path);
        CHECK(refusal.exit_status == 1);
        CHECK(refusal.output == "lower_bound: " + path + ":2: not JSON\n");
    }
    std::filesystem::remove(path);
}

TEST_CASE("trace: a file that cannot be written is refused and leaves nothing") {
    const MemoryTrace trace;
    const pumice::test::Scratch scratch;
    CHECK_THROWS_AS(trace.dump(scratch.path_below_file("trace.jsonl")), pumice::FileError);
    CHECK(scratch.file_count() == 1);  // the file in its way
}
