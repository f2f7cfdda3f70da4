// SPDX-License-Identifier: Apache-2.0
#include "ops/all_ops.h"

#include "dispatch/op_def.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

TEST_CASE("all_ops: sorted by name, each once, each well formed") {
    std::string_view before;
    for (const pumice::dispatch::OpDef* def : pumice::ops::all_ops()) {
        CAPTURE(std::string(def->name));
        CHECK(before < def->name);
        CHECK(pumice::dispatch::well_formed(*def));
        before = def->name;
    }
    CHECK(pumice::ops::all_ops().size() > 20);
}
