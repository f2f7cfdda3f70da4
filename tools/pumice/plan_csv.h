// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include <string>
#include <vector>

namespace pumice::command {

/// The buffers of a problem by their names.
struct PlanRows {
    std::vector<std::string> ids;
    std::vector<PlanBuffer> buffers;
};

/// Reads what `pumice plan` is given, a CSV with the columns id, lower, upper, size and perhaps
/// alignment. @throws FileError naming the row that is wrong
PlanRows read_plan_rows(const std::string& file);

}  // namespace pumice::command
