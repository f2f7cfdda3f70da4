// SPDX-License-Identifier: Apache-2.0
// Which dtype operands of two dtypes meet in.
#include "tensor/promote.h"

#include "pumice/error.h"

#include "tensor/tensor_impl.h"

#include <fmt/format.h>

#include <bit>
#include <limits>
#include <utility>

namespace pumice {

int category(DType dtype) noexcept {
    return is_floating_point(dtype) ? 2 : (dtype == kBool ? 0 : 1);
}

DType result_type(const Tensor& a, const Tensor& b) {
    const TensorImpl& left = impl_of(a);
    const TensorImpl& right = impl_of(b);
    if (left.dtype == right.dtype) {
        return left.dtype;
    }
    const bool left_counts = !left.sizes.empty() || right.sizes.empty();
    const bool right_counts = !right.sizes.empty() || left.sizes.empty();
    if (left_counts && right_counts) {
        return promote_types(left.dtype, right.dtype);
    }
    const DType major = left_counts ? left.dtype : right.dtype;
    const DType minor = left_counts ? right.dtype : left.dtype;
    return category(minor) > category(major) ? minor : major;
}

DType result_type(const Tensor& a, const Scalar& b) {
    const DType dtype = impl_of(a).dtype;
    return category(b.dtype()) > category(dtype) ? b.dtype() : dtype;
}

std::uint32_t scalar_word(std::string_view op, const Scalar& value, DType common) {
    if (is_floating_point(common)) {
        return std::bit_cast<std::uint32_t>(static_cast<float>(value.toDouble()));
    }
    const std::int64_t integer = value.toLong();
    if (!std::in_range<std::int32_t>(integer)) {
        throw ArgumentError(op,
                            fmt::format("integers are computed in int32, so a scalar must be in "
                                        "[{}, {}]; got {}",
                                        std::numeric_limits<std::int32_t>::min(),
                                        std::numeric_limits<std::int32_t>::max(),
                                        integer));
    }
    return static_cast<std::uint32_t>(integer);
}

}  // namespace pumice
