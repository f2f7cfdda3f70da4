// SPDX-License-Identifier: Apache-2.0
// The history of a base after a write through one of its views.
#include "autograd/copy_slices.h"

#include "pumice/ops.h"

#include "autograd/meta.h"
#include "ops/view/strided_sum.h"

namespace pumice::autograd {

CopySlices::CopySlices(IntrusivePtr<GraphNode> fn,
                       std::size_t own_edge,
                       const TensorImpl& base,
                       const TensorImpl& view,
                       GraphEdge base_edge)
    : GraphNode(fn->edges().size() + 1),
      fn_(std::move(fn)),
      own_edge_(own_edge),
      base_sizes_(base.sizes),
      base_strides_(base.strides),
      view_sizes_(view.sizes),
      view_strides_(view.strides),
      view_offset_(view.offset - base.offset),
      dtype_(base.dtype) {
    set_edge(0, std::move(base_edge));
    for (std::size_t i = 0; i < fn_->edges().size(); ++i) {
        if (i != own_edge_) {
            set_edge(i + 1, fn_->edges()[i]);
        }
    }
    take_number();
}

std::vector<bool> CopySlices::wanted_of_fn(const std::vector<bool>& wanted) const {
    std::vector<bool> fn_wanted(fn_->edges().size());
    for (std::size_t i = 0; i < fn_wanted.size(); ++i) {
        fn_wanted[i] = wanted[i == own_edge_ ? 0 : i + 1];
    }
    return fn_wanted;
}

void CopySlices::check_saved(const std::vector<bool>& wanted) const {
    fn_->check_saved(wanted_of_fn(wanted));
}

// A gradient laid out like the base, so that the view's geometry means the same in it. Where the
// base names an element more than once (a detached expanded tensor), all that came for it.
Tensor CopySlices::laid_out(const Tensor& gradient) const {
    const Dims hull{hull_elements(base_sizes_, base_strides_)};
    if (ops::may_overlap(base_sizes_, base_strides_)) {
        return ops::strided_sum(gradient, hull, base_strides_, 0);
    }
    Tensor flat = zeros(hull, dtype_);
    Tensor whole = as_strided(flat, base_sizes_, base_strides_, 0);
    copy_(whole, gradient);
    return flat;
}

// The inverse: an element's names share its gradient, as in as_strided's gradient.
Tensor CopySlices::in_base(Tensor flat) const {
    if (ops::may_overlap(base_sizes_, base_strides_)) {
        const Tensor names =
            ops::strided_sum(ones(base_sizes_, dtype_), flat.sizes(), base_strides_, 0);
        flat = div(flat, names);
    }
    return as_strided(flat, base_sizes_, base_strides_, 0);
}

void CopySlices::apply(std::span<Tensor> gradients,
                       const std::vector<bool>& wanted,
                       std::span<Tensor> input_gradients) {
    if (!gradients[0].defined()) {
        return;
    }
    const Tensor flat = laid_out(gradients[0]);
    Tensor region = as_strided(flat, view_sizes_, view_strides_, view_offset_);

    const std::vector<bool> fn_wanted = wanted_of_fn(wanted);
    std::vector<Tensor> fn_gradients(fn_wanted.size());
    Tensor region_gradient = clone(region);
    fn_->apply(std::span(&region_gradient, 1), fn_wanted, fn_gradients);

    for (std::size_t i = 0; i < fn_gradients.size(); ++i) {
        if (i != own_edge_) {
            input_gradients[i + 1] = std::move(fn_gradients[i]);
        }
    }
    if (wanted[0]) {
        // Into a view that overlaps itself only a fill is written, whose gradient is zero.
        const Tensor& of_view = fn_gradients[own_edge_];
        if (of_view.defined() && !overlaps_itself(impl_of(region))) {
            copy_(region, of_view);
        } else {
            zero_(region);
        }
        input_gradients[0] = in_base(flat);
    }
}

void rebase_through_view(const Tensor& view,
                         const IntrusivePtr<GraphNode>& fn,
                         std::size_t own_edge) {
    const TensorImpl& impl = impl_of(view);
    const Tensor base(IntrusivePtr<RefCounted>(impl.view->base.get()));
    const IntrusivePtr<GraphNode> slices(
        new CopySlices(fn, own_edge, impl_of(base), impl, gradient_edge(base)));
    attach_history(base, slices, 0);
    // Now, not when it is next used: by then the base may have been detached.
    grad_fn_of(view);
}

}  // namespace pumice::autograd
