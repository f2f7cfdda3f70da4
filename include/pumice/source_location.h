// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

namespace PUMICE_API pumice {

/// A place in a source text, as std::source_location has it, which clang 14 lacks. A class of our
/// own under every compiler, so that a program may be compiled by another one than the library.
class SourceLocation {
public:
    /// No place.
    constexpr SourceLocation() noexcept = default;

    /// The place of the call; as a default argument, that of the call which leaves it out. The
    /// arguments are the compiler's.
    static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                            const char* function = __builtin_FUNCTION(),
                                            int line = __builtin_LINE()) noexcept {
        SourceLocation here;
        here.file_ = file;
        here.function_ = function;
        here.line_ = line;
        return here;
    }

    /// The file's name as the compiler was given it.
    [[nodiscard]] constexpr const char* file_name() const noexcept { return file_; }

    /// The function's name without its parameters.
    [[nodiscard]] constexpr const char* function_name() const noexcept { return function_; }

    /// The line, from 1.
    [[nodiscard]] constexpr int line() const noexcept { return line_; }

private:
    const char* file_ = "";
    const char* function_ = "";
    int line_ = 0;
};

}  // namespace pumice
