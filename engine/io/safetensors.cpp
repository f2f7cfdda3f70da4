// SPDX-License-Identifier: Apache-2.0
// Reading and writing tensors by name.
#include "pumice/error.h"
#include "pumice/io.h"
#include "pumice/ops/factory.h"

#include "io/safetensors_header.h"
#include "io/safetensors_reader.h"

#include <fmt/format.h>

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

[[noreturn]] void close_and_refuse(int file, const std::string& path) {
    const int cause = errno;
    ::close(file);
    errno = cause;
    throw_unreadable(path);
}

}  // namespace

struct SafetensorsFile::Mapping {
    explicit Mapping(const std::string& path_in) : path(path_in) {
        // Without the flag, a pipe would wait for somebody who writes to it.
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        struct stat status {};

        if (file < 0) {
            throw_unreadable(path);
        }
        if (::fstat(file, &status) != 0) {
            close_and_refuse(file, path);
        }
        if (!S_ISREG(status.st_mode)) {
            ::close(file);
            throw FileError(path,
                            fmt::format("cannot be read: is {}, wanted a file",
                                        S_ISDIR(status.st_mode)    ? "a directory"
                                        : S_ISFIFO(status.st_mode) ? "a pipe"
                                                                   : "a device"));
        }
        length_bytes = static_cast<std::size_t>(status.st_size);
        if (length_bytes > 0) {
            address = ::mmap(nullptr, length_bytes, PROT_READ, MAP_PRIVATE, file, 0);
        }
        if (address == MAP_FAILED) {
            close_and_refuse(file, path);
        }
        ::close(file);
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
    const auto found = mapping_->header.index_of.find(name);
    if (found == mapping_->header.index_of.end()) {
        throw ArgumentError(mapping_->path, fmt::format("has no tensor '{}'", name));
    }
    return load(entries()[found->second]);
}

Tensor SafetensorsFile::load(const SafetensorsEntry& entry) const {
    if (!entry.refusal.empty()) {
        throw UnsupportedError(mapping_->path,
                               fmt::format("tensor '{}': {}", shown(entry.name), entry.refusal));
    }
    const std::string_view data = mapping_->bytes().substr(
        mapping_->header.data_begin_bytes + entry.begin_bytes, entry.end_bytes - entry.begin_bytes);
    try {
        Tensor tensor = from_bytes(std::as_bytes(std::span(data.data(), data.size())),
                                   entry.dtype,
                                   entry.sizes,
                                   device_dtype(entry.dtype));
        return entry.requires_grad ? tensor.set_requires_grad(true) : tensor;
    } catch (const DTypeError& error) {
        throw DTypeError(mapping_->path,
                         fmt::format("tensor '{}': {}", shown(entry.name), error.what()));
    }
}

nn::StateDict SafetensorsFile::load_all() const {
    nn::StateDict tensors;
    for (const SafetensorsEntry& entry : entries()) {
        tensors.insert(entry.name, load(entry));
    }
    return tensors;
}

nn::StateDict SafetensorsFile::load_all(std::vector<SafetensorsRefusal>& refused) const {
    nn::StateDict tensors;
    for (const SafetensorsEntry& entry : entries()) {
        try {
            tensors.insert(entry.name, load(entry));
        } catch (const UnsupportedError& error) {
            refused.push_back({entry.name, error.what()});
        } catch (const DTypeError& error) {
            refused.push_back({entry.name, error.what()});
        }
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
        SafetensorsEntry& entry = entries.emplace_back();
        entry.name = name;
        entry.dtype = host_dtype(host.dtype);
        entry.sizes = host.sizes;
        entry.begin_bytes = begin;
        entry.end_bytes = data.size();
        entry.requires_grad = value.requires_grad();
    }
    write_file(path, write_header(path, entries, metadata) + data);
}

}  // namespace pumice::io
