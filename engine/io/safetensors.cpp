// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/io.h"
#include "pumice/ops/factory.h"

#include "io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace pumice::io {

namespace {

[[noreturn]] void throw_unreadable(const std::string& path) {
    throw FileError(path,
                    fmt::format("cannot be read: {}",
                                std::error_code(errno, std::generic_category()).message()));
}

}  // namespace

struct SafetensorsFile::Mapping {
    explicit Mapping(const std::string& path_in) : path(path_in) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);

        struct stat status {};

        if (file < 0 || ::fstat(file, &status) != 0) {
            throw_unreadable(path);
        }
        length_bytes = static_cast<std::size_t>(status.st_size);
        if (length_bytes > 0) {
            address = ::mmap(nullptr, length_bytes, PROT_READ, MAP_PRIVATE, file, 0);
        }
        ::close(file);
        if (address == MAP_FAILED) {
            address = nullptr;
            throw_unreadable(path);
        }
    }

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    Mapping(Mapping&&) = delete;
    Mapping& operator=(Mapping&&) = delete;

    ~Mapping() {
        if (address != nullptr) {
            ::munmap(address, length_bytes);
        }
    }

    [[nodiscard]] std::string_view bytes() const noexcept {
        return {static_cast<const char*>(address), length_bytes};
    }

    std::string path;
    void* address = nullptr;
    std::size_t length_bytes = 0;
    SafetensorsHeader header;
};

SafetensorsFile::SafetensorsFile(const std::string& path)
    : mapping_(std::make_unique<Mapping>(path)) {
    mapping_->header = parse_header(path, mapping_->bytes());
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&& other) noexcept = default;

const std::vector<SafetensorsEntry>& SafetensorsFile::entries() const noexcept {
    return mapping_->header.entries;
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const noexcept {
    return mapping_->header.metadata;
}

Tensor SafetensorsFile::load(const std::string& name) const {
    const auto& all = entries();
    const auto entry = std::find_if(
        all.begin(), all.end(), [&name](const SafetensorsEntry& e) { return e.name == name; });
    if (entry == all.end()) {
        throw ArgumentError(mapping_->path, fmt::format("has no tensor '{}'", name));
    }
    const std::string_view data =
        mapping_->bytes().substr(mapping_->header.data_begin_bytes + entry->begin_bytes,
                                 entry->end_bytes - entry->begin_bytes);
    try {
        Tensor tensor = from_bytes(std::as_bytes(std::span(data.data(), data.size())),
                                   entry->dtype,
                                   entry->sizes,
                                   device_dtype(entry->dtype));
        return entry->requires_grad ? tensor.set_requires_grad(true) : tensor;
    } catch (const DTypeError& error) {
        throw DTypeError(mapping_->path, fmt::format("tensor '{}': {}", name, error.what()));
    }
}

nn::StateDict SafetensorsFile::load_all() const {
    nn::StateDict tensors;
    for (const SafetensorsEntry& entry : entries()) {
        tensors.insert(entry.name, load(entry.name));
    }
    return tensors;
}

nn::StateDict load_safetensors(const std::string& path) {
    return SafetensorsFile(path).load_all();
}

void save_safetensors(const std::string& path,
                      const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata) {
    std::vector<SafetensorsEntry> entries;
    std::string data;
    for (const auto& [key, text] : metadata) {
        check_text(path, "the metadata key", key);
        check_text(path, "the metadata text", text);
        if (key == kRequiresGradKey) {
            throw ArgumentError(path, fmt::format("the metadata key '{}' is reserved", key));
        }
    }
    for (const auto& [name, value] : tensors) {
        check_text(path, "the name", name);
        if (name.empty() || name == "__metadata__") {
            throw ArgumentError(path, fmt::format("the name '{}' is empty or reserved", name));
        }
        const HostTensor host = value.to_host();
        const std::uint64_t begin = data.size();
        data.append(reinterpret_cast<const char*>(host.bytes.data()), host.bytes.size());
        entries.push_back({.name = name,
                           .dtype = host_dtype(host.dtype),
                           .sizes = host.sizes,
                           .begin_bytes = begin,
                           .end_bytes = data.size(),
                           .requires_grad = value.requires_grad()});
    }
    write_file(path, write_header(entries, metadata) + data);
}

}  // namespace pumice::io
