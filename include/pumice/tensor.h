// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/dtype.h"
#include "pumice/future.h"
#include "pumice/host_tensor.h"
#include "pumice/intrusive_ptr.h"
#include "pumice/scalar.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pumice {

/// How a tensor is made: dtype and whether the tape tracks it.
struct TensorOptions {
    DType dtype = kFloat32;
    bool requires_grad = false;

    constexpr TensorOptions() = default;

    // NOLINTNEXTLINE(google-explicit-constructor): a dtype is meant to convert
    constexpr TensorOptions(DType dtype_in, bool requires_grad_in = false)
        : dtype(dtype_in), requires_grad(requires_grad_in) {}
};

/// A handle to a strided n-dimensional array on the device. Copies share the array; views share its
/// storage. Handles may be used from any thread; writes need the callers' own order.
///
/// Methods with LibTorch's names do what LibTorch's do. Dimensions may be negative: -1 is the last.
/// Every method but `defined` throws ArgumentError on an undefined tensor.
class Tensor {
public:
    Tensor() noexcept = default;

    explicit Tensor(IntrusivePtr<RefCounted> impl) noexcept : impl_(std::move(impl)) {}

    [[nodiscard]] bool defined() const noexcept { return static_cast<bool>(impl_); }

    /// The same array (not equal values).
    [[nodiscard]] bool is_same(const Tensor& other) const noexcept { return impl_ == other.impl_; }

    [[nodiscard]] std::uint32_t use_count() const noexcept {
        return impl_ ? impl_->use_count() : 0;
    }

    // Geometry. Sizes and strides count elements.
    [[nodiscard]] const Dims& sizes() const;
    [[nodiscard]] const Dims& strides() const;
    /// Elements between the start of the storage and the first element.
    [[nodiscard]] std::int64_t storage_offset() const;
    /// @throws ArgumentError for a dimension outside [-dim(), dim())
    [[nodiscard]] std::int64_t size(std::int64_t dim) const;
    /// @throws ArgumentError for a dimension outside [-dim(), dim())
    [[nodiscard]] std::int64_t stride(std::int64_t dim) const;
    [[nodiscard]] std::int64_t dim() const;
    [[nodiscard]] std::int64_t numel() const;
    [[nodiscard]] DType dtype() const;
    [[nodiscard]] bool is_contiguous() const;

    [[nodiscard]] bool is_floating_point() const { return pumice::is_floating_point(dtype()); }

    /// Bytes of the elements, not of the storage.
    [[nodiscard]] std::int64_t nbytes() const;

    // Grad mode and autograd; see grad_mode.h and autograd.h.
    [[nodiscard]] bool is_inference() const;
    [[nodiscard]] bool is_view() const;
    [[nodiscard]] bool is_leaf() const;
    [[nodiscard]] bool requires_grad() const;
    /// @throws GradModeError (E5), DTypeError for a dtype without gradients, GradModeError for false
    /// on a non-leaf
    Tensor& set_requires_grad(bool requires_grad);
    /// In-place writes so far. @throws GradModeError (E4) on an inference tensor
    [[nodiscard]] std::uint32_t _version() const;
    /// The accumulated gradient, or undefined.
    [[nodiscard]] Tensor grad() const;
    /// Replaces the gradient. @throws ShapeError, DTypeError unless it has this tensor's
    void set_grad(Tensor grad);
    /// Name of the node that made this tensor ("MulBackward"), or empty.
    [[nodiscard]] std::string grad_fn_name() const;
    [[nodiscard]] bool has_grad_fn() const;
    void retain_grad();
    /// Accumulates d(this)/d(leaf) into the leaves' `grad`. `gradient` defaults to 1 for one
    /// element.
    /// @throws GradModeError (E12, E16, E9), ShapeError
    void backward(const Tensor& gradient = {},
                  bool retain_graph = false,
                  bool create_graph = false) const;
    /// Same storage and version counter, no history.
    [[nodiscard]] Tensor detach() const;
    Tensor& detach_();
    /// Same storage, a version counter of its own, no history.
    [[nodiscard]] Tensor data() const;
    /// Takes over the other's array; the version counter stays. Source: grad-mode rule G52.
    /// @throws GradModeError (E14) when the kinds differ, E2 for inference tensors outside of
    /// inference mode
    void set_data(const Tensor& other);
    /// Moves an inference tensor's values to persistent memory; the kind stays.
    Tensor& persist();

    // To the host.
    /// All values in row-major order, converted to T. Waits for the device.
    template <class T>
    std::vector<T> to_vector() const {
        return to_host().values<T>();
    }

    /// Copies the values to the host. Waits for the device. @throws DeviceError
    [[nodiscard]] HostTensor to_host() const;
    /// Starts the copy and returns at once; the values are those at the time of the call.
    [[nodiscard]] Future<HostTensor> to_host_async() const;
    /// The one value. @throws ShapeError unless numel() is 1
    [[nodiscard]] double item() const;

    template <class T>
    T item() const {
        return static_cast<T>(item());
    }

    // Copies and conversions.
    [[nodiscard]] Tensor clone() const;
    [[nodiscard]] Tensor contiguous() const;
    /// Itself if it has the dtype already.
    [[nodiscard]] Tensor to(DType dtype) const;

    [[nodiscard]] Tensor to(const TensorOptions& options) const { return to(options.dtype); }

    /// Writes the other's values, converted and broadcast, into this.
    Tensor& copy_(const Tensor& source);
    Tensor& fill_(const Scalar& value);
    Tensor& zero_();

    // Arithmetic; see ops/elementwise.h.
    [[nodiscard]] Tensor add(const Tensor& other, const Scalar& alpha = 1) const;
    [[nodiscard]] Tensor sub(const Tensor& other, const Scalar& alpha = 1) const;
    [[nodiscard]] Tensor mul(const Tensor& other) const;
    [[nodiscard]] Tensor div(const Tensor& other) const;
    [[nodiscard]] Tensor neg() const;
    [[nodiscard]] Tensor abs() const;
    [[nodiscard]] Tensor square() const;
    [[nodiscard]] Tensor sqrt() const;
    [[nodiscard]] Tensor exp() const;
    [[nodiscard]] Tensor log() const;
    [[nodiscard]] Tensor tanh() const;
    [[nodiscard]] Tensor sigmoid() const;
    [[nodiscard]] Tensor relu() const;
    [[nodiscard]] Tensor pow(const Scalar& exponent) const;
    [[nodiscard]] Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max) const;
    Tensor& add_(const Tensor& other, const Scalar& alpha = 1);
    Tensor& add_(const Scalar& other);
    Tensor& sub_(const Tensor& other, const Scalar& alpha = 1);
    Tensor& mul_(const Tensor& other);
    Tensor& mul_(const Scalar& other);
    Tensor& div_(const Tensor& other);
    Tensor& div_(const Scalar& other);

    // Reductions; see ops/reduce.h. No dims means all.
    [[nodiscard]] Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor argmax(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
    [[nodiscard]] Tensor softmax(std::int64_t dim) const;
    [[nodiscard]] Tensor log_softmax(std::int64_t dim) const;
    [[nodiscard]] Tensor matmul(const Tensor& other) const;

    // Views; see ops/view.h.
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
    [[nodiscard]] std::vector<Tensor> split(std::int64_t split_length, std::int64_t dim = 0) const;
    [[nodiscard]] std::vector<Tensor> chunk(std::int64_t chunks, std::int64_t dim = 0) const;

    /// The engine's object behind the handle; opaque to users.
    [[nodiscard]] RefCounted* impl() const noexcept { return impl_.get(); }

    void reset() noexcept { impl_.reset(); }

private:
    IntrusivePtr<RefCounted> impl_;
};

/// Values in brackets, shape and dtype: at most six leading and trailing values a dimension.
/// Waits for the device.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace pumice
