// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/dtype.h"
#include "pumice/export.h"
#include "pumice/future.h"
#include "pumice/host_tensor.h"
#include "pumice/intrusive_ptr.h"
#include "pumice/scalar.h"
#include "pumice/source_location.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {

namespace autograd {
class Node;
}  // namespace autograd

namespace indexing {
class TensorIndex;
}  // namespace indexing

/// Where a tensor lives. There is one place: the process's device (PUMICE_DEVICE).
enum class DeviceType : std::uint8_t { kDefault };

/// How a tensor is made: dtype and whether the tape tracks it. A setter returns changed options.
class TensorOptions {
public:
    /// float32, not tracked.
    constexpr TensorOptions() = default;

    /// Options with this dtype, not tracked unless `requires_grad` says so.
    explicit(false) constexpr TensorOptions(DType dtype, bool requires_grad = false)
        : dtype_(dtype), has_dtype_(true), requires_grad_(requires_grad) {}

    /// The only device; float32, not tracked.
    explicit(false) constexpr TensorOptions(DeviceType /*device*/) {}

    /// Of the elements.
    [[nodiscard]] constexpr DType dtype() const noexcept { return dtype_; }

    /// Whether the dtype was given. Where it was not, tensor() takes the dtype of its values and
    /// to() keeps the tensor's.
    [[nodiscard]] constexpr bool has_dtype() const noexcept { return has_dtype_; }

    /// For floating dtypes only.
    [[nodiscard]] constexpr bool requires_grad() const noexcept { return requires_grad_; }

    /// With another dtype.
    [[nodiscard]] constexpr TensorOptions dtype(DType dtype) const noexcept {
        return {dtype, requires_grad_};
    }

    /// Tracked or not.
    [[nodiscard]] constexpr TensorOptions requires_grad(bool requires_grad) const noexcept {
        TensorOptions changed = *this;
        changed.requires_grad_ = requires_grad;
        return changed;
    }

    /// On the only device.
    [[nodiscard]] constexpr TensorOptions device(DeviceType /*device*/) const noexcept {
        return *this;
    }

private:
    DType dtype_ = kFloat32;
    bool has_dtype_ = false;
    bool requires_grad_ = false;
};

/// A version counter, shared by a tensor and its views. Source: c10::VariableVersion.
class VariableVersion {
public:
    /// No counter, as for inference tensors.
    VariableVersion() noexcept = default;

    /// For the engine.
    explicit VariableVersion(IntrusivePtr<RefCounted> counter) noexcept
        : counter_(std::move(counter)) {}

    /// Whether there is a counter.
    [[nodiscard]] bool enabled() const noexcept { return static_cast<bool>(counter_); }

    /// In-place writes so far. @throws GradModeError (E4) without a counter
    [[nodiscard]] std::uint32_t current_version() const;

private:
    friend class TensorImplFace;
    IntrusivePtr<RefCounted> counter_;
};

/// LibTorch's TensorImpl, as far as Pumice shows it. Used as a pointer.
class TensorImplFace {
public:
    /// For Tensor.
    explicit TensorImplFace(IntrusivePtr<RefCounted> impl) noexcept : impl_(std::move(impl)) {}

    /// Itself.
    TensorImplFace* operator->() noexcept { return this; }

    /// The tensor's counter.
    [[nodiscard]] VariableVersion version_counter() const;
    /// Counts a write that no operator made. Does nothing for an inference tensor in inference
    /// mode.
    /// @throws GradModeError (E2) for an inference tensor outside of inference mode
    void bump_version();
    /// Makes the tensor use another's counter. @throws GradModeError (E7) for an inference tensor;
    /// ArgumentError if `version` has no counter
    void set_version_counter(const VariableVersion& version);

private:
    IntrusivePtr<RefCounted> impl_;
};

/// A handle to a strided n-dimensional array on the device. Copies share the array; views share its
/// storage. Handles may be used from any thread; threads that write a tensor which others use have
/// to order that themselves.
///
/// Methods with LibTorch's names do what LibTorch's do. Dimensions may be negative: -1 is the last.
/// Every method except `defined`, `is_same`, `use_count`, `impl` and `reset` throws ArgumentError
/// on an undefined tensor.
class Tensor {
public:
    /// Undefined: no array.
    Tensor() noexcept = default;

    /// For the engine: a handle to its object.
    explicit Tensor(IntrusivePtr<RefCounted> impl) noexcept : impl_(std::move(impl)) {}

    /// A handle to the same array; a handle that was moved from is undefined.
    /// @{
    Tensor(const Tensor& other) = default;
    Tensor(Tensor&& other) noexcept = default;
    ~Tensor() = default;
    /// @}

    /// Makes this handle one of the other's array.
    /// @{
    Tensor& operator=(const Tensor& other) & = default;
    Tensor& operator=(Tensor&& other) & noexcept = default;

    /// @}

    /// Assignment to a temporary writes values into it: `x[0] = y` is copy_ into the view x[0], or
    /// fill_ for a number. Where the temporary is a copy, as x.index gives with tensors, only the
    /// copy is written: use index_put_ there.
    /// @throws what copy_ and fill_ throw
    /// @{
    Tensor& operator=(const Tensor& values) && { return copy_(values); }

    // NOLINTNEXTLINE(performance-noexcept-move-constructor): it writes, which may fail
    Tensor& operator=(Tensor&& values) && { return copy_(values); }

    Tensor& operator=(const Scalar& value) && { return fill_(value); }

    /// @}

    /// Whether there is an array behind the handle.
    [[nodiscard]] bool defined() const noexcept { return static_cast<bool>(impl_); }

    /// The same array (not equal values).
    [[nodiscard]] bool is_same(const Tensor& other) const noexcept { return impl_ == other.impl_; }

    /// Handles and engine objects that own the array; 0 if undefined.
    [[nodiscard]] std::uint32_t use_count() const noexcept {
        return impl_ ? impl_->use_count() : 0;
    }

    /// Extent of each dimension; empty for a zero-dimensional tensor.
    [[nodiscard]] const Dims& sizes() const;
    /// Elements (not bytes) between neighbours along each dimension; 0 where expanded.
    [[nodiscard]] const Dims& strides() const;
    /// Elements between the start of the storage and the first element.
    [[nodiscard]] std::int64_t storage_offset() const;
    /// Extent of one dimension. @throws ArgumentError for a dimension outside [-dim(), dim())
    [[nodiscard]] std::int64_t size(std::int64_t dim) const;
    /// Stride of one dimension. @throws ArgumentError for a dimension outside [-dim(), dim())
    [[nodiscard]] std::int64_t stride(std::int64_t dim) const;
    /// Count of dimensions, 0 to 8.
    [[nodiscard]] std::int64_t dim() const;
    /// Count of elements; 1 for a zero-dimensional tensor.
    [[nodiscard]] std::int64_t numel() const;
    /// Type of the elements.
    [[nodiscard]] DType dtype() const;
    /// Whether the elements lie in row-major order without gaps (true if there are none).
    [[nodiscard]] bool is_contiguous() const;

    /// Where the elements live: the only device.
    [[nodiscard]] static DeviceType device() noexcept { return DeviceType::kDefault; }

    /// Whether the dtype is float32, float16 or bfloat16: only these have gradients.
    [[nodiscard]] bool is_floating_point() const { return pumice::is_floating_point(dtype()); }

    /// Bytes of the elements, not of the storage.
    [[nodiscard]] std::int64_t nbytes() const;

    // Grad mode and autograd; see grad_mode.h and autograd.h.

    /// Whether it is an inference tensor, which has no history and no version. This never changes.
    [[nodiscard]] bool is_inference() const;
    /// Whether it is a normal tensor made by a view of ops/view.h; inference tensors, detach() and
    /// data() keep no record of their base.
    [[nodiscard]] bool is_view() const;
    /// Whether no recorded operator made it.
    [[nodiscard]] bool is_leaf() const;
    /// Whether it, or the base it is a view of, is tracked by the tape.
    [[nodiscard]] bool requires_grad() const;
    /// Starts or stops tracking; returns this.
    /// @throws DTypeError for true and a dtype that is not floating; GradModeError for true on an
    ///         inference tensor outside of inference mode (E5), for false on a non-leaf
    Tensor& set_requires_grad(bool requires_grad);

    /// As set_requires_grad.
    Tensor& requires_grad_(bool requires_grad = true) { return set_requires_grad(requires_grad); }

    /// In-place writes so far. @throws GradModeError (E4) on an inference tensor
    [[nodiscard]] std::uint32_t _version() const;
    /// The gradient that `backward` accumulated in a leaf (or after retain_grad), or undefined.
    [[nodiscard]] Tensor grad() const;
    /// Replaces the gradient; an undefined one clears it.
    /// @throws ShapeError, DTypeError unless it has this tensor's shape and dtype
    void set_grad(Tensor grad);
    /// The recorded operator that made this tensor (see autograd.h), or null. If this is a view
    /// whose base was written since, its history is computed anew.
    /// @throws GradModeError for such a view that was made in no_grad or inference mode (E6, E8)
    [[nodiscard]] std::shared_ptr<autograd::Node> grad_fn() const;
    /// Lets `backward` add to `grad` of this non-leaf too; does nothing on a leaf.
    /// @throws GradModeError unless it requires grad (E13)
    void retain_grad();
    /// Whether retain_grad was called on this non-leaf.
    [[nodiscard]] bool retains_grad() const;

    /// From now on every backward walk that reaches this tensor calls `hook` with the gradient of
    /// its present value, before anything else gets that gradient. A hook may return another
    /// gradient of the same shape, with which the walk goes on; if it returns nothing or an
    /// undefined tensor, the gradient stays. Returns the hook's position.
    /// @throws GradModeError unless it requires grad (E13)
    template <class F>
    unsigned register_hook(F&& hook) {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, const Tensor&>>) {
            return add_hook([call = std::forward<F>(hook)](const Tensor& gradient) mutable {
                call(gradient);
                return Tensor();
            });
        } else {
            return add_hook(std::forward<F>(hook));
        }
    }

    /// Removes the hook at a position; the others keep their positions.
    /// @throws ArgumentError where there is none
    void remove_hook(unsigned position);
    /// Adds d(this)/d(leaf), weighted by `gradient`, to `grad` of the leaves. `gradient` has this
    /// tensor's shape, and defaults to 1 for one element. For the rest see autograd::backward.
    /// @throws GradModeError without history (E12), in inference mode (E16), or if a saved tensor
    ///         was modified (E9) or freed; ShapeError for another shape, or no gradient and several
    ///         elements
    void backward(const Tensor& gradient = {},
                  std::optional<bool> retain_graph = {},
                  bool create_graph = false,
                  const std::optional<std::vector<Tensor>>& inputs = {}) const;

    /// The same for one input, so that LibTorch's `{x}` is one.
    void backward(const Tensor& gradient,
                  std::optional<bool> retain_graph,
                  bool create_graph,
                  const Tensor& input) const {
        backward(gradient, retain_graph, create_graph, std::vector<Tensor>{input});
    }

    /// A tensor with the same storage and version counter and without history. It has this tensor's
    /// kind, in every mode.
    [[nodiscard]] Tensor detach() const;
    /// Drops this tensor's history and stops tracking it. Does nothing for an inference tensor.
    /// @throws GradModeError for a view
    Tensor& detach_();
    /// A tensor with the same storage, a version counter of its own and no history: autograd does
    /// not notice writes to it.
    [[nodiscard]] Tensor data() const;

    /// As detach(): writes to it are noticed.
    [[nodiscard]] Tensor tensor_data() const { return detach(); }

    /// Takes over the other's storage, shape, strides and dtype; version counter, history and
    /// gradient stay. Source: grad-mode rule G52.
    /// @throws GradModeError if the kinds differ (E14), and for inference tensors outside of
    ///         inference mode (E2); ArgumentError for an undefined tensor
    void set_data(const Tensor& other);
    /// Moves the storage of an inference tensor, with all its views, to persistent memory; the kind
    /// stays. Does nothing if the storage is there already.
    /// @throws OutOfMemoryError, GradModeError naming `line` for a tensor of a captured function
    Tensor& persist(SourceLocation line = SourceLocation::current());

    // To the host. All throw GradModeError, which names `line`, for a tensor of a captured
    // function.

    /// All values in row-major order, converted to T (float, double, std::int32_t, std::int64_t,
    /// std::int8_t, std::uint8_t or bool) as convert_host does. Waits for the device.
    /// @throws DTypeError for a value that T cannot hold, DeviceError
    template <class T>
    [[nodiscard]] std::vector<T> to_vector(SourceLocation line = SourceLocation::current()) const {
        return to_host(line).values<T>();
    }

    /// Copies the values to the host. Waits for the device. @throws DeviceError
    [[nodiscard]] HostTensor to_host(SourceLocation line = SourceLocation::current()) const;
    /// Starts the copy and returns at once; the values are those at the time of the call.
    /// @throws OutOfMemoryError for the copy that it takes on the device
    [[nodiscard]] Future<HostTensor> to_host_async(
        SourceLocation line = SourceLocation::current()) const;
    /// The one value, of the dtype's class. Waits for the device.
    /// @throws ShapeError unless numel() is 1, DeviceError
    [[nodiscard]] Scalar item(SourceLocation line = SourceLocation::current()) const;

    /// The one value, cast to T. @throws ShapeError, DeviceError as above
    template <class T>
    [[nodiscard]] T item(SourceLocation line = SourceLocation::current()) const {
        return static_cast<T>(item(line).toDouble());
    }

    /// The elements where the device keeps them, null without any: waits for the device. What is
    /// written there is seen by every later operator, and neither the version nor autograd notices,
    /// as in PyTorch. Valid until another operator uses the tensor (ask again then), the storage
    /// dies or is replaced, or persist() moves it. T as in to_vector, float64 and int64 excepted.
    /// @throws DTypeError unless T is the dtype's C++ type; ShapeError unless contiguous;
    ///         UnsupportedError where the device's memory is not mapped (a discrete GPU's, or with
    ///         PUMICE_STAGING=force); DeviceError
    template <class T>
    [[nodiscard]] T* data_ptr(SourceLocation line = SourceLocation::current()) const {
        return static_cast<T*>(host_data(host_dtype_of<std::remove_const_t<T>>(), line));
    }

    /// The function of this name in ops/elementwise.h, with this tensor as its first operand.
    /// @{
    [[nodiscard]] Tensor clone() const;
    [[nodiscard]] Tensor contiguous() const;
    [[nodiscard]] Tensor to(DType dtype) const;

    /// @}

    /// This tensor in the options' dtype, or itself if they have none. @throws ArgumentError if the
    /// options ask for requires_grad (call set_requires_grad() on the result); UnsupportedError for
    /// float64
    [[nodiscard]] Tensor to(const TensorOptions& options) const;

    /// The function of this name in ops/elementwise.h, which writes into this tensor.
    /// @{
    Tensor& copy_(const Tensor& source);
    Tensor& fill_(const Scalar& value);
    Tensor& zero_();
    /// @}

    /// The function of this name in ops/elementwise.h, with this tensor as its first operand.
    /// @{
    [[nodiscard]] Tensor add(const Tensor& other, const Scalar& alpha = 1) const;
    [[nodiscard]] Tensor sub(const Tensor& other, const Scalar& alpha = 1) const;
    [[nodiscard]] Tensor mul(const Tensor& other) const;
    [[nodiscard]] Tensor div(const Tensor& other) const;
#define PUMICE_UNARY(name, record)     \
    [[nodiscard]] Tensor name() const; \
    Tensor& name##_();
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY
    [[nodiscard]] Tensor pow(const Scalar& exponent) const;
    [[nodiscard]] Tensor masked_fill(const Tensor& mask, const Scalar& value) const;
    [[nodiscard]] Tensor add(const Scalar& other) const;
    [[nodiscard]] Tensor sub(const Scalar& other) const;
    [[nodiscard]] Tensor mul(const Scalar& other) const;
    [[nodiscard]] Tensor div(const Scalar& other) const;
    [[nodiscard]] Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max) const;
    Tensor& add_(const Tensor& other, const Scalar& alpha = 1);
    Tensor& add_(const Scalar& other);
    Tensor& sub_(const Tensor& other, const Scalar& alpha = 1);
    Tensor& sub_(const Scalar& other);
    Tensor& mul_(const Tensor& other);
    Tensor& mul_(const Scalar& other);
    Tensor& div_(const Tensor& other);
    Tensor& div_(const Scalar& other);

    /// @}

    /// add_, sub_, mul_ and div_ as operators.
    /// @{
    template <class T>
    Tensor& operator+=(const T& other) {
        return add_(other);
    }

    template <class T>
    Tensor& operator-=(const T& other) {
        return sub_(other);
    }

    template <class T>
    Tensor& operator*=(const T& other) {
        return mul_(other);
    }

    template <class T>
    Tensor& operator/=(const T& other) {
        return div_(other);
    }

    /// @}

    /// select along the first dimension, for reading and, through the view, for writing.
    Tensor operator[](std::int64_t index) const {
        return select(0, index);
    }

    /// The comparison or function of this name in ops/elementwise.h, with this tensor as its first
    /// operand.
    /// @{
    [[nodiscard]] Tensor eq(const Tensor& other) const;
    [[nodiscard]] Tensor eq(const Scalar& other) const;
    [[nodiscard]] Tensor ne(const Tensor& other) const;
    [[nodiscard]] Tensor ne(const Scalar& other) const;
    [[nodiscard]] Tensor lt(const Tensor& other) const;
    [[nodiscard]] Tensor lt(const Scalar& other) const;
    [[nodiscard]] Tensor le(const Tensor& other) const;
    [[nodiscard]] Tensor le(const Scalar& other) const;
    [[nodiscard]] Tensor gt(const Tensor& other) const;
    [[nodiscard]] Tensor gt(const Scalar& other) const;
    [[nodiscard]] Tensor ge(const Tensor& other) const;
    [[nodiscard]] Tensor ge(const Scalar& other) const;
    [[nodiscard]] Tensor logical_not() const;
    /// @}

    /// Indexing as x[...] of Python does it, with pumice/indexing.h's words: an integer takes one
    /// element of its dimension away, a Slice keeps some, None adds a dimension of extent 1,
    /// Ellipsis stands for the dimensions not named, and the last ones may be left out. The result
    /// is a view.
    ///
    /// With int32 or bool tensors (or bools) among the indices the result is a copy. int32 tensors
    /// are broadcast together, and each stands for one dimension; negative indices count from the
    /// end, for indices outside see ops/index.h. A bool tensor stands for as many dimensions as it
    /// has, of its own extents, and selects the elements where it is true; the host waits for it.
    /// The dimensions of the broadcast indices stand where the first of them did, or in front if a
    /// Slice, None or Ellipsis stands between two of them. A zero-dimensional int32 tensor is read
    /// and used as an integer. Gradients: those of the views; for a copy each element gets the sum
    /// over its uses. Backward saves the indices.
    /// @throws ArgumentError for no or too many indices, two Ellipses, an integer outside its
    ///         dimension, a step below 1 or an undefined tensor; ShapeError for a mask of another
    ///         shape or indices that do not broadcast; DTypeError for tensors of other dtypes
    /// Source: PyTorch's at::indexing, NumPy's advanced indexing.
    /// @{
    [[nodiscard]] Tensor index(std::initializer_list<indexing::TensorIndex> indices) const;
    [[nodiscard]] Tensor index(const std::vector<indexing::TensorIndex>& indices) const;
    /// @}

    /// index with one int32 or bool tensor.
    Tensor operator[](const Tensor& index) const;

    /// Writes values, broadcast, to the elements that `index` would give, or adds them with
    /// `accumulate`. Of several values for one element the last in row-major order stays, and has
    /// the gradient. This is an in-place write of this tensor. With tensors among the indices, time
    /// and memory grow with all that the other indices leave of it.
    /// @throws as index; DTypeError unless the values have this tensor's dtype, or if it cannot
    ///         hold the Scalar; ShapeError unless they broadcast; what copy_ throws
    /// @{
    Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices,
                       const Tensor& values,
                       bool accumulate = false);
    Tensor& index_put_(std::initializer_list<indexing::TensorIndex> indices,
                       const Scalar& value,
                       bool accumulate = false);
    Tensor& index_put_(const std::vector<indexing::TensorIndex>& indices,
                       const Tensor& values,
                       bool accumulate = false);
    Tensor& index_put_(const std::vector<indexing::TensorIndex>& indices,
                       const Scalar& value,
                       bool accumulate = false);
    /// @}

    /// The function of this name in ops/index.h, with this tensor as its first operand.
    /// @{
    [[nodiscard]] Tensor index_select(std::int64_t dim, const Tensor& index) const;
    [[nodiscard]] Tensor gather(std::int64_t dim, const Tensor& index) const;
    [[nodiscard]] Tensor masked_select(const Tensor& mask) const;
    [[nodiscard]] Tensor nonzero() const;
    [[nodiscard]] Tensor repeat(const Dims& repeats) const;
    /// @}

    /// The function of this name in ops/reduce.h, ops/nn.h or ops/linalg.h, with this tensor as its
    /// first operand. No dims means all.
    /// @{
    [[nodiscard]] Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor var(const Dims& dims = {},
                             std::int64_t correction = 1,
                             bool keepdim = false) const;
    [[nodiscard]] Tensor std(const Dims& dims = {},
                             std::int64_t correction = 1,
                             bool keepdim = false) const;
    [[nodiscard]] Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor argmax(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor argmin(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor any(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor all(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor cumsum(std::int64_t dim) const;
    [[nodiscard]] Tensor softmax(std::int64_t dim) const;
    [[nodiscard]] Tensor log_softmax(std::int64_t dim) const;
    [[nodiscard]] Tensor matmul(const Tensor& other) const;

    /// @}

    /// amax and amin over all dimensions.
    /// @{
    [[nodiscard]] Tensor max() const;
    [[nodiscard]] Tensor min() const;

    /// @}

    /// The function of this name in ops/view.h, with this tensor as its operand.
    /// @{
    [[nodiscard]] Tensor view(const Dims& sizes) const;
    [[nodiscard]] Tensor reshape(const Dims& sizes) const;
    [[nodiscard]] Tensor flatten(std::int64_t start_dim = 0, std::int64_t end_dim = -1) const;
    [[nodiscard]] Tensor transpose(std::int64_t dim0, std::int64_t dim1) const;
    [[nodiscard]] Tensor t() const;
    [[nodiscard]] Tensor permute(const Dims& dims) const;
    [[nodiscard]] Tensor expand(const Dims& sizes) const;
    [[nodiscard]] Tensor squeeze(std::int64_t dim) const;
    [[nodiscard]] Tensor unsqueeze(std::int64_t dim) const;
    [[nodiscard]] Tensor select(std::int64_t dim, std::int64_t index) const;
    [[nodiscard]] Tensor slice(std::int64_t dim,
                               std::int64_t start,
                               std::optional<std::int64_t> end = {},
                               std::int64_t step = 1) const;
    [[nodiscard]] Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
    [[nodiscard]] Tensor unfold(std::int64_t dim, std::int64_t length, std::int64_t step) const;
    [[nodiscard]] Tensor view_as(const Tensor& other) const;
    [[nodiscard]] std::vector<Tensor> split_with_sizes(const std::vector<std::int64_t>& lengths,
                                                       std::int64_t dim = 0) const;
    [[nodiscard]] std::vector<Tensor> split(std::int64_t split_length, std::int64_t dim = 0) const;
    [[nodiscard]] std::vector<Tensor> chunk(std::int64_t chunks, std::int64_t dim = 0) const;

    /// @}

    /// LibTorch's way to the version counter.
    [[nodiscard]] TensorImplFace unsafeGetTensorImpl() const;

    /// The engine's object behind the handle; opaque to users.
    [[nodiscard]] RefCounted* impl() const noexcept {
        return impl_.get();
    }

    /// Makes this handle undefined; other handles keep the array.
    void reset() noexcept {
        impl_.reset();
    }

private:
    [[nodiscard]] void* host_data(HostDType wanted, const SourceLocation& line) const;
    unsigned add_hook(std::function<Tensor(const Tensor&)> hook);

    IntrusivePtr<RefCounted> impl_;
};

/// Values in brackets, shape and dtype. Of a long dimension the first and the last six values are
/// shown; an undefined tensor is "undefined tensor". Copies all values and waits for the device.
/// @throws DeviceError
/// @{
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
/// @}

}  // namespace pumice
