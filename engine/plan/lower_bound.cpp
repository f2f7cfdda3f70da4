// SPDX-License-Identifier: Apache-2.0
// The least height that any placement takes.
#include "plan/lower_bound.h"

#include <algorithm>
#include <vector>

namespace pumice::plan {
namespace {

struct Edge {
    std::uint64_t step = 0;
    bool is_end = false;  ///< the bytes are needed up to this step, not after it
    std::uint64_t size_bytes = 0;
};

// A step's begins come before its ends, because both ends of a lifetime are included.
bool comes_before(const Edge& left, const Edge& right) {
    return left.step != right.step ? left.step < right.step : left.is_end < right.is_end;
}

}  // namespace

std::uint64_t lower_bound_bytes(std::span<const Lifetime> lifetimes) {
    std::vector<Edge> edges;
    edges.reserve(2 * lifetimes.size());
    for (const Lifetime& lifetime : lifetimes) {
        edges.push_back({lifetime.first_step, false, lifetime.size_bytes});
        edges.push_back({lifetime.last_step, true, lifetime.size_bytes});
    }
    std::sort(edges.begin(), edges.end(), comes_before);

    std::uint64_t alive_bytes = 0;
    std::uint64_t most_bytes = 0;
    for (const Edge& edge : edges) {
        if (edge.is_end) {
            alive_bytes -= edge.size_bytes;
        } else {
            alive_bytes += edge.size_bytes;
            most_bytes = std::max(most_bytes, alive_bytes);
        }
    }
    return most_bytes;
}

}  // namespace pumice::plan
