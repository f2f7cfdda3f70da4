// SPDX-License-Identifier: Apache-2.0
// The files that are kept between processes: any bytes as such a file, and as the content of a
// whole one, cut or changed by what its first bytes say.
#include "fuzz.h"
#include "vk/cache_file.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace {

using pumice::fuzz::require;
using pumice::vk::CacheFileKind;

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

void check_whole(const std::string& path, std::string_view content) {
    const auto bytes = std::as_bytes(std::span(content.data(), content.size()));
    pumice::vk::write_summed_file(path, bytes, CacheFileKind::kModule);
    const auto read = pumice::vk::read_summed_file(path, CacheFileKind::kModule);
    require(read.size() == bytes.size() && std::equal(read.begin(), read.end(), bytes.begin()));
    require(pumice::vk::read_summed_file(path, CacheFileKind::kPipelines).empty());
}

// One byte of it is another, or it ends early.
void check_damaged(const std::string& path, std::uint32_t where, bool is_cut) {
    std::string file = content_of(path);
    where %= static_cast<std::uint32_t>(file.size());
    if (is_cut) {
        file.resize(where);
    } else {
        file[where] = static_cast<char>(file[where] ^ 1);
    }
    pumice::fuzz::file_of(file);
    require(pumice::vk::read_summed_file(path, CacheFileKind::kModule).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string path = pumice::fuzz::file_of(pumice::fuzz::text_of(data, size));
    VkPhysicalDeviceProperties properties{};
    static_cast<void>(pumice::vk::read_cache_file(path, properties));
    static_cast<void>(pumice::vk::read_summed_file(path, CacheFileKind::kModule));
    constexpr std::size_t kHead = 5;
    if (size >= kHead) {
        std::uint32_t where = 0;
        std::memcpy(&where, data + 1, sizeof(where));
        check_whole(path, pumice::fuzz::text_of(data + kHead, size - kHead));
        check_damaged(path, where, (data[0] & 1U) != 0);
    }
    return 0;
}
