// SPDX-License-Identifier: Apache-2.0
// Between tensors and the host: from_bytes, to_host, to_host_async, item, data_ptr, persist.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/state.h"
#include "memory/trace.h"
#include "memory/transfer.h"
#include "ops/factory/factory.h"
#include "tensor/scalar_bits.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace pumice {

namespace {

// Reading is no part of the caller's computation: no node is recorded for it.
AutogradState without_grad() noexcept {
    AutogradState state = dispatch::thread_state.autograd;
    state.grad = false;
    return state;
}

// A tensor on its way to the host; keeps its memory alive until the bytes are taken.
class TensorReadback final : public detail::FutureSource<HostTensor> {
public:
    // `source` is contiguous and not empty; nobody may write it until `get`.
    explicit TensorReadback(Tensor source) : source_(std::move(source)) {
        const dispatch::BoundRange range = dispatch::bind(source_);
        const TensorImpl& impl = impl_of(source_);
        first_byte_ = range.offset_elements * itemsize(impl.dtype);
        readback_ = memory::download(range.binding);
        memory::trace_host_read(impl.storage->allocation().id);
    }

    [[nodiscard]] bool is_ready() override { return readback_.is_ready(); }

    void wait() override { readback_.wait(); }

    void when_ready(std::function<void()> then) override {
        readback_.when_ready([then = std::move(then)] {
            const pumice::detail::FlowScope scope(pumice::detail::kServiceModes);  // G59
            then();
        });
    }

    HostTensor get() override {
        const TensorImpl& impl = impl_of(source_);
        HostTensor host{.sizes = impl.sizes, .dtype = impl.dtype, .bytes = {}};
        const auto bytes =
            readback_.bytes().subspan(static_cast<std::size_t>(first_byte_),
                                      static_cast<std::size_t>(impl.numel * itemsize(impl.dtype)));
        host.bytes.assign(bytes.begin(), bytes.end());
        return host;
    }

private:
    Tensor source_;
    std::int64_t first_byte_ = 0;
    memory::Readback readback_;
};

// A tensor without elements.
class EmptyReadback final : public detail::FutureSource<HostTensor> {
public:
    explicit EmptyReadback(const TensorImpl& impl)
        : host_{.sizes = impl.sizes, .dtype = impl.dtype, .bytes = {}} {}

    [[nodiscard]] bool is_ready() override { return true; }

    void wait() override {}

    void when_ready(std::function<void()> then) override { then(); }

    HostTensor get() override { return std::move(host_); }

private:
    HostTensor host_;
};

// Bytes as the device keeps them, in the target dtype.
std::vector<std::byte> converted(std::span<const std::byte> bytes,
                                 HostDType source,
                                 DType target,
                                 std::int64_t count) {
    std::vector<std::byte> out(static_cast<std::size_t>(count * itemsize(target)));
    convert_host(bytes.data(), source, out.data(), host_dtype(target), count);
    return out;
}

// That a floating dtype holds each number of a list, which somebody wrote, where an array's numbers
// may have been computed.
void check_held(std::span<const std::byte> bytes, HostDType source, DType target) {
    const bool may_lose = source == HostDType::kF64 || itemsize(target) < 4;
    if (!pumice::is_floating_point(target) || !may_lose || source == host_dtype(target)) {
        return;
    }
    std::vector<double> values(bytes.size() / host_itemsize(source));
    convert_host(bytes.data(),
                 source,
                 reinterpret_cast<std::byte*>(values.data()),
                 HostDType::kF64,
                 static_cast<std::int64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!holds(target, values[i])) {
            throw DTypeError(
                "tensor",
                fmt::format(
                    "element {} is {}, which {} cannot hold", i, values[i], to_string(target)));
        }
    }
}

void upload_to(const Tensor& target, std::span<const std::byte> bytes) {
    memory::upload(dispatch::bind(target).binding, bytes);
    if (memory::trace_is_open.load(std::memory_order_relaxed)) {
        const std::uint64_t id = impl_of(target).storage->allocation().id;
        memory::trace_kernel("from_bytes", {}, {&id, 1});
    }
}

}  // namespace

HostTensor Tensor::to_host(SourceLocation line) const try {
    const TensorImpl& impl = checked_impl(*this, "to_host");
    dispatch::check_placed("to_host", *this, line);
    if (impl.numel == 0) {
        return {.sizes = impl.sizes, .dtype = impl.dtype, .bytes = {}};
    }
    const dispatch::UncheckedState state(without_grad());
    const dispatch::CapturePause pause;
    return TensorReadback(pumice::contiguous(*this)).get();

} catch (const Error&) {
    rethrow_under("to_host");
}

Future<HostTensor> Tensor::to_host_async(SourceLocation line) const try {
    const TensorImpl& impl = checked_impl(*this, "to_host_async");
    dispatch::check_placed("to_host_async", *this, line);
    if (impl.numel == 0) {
        return Future<HostTensor>(std::make_shared<EmptyReadback>(impl));
    }
    const dispatch::UncheckedState state(without_grad());
    // A copy of its own, because later operators may write this tensor before the bytes are taken.
    const dispatch::CapturePause pause;
    return Future<HostTensor>(std::make_shared<TensorReadback>(pumice::clone(*this)));

} catch (const Error&) {
    rethrow_under("to_host_async");
}

Scalar Tensor::item(SourceLocation line) const {
    const TensorImpl& impl = checked_impl(*this, "item");
    dispatch::check_placed("item", *this, line);
    if (impl.numel != 1) {
        throw ShapeError("item",
                         fmt::format("the tensor must have one element; got {}", describe(*this)));
    }
    const double value = to_vector<double>()[0];
    if (is_floating_point()) {
        return value;
    }
    return impl.dtype == kBool ? Scalar(value != 0.0) : Scalar(static_cast<std::int64_t>(value));
}

void* Tensor::host_data(HostDType wanted, const SourceLocation& line) const {
    const TensorImpl& impl = checked_impl(*this, "data_ptr");
    dispatch::check_placed("data_ptr", *this, line);
    if (host_dtype(impl.dtype) != wanted) {
        throw DTypeError("data_ptr",
                         fmt::format("the type asked for must be that of the elements; got {}",
                                     describe(*this)));
    }
    if (!impl.is_contiguous) {
        throw ShapeError("data_ptr",
                         fmt::format("the tensor must be contiguous; got {} with strides {}",
                                     describe(*this),
                                     to_string(impl.strides)));
    }
    if (impl.numel == 0) {
        return nullptr;
    }
    const dispatch::BoundRange range = dispatch::bind(*this);
    std::byte* const first = memory::map_for_host(range.binding);
    if (first == nullptr) {
        throw UnsupportedError("data_ptr",
                               "the host does not see this device's memory; to_vector and copy_ "
                               "move values");
    }
    memory::trace_host_read(impl.storage->allocation().id);
    return first + range.offset_elements * itemsize(impl.dtype);
}

Tensor from_bytes(std::span<const std::byte> bytes,
                  HostDType source,
                  const Dims& sizes,
                  const TensorOptions& options) try {
    ops::check_new_sizes("from_bytes", sizes);
    ops::check_device_dtype("from_bytes", options.dtype());
    const std::int64_t count = numel(sizes);
    const std::size_t wanted = static_cast<std::size_t>(count) * host_itemsize(source);
    if (bytes.size() != wanted) {
        throw ShapeError(
            "from_bytes",
            fmt::format("shape {} needs {} bytes; got {}", to_string(sizes), wanted, bytes.size()));
    }
    // Booleans are converted too: only 0 and 1 may reach the device.
    const bool is_same = source == host_dtype(options.dtype()) && source != HostDType::kBoolean;
    const std::vector<std::byte> own =
        is_same ? std::vector<std::byte>() : converted(bytes, source, options.dtype(), count);
    const dispatch::CapturePause pause;  // a constant of a captured function: it has values now
    Tensor made = dispatch::make_tensor(sizes, options.dtype());
    if (count != 0) {
        upload_to(made, is_same ? bytes : std::span<const std::byte>(own));
    }
    if (options.requires_grad()) {
        made.set_requires_grad(true);
    }
    return made;

} catch (const Error&) {
    rethrow_under("from_bytes");
}

namespace detail {

Tensor from_host_values(std::span<const std::byte> bytes,
                        HostDType source,
                        const Dims& sizes,
                        const TensorOptions& options) try {
    return from_bytes(bytes, source, sizes, options);

} catch (const Error&) {
    rethrow_under("from_values");
}

Tensor from_list(std::span<const std::byte> bytes,
                 HostDType source,
                 std::size_t count,
                 const TensorOptions& options) try {
    check_held(bytes, source, options.dtype());
    return from_bytes(bytes, source, {static_cast<std::int64_t>(count)}, options);

} catch (const Error&) {
    rethrow_under("tensor");
}

}  // namespace detail

Tensor& Tensor::persist(SourceLocation line) {
    TensorImpl& impl = checked_impl(*this, "persist");
    dispatch::check_placed("persist", *this, line);
    if (!impl.storage->is_transient()) {
        return *this;
    }
    const memory::Allocation& old = impl.storage->allocation();
    const memory::Allocation kept =
        memory::allocator().allocate(old.range.size_bytes, memory::StorageClass::kPersistent);
    try {
        vk::device().queue().copy(
            old.range, {kept.range.buffer, kept.range.offset_bytes, old.range.size_bytes});
    } catch (...) {
        memory::allocator().deallocate(kept);
        throw;
    }
    impl.storage->move_to(kept);
    return *this;
}

Tensor Tensor::detach() const {
    checked_impl(*this, "detach");
    return dispatch::alias(*this, true);
}

Tensor Tensor::data() const {
    checked_impl(*this, "data");
    return dispatch::alias(*this, false);
}

}  // namespace pumice
