// SPDX-License-Identifier: Apache-2.0
#include "dispatch/execute.h"

#include "pumice/pumice.h"

#include "vk/device.h"
#include "vk/queue.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>

namespace pumice {
namespace {

TEST_CASE("execute: a call whose second kernel cannot be compiled records nothing") {
    // Rows so long that they are cut, in a dtype that no test before this one has for them: so all
    // three kernels are new.
    const Tensor x = zeros({2, 70001}, {kBFloat16});
    synchronize();
    const std::uint64_t before = vk::device().queue().counters().dispatches;
    std::atomic<int> call_count = 0;
    vk::replace_compiler(vk::device(), [&]() -> std::optional<vk::Fault> {
        return ++call_count == 2 ? std::optional(vk::Fault::kOutOfHostMemory) : std::nullopt;
    });
    CHECK_THROWS_AS(static_cast<void>(softmax(x, 1)), OutOfMemoryError);
    vk::restore(vk::device());
    CHECK(call_count >= 2);
    CHECK(vk::device().queue().counters().dispatches == before);
    static_cast<void>(softmax(x, 1).to_host());
}

}  // namespace
}  // namespace pumice
