// SPDX-License-Identifier: Apache-2.0
// Functions of nn::functional that are composed of operators here, under names of their own.
#include "pumice/nn/functional.h"

#include "base/naming.h"
#include "ops/index/gather.h"
#include "ops/index/index_places.h"
#include "tensor/tensor_impl.h"

#include <fmt/format.h>

namespace pumice::nn::functional {

namespace {

void check_losses(const Tensor& input, const Tensor& target) {
    Dims wanted = checked_impl(input, "nll_loss").sizes;
    const Dims& classes = checked_impl(target, "nll_loss").sizes;
    ops::check_index_dtype("nll_loss", target);
    if (wanted.count() >= 2) {
        wanted.erase(1);
    }
    if (input.dim() < 2 || classes != wanted) {
        throw ShapeError("nll_loss",
                         fmt::format("input must be [N, C] or [N, C, d...] and target [N] or "
                                     "[N, d...]; got input {} and target {}",
                                     describe(input),
                                     describe(target)));
    }
}

}  // namespace

Tensor leaky_relu(const Tensor& x, const LeakyReLUFuncOptions& options) try {
    return where(gt(x, 0), x, mul(x, options.negative_slope()));

} catch (const Error&) {
    rethrow_under("leaky_relu");
}

Tensor one_hot(const Tensor& indices, std::int64_t num_classes) try {
    checked_impl(indices, "one_hot");
    const Tensor classes = arange(num_classes);
    const Tensor places = ops::places_of(IndexUser::kOneHot, indices, num_classes);
    return eq(unsqueeze(places, -1), classes).to(kInt32);

} catch (const Error&) {
    rethrow_under("one_hot");
}

Tensor nll_loss(const Tensor& input, const Tensor& target, const NLLLossFuncOptions& options) try {
    check_losses(input, target);
    const Tensor is_ignored = eq(target, options.ignore_index());
    const Tensor column = unsqueeze(masked_fill(target, is_ignored, 0), 1);
    Tensor losses = masked_fill(
        neg(squeeze(ops::take_for(IndexUser::kNllLoss, input, 1, column), 1)), is_ignored, 0);
    if (options.reduction() == Reduction::kNone) {
        return losses;
    }
    const Tensor total = sum(losses);
    return options.reduction() == Reduction::kSum ? total
                                                  : div(total, sum(logical_not(is_ignored)));

} catch (const Error&) {
    rethrow_under("nll_loss");
}

Tensor binary_cross_entropy_with_logits(
    const Tensor& input,
    const Tensor& target,
    const BinaryCrossEntropyWithLogitsFuncOptions& options) try {
    const Tensor tail = log1p(exp(neg(abs(input))));
    Tensor losses = add(sub(relu(input), mul(input, target)), tail);
    switch (options.reduction()) {
        case Reduction::kNone: return losses;
        case Reduction::kSum: return sum(losses);
        default: return mean(losses);
    }

} catch (const Error&) {
    rethrow_under("binary_cross_entropy_with_logits");
}

}  // namespace pumice::nn::functional
