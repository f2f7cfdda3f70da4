// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/module.h"
#include "pumice/tensor.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Files of tensors.
namespace PUMICE_API pumice {
namespace io {

/// One tensor of a safetensors file.
struct SafetensorsEntry {
    std::string name;                   ///< key in the header
    std::string dtype_name;             ///< as the header has it: "F32", "F8_E4M3"
    HostDType dtype = HostDType::kF32;  ///< as stored, float64 and int64 included
    std::vector<std::uint64_t> shape;   ///< as the header has it
    Dims sizes;                         ///< the same, where Pumice can hold the tensor
    std::string refusal;                ///< why `load` refuses it; empty if Pumice can hold it
    std::uint64_t begin_bytes = 0;      ///< from the start of the data section
    std::uint64_t end_bytes = 0;        ///< one past its last byte, counted likewise
    bool requires_grad = false;         ///< whether it was tracked when Pumice saved it (G55)
};

/// A tensor that `load_all` left out, and why.
struct SafetensorsRefusal {
    std::string name;
    std::string reason;
};

/// A memory-mapped safetensors file. All of its header is checked when it is opened, in time linear
/// in the header's length; values are read when they are asked for. Tensors that Pumice cannot hold
/// (dtypes other than HostDType's, more than eight dimensions, 2^31 elements or more) are listed,
/// and refused when they are loaded. Source: the safetensors format, version 0.3.
class SafetensorsFile {
public:
    /// @throws FileError if it is no regular file, cannot be read, is truncated or malformed.
    ///         Malformed are: a header that is larger than 100 MB, reaches past the end of the file
    ///         or does not begin with `{`; offsets that overlap, leave holes or lie outside; a byte
    ///         count that does not fit dtype and shape; a key twice in one object; text that is not
    ///         UTF-8; metadata that is not an object of strings
    explicit SafetensorsFile(const std::string& path);
    /// Ends the mapping; loaded tensors have their own memory.
    ~SafetensorsFile();
    SafetensorsFile(const SafetensorsFile&) = delete;
    SafetensorsFile& operator=(const SafetensorsFile&) = delete;
    /// Takes over the mapping; after that the other may only be destroyed or assigned to.
    SafetensorsFile(SafetensorsFile&& other) noexcept;
    /// Takes over the mapping in the same way.
    SafetensorsFile& operator=(SafetensorsFile&& other) noexcept;

    /// In order of their place in the file.
    [[nodiscard]] const std::vector<SafetensorsEntry>& entries() const noexcept;
    /// The header's `__metadata__`.
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept;

    /// Copies one tensor to the device, tracked as it was when Pumice saved it; its kind is that of
    /// the thread's mode (G55). float64 becomes float32, int64 int32.
    /// @throws ArgumentError for an unknown name; UnsupportedError for a tensor that Pumice cannot
    ///         hold; DTypeError naming the element that int32 cannot hold; OutOfMemoryError
    [[nodiscard]] Tensor load(const std::string& name) const;
    /// All tensors by name, in order of their place.
    /// @throws UnsupportedError, DTypeError, OutOfMemoryError as load
    [[nodiscard]] nn::StateDict load_all() const;
    /// All but those for which load throws UnsupportedError or DTypeError: these are appended to
    /// `refused`. @throws OutOfMemoryError
    [[nodiscard]] nn::StateDict load_all(std::vector<SafetensorsRefusal>& refused) const;

private:
    struct PUMICE_HIDDEN Mapping;
    [[nodiscard]] Tensor load(const SafetensorsEntry& entry) const;
    std::unique_ptr<Mapping> mapping_;
};

/// All tensors of a safetensors file.
/// @throws FileError, UnsupportedError, DTypeError as SafetensorsFile, load_all
nn::StateDict load_safetensors(const std::string& path);

/// Writes the tensors in order, row-major, with metadata as the header's `__metadata__`; the file
/// appears whole or not at all. Tensors may have either kind, and the mode does not matter. The
/// names of tensors that require grad are written to the metadata as "pumice.requires_grad", a list
/// in JSON that metadata() leaves out. Waits for the device, and holds all bytes in host memory.
/// @throws FileError if it cannot be written; ArgumentError for a name that is empty,
///         "__metadata__" or not UTF-8, for metadata that is not UTF-8 or has that key, or an
///         undefined tensor
void save_safetensors(const std::string& path,
                      const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// Writes bytes to a file that appears whole or not at all: a draft beside it is written, brought
/// to the disk and renamed. A pipe or a device (/dev/stdout) is written as it is.
/// @throws FileError with the system's reason; a file that was there before is unchanged then
void write_file(const std::string& path, const std::string& bytes);

/// The whole file as bytes, a pipe's up to its end. @throws FileError if it cannot be read, for a
/// directory and for a device
std::string read_file(const std::string& path);

}  // namespace io
}  // namespace pumice
