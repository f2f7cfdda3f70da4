// SPDX-License-Identifier: Apache-2.0
// What users hold: a handle, whose questions and replays the plan behind it answers.
#include "pumice/error.h"

#include "graph/plan_impl.h"

#include <utility>

namespace pumice {

Plan::Impl::Impl(graph::PlacedGraph placed,
                 std::vector<graph::Argument> arguments,
                 GradModeKind mode,
                 bool aliases_outputs)
    : placed_(std::move(placed)),
      arguments_(std::move(arguments)),
      mode_(mode),
      aliases_outputs_(aliases_outputs),
      commands_(placed_) {}

Plan::Impl::~Impl() {
    take_back_lent();
}

Plan::Impl& Plan::checked() const {
    if (impl_ == nullptr) {
        throw ArgumentError("plan", "got an undefined plan; capture() makes one");
    }
    return *impl_;
}

std::vector<Tensor> Plan::replay(std::span<const Tensor> arguments) const {
    return checked().replay(arguments);
}

bool Plan::is_stale() const {
    return checked().is_stale();
}

PlanStats Plan::stats() const {
    return checked().stats();
}

std::string Plan::dot() const {
    return checked().dot();
}

void Plan::dump_trace(const std::string& path) const {
    checked().dump_trace(path);
}

}  // namespace pumice
