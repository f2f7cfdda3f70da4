// SPDX-License-Identifier: Apache-2.0
#include "pumice/dims.h"

#include "pumice/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pumice {

void Dims::throw_too_many(std::size_t count) {
    throw ShapeError("dims", fmt::format("at most {} dimensions; got {}", kMaxDims, count));
}

std::string to_string(const Dims& dims) {
    return fmt::format("[{}]", fmt::join(dims.begin(), dims.end(), ", "));
}

}  // namespace pumice
