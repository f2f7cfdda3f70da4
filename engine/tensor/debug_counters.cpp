// SPDX-License-Identifier: Apache-2.0
// Counters of what autograd makes, for tests.
#include "tensor/debug_counters.h"

#include "pumice/autograd.h"

namespace pumice::debug {

namespace {

std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Counted::kCount)> counts;

std::uint64_t read(Counted what) noexcept {
    return counts[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
}

}  // namespace

void count(Counted what) noexcept {
    counts[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
}

Counters counters() noexcept {
    return {.version_counters = read(Counted::kVersionCounter),
            .view_records = read(Counted::kViewRecord),
            .autograd_metas = read(Counted::kAutogradMeta),
            .nodes = read(Counted::kNode)};
}

}  // namespace pumice::debug
