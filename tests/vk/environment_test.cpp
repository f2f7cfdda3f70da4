// SPDX-License-Identifier: Apache-2.0
#include "vk/environment.h"

#include "pumice/error.h"

#include "memory/scoped_environment.h"
#include "vk/device.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

using pumice::test::ScopedEnvironment;
using pumice::vk::environment_choice;
using pumice::vk::environment_says;

namespace {

constexpr std::array<std::string_view, 2> kNames = {"dedicated", "poison"};
constexpr const char* kVariable = "PUMICE_TEST_CHOICE";

}  // namespace

TEST_CASE("environment: unset and empty mean no choice") {
    CHECK(environment_choice(kVariable, kNames).empty());
    const ScopedEnvironment scope(kVariable, "");
    CHECK(environment_choice(kVariable, kNames).empty());
}

TEST_CASE("environment: an allowed value is returned") {
    const ScopedEnvironment scope(kVariable, "poison");
    CHECK(environment_choice(kVariable, kNames) == "poison");
}

TEST_CASE("environment: an unknown value is refused with the allowed ones") {
    const ScopedEnvironment scope(kVariable, "Poison");
    CHECK_THROWS_WITH_AS(
        environment_choice(kVariable, kNames),
        "[PUMICE_TEST_CHOICE] must be unset or one of: dedicated, poison; got Poison",
        pumice::ArgumentError);
}

TEST_CASE("environment: a variable with one value takes no other") {
    CHECK(!environment_says(kVariable, "off"));
    {
        const ScopedEnvironment scope(kVariable, "off");
        CHECK(environment_says(kVariable, "off"));
    }
    const ScopedEnvironment scope(kVariable, "foo");
    CHECK_THROWS_WITH_AS(environment_says(kVariable, "off"),
                         "[PUMICE_TEST_CHOICE] must be unset or one of: off; got foo",
                         pumice::ArgumentError);
}

TEST_CASE("environment: what Pumice reads is refused where it says nothing") {
    for (const char* name : {"PUMICE_CACHE", "PUMICE_STAGING"}) {
        INFO(name);
        const ScopedEnvironment scope(name, "foo");
        CHECK_THROWS_AS(pumice::vk::Device(), pumice::ArgumentError);
    }
}
