// SPDX-License-Identifier: Apache-2.0
// Names and sizes of dtypes.
#include "pumice/dtype.h"

#include <array>

namespace pumice {

std::string_view to_string(DType dtype) noexcept {
    constexpr std::array<std::string_view, 8> kNames = {
        "float32", "float16", "bfloat16", "int32", "int8", "uint8", "bool", "float64"};
    return kNames[static_cast<std::size_t>(dtype)];
}

DType promote_types(DType a, DType b) noexcept {
    if (a == b) {
        return a;
    }
    if (is_floating_point(a) && is_floating_point(b)) {
        // One of them is the widest, or they are the two halves.
        return a == kFloat64 || b == kFloat64 ? kFloat64 : kFloat32;
    }
    if (is_floating_point(a) || is_floating_point(b)) {
        return is_floating_point(a) ? a : b;
    }
    if (a == kBool || b == kBool) {
        return a == kBool ? b : a;
    }
    return kInt32;  // int32 with a byte, or int8 with uint8
}

}  // namespace pumice
