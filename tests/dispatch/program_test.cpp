// SPDX-License-Identifier: Apache-2.0
#include "dispatch/program.h"

#include "pumice/error.h"

#include "vk/kernels/factory_fill.h"
#include "vk/kernels/spatial_max_pool_gradient.h"

#include <doctest/doctest.h>

namespace pumice {
namespace {

TEST_CASE("steps: a kernel of another file is refused") {
    dispatch::Step step;
    const vk::FactoryFillSpec spec{.local_size = 64};
    const vk::FactoryFillPush push{.word_count = 1, .word = 0};
    CHECK_THROWS_AS(step.set(vk::KernelId::kFactoryArange, spec, push), InternalError);
    CHECK_THROWS_AS(step.set(vk::KernelId::kCount, spec, push), InternalError);
}

TEST_CASE("steps: a variant gets the constants that it has") {
    const vk::SpatialMaxPoolGradientSpec spec{
        .local_size = 64, .dtype = kFloat32, .is_first_run = true, .is_last_run = false};
    dispatch::Step step;
    step.set(vk::KernelId::kSpatialMaxPoolGradientOne, spec, {});
    CHECK(step.spec().size() == 2);
    step.set(vk::KernelId::kSpatialMaxPoolGradientMany, spec, {});
    REQUIRE(step.spec().size() == 4);
    CHECK(step.spec()[2] == 1);
    CHECK(step.push().size() == sizeof(vk::SpatialMaxPoolGradientPush));
}

}  // namespace
}  // namespace pumice
