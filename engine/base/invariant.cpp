// SPDX-License-Identifier: Apache-2.0
#include "base/invariant.h"

#include "pumice/error.h"

#include <fmt/format.h>

namespace pumice::detail {

void throw_invariant(const char* condition, SourceLocation location) {
    throw InternalError(
        location.function_name(),
        fmt::format(
            "invariant broken: {} ({}:{})", condition, location.file_name(), location.line()),
        location);
}

}  // namespace pumice::detail
