// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tensor/tensor_impl.h"

#include <functional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace pumice::graph {

/// The `grad` handles of the tensors that a captured function uses. A function finds a handle,
/// changes its tensor or exchanges it, and leaves one behind. A replay does that to the tensors of
/// the capture, so it needs the handle that the capture found, and gives the one that it left.
class LeafGradients {
public:
    using IsUsed = std::function<bool(const Tensor&)>;

    /// While the function is captured: it uses the tensor, for the first time or again.
    void see(const IntrusivePtr<TensorImpl>& tensor);
    /// `set_grad` is called. `is_used`: the function has used a gradient's memory.
    void note_set(const IntrusivePtr<TensorImpl>& tensor, const IsUsed& is_used);
    /// Once, when the function has returned. Gradients that it found, used and exchanged are given
    /// back: nothing has run yet.
    void finish(const IsUsed& is_used);
    /// Instead, when the capture has failed: all handles are as the function found them.
    void undo() noexcept;

    /// A tensor whose `grad` is another than the function found or a replay left; or null.
    [[nodiscard]] const TensorImpl* exchanged() const;
    /// After a replay: leaves each tensor the gradient that the function left.
    void hand_over() const;

private:
    struct Leaf {
        IntrusivePtr<TensorImpl> tensor;
        Tensor found;
        Tensor left;
        bool is_set_first = false;  ///< the function never asks what it finds
    };

    struct Before {
        IntrusivePtr<TensorImpl> tensor;
        Tensor grad;
    };

    void remember(const IntrusivePtr<TensorImpl>& tensor);

    std::vector<Leaf> leaves_;
    std::unordered_map<const TensorImpl*, Before> before_;  ///< until finish, for undo
    std::unordered_set<const TensorImpl*> seen_;
    std::unordered_set<const TensorImpl*> set_first_;
};

}  // namespace pumice::graph
