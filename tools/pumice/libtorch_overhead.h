// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>

namespace pumice::command {

/// ns an operator of LibTorch's, measured now, with the keys of `pumice bench overhead`; null when
/// its program was not built (tools/setup --bench). @throws UnsupportedError if that fails
nlohmann::ordered_json libtorch_overhead(std::int64_t calls);

}  // namespace pumice::command
