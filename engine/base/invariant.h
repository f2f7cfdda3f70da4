// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>

namespace pumice::detail {

[[noreturn]] void throw_invariant(const char* condition, std::source_location location);

}  // namespace pumice::detail

/// Throws InternalError when the condition does not hold; on in release builds too.
#define PUMICE_INVARIANT(condition)                                                         \
    do {                                                                                    \
        if (!(condition)) [[unlikely]] {                                                    \
            ::pumice::detail::throw_invariant(#condition, std::source_location::current()); \
        }                                                                                   \
    } while (false)
