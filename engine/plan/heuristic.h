// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan/problem.h"

namespace pumice::plan {

/// A good placement at once: the lowest of several passes that fill the lowest gap of the skyline
/// with the item that ranks first, under several ranks (Sekiyama and others, 2018, use one). The
/// work is bounded by about a million steps, or two passes where that is more.
Placement place_quickly(const Problem& problem);

}  // namespace pumice::plan
