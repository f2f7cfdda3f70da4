// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

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

}  // namespace pumice::dispatch
