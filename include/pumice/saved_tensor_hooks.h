// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <any>
#include <functional>
#include <memory>

namespace PUMICE_API pumice {
namespace autograd {

/// What is done to a tensor when it is saved for backward, and when backward needs it again.
struct SavedTensorHooks {
    /// Gets the tensor, without history; what it returns is kept in its place.
    std::function<std::any(const Tensor&)> pack;
    /// Gets what `pack` returned; gives a tensor of the same shape and dtype.
    std::function<Tensor(const std::any&)> unpack;
};

/// While it lives, each tensor that this thread or coroutine saves for backward goes through the
/// hooks, which may keep it on the host, in half precision or in a file. Of nested guards the
/// innermost alone counts. Hooks run in no_grad, and never in inference mode, which saves nothing
/// (G46). An exception of `pack` leaves the operator, one of `unpack` the backward walk. A tensor
/// that was packed is not checked for later writes. Source:
/// torch.autograd.graph.saved_tensors_hooks.
class SavedTensorHooksGuard {
public:
    /// @throws ArgumentError for an empty function
    [[nodiscard]] explicit SavedTensorHooksGuard(SavedTensorHooks hooks);
    SavedTensorHooksGuard(const SavedTensorHooksGuard&) = delete;
    SavedTensorHooksGuard& operator=(const SavedTensorHooksGuard&) = delete;
    SavedTensorHooksGuard(SavedTensorHooksGuard&&) = delete;
    SavedTensorHooksGuard& operator=(SavedTensorHooksGuard&&) = delete;
    ~SavedTensorHooksGuard();

private:
    friend struct SavedTensor;

    std::shared_ptr<const SavedTensorHooks> hooks_;
    SavedTensorHooksGuard* outer_;
};

}  // namespace autograd
}  // namespace pumice
