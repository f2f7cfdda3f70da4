// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/pooled.h"
#include "tensor/storage.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace pumice {

/// Counts in-place writes; shared by a base and its views (G34).
class VersionCounter final : public RefCounted, public Pooled<VersionCounter> {
public:
    VersionCounter() noexcept;

    std::uint32_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

    void bump(std::uint32_t count = 1) noexcept {
        value_.fetch_add(count, std::memory_order_relaxed);
    }

    /// Takes back bumps for writes that were not done.
    void take_back(std::uint32_t count) noexcept {
        value_.fetch_sub(count, std::memory_order_relaxed);
    }

private:
    std::atomic<std::uint32_t> value_{0};
};

/// How a view came to be, which decides whether it may be written in grad mode (G36, G37).
enum class CreationMeta : std::uint8_t {
    kDefault,
    kInCustomFunction,
    kMultiOutputNode,
    kNoGradMode,
    kInferenceMode,
};

struct TensorImpl;

/// What a normal view remembers of its base (G35). Views of views record the root.
class ViewRecord final : public RefCounted, public Pooled<ViewRecord> {
public:
    ViewRecord(IntrusivePtr<TensorImpl> base_in, CreationMeta creation_in) noexcept;

    IntrusivePtr<TensorImpl> base;
    CreationMeta creation;
    std::uint32_t attr_version = 0;  ///< version at which the view's grad_fn was computed
};

/// The autograd room's data on a tensor; opaque here.
class AutogradSlot {
public:
    AutogradSlot() = default;
    AutogradSlot(const AutogradSlot&) = delete;
    AutogradSlot& operator=(const AutogradSlot&) = delete;
    AutogradSlot(AutogradSlot&&) = delete;
    AutogradSlot& operator=(AutogradSlot&&) = delete;
    virtual ~AutogradSlot() = default;
};

/// The array behind a Tensor handle. A null storage makes it symbolic: infer and select run on it,
/// a device does not.
struct TensorImpl final : public RefCounted, public Pooled<TensorImpl> {
    IntrusivePtr<Storage> storage;
    Dims sizes;
    Dims strides;             ///< elements
    std::int64_t offset = 0;  ///< elements from the start of the storage
    std::int64_t numel = 1;
    DType dtype = kFloat32;
    bool is_inference = false;
    bool is_contiguous = true;
    bool requires_grad = false;            ///< own flag; a view also asks its base
    bool has_grad_fn = false;              ///< kept by the tape
    IntrusivePtr<VersionCounter> version;  ///< null on inference tensors
    IntrusivePtr<ViewRecord> view;         ///< null unless a normal view
    std::unique_ptr<AutogradSlot> autograd;

    bool tracks_grad() const noexcept {
        return requires_grad || (view && view->base->requires_grad);
    }

    bool is_leaf() const noexcept { return !has_grad_fn; }
};

/// The impl behind a defined handle.
inline TensorImpl& impl_of(const Tensor& tensor) noexcept {
    return *static_cast<TensorImpl*>(tensor.impl());
}

/// As impl_of, for handles from users. @throws ArgumentError if undefined
TensorImpl& checked_impl(const Tensor& tensor, std::string_view where);

/// Row-major strides.
constexpr Dims contiguous_strides(const Dims& sizes) noexcept {
    Dims strides = sizes;
    std::uint64_t step = 1;  // wraps for shapes that no tensor can have
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        strides[i] = static_cast<std::int64_t>(step);
        step *= sizes[i] > 1 ? static_cast<std::uint64_t>(sizes[i]) : 1;
    }
    return strides;
}

/// True if elements lie in row-major order without gaps (strides of extent-1 dimensions are free).
bool strides_are_contiguous(const Dims& sizes, const Dims& strides) noexcept;

/// Whether two indices name one element: then a write's outcome may hang on its order. Exact but
/// for geometries that would take thousands of steps to tell, which count as overlapping.
bool overlaps_itself(const TensorImpl& impl) noexcept;

/// Elements from the first to one past the last that the strides reach; 0 for an empty shape.
std::int64_t hull_elements(const Dims& sizes, const Dims& strides) noexcept;

/// `dim` counted from the front. @throws ArgumentError outside [-count, count)
std::int64_t wrap_dim(std::string_view op, std::int64_t dim, std::int64_t count);

/// "[4, 8] f32"-like text for error messages.
std::string describe(const Tensor& tensor);

/// A tensor without storage, for running infer and select without a device.
Tensor make_symbolic(const Dims& sizes, DType dtype);

}  // namespace pumice
