// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/source_location.h"

namespace pumice::detail {

[[noreturn]] void throw_invariant(const char* condition, SourceLocation location);

}  // namespace pumice::detail

/// Throws InternalError when the condition does not hold; on in release builds too.
#define PUMICE_INVARIANT(condition)                                                             \
    do {                                                                                        \
        if (!(condition)) [[unlikely]] {                                                        \
            ::pumice::detail::throw_invariant(#condition, ::pumice::SourceLocation::current()); \
        }                                                                                       \
    } while (false)
