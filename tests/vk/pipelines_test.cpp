// SPDX-License-Identifier: Apache-2.0
#include "vk/pipelines.h"

#include "pumice/error.h"

#include "memory/scoped_environment.h"
#include "vk/cache_file.h"
#include "vk/device.h"
#include "vk/kernels/factory_fill.h"
#include "vk/queue.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

namespace pumice::vk {
namespace {

/// Fills the range with the word by the kernel factory_fill.
void fill_by_kernel(Queue& queue, const Binding& range, std::uint32_t word) {
    constexpr std::uint32_t kLocalSize = 64;
    const auto word_count = static_cast<std::uint32_t>(range.size_bytes / 4);
    const auto spec = FactoryFillSpec{.local_size = kLocalSize}.by_id();
    const FactoryFillPush push{.word_count = word_count, .word = word};
    Dispatch dispatch;
    dispatch.kernel = KernelId::kFactoryFill;
    dispatch.spec = spec;
    dispatch.bindings = {&range, 1};
    dispatch.push = std::as_bytes(std::span(&push, 1));
    dispatch.groups = {(word_count + 4 * kLocalSize - 1) / (4 * kLocalSize), 1, 1};
    dispatch.label = "fill";
    queue.dispatch(dispatch);
}

TEST_CASE("pipelines: made once for a kernel and its constants") {
    Device own;
    PipelineCache& pipelines = own.pipelines();
    std::vector<const Pipeline*> made;
    for (std::uint32_t local_size = 1; local_size <= 100; ++local_size) {
        made.push_back(&pipelines.get({KernelId::kFactoryFill, {&local_size, 1}}));
        CHECK(made.back()->layout->binding_count == 1);
    }
    CHECK(pipelines.pipeline_count() == 100);
    for (std::uint32_t local_size = 1; local_size <= 100; ++local_size) {
        CHECK(&pipelines.get({KernelId::kFactoryFill, {&local_size, 1}}) == made[local_size - 1]);
    }
    CHECK(pipelines.pipeline_count() == 100);
}

TEST_CASE("pipelines: too many constants are refused") {
    Device own;
    const std::array<std::uint32_t, 17> words{};
    CHECK_THROWS_AS(own.pipelines().get({KernelId::kFactoryFill, words}), InternalError);
    CHECK(own.pipelines().pipeline_count() == 0);
}

TEST_CASE("pipelines: a kernel that the device cannot run names what is missing") {
    Device own;
    for (std::uint16_t id = 0; id < static_cast<std::uint16_t>(KernelId::kCount); ++id) {
        const auto kernel = static_cast<KernelId>(id);
        const std::uint32_t lacking = kernel_info(kernel).features & ~own.capabilities().features;
        if (lacking != 0) {
            CAPTURE(kernel_info(kernel).name);
            CHECK_THROWS_AS(own.pipelines().get({kernel, {}}), UnsupportedError);
        }
    }
}

TEST_CASE("pipelines: a failed compilation leaves nothing behind and may be tried again") {
    Device own;
    const std::uint32_t local_size = 32;
    const Buffer buffer = own.create_buffer(256, MemoryKind::kDevice);
    inject_fault(own, Entry::kCreateComputePipelines, Fault::kOutOfHostMemory);
    CHECK_THROWS_AS(fill_by_kernel(own.queue(), {&buffer, 0, 256}, 1), OutOfMemoryError);
    restore(own);
    CHECK(own.pipelines().pipeline_count() == 0);
    CHECK(own.queue().next_value() == 0);
    own.pipelines().get({KernelId::kFactoryFill, {&local_size, 1}});
    CHECK(own.pipelines().pipeline_count() == 1);
    own.destroy_buffer(buffer);
}

/// Stands in for what a driver says of its cache: a header, and pipelines if it keeps some.
template <std::size_t kBytes>
VkResult cache_data(VkDevice /*device*/,
                    VkPipelineCache /*cache*/,
                    std::size_t* size_bytes,
                    void* data) {
    *size_bytes = kBytes;
    if (data != nullptr) {
        std::memset(data, 5, kBytes);
    }
    return VK_SUCCESS;
}

/// What a device with such a driver leaves in the file of its cache.
std::vector<std::byte> kept_in(const std::filesystem::path& folder,
                               PFN_vkGetPipelineCacheData cache_data) {
    {
        Device own;
        own.table().vkGetPipelineCacheData = cache_data;
        const std::uint32_t local_size = 32;
        own.pipelines().get({KernelId::kFactoryFill, {&local_size, 1}});
    }
    for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
        if (each.path().extension() == ".bin") {
            return read_summed_file(each.path().string(), CacheFileKind::kPipelines);
        }
    }
    return {};
}

TEST_CASE("pipelines: what the driver keeps goes to its file, over what was damaged") {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("pumice_kept." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    {
        const test::ScopedEnvironment home("XDG_CACHE_HOME", folder.c_str());
        const test::ScopedEnvironment cache("PUMICE_CACHE", "");
        constexpr std::size_t kHeaderBytes = sizeof(VkPipelineCacheHeaderVersionOne);
        CHECK(kept_in(folder, cache_data<kHeaderBytes>).empty());
        CHECK(kept_in(folder, cache_data<1000>) == std::vector<std::byte>(1000, std::byte{5}));
        for (const auto& each : std::filesystem::recursive_directory_iterator(folder)) {
            if (each.path().extension() == ".bin") {
                std::filesystem::resize_file(each.path(), 100);
            }
        }
        CHECK(kept_in(folder, cache_data<500>) == std::vector<std::byte>(500, std::byte{5}));
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("pipelines: kernels run in order, with barriers where they conflict") {
    Device own;
    Queue& queue = own.queue();
    constexpr std::uint64_t kStep = 4096;  // several workgroups, aligned for every device
    const Buffer arena = own.create_buffer(kStep * 8, MemoryKind::kDevice);
    const Buffer host = own.create_buffer(kStep, MemoryKind::kReadback);
    constexpr std::uint32_t kRounds = 1000;  // over several submits, and recycled descriptor sets
    for (std::uint32_t i = 0; i < kRounds; ++i) {
        fill_by_kernel(queue, {&arena, i % 8 * kStep, kStep}, i);
    }
    queue.copy({&arena, (kRounds - 1) % 8 * kStep, kStep}, {&host, 0, kStep});
    queue.wait(queue.release_to_host({&host, 0, kStep}));
    std::vector<std::uint32_t> words(kStep / 4);
    std::memcpy(words.data(), host.mapped, kStep);
    CHECK(words == std::vector<std::uint32_t>(kStep / 4, kRounds - 1));
    // Eight independent ranges: a barrier every eighth dispatch, then one for the copy, one for the
    // host.
    CHECK(queue.counters().dispatches == kRounds);
    CHECK(queue.counters().barriers == kRounds / 8 - 1 + 2);
    own.destroy_buffer(arena);
    own.destroy_buffer(host);
}

TEST_CASE("pipelines: wrong ranges, constants and grids are refused") {
    Device own;
    Queue& queue = own.queue();
    const Buffer buffer = own.create_buffer(4096, MemoryKind::kDevice);
    CHECK_THROWS_AS(fill_by_kernel(queue, {&buffer, 4, 16}, 1), InternalError);  // not aligned
    CHECK_THROWS_AS(fill_by_kernel(queue, {&buffer, 0, 8192}, 1), InternalError);
    CHECK_THROWS_AS(fill_by_kernel(queue, {nullptr, 0, 16}, 1), InternalError);

    const Binding range{&buffer, 0, 256};
    const FactoryFillPush push{.word_count = 64, .word = 1};
    Dispatch dispatch;
    dispatch.kernel = KernelId::kFactoryFill;
    dispatch.bindings = {&range, 1};
    CHECK_THROWS_AS(queue.dispatch(dispatch), InternalError);  // no push constants
    dispatch.push = std::as_bytes(std::span(&push, 1));
    dispatch.groups[1] = UINT32_MAX;
    if (own.capabilities().max_group_count[1] < UINT32_MAX) {
        CHECK_THROWS_AS(queue.dispatch(dispatch), InternalError);
    }
    CHECK(queue.next_value() == 0);
    own.destroy_buffer(buffer);
}

}  // namespace
}  // namespace pumice::vk
