// SPDX-License-Identifier: Apache-2.0
// The table of all operators.
#include "ops/all_ops.h"

#include <array>

namespace pumice::ops {

namespace {

// constinit: the records are constants, their addresses need no start-up code.
constinit const auto kAllOps = std::to_array<const dispatch::OpDef*>({
// NOLINTNEXTLINE(bugprone-macro-parentheses): a list of addresses
#define PUMICE_OP(name, def) &def,
#include "ops/all_ops.inc"
#undef PUMICE_OP
});

}  // namespace

std::span<const dispatch::OpDef* const> all_ops() noexcept {
    return kAllOps;
}

}  // namespace pumice::ops
