// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/made_once.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pumice::vk {

using ModuleWords = std::vector<std::uint32_t>;

/// SPIR-V of kernels that were written at run time, by their text: the last ones in memory, and in
/// a folder on disk for the next process. A file holds its text as well, so that no two texts are
/// taken for each other; damaged files count as absent. Files are replaced in one step and the
/// oldest are taken away when all exceed a bound. Thread-safe; who asks for a text that another
/// thread compiles waits for that one alone.
class ModuleStore {
public:
    static constexpr std::size_t kMostInMemory = 256;
    static constexpr std::uint64_t kMostBytesOnDisk = std::uint64_t{32} << 20U;

    /// An empty folder keeps nothing on disk.
    explicit ModuleStore(std::string folder, std::uint64_t most_bytes_on_disk = kMostBytesOnDisk)
        : folder_(std::move(folder)), most_bytes_on_disk_(most_bytes_on_disk) {}

    /// Compiles what is in neither. That the disk cannot be written is no error.
    /// @throws InternalError with the compiler's messages
    std::shared_ptr<const ModuleWords> get(const std::string& text);

    /// The file of a text, for tests; empty if nothing is kept on disk.
    [[nodiscard]] std::string path_of(const std::string& text) const;

private:
    [[nodiscard]] ModuleWords load(const std::string& text) const;
    void save(const std::string& text, const ModuleWords& words) const noexcept;
    void trim() const;

    std::string folder_;
    std::uint64_t most_bytes_on_disk_;
    MadeOnce<std::string, ModuleWords> modules_{kMostInMemory};
};

}  // namespace pumice::vk
