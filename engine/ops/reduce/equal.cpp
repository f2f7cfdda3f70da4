// SPDX-License-Identifier: Apache-2.0
// equal, allclose: comparisons whose answer is the host's.
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "tensor/tensor_impl.h"

#include <fmt/format.h>

namespace pumice {

namespace {

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
    if (checked_impl(a, op).dtype != checked_impl(b, op).dtype) {
        throw DTypeError(op,
                         fmt::format("a and b must have one dtype; got {}",
                                     listed({{"a", describe(a)}, {"b", describe(b)}})));
    }
}

}  // namespace

bool equal(const Tensor& a, const Tensor& b) try {
    check_same_dtype("equal", a, b);
    const NoGradGuard guard;
    return a.sizes() == b.sizes() && all(eq(a, b)).item().toBool();

} catch (const Error&) {
    rethrow_under("equal");
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) try {
    check_same_dtype("allclose", a, b);
    const NoGradGuard guard;
    // Equal infinities have no difference; the bound of an infinite b admits no other one.
    const Tensor difference = abs(a - b);
    const Tensor is_within = le(difference, add(mul(abs(b), rtol), atol));
    Tensor close = logical_or(eq(a, b), logical_and(isfinite(difference), is_within));
    if (equal_nan) {
        close = logical_or(close, logical_and(isnan(a), isnan(b)));
    }
    return all(close).item().toBool();

} catch (const Error&) {
    rethrow_under("allclose");
}

}  // namespace pumice
