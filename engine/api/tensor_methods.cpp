// SPDX-License-Identifier: Apache-2.0
// Tensor's methods that are operators: each forwards to the function of the same name.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"

#include <utility>

namespace pumice {

Tensor Tensor::clone() const {
    return pumice::clone(*this);
}

Tensor Tensor::contiguous() const {
    return pumice::contiguous(*this);
}

Tensor Tensor::to(DType dtype) const {
    return pumice::to(*this, dtype);
}

Tensor Tensor::to(const TensorOptions& options) const {
    if (options.requires_grad()) {
        throw ArgumentError("to",
                            "the options must leave requires_grad unset; got requires_grad true "
                            "(call set_requires_grad() on the result)");
    }
    return options.has_dtype() ? to(options.dtype()) : *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
    return pumice::copy_(*this, source);
}

Tensor& Tensor::fill_(const Scalar& value) {
    return pumice::fill_(*this, value);
}

Tensor& Tensor::zero_() {
    return pumice::zero_(*this);
}

Tensor Tensor::add(const Tensor& other, const Scalar& alpha) const {
    return pumice::add(*this, other, alpha);
}

Tensor Tensor::sub(const Tensor& other, const Scalar& alpha) const {
    return pumice::sub(*this, other, alpha);
}

Tensor Tensor::mul(const Tensor& other) const {
    return pumice::mul(*this, other);
}

Tensor Tensor::div(const Tensor& other) const {
    return pumice::div(*this, other);
}

Tensor Tensor::add(const Scalar& other) const {
    return pumice::add(*this, other);
}

Tensor Tensor::sub(const Scalar& other) const {
    return pumice::sub(*this, other);
}

Tensor Tensor::mul(const Scalar& other) const {
    return pumice::mul(*this, other);
}

Tensor Tensor::div(const Scalar& other) const {
    return pumice::div(*this, other);
}

Tensor& Tensor::sub_(const Scalar& other) {
    return pumice::sub_(*this, other);
}

Tensor Tensor::masked_fill(const Tensor& mask, const Scalar& value) const {
    return pumice::masked_fill(*this, mask, value);
}

Tensor Tensor::view_as(const Tensor& other) const {
    return pumice::view_as(*this, other);
}

std::vector<Tensor> Tensor::split_with_sizes(const std::vector<std::int64_t>& lengths,
                                             std::int64_t dim) const {
    return pumice::split_with_sizes(*this, lengths, dim);
}

#define PUMICE_UNARY(name, record)     \
    Tensor Tensor::name() const {      \
        return pumice::name(*this);    \
    }                                  \
    Tensor& Tensor::name##_() {        \
        return pumice::name##_(*this); \
    }
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY

Tensor Tensor::pow(const Scalar& exponent) const {
    return pumice::pow(*this, exponent);
}

Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const {
    return pumice::clamp(*this, min, max);
}

Tensor& Tensor::add_(const Tensor& other, const Scalar& alpha) {
    return pumice::add_(*this, other, alpha);
}

Tensor& Tensor::add_(const Scalar& other) {
    return pumice::add_(*this, other);
}

Tensor& Tensor::sub_(const Tensor& other, const Scalar& alpha) {
    return pumice::sub_(*this, other, alpha);
}

Tensor& Tensor::mul_(const Tensor& other) {
    return pumice::mul_(*this, other);
}

Tensor& Tensor::mul_(const Scalar& other) {
    return pumice::mul_(*this, other);
}

Tensor& Tensor::div_(const Tensor& other) {
    return pumice::div_(*this, other);
}

Tensor& Tensor::div_(const Scalar& other) {
    return pumice::div_(*this, other);
}

Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
    return pumice::sum(*this, dims, keepdim);
}

Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
    return pumice::mean(*this, dims, keepdim);
}

Tensor Tensor::amax(const Dims& dims, bool keepdim) const {
    return pumice::amax(*this, dims, keepdim);
}

Tensor Tensor::amin(const Dims& dims, bool keepdim) const {
    return pumice::amin(*this, dims, keepdim);
}

Tensor Tensor::var(const Dims& dims, std::int64_t correction, bool keepdim) const {
    return pumice::var(*this, dims, correction, keepdim);
}

Tensor Tensor::std(const Dims& dims, std::int64_t correction, bool keepdim) const {
    return pumice::std(*this, dims, correction, keepdim);
}

Tensor Tensor::argmax(std::optional<std::int64_t> dim, bool keepdim) const {
    return pumice::argmax(*this, dim, keepdim);
}

Tensor Tensor::softmax(std::int64_t dim) const {
    return pumice::softmax(*this, dim);
}

Tensor Tensor::log_softmax(std::int64_t dim) const {
    return pumice::log_softmax(*this, dim);
}

Tensor Tensor::matmul(const Tensor& other) const {
    return pumice::matmul(*this, other);
}

Tensor Tensor::view(const Dims& sizes) const {
    return pumice::view(*this, sizes);
}

Tensor Tensor::reshape(const Dims& sizes) const {
    return pumice::reshape(*this, sizes);
}

Tensor Tensor::flatten(std::int64_t start_dim, std::int64_t end_dim) const {
    return pumice::flatten(*this, start_dim, end_dim);
}

Tensor Tensor::transpose(std::int64_t dim0, std::int64_t dim1) const {
    return pumice::transpose(*this, dim0, dim1);
}

Tensor Tensor::t() const {
    return pumice::t(*this);
}

Tensor Tensor::permute(const Dims& dims) const {
    return pumice::permute(*this, dims);
}

Tensor Tensor::expand(const Dims& sizes) const {
    return pumice::expand(*this, sizes);
}

Tensor Tensor::squeeze(std::int64_t dim) const {
    return pumice::squeeze(*this, dim);
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
    return pumice::unsqueeze(*this, dim);
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
    return pumice::select(*this, dim, index);
}

Tensor Tensor::slice(std::int64_t dim,
                     std::int64_t start,
                     std::optional<std::int64_t> end,
                     std::int64_t step) const {
    return pumice::slice(*this, dim, start, end, step);
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
    return pumice::narrow(*this, dim, start, length);
}

Tensor Tensor::unfold(std::int64_t dim, std::int64_t length, std::int64_t step) const {
    return pumice::unfold(*this, dim, length, step);
}

std::vector<Tensor> Tensor::split(std::int64_t split_length, std::int64_t dim) const {
    return pumice::split(*this, split_length, dim);
}

std::vector<Tensor> Tensor::chunk(std::int64_t chunks, std::int64_t dim) const {
    return pumice::chunk(*this, chunks, dim);
}

Tensor Tensor::eq(const Tensor& other) const {
    return pumice::eq(*this, other);
}

Tensor Tensor::eq(const Scalar& other) const {
    return pumice::eq(*this, other);
}

Tensor Tensor::ne(const Tensor& other) const {
    return pumice::ne(*this, other);
}

Tensor Tensor::ne(const Scalar& other) const {
    return pumice::ne(*this, other);
}

Tensor Tensor::lt(const Tensor& other) const {
    return pumice::lt(*this, other);
}

Tensor Tensor::lt(const Scalar& other) const {
    return pumice::lt(*this, other);
}

Tensor Tensor::le(const Tensor& other) const {
    return pumice::le(*this, other);
}

Tensor Tensor::le(const Scalar& other) const {
    return pumice::le(*this, other);
}

Tensor Tensor::gt(const Tensor& other) const {
    return pumice::gt(*this, other);
}

Tensor Tensor::gt(const Scalar& other) const {
    return pumice::gt(*this, other);
}

Tensor Tensor::ge(const Tensor& other) const {
    return pumice::ge(*this, other);
}

Tensor Tensor::ge(const Scalar& other) const {
    return pumice::ge(*this, other);
}

Tensor Tensor::logical_not() const {
    return pumice::logical_not(*this);
}

Tensor Tensor::nonzero() const {
    return pumice::nonzero(*this);
}

Tensor Tensor::index_select(std::int64_t dim, const Tensor& index) const {
    return pumice::index_select(*this, dim, index);
}

Tensor Tensor::gather(std::int64_t dim, const Tensor& index) const {
    return pumice::gather(*this, dim, index);
}

Tensor Tensor::masked_select(const Tensor& mask) const {
    return pumice::masked_select(*this, mask);
}

Tensor Tensor::repeat(const Dims& repeats) const {
    return pumice::repeat(*this, repeats);
}

Tensor Tensor::argmin(std::optional<std::int64_t> dim, bool keepdim) const {
    return pumice::argmin(*this, dim, keepdim);
}

Tensor Tensor::any(const Dims& dims, bool keepdim) const {
    return pumice::any(*this, dims, keepdim);
}

Tensor Tensor::all(const Dims& dims, bool keepdim) const {
    return pumice::all(*this, dims, keepdim);
}

Tensor Tensor::cumsum(std::int64_t dim) const {
    return pumice::cumsum(*this, dim);
}

Tensor Tensor::max() const try { return amax(); } catch (const Error&) {
    rethrow_under("max");
}

Tensor Tensor::min() const try { return amin(); } catch (const Error&) {
    rethrow_under("min");
}

}  // namespace pumice
