// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <functional>
#include <span>
#include <string_view>

namespace pumice::dispatch {

/// Selects the call's kernels, binds them to the tensors' memory and appends them to the queue.
/// Nothing to write (every output empty) records nothing. Under a capture, hands the call to it.
void execute(const OpCall& call, std::span<const Tensor> outputs);

/// A step with the ranges that it binds. The ranges of placeholders have no buffer, and their
/// offset is within the storage.
struct BoundStep {
    const Step& step;
    std::string_view label;
    std::span<const vk::Binding> bindings;
    std::span<Storage* const> storages;  ///< of the bindings
};

/// Shows `visit` what `execute` would append, in order; scratch memory is placeholders that live as
/// long as `visit` keeps them. @throws what select throws, UnsupportedError
void lower(const OpCall& call,
           std::span<const Tensor> outputs,
           const vk::Capabilities& caps,
           const std::function<void(const BoundStep&)>& visit);

}  // namespace pumice::dispatch
