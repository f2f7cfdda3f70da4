// SPDX-License-Identifier: Apache-2.0
#include "pumice/profiler.h"

#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/scratch.h"
#include "vk/device.h"
#include "vk/queue.h"
#include "vk/seam.h"
#include "vk/timings.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace pumice {
namespace {

using Labels = std::vector<std::string>;

// Those of operators, copies and fills of memory left out.
Labels labels_of(const Profiler& profiler) {
    Labels labels;
    for (const ProfileEvent& event : profiler.events()) {
        if (event.label.rfind("buffer_", 0) != 0) {
            labels.push_back(event.label);
        }
    }
    return labels;
}

Tensor chain(const Tensor& x) {
    return softmax(relu(mul(x, x)), -1);
}

const Labels kChain = {"mul", "relu", "softmax"};

/// Puts the process's device back as it was.
struct Restored {
    ~Restored() { vk::restore(vk::device()); }
};

TEST_CASE("profiler: events carry the operators' names in the order of the calls") {
    const Tensor x = test::random_tensor({4, 8});
    const Tensor before = neg(x);
    Profiler profiler;
    const Tensor y = chain(x);
    profiler.stop();
    const Tensor after = neg(x);
    CHECK(labels_of(profiler) == kChain);
    CHECK(profiler.lost_count() == 0);
    test::check_same_bits(y, chain(x));
}

TEST_CASE("profiler: times are not negative and lie inside the whole") {
    const Tensor x = test::random_tensor({64, 64});
    chain(x).to_host();
    const auto begin = std::chrono::steady_clock::now();
    Profiler profiler;
    for (int i = 0; i < 10; ++i) {
        chain(x).to_host();
    }
    profiler.stop();
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - begin;
    REQUIRE(labels_of(profiler).size() == 30);
    double earliest_us = 1e30;
    double latest_us = 0.0;
    std::uint64_t submit = 0;
    double host_us = 0.0;
    for (const ProfileEvent& event : profiler.events()) {
        CHECK(event.duration_us >= 0.0);
        CHECK(event.submit >= submit);
        CHECK(event.host_us >= host_us);
        submit = event.submit;
        host_us = event.host_us;
        earliest_us = std::min(earliest_us, event.start_us);
        latest_us = std::max(latest_us, event.start_us + event.duration_us);
    }
    CHECK(earliest_us == 0.0);
    CHECK(profiler.span_us() == latest_us);
    CHECK(profiler.span_us() > 0.0);
    // The two clocks differ, by less than one part in a hundred.
    CHECK(profiler.span_us() <= 1.01 * taken.count());
    CHECK(host_us <= taken.count());
}

TEST_CASE("profiler: more commands than a command buffer takes") {
    Tensor x = zeros({4});
    Profiler profiler;
    for (int i = 0; i < 1000; ++i) {
        x = add(x, 1.0);
    }
    profiler.stop();
    CHECK(labels_of(profiler) == Labels(1000, "add_scalar"));
    CHECK(profiler.lost_count() == 0);
    const std::uint64_t first = profiler.events().front().submit;
    CHECK(profiler.events().back().submit >= first + 7);
    test::check_close(x, std::vector<double>(4, 1000.0));
}

TEST_CASE("profiler: a summary by operator") {
    const Tensor x = test::random_tensor({16});
    Profiler profiler;
    for (int i = 0; i < 3; ++i) {
        mul(x, x);
    }
    neg(x);
    profiler.stop();
    std::map<std::string, ProfileRow> rows;
    double share = 0.0;
    double last_us = 1e30;
    for (const ProfileRow& row : profiler.summary()) {
        rows[row.label] = row;
        share += row.share;
        CHECK(row.total_us <= last_us);
        CHECK(row.mean_us * static_cast<double>(row.count) == doctest::Approx(row.total_us));
        last_us = row.total_us;
    }
    CHECK(rows["mul"].count == 3);
    CHECK(rows["neg"].count == 1);
    CHECK(share == doctest::Approx(1.0));
    const std::string table = profiler.table();
    CHECK(table.find("operator") == 0);
    CHECK(static_cast<std::size_t>(std::count(table.begin(), table.end(), '\n')) ==
          profiler.summary().size() + 1);
}

TEST_CASE("profiler: without commands") {
    Profiler profiler;
    profiler.stop();
    profiler.stop();
    CHECK(profiler.events().empty());
    CHECK(profiler.summary().empty());
    CHECK(profiler.span_us() == 0.0);
}

TEST_CASE("profiler: one at a time, and none is left over") {
    const Tensor x = test::random_tensor({16});
    {
        Profiler profiler;
        test::check_throws<ArgumentError>(
            [] { const Profiler second; },
            "[Profiler] one profiler at a time; another one is still on");
        test::check_throws<ArgumentError>([&] { profiler.events(); }, "stop() it before");
        test::check_throws<ArgumentError>([&] { profiler.write("never.json"); }, "stop() it");
        neg(x);
        profiler.stop();
        const Profiler next;  // the first one is off
        CHECK(labels_of(profiler) == Labels{"neg"});
    }
    try {
        const Profiler profiler;
        add(x, test::random_tensor({3}));  // throws
        FAIL("shapes that do not fit were added");
    } catch (const ShapeError&) {
    }
    Profiler last;
    neg(x);
    last.stop();
    CHECK(labels_of(last) == Labels{"neg"});
}

TEST_CASE("profiler: off, it makes no queries; on, a failing one throws before the operator") {
    const Tensor x = test::random_tensor({16});
    synchronize();
    const Restored restored;
    vk::inject_fault(vk::device(), vk::Entry::kCreateQueryPool, vk::Fault::kOutOfDeviceMemory);
    neg(x).to_host();
    std::optional<Profiler> profiler(std::in_place);
    test::check_throws<OutOfMemoryError>([&] { neg(x); }, "");
    vk::restore(vk::device());
    mul(x, x);
    profiler->stop();
    CHECK(labels_of(*profiler) == Labels{"mul"});
    profiler.reset();
    vk::inject_fault(vk::device(), vk::Entry::kCreateQueryPool, vk::Fault::kOutOfDeviceMemory);
    test::check_same_bits(neg(neg(x)), x);
}

TEST_CASE("profiler: a device without timestamps is refused") {
    const Restored restored;
    vk::limit_timestamps(vk::device(), 0);
    test::check_throws<UnsupportedError>([] { const Profiler profiler; }, "timestampValidBits");
    vk::restore(vk::device());
    const Profiler profiler;
}

TEST_CASE("profiler: each kernel of a replay") {
    const Tensor weight = test::random_tensor({8, 8});
    const Plan plan =
        capture([&](const Tensor& x) { return chain(matmul(x, weight)); }, {zeros({4, 8})});
    const Tensor x = test::random_tensor({4, 8}, -1, 1, 5);
    const Tensor plain = plan(x)[0];
    const std::size_t barriers = plan.stats().barrier_count;

    Profiler profiler;
    const Tensor timed = plan(x)[0];
    plan(timed);
    profiler.stop();
    test::check_same_bits(timed, plain);
    Labels labels = labels_of(profiler);
    // Beside the copies in and out.
    labels.erase(std::remove_if(
                     labels.begin(),
                     labels.end(),
                     [](const std::string& label) { return label == "copy_" || label == "clone"; }),
                 labels.end());
    CHECK(labels == Labels{"matmul+mul+relu", "softmax", "matmul+mul+relu", "softmax"});
    CHECK(profiler.lost_count() == 0);
    CHECK(plan.stats().barrier_count == barriers);
    CHECK(plan.stats().recording_count == 1);
    test::check_same_bits(plan(x)[0], plain);  // the recording without times
}

TEST_CASE("profiler: a replay of many kernels, and one whose queries cannot be made") {
    const auto steps = [](const Tensor& x) {
        Tensor y = x;
        for (int i = 0; i < 300; ++i) {
            y = add(y, 1.0);
        }
        return y;
    };
    const Plan plan = capture(steps, {zeros({4})});
    const Tensor x = zeros({4});
    synchronize();
    Profiler profiler;
    const Tensor y = plan(x)[0];
    neg(x);
    const Restored restored;
    vk::inject_fault(vk::device(), vk::Entry::kCreateQueryPool, vk::Fault::kOutOfDeviceMemory);
    test::check_throws<OutOfMemoryError>(
        [&] {
            for (int i = 0; i < 100; ++i) {
                plan(x);
            }
        },
        "");
    vk::restore(vk::device());
    profiler.stop();
    CHECK(profiler.lost_count() == 0);
    const Labels labels = labels_of(profiler);
    CHECK(std::count(labels.begin(), labels.end(), "add_scalar") % 300 == 0);
    CHECK(std::count(labels.begin(), labels.end(), "neg") == 1);
    test::check_close(y, std::vector<double>(4, 300.0));
    test::check_close(plan(x)[0], std::vector<double>(4, 300.0));
}

TEST_CASE("profiler: threads go on recording while it starts and stops") {
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&is_over] {
            Tensor x = zeros({4});
            for (int i = 0; i < 50 || !is_over; ++i) {
                x = add(x, 1.0);
                if (i % 20 == 19) {
                    static_cast<void>(x.to_host());
                }
            }
        });
    }
    std::size_t count = 0;
    for (int i = 0; i < 20 || (count == 0 && i < 10000); ++i) {
        Profiler profiler;
        synchronize();
        profiler.stop();
        CHECK(profiler.lost_count() == 0);
        count += profiler.events().size();
    }
    is_over = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(count > 0);
}

TEST_CASE("profiler: a trace for a browser") {
    const test::Scratch scratch;
    const std::string path = scratch.path("trace.json");
    const Tensor x = test::random_tensor({16});
    Profiler profiler;
    chain(x);
    profiler.stop();
    profiler.write(path);
    CHECK(scratch.file_count() == 1);
    std::ifstream file(path);
    const auto trace = nlohmann::json::parse(file);
    std::map<std::string, std::size_t> phases;
    Labels labels;
    for (const auto& event : trace["traceEvents"]) {
        ++phases[event["ph"].get<std::string>()];
        if (event["ph"] == "X") {
            CHECK(event["ts"].get<double>() >= 0.0);
            CHECK(event["dur"].get<double>() >= 0.0);
            CHECK(event["args"]["submit"].get<std::uint64_t>() > 0);
            labels.push_back(event["name"]);
        }
    }
    CHECK(labels.size() == profiler.events().size());
    CHECK(phases["i"] == labels.size());
    CHECK(phases["M"] >= 3);

    test::check_throws<FileError>([&] { profiler.write(scratch.path("no/trace.json")); }, "");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("profiler: under null execution nothing reaches the driver") {
    const Tensor x = test::random_tensor({16});
    synchronize();
    const Restored restored;
    vk::install_null_execution(vk::device());
    Profiler profiler;
    neg(x);
    profiler.stop();
    CHECK(labels_of(profiler) == Labels{"neg"});
}

/// A device of its own, so that it can be lost.
struct Bench {
    vk::Device device;
    vk::Queue& queue = device.queue();
    vk::Buffer buffer = device.create_buffer(1024, vk::MemoryKind::kDevice);
    vk::Binding range{&buffer, 0, 1024};

    Bench() = default;

    ~Bench() {
        vk::restore(device);
        device.destroy_buffer(buffer);
    }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
};

TEST_CASE("profiler: on a lost device what has not arrived is lost, and nothing hangs") {
    Bench bench;
    bench.queue.start_timing();
    bench.queue.fill(bench.range, 1);
    std::size_t count = 1;
    std::size_t least_arrived = 0;
    SUBCASE("at a submit") {
        vk::inject_fault(bench.device, vk::Entry::kQueueSubmit, vk::Fault::kDeviceLost);
        CHECK_THROWS_AS(bench.queue.flush(), DeviceError);
    }
    SUBCASE("at the submit of the stop") {
        vk::inject_fault(bench.device, vk::Entry::kQueueSubmit, vk::Fault::kDeviceLost);
    }
    SUBCASE("at the wait of the stop") {
        vk::inject_fault(bench.device, vk::Entry::kWaitSemaphores, vk::Fault::kDeviceLost);
    }
    SUBCASE("after a part has arrived") {
        bench.queue.wait(bench.queue.flush());
        bench.queue.fill(bench.range, 2);
        bench.queue.flush();  // and collects
        bench.queue.fill(bench.range, 3);
        vk::inject_fault(bench.device, vk::Entry::kWaitSemaphores, vk::Fault::kDeviceLost);
        count = 3;
        least_arrived = 1;
    }
    const vk::Timings timings = bench.queue.stop_timing();
    CHECK(timings.lost_count >= 1);
    CHECK(timings.commands.size() >= least_arrived);
    CHECK(timings.lost_count + timings.commands.size() == count);
    vk::restore(bench.device);
    CHECK_THROWS_AS(bench.queue.fill(bench.range, 1), DeviceError);
    CHECK_THROWS_AS(bench.queue.start_timing(), DeviceError);
}

TEST_CASE("profiler: times that the driver does not give are lost, no more") {
    Bench bench;
    bench.queue.start_timing();
    bench.queue.fill(bench.range, 1);
    vk::inject_fault(bench.device, vk::Entry::kGetQueryPoolResults, vk::Fault::kOutOfHostMemory);
    CHECK(bench.queue.stop_timing().lost_count == 1);
    vk::restore(bench.device);
    bench.queue.start_timing();
    bench.queue.fill(bench.range, 2);
    const vk::Timings timings = bench.queue.stop_timing();
    CHECK(timings.lost_count == 0);
    REQUIRE(timings.commands.size() == 1);
    CHECK(std::string(timings.commands[0].label.data()) == "buffer_fill");
}

}  // namespace
}  // namespace pumice
