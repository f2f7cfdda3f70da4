// SPDX-License-Identifier: Apache-2.0
// Losses, composed of other operators: their gradients come from those.
#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/factory.h"
#include "pumice/ops/index.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "ops/index/gather.h"
#include "ops/reduce/reduction.h"

#include <fmt/format.h>

#include <utility>

namespace pumice {

namespace {

Tensor reduce_loss(Tensor loss, Reduction reduction) {
    switch (reduction) {
        case Reduction::kMean: return mean(std::move(loss));
        case Reduction::kSum: return sum(std::move(loss));
        default: return loss;
    }
}

// Broadcasting in a loss is nearly always a mistake, so equal shapes are asked for.
void check_pair(std::string_view op, const Tensor& input, const Tensor& target) {
    ops::require_floating(op, input);
    ops::require_floating(op, target);
    if (input.sizes() != target.sizes()) {
        throw ShapeError(op,
                         fmt::format("target must have input's shape; got target {} for input {}",
                                     describe(target),
                                     describe(input)));
    }
}

void check_classes(const Tensor& input,
                   const Tensor& target,
                   std::int64_t ignore_index,
                   double label_smoothing) {
    ops::require_floating("cross_entropy", input);
    if (checked_impl(target, "cross_entropy").dtype != kInt32) {
        throw DTypeError(
            "cross_entropy",
            fmt::format("target must have int32 class indices; got target {}", describe(target)));
    }
    if (!(label_smoothing >= 0.0 && label_smoothing <= 1.0)) {
        throw ArgumentError(
            "cross_entropy",
            fmt::format("label_smoothing must be in [0, 1]; got {}", label_smoothing));
    }
    if (!std::in_range<std::int32_t>(ignore_index)) {
        throw ArgumentError(
            "cross_entropy",
            fmt::format("ignore_index must be an int32, as target's are; got {}", ignore_index));
    }
    Dims wanted = input.sizes();
    if (wanted.count() >= 2) {
        wanted.erase(1);
    }
    if (input.dim() < 2 || target.sizes() != wanted) {
        throw ShapeError("cross_entropy",
                         fmt::format("input must be [N, C] or [N, C, d...] and target [N] or "
                                     "[N, d...]; got input {} and target {}",
                                     describe(input),
                                     describe(target)));
    }
}

}  // namespace

Tensor mse_loss(Tensor input, Tensor target, Reduction reduction) try {
    check_pair("mse_loss", input, target);
    return reduce_loss(square(sub(std::move(input), std::move(target))), reduction);

} catch (const Error&) {
    rethrow_under("mse_loss");
}

Tensor l1_loss(Tensor input, Tensor target, Reduction reduction) try {
    check_pair("l1_loss", input, target);
    return reduce_loss(abs(sub(std::move(input), std::move(target))), reduction);

} catch (const Error&) {
    rethrow_under("l1_loss");
}

Tensor huber_loss(Tensor input, Tensor target, Reduction reduction, double delta) try {
    check_pair("huber_loss", input, target);
    if (!(delta > 0.0)) {
        throw ArgumentError("huber_loss", fmt::format("delta must be above 0; got {}", delta));
    }
    // With c the part of |d| up to delta: c * (|d| - c / 2) is both branches at once.
    const Tensor distance = abs(sub(std::move(input), std::move(target)));
    const Tensor near_part = clamp(distance, {}, Scalar(delta));
    return reduce_loss(mul(near_part, sub(distance, mul(near_part, 0.5))), reduction);

} catch (const Error&) {
    rethrow_under("huber_loss");
}

Tensor cross_entropy(Tensor input,
                     const Tensor& target,
                     Reduction reduction,
                     std::int64_t ignore_index,
                     double label_smoothing) try {
    check_classes(input, target, ignore_index, label_smoothing);
    const DType dtype = input.dtype();
    const Dims loss_sizes = target.sizes();
    const Tensor classes = unsqueeze(target, 1);
    const Tensor is_counted = ne(classes, ignore_index);
    const Tensor log_probability = log_softmax(std::move(input), 1);
    const Tensor safe_classes = mul(classes, is_counted.to(kInt32));
    Tensor loss = neg(ops::take_for(IndexUser::kCrossEntropy, log_probability, 1, safe_classes));
    if (label_smoothing > 0.0) {
        const Tensor uniform = neg(mean(log_probability, {1}, true));
        loss = add(mul(loss, 1.0 - label_smoothing), mul(uniform, label_smoothing));
    }
    loss = where(is_counted, loss, zeros_like(loss));
    if (reduction == Reduction::kMean) {
        // In float32: a count or a sum may be more than a narrow dtype holds.
        return div(sum(loss.to(kFloat32)), sum(is_counted.to(kFloat32))).to(dtype);
    }
    return reduction == Reduction::kSum ? sum(loss) : reshape(loss, loss_sizes);

} catch (const Error&) {
    rethrow_under("cross_entropy");
}

Tensor quantile_loss(Tensor input,
                     const Tensor& target,
                     const Tensor& quantiles,
                     Reduction reduction) try {
    ops::require_floating("quantile_loss", input);
    ops::require_floating("quantile_loss", target);
    ops::require_floating("quantile_loss", quantiles);
    Dims wanted = target.sizes();
    bool fits = quantiles.dim() == 1 && wanted.count() < kMaxDims;
    if (fits) {
        wanted.push_back(quantiles.size(0));
        fits = input.sizes() == wanted;
    }
    if (!fits) {
        throw ShapeError("quantile_loss",
                         fmt::format("input must be [..., Q], target [...] and quantiles [Q]; got "
                                     "input {}, target {} and quantiles {}",
                                     describe(input),
                                     describe(target),
                                     describe(quantiles)));
    }
    const Tensor difference = sub(unsqueeze(target, -1), std::move(input));
    return reduce_loss(maximum(mul(quantiles, difference), mul(sub(quantiles, 1.0), difference)),
                       reduction);

} catch (const Error&) {
    rethrow_under("quantile_loss");
}

}  // namespace pumice
