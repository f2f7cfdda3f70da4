// SPDX-License-Identifier: Apache-2.0
#include "vk/device.h"

#include "pumice/error.h"

#include "memory/scoped_environment.h"
#include "vk/queue.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace pumice::vk {
namespace {

TEST_CASE("device: the list has the chosen one, with its limits") {
    const DeviceInfo chosen = device().info();
    std::size_t chosen_count = 0;
    for (const DeviceInfo& each : list_devices()) {
        CHECK(each.is_usable == each.refusal.empty());
        chosen_count += each.is_chosen ? 1 : 0;
        if (each.is_chosen) {
            CHECK(each.uuid == chosen.uuid);
            CHECK(each.uuid.size() == 32);
            CHECK_FALSE(each.heaps.empty());
            CHECK_FALSE(each.limits.empty());
        }
    }
    CHECK(chosen_count == 1);
    const Capabilities& caps = device().capabilities();
    CHECK(caps.max_storage_range_bytes >= 128U << 20U);
    CHECK(caps.max_group_invocations >= 128);
    CHECK(caps.subgroup_size >= 1);
}

TEST_CASE("device: the command lists devices of which none can be chosen, then says why") {
    const test::ScopedEnvironment scope("PUMICE_DEVICE", "nonesuch");
    const auto command = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "pumice";
    std::FILE* pipe = ::popen((command.string() + " info 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    std::array<char, 256> piece{};
    while (std::fgets(piece.data(), static_cast<int>(piece.size()), pipe) != nullptr) {
        output += piece.data();
    }
    CHECK(::pclose(pipe) / 256 == 2);
    INFO(output);
    const std::string name = device().info().name;
    const std::size_t line = output.find("pumice: [vulkan] PUMICE_DEVICE names no device");
    REQUIRE(line != std::string::npos);
    CHECK(output.find(": " + name + " (") < line);
    CHECK(output.find("* 0: ") == std::string::npos);
    CHECK(output.find('\n', line) == output.size() - 1);
}

TEST_CASE("device: buffers of every kind") {
    Device own;
    const std::uint64_t free_before = own.free_bytes();
    for (const MemoryKind kind :
         {MemoryKind::kDevice, MemoryKind::kUpload, MemoryKind::kReadback}) {
        const Buffer buffer = own.create_buffer(4096, kind);
        CHECK(buffer.handle != 0);
        CHECK(buffer.size_bytes == 4096);
        if (kind != MemoryKind::kDevice) {
            CHECK(buffer.mapped != nullptr);
        }
        own.set_name(buffer, "test");
        own.destroy_buffer(buffer);
    }
    own.collect_garbage();
    CHECK(own.free_bytes() <= free_before + 3 * 4096);
    CHECK_THROWS_AS(own.create_buffer(0, MemoryKind::kDevice), InternalError);
}

TEST_CASE("device: a buffer in use is destroyed later") {
    Device own;
    for (int i = 0; i < 20; ++i) {
        const Buffer buffer = own.create_buffer(1U << 20U, MemoryKind::kDevice);
        own.queue().fill({&buffer, 0, buffer.size_bytes}, 1);
        own.destroy_buffer(buffer);  // the layer would say so if it were too early
    }
    own.queue().wait(own.queue().flush());
}

TEST_CASE("device: no memory is an error with sizes, and not the end") {
    Device own;
    try {
        own.create_buffer(std::uint64_t{1} << 60U, MemoryKind::kDevice);
        FAIL("an exbibyte was granted");
    } catch (const OutOfMemoryError& error) {
        CHECK(error.asked_bytes() == std::uint64_t{1} << 60U);
    }
    for (const Entry entry : {Entry::kAllocateMemory, Entry::kCreateBuffer}) {
        inject_fault(own, entry, Fault::kOutOfDeviceMemory);
        CHECK_THROWS_AS(own.create_buffer(4096, MemoryKind::kDevice), OutOfMemoryError);
        restore(own);
    }
    inject_fault(own, Entry::kMapMemory, Fault::kOutOfHostMemory);
    CHECK_THROWS_AS(own.create_buffer(4096, MemoryKind::kReadback), OutOfMemoryError);
    restore(own);
    own.destroy_buffer(own.create_buffer(4096, MemoryKind::kDevice));
}

TEST_CASE("device: garbage is collected before memory is refused") {
    Device own;
    const Buffer first = own.create_buffer(4096, MemoryKind::kDevice);
    own.queue().fill({&first, 0, 4096}, 1);
    own.destroy_buffer(first);
    inject_fault(own, Entry::kAllocateMemory, Fault::kOutOfDeviceMemory);
    CHECK_THROWS_AS(own.create_buffer(4096, MemoryKind::kDevice), OutOfMemoryError);
    restore(own);
    CHECK(own.queue().completed() == 1);  // it waited for the buffer's last use
}

}  // namespace
}  // namespace pumice::vk
