// SPDX-License-Identifier: Apache-2.0
#include "base/invariant.h"

#include "pumice/error.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice {

TEST_CASE(
    "invariant: a broken one names function, condition and line, one that holds is evaluated "
    "once") {
    int evaluations = 0;
    PUMICE_INVARIANT(++evaluations == 1);
    CHECK(evaluations == 1);
    const auto break_it = [&] { PUMICE_INVARIANT(evaluations == 7); };
    test::check_throws<InternalError>(break_it, "invariant broken: evaluations == 7 (");
    test::check_throws<InternalError>(break_it, "invariant_test.cpp:18)");
}

}  // namespace pumice
