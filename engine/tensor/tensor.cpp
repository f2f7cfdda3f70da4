// SPDX-License-Identifier: Apache-2.0
// What a handle answers from its impl alone. Operators' methods: api/tensor_methods.cpp; the
// tape's: autograd/.
#include "pumice/tensor.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"

#include "tensor/tensor_impl.h"

namespace pumice {

const Dims& Tensor::sizes() const {
    return checked_impl(*this, "sizes").sizes;
}

const Dims& Tensor::strides() const {
    return checked_impl(*this, "strides").strides;
}

std::int64_t Tensor::storage_offset() const {
    return checked_impl(*this, "storage_offset").offset;
}

std::int64_t Tensor::size(std::int64_t dim) const {
    const TensorImpl& impl = checked_impl(*this, "size");
    if (impl.sizes.empty()) {
        throw ArgumentError("size", "a zero-dimensional tensor has no dimension to ask for");
    }
    return impl.sizes[wrap_dim("size", dim, impl.sizes.count())];
}

std::int64_t Tensor::stride(std::int64_t dim) const {
    const TensorImpl& impl = checked_impl(*this, "stride");
    if (impl.strides.empty()) {
        throw ArgumentError("stride", "a zero-dimensional tensor has no dimension to ask for");
    }
    return impl.strides[wrap_dim("stride", dim, impl.strides.count())];
}

std::int64_t Tensor::dim() const {
    return checked_impl(*this, "dim").sizes.count();
}

std::int64_t Tensor::numel() const {
    return checked_impl(*this, "numel").numel;
}

DType Tensor::dtype() const {
    return checked_impl(*this, "dtype").dtype;
}

bool Tensor::is_contiguous() const {
    return checked_impl(*this, "is_contiguous").is_contiguous;
}

std::int64_t Tensor::nbytes() const {
    const TensorImpl& impl = checked_impl(*this, "nbytes");
    return impl.numel * itemsize(impl.dtype);
}

bool Tensor::is_inference() const {
    return checked_impl(*this, "is_inference").is_inference;
}

bool Tensor::is_view() const {
    return static_cast<bool>(checked_impl(*this, "is_view").view);
}

bool Tensor::is_leaf() const {
    return checked_impl(*this, "is_leaf").is_leaf();
}

bool Tensor::requires_grad() const {
    return checked_impl(*this, "requires_grad").tracks_grad();
}

std::uint32_t VariableVersion::current_version() const {
    if (!counter_) {
        throw GradModeError("_version", "Inference tensors do not track version counter.");
    }
    return static_cast<const VersionCounter&>(*counter_).value();
}

VariableVersion TensorImplFace::version_counter() const {
    return VariableVersion(static_cast<const TensorImpl&>(*impl_).version);
}

void TensorImplFace::bump_version() {
    const TensorImpl& impl = static_cast<const TensorImpl&>(*impl_);
    if (impl.version) {
        impl.version->bump();
    } else if (!is_inference_mode_enabled()) {
        throw GradModeError(
            "bump_version",
            "Inplace update to inference tensor outside InferenceMode is not allowed.");
    }
}

void TensorImplFace::set_version_counter(const VariableVersion& version) {
    TensorImpl& impl = static_cast<TensorImpl&>(*impl_);
    if (impl.is_inference) {
        throw GradModeError("set_version_counter",
                            "Cannot set version_counter for inference tensor");
    }
    if (!version.enabled()) {
        throw ArgumentError("set_version_counter", "a normal tensor needs a counter; got none");
    }
    impl.version =
        IntrusivePtr<VersionCounter>(static_cast<VersionCounter*>(version.counter_.get()));
}

TensorImplFace Tensor::unsafeGetTensorImpl() const {
    checked_impl(*this, "unsafeGetTensorImpl");
    return TensorImplFace(impl_);
}

std::uint32_t Tensor::_version() const {
    checked_impl(*this, "_version");
    return unsafeGetTensorImpl()->version_counter().current_version();
}

}  // namespace pumice
