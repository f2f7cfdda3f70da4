// SPDX-License-Identifier: Apache-2.0
// The short form of `pumice bench soak`: with null execution too, so that no driver's pace decides
// what is allocated when.
#include "soak/soak.h"

#include "pumice/memory.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

namespace pumice {

namespace {

class NullExecution {
public:
    NullExecution() {
        synchronize();
        vk::install_null_execution(vk::device());
    }

    NullExecution(const NullExecution&) = delete;
    NullExecution& operator=(const NullExecution&) = delete;
    NullExecution(NullExecution&&) = delete;
    NullExecution& operator=(NullExecution&&) = delete;

    ~NullExecution() { vk::restore(vk::device()); }
};

}  // namespace

TEST_CASE("soak: what mixed passes of changing sizes hold does not grow after their warm-up" *
          doctest::test_suite("long")) {
    empty_cache();
    const NullExecution null;
    const soak::Report report =
        soak::run({.passes = 900, .warm_up_passes = 400, .most_rows = 256, .seed = 5});
    MESSAGE("reserved " << report.warm.reserved_bytes << ", then " << report.end.reserved_bytes);
    CHECK(report.warm.reserved_bytes > 0);
    CHECK(report.end.live_bytes > 0);
    CHECK_FALSE(report.has_grown());
    CHECK(report.end.driver_allocations == report.warm.driver_allocations);
}

TEST_CASE("soak: a run without passes after its warm-up is refused") {
    test::check_throws<ArgumentError>([] { soak::run({.passes = 10, .warm_up_passes = 10}); },
                                      "more passes than the warm-up's 10");
    test::check_throws<ArgumentError>([] { soak::run({.passes = 10, .warm_up_passes = 0}); },
                                      "one there");
    test::check_throws<ArgumentError>(
        [] { soak::run({.passes = 10, .warm_up_passes = 1, .most_rows = 0}); }, "positive");
}

}  // namespace pumice
