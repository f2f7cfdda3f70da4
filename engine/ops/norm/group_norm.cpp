// SPDX-License-Identifier: Apache-2.0
// group_norm, instance_norm: rows of layer_norm, then an affine map by channel. Composed: their
// gradients come from those.
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "ops/norm/channel_norm.h"
#include "tensor/tensor_impl.h"

#include <fmt/format.h>

#include <utility>

namespace pumice {

namespace {

// Rows of `row_length` elements normalised, in float32.
Tensor normalize_rows(Tensor x, std::int64_t row_length, double eps) {
    Tensor values = contiguous(to(std::move(x), kFloat32));
    if (row_length == 0) {
        return values;
    }
    const Dims rows{values.numel() / row_length, row_length};
    return view(layer_norm(view(values, rows), {row_length}, {}, {}, eps), values.sizes());
}

Tensor with_affine(Tensor normalized, const Tensor& weight, const Tensor& bias, DType dtype) {
    if (weight.defined() || bias.defined()) {
        normalized = ops::channel_affine(std::move(normalized), weight, bias);
    }
    return to(std::move(normalized), dtype);
}

// The mean over the batch of what each instance has, the variance without bias.
void track_instances(const Tensor& x,
                     std::int64_t row_length,
                     const Tensor& running_mean,
                     const Tensor& running_var,
                     double momentum) {
    no_grad([&] {
        const Tensor values = to(reshape(x, {x.size(0), x.size(1), row_length}), kFloat32);
        ops::move_running(running_mean, mean(mean(values, {2}), {0}), momentum);
        ops::move_running(running_var, mean(var(values, {2}, 1), {0}), momentum);
    });
}

std::int64_t elements_of_instance(const Tensor& x) {
    std::int64_t count = 1;
    for (std::int64_t d = 2; d < x.dim(); ++d) {
        count *= x.size(d);
    }
    return count;
}

}  // namespace

Tensor group_norm(
    Tensor x, std::int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps) try {
    ops::check_channel_norm("group_norm", x, weight, bias);
    if (num_groups <= 0 || x.size(1) % num_groups != 0) {
        throw ArgumentError(
            "group_norm",
            fmt::format(
                "num_groups must divide the channels; got {} for x {}", num_groups, describe(x)));
    }
    const std::int64_t row_length = x.size(1) / num_groups * elements_of_instance(x);
    const DType dtype = x.dtype();
    return with_affine(normalize_rows(std::move(x), row_length, eps), weight, bias, dtype);

} catch (const Error&) {
    rethrow_under("group_norm");
}

// NOLINTNEXTLINE(readability-function-size): the arguments are LibTorch's
Tensor instance_norm(const Tensor& x,
                     const Tensor& weight,
                     const Tensor& bias,
                     const Tensor& running_mean,
                     const Tensor& running_var,
                     bool use_input_stats,
                     double momentum,
                     double eps) try {
    ops::check_channel_norm("instance_norm", x, weight, bias);
    ops::check_running_norm(
        "instance_norm", x, {running_mean, running_var}, use_input_stats, "use_input_stats");
    if (!use_input_stats) {
        return ops::normalize_with(x, weight, bias, running_mean, running_var, eps);
    }
    const std::int64_t row_length = elements_of_instance(x);
    if (row_length < 2) {
        throw ShapeError("instance_norm",
                         fmt::format("use_input_stats wants more than 1 value per channel of an "
                                     "instance; got x {}",
                                     describe(x)));
    }
    Tensor y = with_affine(normalize_rows(x, row_length, eps), weight, bias, x.dtype());
    if (running_mean.defined()) {
        track_instances(x, row_length, running_mean, running_var, momentum);
    }
    return y;

} catch (const Error&) {
    rethrow_under("instance_norm");
}

}  // namespace pumice
