// SPDX-License-Identifier: Apache-2.0
// Whether a call must be cut for the device to bind its operands, and where.
#include "dispatch/windows.h"

#include "tensor/storage.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace pumice::dispatch {

namespace {

std::uint64_t range_bytes(const TensorImpl& impl, const Dims& sizes) noexcept {
    return static_cast<std::uint64_t>(hull_elements(sizes, impl.strides) * itemsize(impl.dtype));
}

// A cut of the outputs in [0, at) and [at, extent) of one dimension.
struct Cut {
    std::int64_t dim = -1;
    std::int64_t at = 0;
    std::uint64_t saved_bytes = 0;  ///< by the larger part, on ranges that are too large
    bool is_marked = false;         ///< takes a quarter off one of them at least
};

// Elements along a dimension between positions where an output's part can be bound.
std::int64_t cut_unit(const TensorImpl& output, std::int64_t dim, std::uint64_t alignment_bytes) {
    const std::int64_t step_bytes = output.strides[dim] * itemsize(output.dtype);
    const auto alignment = static_cast<std::int64_t>(alignment_bytes);
    return std::max<std::int64_t>(
        alignment / std::gcd(alignment, std::max<std::int64_t>(step_bytes, 1)), 1);
}

// Whether parts along `dim` are contiguous.
bool is_outermost(const TensorImpl& output, std::int64_t dim) noexcept {
    return output.is_contiguous && std::all_of(output.sizes.begin(),
                                               output.sizes.begin() + dim,
                                               [](std::int64_t extent) { return extent == 1; });
}

// The middle of a dimension that all outputs share, or just before, where the second parts can be
// bound. If there is no such position: 0, or the middle where kernels take any offset.
std::int64_t middle(const OpDef& def,
                    std::span<const Tensor> outputs,
                    std::int64_t dim,
                    const vk::Capabilities& caps) {
    const std::int64_t extent = impl_of(outputs[0]).sizes[dim];
    std::int64_t unit = 1;
    for (const Tensor& output : outputs) {
        const TensorImpl& impl = impl_of(output);
        const bool is_shared = dim < impl.sizes.count() && impl.sizes[dim] == extent;
        if (!is_shared || (!def.writes_strided && !is_outermost(impl, dim))) {
            return 0;
        }
        unit = std::lcm(unit, cut_unit(impl, dim, caps.storage_alignment_bytes));
    }
    const std::int64_t aligned = extent / 2 - extent / 2 % unit;
    return aligned == 0 && def.writes_strided ? extent / 2 : aligned;
}

// Counts what the range of a tensor that is too large shrinks by when `dim` (kWhole: none) has only
// `extent` left.
void add_saving(Cut& cut,
                const Tensor& tensor,
                std::int64_t dim,
                std::int64_t extent,
                std::uint64_t most_bytes) noexcept {
    const TensorImpl& impl = impl_of(tensor);
    const std::uint64_t whole = range_bytes(impl, impl.sizes);
    if (dim < 0 || whole <= most_bytes) {
        return;
    }
    Dims sizes = impl.sizes;
    sizes[dim] = extent;
    const std::uint64_t saved = whole - range_bytes(impl, sizes);
    cut.saved_bytes += saved;
    cut.is_marked = cut.is_marked || saved >= whole / 4;
}

// The cut along `dim`; no part is smaller if the call cannot be cut there.
Cut cut_along(const OpCall& call,
              std::span<const Tensor> outputs,
              std::int64_t dim,
              const vk::Capabilities& caps) {
    const std::uint64_t most_bytes = bindable_bytes(caps);
    const Dims& sizes = impl_of(outputs[0]).sizes;
    Cut cut{.dim = dim, .at = middle(call.def, outputs, dim, caps)};
    if (cut.at == 0) {
        return {};
    }
    const std::int64_t left = sizes[dim] - cut.at;
    for (const Tensor& output : outputs) {
        add_saving(cut, output, dim, left, most_bytes);
    }
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        if (!call.inputs[i].defined()) {
            continue;
        }
        const std::int64_t follows = call.def.window(call, i, sizes.count(), dim);
        if (follows == kUncut) {
            return {};
        }
        add_saving(cut, call.inputs[i], follows, left, most_bytes);
    }
    return cut;
}

// The cut that saves most; the outer one of two that save as much.
Cut best_cut(const OpCall& call, std::span<const Tensor> outputs, const vk::Capabilities& caps) {
    Cut best;
    const std::int64_t rank = impl_of(outputs[0]).sizes.count();
    for (std::int64_t dim = 0; call.def.window != nullptr && dim < rank; ++dim) {
        const Cut cut = cut_along(call, outputs, dim, caps);
        if (cut.is_marked && cut.saved_bytes > best.saved_bytes) {
            best = cut;
        }
    }
    return best;
}

Tensor narrowed(const Tensor& tensor, std::int64_t dim, std::int64_t start, std::int64_t length) {
    const TensorImpl& from = impl_of(tensor);
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->storage = from.storage;
    impl->sizes = from.sizes;
    impl->sizes[dim] = length;
    impl->strides = from.strides;
    impl->offset = from.offset + start * from.strides[dim];
    impl->numel = numel(impl->sizes);
    impl->dtype = from.dtype;
    impl->is_inference = from.is_inference;
    impl->is_contiguous = strides_are_contiguous(impl->sizes, impl->strides);
    return Tensor(IntrusivePtr<RefCounted>(std::move(impl)));
}

Window part_of(const OpCall& call,
               std::span<const Tensor> outputs,
               std::int64_t dim,
               std::int64_t start,
               std::int64_t length) {
    const std::int64_t rank = impl_of(outputs[0]).sizes.count();
    Window window{.inputs = {call.inputs.begin(), call.inputs.end()}, .outputs = {}};
    for (const Tensor& output : outputs) {
        window.outputs.push_back(narrowed(output, dim, start, length));
    }
    for (std::size_t i = 0; i < window.inputs.size(); ++i) {
        if (!window.inputs[i].defined()) {
            continue;
        }
        const std::int64_t follows = call.def.window(call, i, rank, dim);
        if (follows != kWhole) {
            window.inputs[i] = narrowed(window.inputs[i], follows, start, length);
        }
    }
    return window;
}

bool is_large(const Tensor& tensor, std::uint64_t most_bytes) noexcept {
    return tensor.defined() && impl_of(tensor).storage->allocation().range.size_bytes > most_bytes;
}

}  // namespace

bool exceeds_range(const TensorImpl& impl, const vk::Capabilities& caps) noexcept {
    return range_bytes(impl, impl.sizes) > bindable_bytes(caps);
}

std::int64_t bindable_positions(const TensorImpl& impl,
                                std::int64_t dim,
                                const vk::Capabilities& caps) noexcept {
    Dims one = impl.sizes;
    one[dim] = 1;
    const std::int64_t left =
        bindable_elements(impl.dtype, caps) - hull_elements(one, impl.strides);
    if (left < 0) {
        return 0;
    }
    const std::int64_t stride = std::max<std::int64_t>(impl.strides[dim], 1);
    return std::min(impl.sizes[dim], left / stride + 1);
}

bool needs_windows(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps) noexcept {
    const auto is_large_one = [&caps](const Tensor& tensor) {
        return is_large(tensor, caps.max_storage_range_bytes);
    };
    return std::any_of(outputs.begin(), outputs.end(), is_large_one) ||
           std::any_of(call.inputs.begin(), call.inputs.end(), is_large_one);
}

std::optional<std::array<Window, 2>> cut_window(const OpCall& call,
                                                std::span<const Tensor> outputs,
                                                const vk::Capabilities& caps) {
    const auto is_too_large = [&caps](const Tensor& tensor) {
        return tensor.defined() && exceeds_range(impl_of(tensor), caps);
    };
    if (std::none_of(outputs.begin(), outputs.end(), is_too_large) &&
        std::none_of(call.inputs.begin(), call.inputs.end(), is_too_large)) {
        return std::nullopt;
    }
    const Cut cut = best_cut(call, outputs, caps);
    if (cut.dim < 0) {
        return std::nullopt;
    }
    const std::int64_t extent = impl_of(outputs[0]).sizes[cut.dim];
    return std::array<Window, 2>{part_of(call, outputs, cut.dim, 0, cut.at),
                                 part_of(call, outputs, cut.dim, cut.at, extent - cut.at)};
}

std::int64_t window_of_map(const OpCall& call,
                           std::size_t input,
                           std::int64_t output_rank,
                           std::int64_t dim) noexcept {
    const Dims& sizes = impl_of(call.inputs[input]).sizes;
    const std::int64_t own = dim - (output_rank - sizes.count());
    return own < 0 || sizes[own] == 1 ? kWhole : own;
}

}  // namespace pumice::dispatch
