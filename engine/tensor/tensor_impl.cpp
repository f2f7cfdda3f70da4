// SPDX-License-Identifier: Apache-2.0
#include "tensor/tensor_impl.h"

#include "pumice/error.h"

#include "tensor/debug_counters.h"

#include <fmt/format.h>

namespace pumice {

VersionCounter::VersionCounter() noexcept {
    debug::count(debug::Counted::kVersionCounter);
}

ViewRecord::ViewRecord(IntrusivePtr<TensorImpl> base_in, CreationMeta creation_in) noexcept
    : base(std::move(base_in)), creation(creation_in), attr_version(base->version->value()) {
    debug::count(debug::Counted::kViewRecord);
}

TensorImpl& checked_impl(const Tensor& tensor, std::string_view where) {
    if (!tensor.defined()) {
        throw ArgumentError(where, "got an undefined tensor, wanted a defined one");
    }
    return impl_of(tensor);
}

bool strides_are_contiguous(const Dims& sizes, const Dims& strides) noexcept {
    std::int64_t step = 1;
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        if (sizes[i] == 0) {
            return true;
        }
        if (sizes[i] != 1 && strides[i] != step) {
            return false;
        }
        step *= sizes[i];
    }
    return true;
}

std::int64_t hull_elements(const Dims& sizes, const Dims& strides) noexcept {
    std::int64_t last = 0;
    for (std::int64_t i = 0; i < sizes.count(); ++i) {
        if (sizes[i] == 0) {
            return 0;
        }
        last += (sizes[i] - 1) * strides[i];
    }
    return last + 1;
}

std::int64_t wrap_dim(std::string_view op, std::int64_t dim, std::int64_t count) {
    // A zero-dimensional tensor accepts -1 and 0, as in PyTorch.
    const std::int64_t range = count == 0 ? 1 : count;
    if (dim < -range || dim >= range) {
        throw ArgumentError(op, fmt::format("dim must be in [{}, {}); got {}", -range, range, dim));
    }
    return dim < 0 ? dim + range : dim;
}

std::string describe(const Tensor& tensor) {
    if (!tensor.defined()) {
        return "undefined";
    }
    const TensorImpl& impl = impl_of(tensor);
    return fmt::format("{} {}", to_string(impl.sizes), to_string(impl.dtype));
}

Tensor make_symbolic(const Dims& sizes, DType dtype) {
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->sizes = sizes;
    impl->strides = contiguous_strides(sizes);
    impl->numel = numel(sizes);
    impl->dtype = dtype;
    impl->version = IntrusivePtr<VersionCounter>::make();
    return Tensor(IntrusivePtr<RefCounted>(impl.get()));
}

}  // namespace pumice
