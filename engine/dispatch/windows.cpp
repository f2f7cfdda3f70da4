// SPDX-License-Identifier: Apache-2.0
#include "dispatch/windows.h"

#include "pumice/error.h"

#include "tensor/storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace pumice::dispatch {

namespace {

std::uint64_t range_bytes(const TensorImpl& impl, const Dims& sizes) noexcept {
    return static_cast<std::uint64_t>(hull_elements(sizes, impl.strides) * itemsize(impl.dtype));
}

// A cut of the output in [0, at) and [at, extent) of one dimension.
struct Cut {
    std::int64_t dim = -1;
    std::int64_t at = 0;
    std::uint64_t saved_bytes = 0;  ///< by the larger part, on ranges that are too large
};

// The middle of a dimension, or just before, where the output's second part can be bound; 0 if
// there is no such place.
std::int64_t middle(const TensorImpl& output, std::int64_t dim, std::uint64_t alignment_bytes) {
    const std::int64_t step_bytes = output.strides[dim] * itemsize(output.dtype);
    const auto alignment = static_cast<std::int64_t>(alignment_bytes);
    const std::int64_t unit =
        alignment / std::gcd(alignment, std::max<std::int64_t>(step_bytes, 1));
    return output.sizes[dim] / 2 - output.sizes[dim] / 2 % std::max<std::int64_t>(unit, 1);
}

// Bytes by which the range of a tensor that is too large shrinks when `dim` (kWhole: none) has only
// `extent` left.
std::uint64_t saving(const Tensor& tensor,
                     std::int64_t dim,
                     std::int64_t extent,
                     std::uint64_t most_bytes) noexcept {
    const TensorImpl& impl = impl_of(tensor);
    const std::uint64_t whole = range_bytes(impl, impl.sizes);
    if (dim < 0 || whole <= most_bytes) {
        return 0;
    }
    Dims sizes = impl.sizes;
    sizes[dim] = extent;
    return whole - range_bytes(impl, sizes);
}

// The cut that saves most; the outer one of two that save as much.
Cut best_cut(const OpCall& call, const Tensor& output, const vk::Capabilities& caps) {
    Cut best;
    const TensorImpl& impl = impl_of(output);
    const std::int64_t rank = impl.sizes.count();
    const std::uint64_t most_bytes = bindable_bytes(caps);
    for (std::int64_t dim = 0; call.def.window != nullptr && dim < rank; ++dim) {
        const std::int64_t at = middle(impl, dim, caps.storage_alignment_bytes);
        const std::int64_t left = impl.sizes[dim] - at;
        std::uint64_t saved = saving(output, dim, left, most_bytes);
        bool is_possible = at > 0;
        for (std::size_t i = 0; i < call.inputs.size() && is_possible; ++i) {
            if (!call.inputs[i].defined()) {
                continue;
            }
            const std::int64_t follows = call.def.window(call, i, rank, dim);
            is_possible = follows != kUncut;
            saved += saving(call.inputs[i], follows, left, most_bytes);
        }
        if (is_possible && saved > best.saved_bytes) {
            best = {.dim = dim, .at = at, .saved_bytes = saved};
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
               const Tensor& output,
               std::int64_t dim,
               std::int64_t start,
               std::int64_t length) {
    const std::int64_t rank = impl_of(output).sizes.count();
    Window window{.inputs = {call.inputs.begin(), call.inputs.end()},
                  .output = narrowed(output, dim, start, length)};
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
                                                const Tensor& output,
                                                const vk::Capabilities& caps) {
    const Tensor* largest = &output;
    const auto range_of = [](const Tensor& tensor) {
        return range_bytes(impl_of(tensor), impl_of(tensor).sizes);
    };
    for (const Tensor& input : call.inputs) {
        if (input.defined() && range_of(input) > range_of(*largest)) {
            largest = &input;
        }
    }
    if (range_of(*largest) <= bindable_bytes(caps)) {
        return std::nullopt;
    }
    const Cut cut = best_cut(call, output, caps);
    if (cut.dim < 0) {
        throw UnsupportedError(
            call.def.name,
            fmt::format("operand {} spans {} bytes; this device binds at most {} bytes "
                        "(maxStorageBufferRange), and the call cannot be cut into parts that fit",
                        describe(*largest),
                        range_of(*largest),
                        caps.max_storage_range_bytes));
    }
    const std::int64_t extent = impl_of(output).sizes[cut.dim];
    return std::array<Window, 2>{part_of(call, output, cut.dim, 0, cut.at),
                                 part_of(call, output, cut.dim, cut.at, extent - cut.at)};
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
