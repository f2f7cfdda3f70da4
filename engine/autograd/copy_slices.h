// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "autograd/node.h"
#include "tensor/tensor_impl.h"

namespace pumice::autograd {

/// The history of a base after one of its views was written in place: the region's gradient goes
/// through the written operator, the rest passes to what the base was before.
///
/// GraphEdge 0 leads to the base's old history, edge i + 1 to edge i of the operator's node (edge 0
/// of it, the view's old value, is part of the base).
class CopySlices final : public GraphNode {
public:
    CopySlices(IntrusivePtr<GraphNode> fn,
               std::size_t own_edge,
               const TensorImpl& base,
               const TensorImpl& view,
               GraphEdge base_edge);

    void apply(std::span<Tensor> gradients,
               const std::vector<bool>& wanted,
               std::span<Tensor> input_gradients) override;

    void check_saved(const std::vector<bool>& wanted) const override;

    void release_saved() noexcept override { fn_->release_saved(); }

    std::string name() const override { return "CopySlices"; }

    std::size_t output_count() const noexcept override { return 1; }

private:
    Tensor laid_out(const Tensor& gradient) const;
    Tensor in_base(Tensor flat) const;
    std::vector<bool> wanted_of_fn(const std::vector<bool>& wanted) const;

    IntrusivePtr<GraphNode> fn_;
    std::size_t own_edge_;  ///< the fn's edge to the view's old value
    Dims base_sizes_;
    Dims base_strides_;
    Dims view_sizes_;
    Dims view_strides_;
    std::int64_t view_offset_;  ///< elements from the base's first element
    DType dtype_;
};

/// Makes an in-place write to a view, by the node `fn`, history of its base, and the view's own
/// from that; other views' follow at the next look (G35). `own_edge` of fn leads to the view's old
/// value.
void rebase_through_view(const Tensor& view,
                         const IntrusivePtr<GraphNode>& fn,
                         std::size_t own_edge);

}  // namespace pumice::autograd
