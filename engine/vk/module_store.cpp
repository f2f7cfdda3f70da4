// SPDX-License-Identifier: Apache-2.0
// SPIR-V of kernels written at run time, in memory and on disk.
#include "vk/module_store.h"

#include "vk/cache_file.h"
#include "vk/glsl.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <system_error>

namespace pumice::vk {

namespace {

namespace fs = std::filesystem;

// What a file holds: the text with the compiler's version, a zero, zeros up to a whole word,
// SPIR-V.
std::vector<std::byte> key_bytes(const std::string& text) {
    const std::string key = "// glslang " + glsl_compiler_version() + "\n" + text;
    std::vector<std::byte> bytes((key.size() + sizeof(std::uint32_t)) & ~std::size_t{3});
    std::memcpy(bytes.data(), key.data(), key.size());
    return bytes;
}

struct StoredFile {
    fs::path path;
    fs::file_time_type time;
    std::uint64_t size_bytes = 0;
};

std::vector<StoredFile> list_files(const std::string& folder) {
    std::vector<StoredFile> files;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        // Another process may have taken it away by now.
        std::error_code gone;
        const StoredFile file{at->path(), at->last_write_time(gone), at->file_size(gone)};
        if (!gone) {
            files.push_back(file);
        }
    }
    return files;
}

}  // namespace

std::shared_ptr<const ModuleWords> ModuleStore::get(const std::string& text) {
    return modules_.get(text, [&] {
        ModuleWords words = load(text);
        if (words.empty()) {
            words = compile_glsl(text);
            save(text, words);
        }
        return std::make_shared<const ModuleWords>(std::move(words));
    });
}

std::string ModuleStore::path_of(const std::string& text) const {
    if (folder_.empty()) {
        return {};
    }
    return folder_ + "/" + std::to_string(std::hash<std::string>()(text)) + ".spv";
}

ModuleWords ModuleStore::load(const std::string& text) const {
    const std::vector<std::byte> bytes = read_summed_file(path_of(text), CacheFileKind::kModule);
    const std::vector<std::byte> key = key_bytes(text);
    const bool is_ours = bytes.size() > key.size() && bytes.size() % sizeof(std::uint32_t) == 0 &&
                         std::equal(key.begin(), key.end(), bytes.begin());
    ModuleWords words(is_ours ? (bytes.size() - key.size()) / sizeof(std::uint32_t) : 0);
    if (is_ours) {
        std::memcpy(words.data(), bytes.data() + key.size(), bytes.size() - key.size());
    }
    return words;
}

void ModuleStore::save(const std::string& text, const ModuleWords& words) const noexcept {
    if (folder_.empty()) {
        return;
    }
    try {
        std::vector<std::byte> bytes = key_bytes(text);
        const auto code = std::as_bytes(std::span(words));
        bytes.insert(bytes.end(), code.begin(), code.end());
        write_summed_file(path_of(text), bytes, CacheFileKind::kModule);
        trim();
    } catch (...) {  // a module that is not kept costs time only
    }
}

// Down to half the bound, so that this is rare.
void ModuleStore::trim() const {
    std::vector<StoredFile> files = list_files(folder_);
    std::uint64_t bytes = 0;
    for (const StoredFile& file : files) {
        bytes += file.size_bytes;
    }
    if (bytes <= most_bytes_on_disk_) {
        return;
    }
    std::sort(files.begin(), files.end(), [](const StoredFile& a, const StoredFile& b) {
        return a.time < b.time;
    });
    for (const StoredFile& file : files) {
        if (bytes <= most_bytes_on_disk_ / 2) {
            return;
        }
        std::error_code ignored;
        fs::remove(file.path, ignored);
        bytes -= file.size_bytes;
    }
}

}  // namespace pumice::vk
