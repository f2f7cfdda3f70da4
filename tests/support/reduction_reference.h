// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <functional>
#include <vector>

namespace pumice::test {

/// The elements that make each output of a reduction over `dims` (none: all), both in row-major
/// order.
inline std::vector<std::vector<double>> reduced_groups(const Tensor& x, const Dims& dims) {
    const Dims sizes = x.sizes();
    std::vector<bool> is_reduced(sizes.size(), dims.empty());
    for (const std::int64_t dim : dims) {
        is_reduced[static_cast<std::size_t>(dim < 0 ? dim + sizes.count() : dim)] = true;
    }
    std::int64_t group_count = 1;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        group_count *= is_reduced[static_cast<std::size_t>(d)] ? 1 : sizes[d];
    }
    std::vector<std::vector<double>> groups(static_cast<std::size_t>(group_count));
    const std::vector<double> values = x.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto rest = static_cast<std::int64_t>(i);
        std::int64_t group = 0;
        std::int64_t step = 1;
        for (std::int64_t d = sizes.count() - 1; d >= 0; --d) {
            if (!is_reduced[static_cast<std::size_t>(d)]) {
                group += rest % sizes[d] * step;
                step *= sizes[d];
            }
            rest /= sizes[d];
        }
        groups[static_cast<std::size_t>(group)].push_back(values[i]);
    }
    return groups;
}

/// `reduce` of each group.
inline std::vector<double> reduced(
    const Tensor& x,
    const Dims& dims,
    const std::function<double(const std::vector<double>&)>& reduce) {
    std::vector<double> results;
    for (const std::vector<double>& group : reduced_groups(x, dims)) {
        results.push_back(reduce(group));
    }
    return results;
}

/// A shape and the dimensions to reduce.
struct ReductionCase {
    Dims sizes;
    Dims dims;
};

/// Extents 0 and 1, primes, block size plus and minus one, all positions of the reduced dimensions,
/// shapes whose reductions are split, more than 65,535 outputs.
inline std::vector<ReductionCase> reduction_cases() {
    return {
        {{}, {}},          {{1}, {0}},
        {{7}, {}},         {{31}, {0}},
        {{33}, {0}},       {{3, 5}, {0}},
        {{3, 5}, {1}},     {{3, 5}, {-1, 0}},
        {{2, 3, 4}, {1}},  {{2, 3, 4}, {0, 2}},
        {{5, 1, 7}, {1}},  {{13, 257}, {1}},
        {{257, 13}, {0}},  {{3, 20011}, {1}},
        {{20011, 3}, {0}}, {{70001, 2}, {1}},
        {{2, 70001}, {0}}, {{100003}, {}},
        {{0, 3}, {1}},     {{2, 2, 2, 2, 2, 2, 2}, {0, 2, 4, 6}},
        {{4, 0}, {0}},
    };
}

}  // namespace pumice::test
