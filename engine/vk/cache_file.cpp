// SPDX-License-Identifier: Apache-2.0
// The driver's pipeline cache on disk: its key, and whether a file is to be believed.
#include "vk/cache_file.h"

#include "pumice/error.h"

#include "vk/environment.h"

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace pumice::vk {
namespace {

/// More than any driver keeps; a larger file is somebody else's.
constexpr std::uint64_t kMostBytes = 1U << 30U;

using Magic = std::array<char, 8>;

Magic magic_of(CacheFileKind kind) noexcept {
    return {'P', 'U', 'M', 'I', 'C', 'E', static_cast<char>(kind), '1'};
}

struct Header {
    Magic magic{};
    std::uint64_t size_bytes = 0;
    std::uint64_t sum = 0;
};

/// FNV-1a.
std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept {
    std::uint64_t sum = 0xCBF29CE484222325U;
    for (const std::byte each : bytes) {
        sum = (sum ^ static_cast<std::uint64_t>(each)) * 0x100000001B3U;
    }
    return sum;
}

bool is_of_device(std::span<const std::byte> bytes, const VkPhysicalDeviceProperties& properties) {
    VkPipelineCacheHeaderVersionOne header{};
    if (bytes.size() < sizeof(header)) {
        return false;
    }
    std::memcpy(&header, bytes.data(), sizeof(header));
    return header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header.vendorID == properties.vendorID && header.deviceID == properties.deviceID &&
           std::memcmp(header.pipelineCacheUUID, properties.pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

}  // namespace

std::string cache_folder() {
    if (environment_says("PUMICE_CACHE", "off")) {
        return {};
    }
    std::string folder = environment_value("XDG_CACHE_HOME");
    if (folder.empty()) {
        const std::string home = environment_value("HOME");
        if (home.empty()) {
            return {};
        }
        folder = home + "/.cache";
    }
    return folder + "/pumice";
}

std::string cache_file_path(std::string_view uuid, std::uint32_t driver_version) {
    const std::string folder = cache_folder();
    return folder.empty()
               ? ""
               : folder + "/" + std::string(uuid) + "-" + std::to_string(driver_version) + ".bin";
}

std::vector<std::byte> read_summed_file(const std::string& path, CacheFileKind kind) {
    std::error_code error;
    if (path.empty() || !std::filesystem::is_regular_file(path, error)) {
        return {};
    }
    const std::uintmax_t file_bytes = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    Header header;
    if (error || !file.read(reinterpret_cast<char*>(&header), sizeof(header)) ||
        header.magic != magic_of(kind) || header.size_bytes != file_bytes - sizeof(header) ||
        header.size_bytes > kMostBytes) {
        return {};
    }
    std::vector<std::byte> bytes(header.size_bytes);
    if (!file.read(reinterpret_cast<char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size())) ||
        sum_of(bytes) != header.sum) {
        return {};
    }
    return bytes;
}

std::vector<std::byte> read_cache_file(const std::string& path,
                                       const VkPhysicalDeviceProperties& properties) {
    std::vector<std::byte> bytes = read_summed_file(path, CacheFileKind::kPipelines);
    if (!is_of_device(bytes, properties)) {
        bytes.clear();
    }
    return bytes;
}

void write_summed_file(const std::string& path,
                       std::span<const std::byte> bytes,
                       CacheFileKind kind) {
    const std::filesystem::path target(path);
    std::error_code error;
    std::filesystem::create_directories(target.parent_path(), error);
    // No two processes, and no two threads of one, write the same draft.
    static std::atomic<std::uint32_t> draft_count{0};
    const std::string draft =
        path + "." + std::to_string(::getpid()) + "." + std::to_string(draft_count++) + ".tmp";
    const Header header{.magic = magic_of(kind), .size_bytes = bytes.size(), .sum = sum_of(bytes)};
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(&header), sizeof(header));
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (file) {
        std::filesystem::rename(draft, target, error);
        if (!error) {
            return;
        }
    }
    std::error_code ignored;
    std::filesystem::remove(draft, ignored);
    throw FileError(path, "the cache cannot be written");
}

}  // namespace pumice::vk
