// SPDX-License-Identifier: Apache-2.0
#include "vk/cache_file.h"

#include "pumice/error.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace pumice::vk {
namespace {

/// A folder that dies with the test.
struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() /
                                 ("pumice_cache_file_test." + std::to_string(::getpid()));

    Folder() = default;

    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

VkPhysicalDeviceProperties device_properties() {
    VkPhysicalDeviceProperties properties{};
    properties.vendorID = 0x10005;
    properties.deviceID = 7;
    std::memset(properties.pipelineCacheUUID, 3, VK_UUID_SIZE);
    return properties;
}

/// What a driver with these properties would write.
std::vector<std::byte> driver_bytes(const VkPhysicalDeviceProperties& properties) {
    VkPipelineCacheHeaderVersionOne header{};
    header.headerSize = sizeof(header);
    header.headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE;
    header.vendorID = properties.vendorID;
    header.deviceID = properties.deviceID;
    std::memcpy(header.pipelineCacheUUID, properties.pipelineCacheUUID, VK_UUID_SIZE);
    std::vector<std::byte> bytes(sizeof(header) + 100, std::byte{42});
    std::memcpy(bytes.data(), &header, sizeof(header));
    return bytes;
}

TEST_CASE("cache file: comes back as it was written, folders made") {
    const Folder folder;
    const VkPhysicalDeviceProperties properties = device_properties();
    const std::string path = (folder.path / "a" / "b.bin").string();
    CHECK(read_cache_file(path, properties).empty());
    const std::vector<std::byte> bytes = driver_bytes(properties);
    write_summed_file(path, bytes, CacheFileKind::kPipelines);
    CHECK(read_cache_file(path, properties) == bytes);
    std::size_t file_count = 0;
    for (const auto& each : std::filesystem::directory_iterator(folder.path / "a")) {
        CHECK(each.path().filename() == "b.bin");
        ++file_count;
    }
    CHECK(file_count == 1);
}

TEST_CASE("cache file: damaged, truncated or another device's is ignored") {
    const Folder folder;
    const std::string path = (folder.path / "c.bin").string();
    VkPhysicalDeviceProperties properties = device_properties();
    write_summed_file(path, driver_bytes(properties), CacheFileKind::kPipelines);
    const std::uintmax_t full_bytes = std::filesystem::file_size(path);

    SUBCASE("one byte differs") {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(full_bytes) - 5);
        file.put('x');
    }
    SUBCASE("cut") {
        std::filesystem::resize_file(path, full_bytes - 1);
    }
    SUBCASE("cut inside the header") {
        std::filesystem::resize_file(path, 10);
    }
    SUBCASE("empty") {
        std::filesystem::resize_file(path, 0);
    }
    SUBCASE("longer") {
        std::filesystem::resize_file(path, full_bytes + 1);
    }
    SUBCASE("another driver build") {
        properties.pipelineCacheUUID[0] = 9;
    }
    SUBCASE("another device") {
        properties.deviceID = 8;
    }
    CHECK(read_cache_file(path, properties).empty());
}

TEST_CASE("cache file: a place that cannot be written is an error") {
    CHECK_THROWS_AS(write_summed_file("/proc/pumice/none.bin", {}, CacheFileKind::kPipelines),
                    FileError);
}

}  // namespace
}  // namespace pumice::vk
