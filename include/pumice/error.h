// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/source_location.h"

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace PUMICE_API pumice {

/// Root of every exception that Pumice throws.
///
/// `what()` reads `[where] message`, where `where` is the operator, file or subsystem that refused.
/// A call that throws leaves tensors, tape and memory as they were before it.
class Error : public std::exception {
public:
    /// For the engine; `where` and `message` as above.
    Error(std::string_view where,
          std::string_view message,
          SourceLocation location = SourceLocation::current());

    /// "[where] message"; lives as long as the exception.
    [[nodiscard]] const char* what() const noexcept override;
    /// Same text as `what()`: Pumice errors carry no backtrace. (LibTorch's name.)
    [[nodiscard]] const char* what_without_backtrace() const noexcept;
    /// Operator, file or subsystem that refused.
    [[nodiscard]] const std::string& where() const noexcept;
    /// For the engine: tells the same under another name.
    void set_where(std::string_view where);
    /// Place in Pumice's source that threw.
    [[nodiscard]] const SourceLocation& location() const noexcept;

private:
    std::string where_;
    std::string text_;
    SourceLocation location_;
};

/// Shapes, dimensions or strides that do not fit.
class ShapeError : public Error {
public:
    using Error::Error;
};

/// Dtypes that do not fit, or a value that its dtype cannot hold.
class DTypeError : public Error {
public:
    using Error::Error;
};

/// An attribute, option or input text outside its range.
class ArgumentError : public Error {
public:
    using Error::Error;
};

/// An index or a label outside its extent, which a kernel found. `where()` is the operator that was
/// called with it; it is a later read on the host that throws (pumice/ops/index.h).
class IndexError : public ArgumentError {
public:
    using ArgumentError::ArgumentError;
};

/// Misuse of the tape, of inference mode or of capture.
class GradModeError : public Error {
public:
    using Error::Error;
};

/// A valid request that this build or device cannot serve; the text names the missing feature.
class UnsupportedError : public Error {
public:
    using Error::Error;
};

/// A file that cannot be read or written, or whose content is malformed; `where()` is its path.
class FileError : public Error {
public:
    using Error::Error;
};

/// Device memory ran out. Sizes are in bytes.
class OutOfMemoryError : public Error {
public:
    /// For the engine.
    OutOfMemoryError(std::string_view where,
                     std::uint64_t asked_bytes,
                     std::uint64_t free_bytes,
                     std::uint64_t largest_hole_bytes,
                     SourceLocation location = SourceLocation::current());

    /// What was asked for.
    [[nodiscard]] std::uint64_t asked_bytes() const noexcept;
    /// What is free in all, in the driver's heap and in cached blocks.
    [[nodiscard]] std::uint64_t free_bytes() const noexcept;
    /// The largest piece of it that one tensor could have.
    [[nodiscard]] std::uint64_t largest_hole_bytes() const noexcept;

private:
    std::uint64_t asked_bytes_;
    std::uint64_t free_bytes_;
    std::uint64_t largest_hole_bytes_;
};

/// No usable device, or a driver call that failed; the text has the VkResult's name.
class DeviceError : public Error {
public:
    using Error::Error;
};

/// A defect of Pumice itself.
class InternalError : public Error {
public:
    using Error::Error;
};

}  // namespace pumice
