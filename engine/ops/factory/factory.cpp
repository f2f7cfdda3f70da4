// SPDX-License-Identifier: Apache-2.0
// What every new tensor must meet: its extents, its count of elements, its dtype.
#include "ops/factory/factory.h"

#include "pumice/error.h"

#include "base/naming.h"
#include "dispatch/corridor.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>

namespace pumice::ops {

namespace {

constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();

[[noreturn]] void throw_too_many(std::string_view op, std::int64_t most, const Dims& sizes) {
    throw ShapeError(op, fmt::format("at most {} elements; got shape {}", most, to_string(sizes)));
}

}  // namespace

void check_new_sizes(std::string_view op, const Dims& sizes) {
    std::int64_t count = 1;
    bool is_empty = false;
    for (const std::int64_t extent : sizes) {
        if (extent < 0) {
            throw ShapeError(op,
                             fmt::format("extents must not be negative; got {}", to_string(sizes)));
        }
        is_empty = is_empty || extent == 0;
        count =
            extent > kMostElements || count > kMostElements ? kMostElements + 1 : count * extent;
    }
    if (!is_empty && count > kMostElements) {
        throw_too_many(op, kMostElements, sizes);
    }
}

void check_element_count(std::string_view op, const Tensor& x) {
    if (impl_of(x).numel > kMostElements) {
        throw_too_many(op, kMostElements, impl_of(x).sizes);
    }
}

void check_device_dtype(std::string_view op, DType dtype) {
    if (dtype == kFloat64) {
        throw UnsupportedError(op, "there are no float64 tensors; wanted another dtype");
    }
}

void check_view_sizes(std::string_view op, const Dims& sizes) {
    std::int64_t count = 1;
    bool overflows = false;
    for (const std::int64_t extent : sizes) {
        // Extents of 0 too: strides are products of the others.
        overflows = __builtin_mul_overflow(count, extent == 0 ? 1 : extent, &count) || overflows;
    }
    if (overflows) {
        throw_too_many(op, std::numeric_limits<std::int64_t>::max(), sizes);
    }
}

Tensor make(const dispatch::OpDef& def, dispatch::AttrsRef attrs, bool requires_grad) try {
    Tensor made = dispatch::call(def, {}, attrs);
    if (requires_grad) {
        made.set_requires_grad(true);
    }
    return made;

} catch (const Error&) {
    rethrow_under(def.where());
}

}  // namespace pumice::ops
