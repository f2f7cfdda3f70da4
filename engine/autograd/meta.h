// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "autograd/node.h"
#include "base/pooled.h"
#include "tensor/tensor_impl.h"

#include <mutex>

namespace pumice::autograd {

class Accumulator;

/// What became of a tensor that a graph knows as a leaf.
enum class LeafState : std::uint8_t {
    kTracked,
    kFrozen,    ///< requires_grad was turned off
    kInterior,  ///< a recorded operator has written it
};

/// The tape's data on one tensor: its gradient, and where its own gradient goes.
class AutogradMeta final : public AutogradSlot, public Pooled<AutogradMeta> {
public:
    explicit AutogradMeta(const TensorImpl& owner) noexcept;
    AutogradMeta(const AutogradMeta&) = delete;
    AutogradMeta& operator=(const AutogradMeta&) = delete;
    AutogradMeta(AutogradMeta&&) = delete;
    AutogradMeta& operator=(AutogradMeta&&) = delete;
    ~AutogradMeta() override;

    Tensor grad() const;
    void set_grad(Tensor grad);
    /// Out of place; the first is copied.
    void add_to_grad(const Tensor& gradient);

    const IntrusivePtr<GraphNode>& grad_fn() const noexcept { return grad_fn_; }

    std::uint32_t output() const noexcept { return output_; }

    void set_history(IntrusivePtr<GraphNode> grad_fn, std::uint32_t output) noexcept;
    void retain_grad();

    bool retains_grad() const noexcept { return retains_grad_; }

    /// The tensor's hooks; made, and made known to `edge`, if there are none yet.
    HookList& hooks(const GraphEdge& edge);

    /// Null where none was registered since the history changed.
    HookList* find_hooks() const noexcept { return hooks_.get(); }

    /// The leaf's accumulator, made on first use.
    const IntrusivePtr<Accumulator>& accumulator();

    LeafState leaf_state() const noexcept;

private:
    const TensorImpl& owner_;
    mutable std::mutex mutex_;
    Tensor grad_;
    IntrusivePtr<GraphNode> grad_fn_;
    IntrusivePtr<Accumulator> accumulator_;
    IntrusivePtr<HookList> hooks_;
    std::uint32_t output_ = 0;
    bool retains_grad_ = false;
};

/// Ends of the walk: adds gradients to a leaf's `grad`. Lives as long as the leaf or a graph that
/// leads to it; once the leaf is gone nobody can see its gradient, and it is dropped.
class Accumulator final : public GraphNode, public Pooled<Accumulator> {
public:
    explicit Accumulator(AutogradMeta* target);

    bool accepts(const Tensor& gradient) override;
    void prepare(std::span<Tensor> gradients) override;
    void apply(std::span<Tensor> gradients,
               const std::vector<bool>& wanted,
               std::span<Tensor> input_gradients) override;

    std::string name() const override { return "AccumulateGrad"; }

    std::size_t output_count() const noexcept override { return 1; }

    void forget_target() noexcept;

private:
    std::mutex mutex_;
    AutogradMeta* target_;
    LeafState last_state_ = LeafState::kTracked;  ///< of a target that is gone
};

/// Makes the node's `output`-th output of the tensor.
void attach_history(const Tensor& tensor,
                    const IntrusivePtr<GraphNode>& node,
                    std::size_t output) noexcept;

/// The tensor's meta, made if absent.
AutogradMeta& meta_of(TensorImpl& impl);
/// The tensor's meta or null.
AutogradMeta* find_meta(const TensorImpl& impl) noexcept;

/// Where the gradient of this tensor goes; nowhere if it tracks none of its own. Rebuilds the
/// history of a stale view. @throws GradModeError (E6, E8, indirect forms)
GraphEdge gradient_edge(const Tensor& tensor);

/// The tensor's grad_fn after G35's rebuild, or null.
IntrusivePtr<GraphNode> grad_fn_of(const Tensor& tensor);

}  // namespace pumice::autograd
