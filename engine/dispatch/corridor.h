// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/source_location.h"

#include "dispatch/op_def.h"

#include <bit>
#include <optional>
#include <span>

namespace pumice::dispatch {

/// The life of one operator call (docs/architecture.md#the-life-of-an-operator-call): infer,
/// decide, prepare, allocate, select, record, commit. A call that throws has allocated and recorded
/// nothing that can be seen.
///
/// `inputs` are the public function's own handles: one that was moved in and is the last of an
/// inference tensor may lend its memory to the output (G69).

/// The call's operands by name, for errors: "a [2, 3] float32 and b [4] float32"; absent ones are
/// left out.
std::string describe_inputs(const OpCall& call);

/// One functional output.
Tensor call(const OpDef& def, std::span<Tensor> inputs, AttrsRef attrs = {});

/// Several functional outputs; `outputs` are undefined handles, as many as infer gives.
void call_many(const OpDef& def,
               std::span<Tensor> inputs,
               AttrsRef attrs,
               std::span<Tensor> outputs);

/// Whether a functional call would be recorded now: for an operator that has a cheaper form where
/// nothing is saved.
bool is_recorded(const OpDef& def, std::span<const Tensor> inputs);

/// A view of `base`.
Tensor call_view(const OpDef& def, const Tensor& base, AttrsRef attrs = {});

/// Writes the result into `inputs[0]`, whose shape infer must give; its dtype is kept and must be
/// castable from the result's.
void call_in_place(const OpDef& def, std::span<Tensor> inputs, AttrsRef attrs = {});

/// What a written tensor must be: of the result's shape, and of its dtype or, with `keeps_dtype`,
/// of one that the result can be cast to.
/// @throws ShapeError, DTypeError
void check_target(const OpCall& call,
                  const Tensor& target,
                  const OutputMeta& result,
                  bool keeps_dtype);

/// What grad mode asks of a tensor that custom code writes in place, as a recorded operator would.
/// @throws GradModeError (E2, E6, E8, E10)
void check_in_place(std::string_view op, const Tensor& target);

/// Writes the result into `out`, whose shape and dtype infer must give.
void call_out(const OpDef& def, Tensor& out, std::span<Tensor> inputs, AttrsRef attrs = {});

/// A new tensor of the thread's kind and storage class, values unset: what factories start from.
/// @throws OutOfMemoryError
Tensor make_tensor(const Dims& sizes, DType dtype);

/// A tensor on another's storage; view record as decided. For autograd's own bookkeeping
/// (detach, data, saved outputs), which no operator records.
Tensor alias(const Tensor& base, bool shares_version);

/// That the tensor has memory. `line` is the user's, where it is known.
/// @throws GradModeError naming `op` and the line for a tensor of a captured function, or for a
///         result of a replay that was taken back
void check_placed(std::string_view op,
                  const Tensor& tensor,
                  const std::optional<SourceLocation>& line = std::nullopt);

/// The tight range of a tensor's elements, aligned as the device binds it.
struct BoundRange {
    vk::Binding binding;
    std::int64_t offset_elements = 0;  ///< from the bound start to the first element
};

BoundRange bind(const Tensor& tensor);

/// log2 of the item size: sizes and alignments are powers of two, and no operator waits for a
/// division.
constexpr unsigned item_shift(DType dtype) noexcept {
    return static_cast<unsigned>(std::countr_zero(static_cast<std::uint64_t>(itemsize(dtype))));
}

/// Elements between the bound start of a tensor, or of its window from `first` on (Operand::first),
/// and the first element bound; pure, for push constants.
inline std::uint32_t bound_offset(const TensorImpl& impl,
                                  const vk::Capabilities& caps,
                                  std::int64_t first = 0) noexcept {
    const std::uint64_t offset_bytes = static_cast<std::uint64_t>(impl.offset + first)
                                       << item_shift(impl.dtype);
    return static_cast<std::uint32_t>((offset_bytes & (caps.storage_alignment_bytes - 1)) >>
                                      item_shift(impl.dtype));
}

inline std::uint32_t bound_offset(const Tensor& tensor,
                                  const vk::Capabilities& caps,
                                  std::int64_t first = 0) noexcept {
    return bound_offset(impl_of(tensor), caps, first);
}

}  // namespace pumice::dispatch
