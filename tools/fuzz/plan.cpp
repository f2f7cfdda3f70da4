// SPDX-License-Identifier: Apache-2.0
// What `pumice plan` reads, and the plan of what is small: no two buffers that live at one step
// meet.
#include "pumice/plan.h"

#include "fuzz.h"
#include "plan_csv.h"

namespace {

using pumice::PlanBuffer;

bool meet(const PlanBuffer& a, std::uint64_t at_a, const PlanBuffer& b, std::uint64_t at_b) {
    return a.lower < b.upper && b.lower < a.upper && at_a < at_b + b.size_bytes &&
           at_b < at_a + a.size_bytes;
}

void check_plan(const std::vector<PlanBuffer>& buffers) {
    const pumice::MemoryPlan plan =
        pumice::plan_memory(buffers, {.time_limit_s = 0.0, .thread_count = 1});
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        pumice::fuzz::require(plan.offsets[i] % buffers[i].alignment_bytes == 0 &&
                              plan.offsets[i] + buffers[i].size_bytes <= plan.height_bytes);
        for (std::size_t j = 0; j < i; ++j) {
            pumice::fuzz::require(!meet(buffers[i], plan.offsets[i], buffers[j], plan.offsets[j]));
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kMostBuffers = 30;
    const std::string path = pumice::fuzz::file_of(pumice::fuzz::text_of(data, size));
    pumice::fuzz::may_refuse([&] {
        const pumice::command::PlanRows rows = pumice::command::read_plan_rows(path);
        if (rows.buffers.size() <= kMostBuffers) {
            check_plan(rows.buffers);
        }
    });
    return 0;
}
