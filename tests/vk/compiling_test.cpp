// SPDX-License-Identifier: Apache-2.0
// What threads do while one of them compiles: Note [Compiling] in engine/vk/pipelines.cpp.
#include "pumice/error.h"

#include "support/held_compiler.h"
#include "vk/device.h"
#include "vk/pipelines.h"
#include "vk/queue.h"
#include "vk/recording.h"
#include "vk/runtime_kernel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace pumice::vk {
namespace {

using test::HeldCompiler;

constexpr std::uint64_t kRangeBytes = 1024;

struct FillPush {
    std::uint32_t word_count = 0;
    std::uint32_t word = 0;
};

/// factory_fill under some local size: each is a pipeline of its own.
struct FillCall {
    FillCall(const Buffer& buffer, std::uint64_t place, std::uint32_t its_local_size)
        : local_size(its_local_size), range{&buffer, place * kRangeBytes, kRangeBytes} {}

    FillCall(const FillCall&) = delete;
    FillCall& operator=(const FillCall&) = delete;

    Dispatch dispatch() const {
        Dispatch call;
        call.kernel = KernelId::kFactoryFill;
        call.spec = {&local_size, 1};
        call.bindings = {&range, 1};
        call.push = std::as_bytes(std::span(&push, 1));
        call.groups = {(push.word_count + 4 * local_size - 1) / (4 * local_size), 1, 1};
        call.label = "fill";
        return call;
    }

    std::uint32_t local_size;
    Binding range;
    FillPush push{kRangeBytes / 4, 7};
};

KernelUse fill_of(const std::uint32_t& local_size) {
    return {KernelId::kFactoryFill, {&local_size, 1}};
}

KernelSource written_kernel() {
    KernelSource source;
    source.name = "written";
    source.text =
        "#version 450\nlayout(local_size_x_id = 0) in;\n"
        "layout(std430, set = 0, binding = 0) buffer Output { uint words[]; };\n"
        "void main() { words[gl_GlobalInvocationID.x] = 9u; }\n";
    source.binding_count = 1;
    source.written_mask = 1;
    source.spec = {64};
    return source;
}

/// A device of its own with a pipeline that is known and memory to fill.
struct Bench {
    Device device;
    Queue& queue = device.queue();
    Buffer arena = device.create_buffer(8 * kRangeBytes, MemoryKind::kDevice);
    Buffer host = device.create_buffer(kRangeBytes, MemoryKind::kReadback);

    Bench() { queue.dispatch(FillCall(arena, 0, 64).dispatch()); }

    ~Bench() {
        device.destroy_buffer(arena);
        device.destroy_buffer(host);
    }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// The known pipeline, a copy and a wait, as other threads go on with.
    std::uint32_t fill_and_read() {
        const FillCall call(arena, 1, 64);
        queue.dispatch(call.dispatch());
        const Binding all{&host, 0, kRangeBytes};
        queue.copy(call.range, all);
        queue.wait(queue.release_to_host(all));
        std::uint32_t word = 0;
        std::memcpy(&word, host.mapped, sizeof(word));
        return word;
    }
};

TEST_CASE("compiling: others record, submit and wait meanwhile") {
    Bench bench;
    std::function<void()> compile;
    SUBCASE("a dispatch") {
        compile = [&] { bench.queue.dispatch(FillCall(bench.arena, 2, 33).dispatch()); };
    }
    SUBCASE("several kernels of a call") {
        compile = [&] {
            const std::uint32_t local_size = 33;
            const KernelUse use = fill_of(local_size);
            bench.queue.prepare({&use, 1});
        };
    }
    SUBCASE("a recording") {
        compile = [&] {
            const FillCall call(bench.arena, 2, 33);
            const Dispatch dispatch = call.dispatch();
            CHECK(bench.queue.record({&dispatch, 1}) != nullptr);
        };
    }
    SUBCASE("a kernel that was written at run time") {
        compile = [&] { CHECK(bench.queue.make_kernel(written_kernel()) != nullptr); };
    }
    HeldCompiler compiler(bench.device);
    std::thread thread(compile);
    CHECK(compiler.wait_for(1));
    CHECK(bench.fill_and_read() == 7);
    CHECK(compiler.held_count() == 1);  // or it was waited for
    compiler.let_go();
    thread.join();
    CHECK(compiler.call_count() == 1);
}

TEST_CASE("compiling: who wants the same pipeline waits for it, others compile theirs") {
    Bench bench;
    PipelineCache& pipelines = bench.device.pipelines();
    HeldCompiler compiler(bench.device);
    const std::array<std::uint32_t, 4> local_sizes = {33, 33, 33, 34};
    std::array<const Pipeline*, 4> got{};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < got.size(); ++i) {
        threads.emplace_back([&, i] { got[i] = &pipelines.get(fill_of(local_sizes[i])); });
    }
    CHECK(compiler.wait_for(2));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(compiler.held_count() == 2);
    compiler.let_go();
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(compiler.call_count() == 2);
    CHECK(got[0] == got[1]);
    CHECK(got[0] == got[2]);
    CHECK(got[0] != got[3]);
    CHECK(pipelines.pipeline_count() == 3);
}

TEST_CASE("compiling: who waited for one that failed tries it himself") {
    Bench bench;
    PipelineCache& pipelines = bench.device.pipelines();
    HeldCompiler compiler(bench.device);
    const std::uint32_t local_size = 33;
    std::atomic<int> failed_count = 0;
    std::atomic<int> made_count = 0;
    const auto get = [&] {
        try {
            pipelines.get(fill_of(local_size));
            ++made_count;
        } catch (const OutOfMemoryError&) {
            ++failed_count;
        }
    };
    std::thread first(get);
    CHECK(compiler.wait_for(1));
    std::thread second(get);
    compiler.let_fail(Fault::kOutOfHostMemory);
    while (failed_count == 0) {
        std::this_thread::yield();
    }
    CHECK(compiler.wait_for(1));  // the second one
    compiler.let_go();
    first.join();
    second.join();
    CHECK(failed_count == 1);
    CHECK(made_count == 1);
    CHECK(compiler.call_count() == 2);
}

TEST_CASE("compiling: several that are wanted together are compiled at once, each once") {
    Bench bench;
    HeldCompiler compiler(bench.device);
    const std::array<std::uint32_t, 6> local_sizes = {33, 34, 33, 64, 35, 34};
    std::vector<KernelUse> uses;
    for (const std::uint32_t& local_size : local_sizes) {
        uses.push_back(fill_of(local_size));
    }
    std::thread thread([&] { bench.queue.prepare(uses); });
    CHECK(compiler.wait_for(std::min(3U, std::max(1U, std::thread::hardware_concurrency()))));
    compiler.let_go();
    thread.join();
    CHECK(compiler.call_count() == 3);
    CHECK(bench.device.pipelines().pipeline_count() == 4);
}

TEST_CASE("compiling: threads that ask in different orders get the same pipelines") {
    Device own;
    PipelineCache& pipelines = own.pipelines();
    constexpr std::size_t kCount = 300;  // more than a new table takes
    constexpr std::size_t kThreads = 6;
    std::vector<std::uint32_t> local_sizes(kCount);
    std::vector<std::vector<const Pipeline*>> got(kThreads, std::vector<const Pipeline*>(kCount));
    for (std::size_t i = 0; i < kCount; ++i) {
        local_sizes[i] = static_cast<std::uint32_t>(i % 150) + 1;
    }
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::size_t i = 0; i < kCount; ++i) {
                const std::size_t at = (i * 7 + thread * 31) % kCount;
                got[thread][at] = &pipelines.get(fill_of(local_sizes[at]));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
        for (std::size_t i = 0; i < kCount; ++i) {
            CHECK(got[thread][i] == got[0][i % 150]);
        }
    }
    CHECK(pipelines.pipeline_count() == 150);
}

TEST_CASE("compiling: a kernel written at run time is compiled once while it is kept") {
    Bench bench;
    HeldCompiler compiler(bench.device);
    compiler.let_go();
    const KernelSource source = written_kernel();
    KernelSource other = source;
    other.spec = {32};
    const auto kernel = bench.queue.make_kernel(source);
    CHECK(bench.queue.make_kernel(source) == kernel);
    CHECK(bench.queue.make_kernel(other) != kernel);
    CHECK(compiler.call_count() == 2);
}

TEST_CASE("compiling: the end of the process waits for who is in the compiler") {
    Bench bench;
    CompileGate& gate = bench.device.pipelines().gate();
    HeldCompiler compiler(bench.device);
    std::thread thread([&] { bench.queue.dispatch(FillCall(bench.arena, 2, 33).dispatch()); });
    CHECK(compiler.wait_for(1));
    CHECK(!gate.close(std::chrono::steady_clock::now()));
    compiler.let_go();
    CHECK(gate.close(std::chrono::steady_clock::now() + HeldCompiler::kLongest));
    thread.join();
    CHECK(bench.fill_and_read() == 7);
    CHECK_THROWS_AS(bench.queue.dispatch(FillCall(bench.arena, 2, 34).dispatch()), DeviceError);
    CHECK_THROWS_AS(bench.queue.make_kernel(written_kernel()), DeviceError);
}

}  // namespace
}  // namespace pumice::vk
