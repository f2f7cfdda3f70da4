// SPDX-License-Identifier: Apache-2.0
// Sizes, strides and what they say of a tensor's memory.
#include "tensor/tensor_impl.h"

#include "pumice/error.h"

#include "tensor/debug_counters.h"

#include <fmt/format.h>

#include <algorithm>

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
    bool is_row_major = true;
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        if (sizes[i] == 0) {
            return true;
        }
        is_row_major = is_row_major && (sizes[i] == 1 || strides[i] == step);
        step *= sizes[i];
    }
    return is_row_major;
}

namespace {

// Looks for two indices of one element: their differences d, |d_i| < size_i and not all 0, have
// sum(d_i * stride_i) = 0. Dimensions are sorted by stride, the longest first, so that what the
// inner ones can still take back bounds each choice.
class OverlapSearch {
public:
    OverlapSearch(const Dims& sizes, const Dims& strides) noexcept {
        for (std::int64_t i = 0; i < sizes.count(); ++i) {
            if (sizes[i] > 1) {
                insert(sizes[i], strides[i]);
            }
        }
        std::int64_t reach = 0;
        for (std::int64_t i = sizes_.count() - 1; i >= 0; --i) {
            reach_.insert(0, reach);
            nests_ = nests_ && strides_[i] > reach;
            reach += (sizes_[i] - 1) * strides_[i];
        }
    }

    bool finds() noexcept { return !nests_ && finds_from(0, 0, false); }

private:
    void insert(std::int64_t extent, std::int64_t stride) noexcept {
        std::int64_t at = 0;
        while (at < strides_.count() && strides_[at] > stride) {
            ++at;
        }
        sizes_.insert(at, extent);
        strides_.insert(at, stride);
    }

    // `rest` is the sum of the choices before dimension `dim`, one of which is not 0 if `is_apart`;
    // the first such choice is positive, as the other sign means the same two elements.
    bool finds_from(std::int64_t dim, std::int64_t rest, bool is_apart) noexcept {
        constexpr int kMostSteps = 10000;
        if (++steps_ > kMostSteps) {
            return true;
        }
        if (dim == sizes_.count()) {
            return is_apart && rest == 0;
        }
        const std::int64_t stride = strides_[dim];
        if (stride == 0) {
            return true;
        }
        const std::int64_t most = sizes_[dim] - 1;
        const std::int64_t low = is_apart ? std::max(-most, -(rest + reach_[dim]) / stride) : 0;
        const std::int64_t high = std::min(most, (reach_[dim] - rest) / stride);
        for (std::int64_t d = low; d <= high; ++d) {
            if (finds_from(dim + 1, rest + d * stride, is_apart || d != 0)) {
                return true;
            }
        }
        return false;
    }

    Dims sizes_;
    Dims strides_;
    Dims reach_;  ///< by dimension: the most that the inner ones add up to
    bool nests_ = true;
    int steps_ = 0;
};

}  // namespace

bool overlaps_itself(const TensorImpl& impl) noexcept {
    return !impl.is_contiguous && impl.numel > 1 && OverlapSearch(impl.sizes, impl.strides).finds();
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
