// SPDX-License-Identifier: Apache-2.0
// Nothing that a caller says is ignored: for each parameter of each operator's function, two calls
// that differ in it alone, and whose results differ. tools/check_tests.py holds the rows against
// include/pumice/ops/.
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace pumice;
using namespace pumice::test;

namespace {

// Calls the function with one value of the parameter, or, changed, with another.
struct Attribute {
    const char* function;
    const char* parameter;
    Tensor (*call)(bool is_changed);
};

// Operands, the same in every call.
Tensor m() {
    return random_tensor({4, 4}, 0.5, 2.0, 3);
}

Tensor n() {
    return random_tensor({4, 4}, 0.5, 2.0, 4);
}

Tensor index() {
    return from_values<std::int32_t>(
        std::vector<std::int32_t>{3, 0, 2, 1, 1, 1, 0, 3, 2, 2, 3, 0, 0, 3, 1, 2}, {4, 4}, kInt32);
}

Tensor rows() {
    return tensor<std::int32_t>({3, 0, 2, 1});
}

Tensor image() {
    return random_tensor({2, 4, 7, 7}, -1.0, 1.0, 6);
}

Tensor nothing_odd() {
    return tensor<float>({NAN, INFINITY, -INFINITY, 1.0F});
}

// The written tensor of a form that writes in place.
template <class F>
Tensor written(F&& write) {
    Tensor target = m();
    write(target);
    return target;
}

template <class F>
Tensor drawn(F&& draw) {
    manual_seed(7);
    return draw();
}

Dims one_or(bool is_changed, Dims changed, Dims otherwise) {
    return is_changed ? std::move(changed) : std::move(otherwise);
}

Reduction reduction_of(bool is_changed) {
    return is_changed ? Reduction::kSum : Reduction::kMean;
}

// `running_mean` after a call in training.
template <class F>
Tensor moved_mean(F&& norm) {
    Tensor mean = zeros({4});
    norm(mean, ones({4}));
    return mean;
}

Tensor targets() {
    return tensor<std::int32_t>({3, 0, 2, 1});
}

Tensor pool_of(const Tensor& x, bool is_ceil) {
    return max_pool2d(x, 2, 2, 0, 1, is_ceil);
}

const Attribute kMaps[] = {
    {"add", "alpha", [](bool c) { return add(m(), n(), c ? 2 : 1); }},
    {"add", "b", [](bool c) { return add(m(), c ? 2 : 1); }},
    {"sub", "alpha", [](bool c) { return sub(m(), n(), c ? 2 : 1); }},
    {"sub", "b", [](bool c) { return sub(m(), c ? 2 : 1); }},
    {"rsub", "b", [](bool c) { return rsub(m(), c ? 2 : 1); }},
    {"mul", "b", [](bool c) { return mul(m(), c ? 2 : 1); }},
    {"div", "b", [](bool c) { return div(m(), c ? 2 : 1); }},
    {"pow", "b", [](bool c) { return pow(m(), c ? 2 : 1); }},
    {"gelu", "approximate", [](bool c) { return gelu(m(), c ? "tanh" : "none"); }},
    {"softplus", "beta", [](bool c) { return softplus(m(), c ? 2.0 : 1.0); }},
    {"softplus", "threshold", [](bool c) { return softplus(m(), 1.0, c ? 0.25 : 20.0); }},
    {"clamp", "min", [](bool c) { return clamp(m(), c ? 1.0 : 0.0, {}); }},
    {"clamp", "max", [](bool c) { return clamp(m(), {}, c ? 1.0 : 9.0); }},
    {"nan_to_num", "nan", [](bool c) { return nan_to_num(nothing_odd(), c ? 1.0 : 0.0); }},
    {"nan_to_num", "posinf", [](bool c) { return nan_to_num(nothing_odd(), 0.0, c ? 1.0 : 2.0); }},
    {"nan_to_num",
     "neginf",
     [](bool c) { return nan_to_num(nothing_odd(), 0.0, 1.0, c ? 1.0 : 2.0); }},
    {"eq", "b", [](bool c) { return eq(index(), c ? 2 : 1); }},
    {"ne", "b", [](bool c) { return ne(index(), c ? 2 : 1); }},
    {"lt", "b", [](bool c) { return lt(index(), c ? 2 : 1); }},
    {"le", "b", [](bool c) { return le(index(), c ? 2 : 1); }},
    {"gt", "b", [](bool c) { return gt(index(), c ? 2 : 1); }},
    {"ge", "b", [](bool c) { return ge(index(), c ? 2 : 1); }},
    {"masked_fill", "value", [](bool c) { return masked_fill(m(), gt(m(), 1), c ? 2 : 1); }},
    {"to", "dtype", [](bool c) { return to(m(), c ? kFloat16 : kInt32); }},
    {"dropout", "p", [](bool c) { return drawn([&] { return dropout(m(), c ? 0.25 : 0.5); }); }},
    {"dropout", "training", [](bool c) { return drawn([&] { return dropout(m(), 0.5, c); }); }},
};

const Attribute kWritten[] = {
    {"add_", "alpha", [](bool c) { return written([&](Tensor& x) { add_(x, n(), c ? 2 : 1); }); }},
    {"add_", "other", [](bool c) { return written([&](Tensor& x) { add_(x, c ? 2 : 1); }); }},
    {"sub_", "alpha", [](bool c) { return written([&](Tensor& x) { sub_(x, n(), c ? 2 : 1); }); }},
    {"sub_", "other", [](bool c) { return written([&](Tensor& x) { sub_(x, c ? 2 : 1); }); }},
    {"mul_", "other", [](bool c) { return written([&](Tensor& x) { mul_(x, c ? 2 : 1); }); }},
    {"div_", "other", [](bool c) { return written([&](Tensor& x) { div_(x, c ? 2 : 1); }); }},
    {"pow_", "exponent", [](bool c) { return written([&](Tensor& x) { pow_(x, c ? 2 : 1); }); }},
    {"clamp_",
     "min",
     [](bool c) { return written([&](Tensor& x) { clamp_(x, c ? 1.0 : 0.0, {}); }); }},
    {"clamp_",
     "max",
     [](bool c) { return written([&](Tensor& x) { clamp_(x, {}, c ? 1.0 : 9.0); }); }},
    {"fill_", "value", [](bool c) { return written([&](Tensor& x) { fill_(x, c ? 2 : 1); }); }},
    {"add_out",
     "alpha",
     [](bool c) { return written([&](Tensor& x) { add_out(x, m(), n(), c ? 2 : 1); }); }},
    {"sub_out",
     "alpha",
     [](bool c) { return written([&](Tensor& x) { sub_out(x, m(), n(), c ? 2 : 1); }); }},
};

const Attribute kFactories[] = {
    {"empty",
     "sizes",
     [](bool c) {
         Tensor x = empty({c ? 2 : 3});
         return zero_(x);
     }},
    {"empty", "options", [](bool c) { return empty({0}, c ? kInt32 : kFloat32); }},
    {"zeros", "sizes", [](bool c) { return zeros({c ? 2 : 3}); }},
    {"zeros", "options", [](bool c) { return zeros({2}, c ? kInt32 : kFloat32); }},
    {"ones", "sizes", [](bool c) { return ones({c ? 2 : 3}); }},
    {"ones", "options", [](bool c) { return ones({2}, c ? kInt32 : kFloat32); }},
    {"full", "sizes", [](bool c) { return full({c ? 2 : 3}, 1); }},
    {"full", "value", [](bool c) { return full({2}, c ? 2 : 1); }},
    {"full", "options", [](bool c) { return full({2}, 1, c ? kInt8 : kFloat32); }},
    {"full_like", "value", [](bool c) { return full_like(m(), c ? 2 : 1); }},
    {"arange", "start", [](bool c) { return arange(c ? 2 : 1, 9); }},
    {"arange", "end", [](bool c) { return arange(c ? 8 : 9); }},
    {"arange", "step", [](bool c) { return arange(1, 9, c ? 2 : 1); }},
    {"arange", "options", [](bool c) { return arange(1, 9, 1, c ? kInt8 : kFloat32); }},
    {"rand", "sizes", [](bool c) { return drawn([&] { return rand({c ? 2 : 3}); }); }},
    {"rand",
     "options",
     [](bool c) { return drawn([&] { return rand({2}, c ? kFloat16 : kFloat32); }); }},
    {"randn", "sizes", [](bool c) { return drawn([&] { return randn({c ? 2 : 3}); }); }},
    {"randn",
     "options",
     [](bool c) { return drawn([&] { return randn({2}, c ? kFloat16 : kFloat32); }); }},
    {"randint", "low", [](bool c) { return drawn([&] { return randint(c ? -90 : 0, 9, {8}); }); }},
    {"randint", "high", [](bool c) { return drawn([&] { return randint(0, c ? 90 : 9, {8}); }); }},
    {"randint", "sizes", [](bool c) { return drawn([&] { return randint(0, 9, {c ? 2 : 3}); }); }},
    {"from_bytes",
     "bytes",
     [](bool c) {
         const std::array<float, 2> values{1.0F, c ? 2.0F : 3.0F};
         return from_bytes(std::as_bytes(std::span(values)), HostDType::kF32, {2}, kFloat32);
     }},
    {"from_bytes",
     "source",
     [](bool c) {
         const std::array<float, 2> values{1.0F, 2.0F};
         return from_bytes(
             std::as_bytes(std::span(values)), c ? HostDType::kI32 : HostDType::kF32, {2}, kInt32);
     }},
    {"from_bytes",
     "sizes",
     [](bool c) {
         const std::array<float, 2> values{1.0F, 2.0F};
         return from_bytes(
             std::as_bytes(std::span(values)), HostDType::kF32, one_or(c, {1, 2}, {2}), kFloat32);
     }},
    {"from_bytes",
     "options",
     [](bool c) {
         const std::array<float, 2> values{1.0F, 2.0F};
         return from_bytes(
             std::as_bytes(std::span(values)), HostDType::kF32, {2}, c ? kInt8 : kFloat32);
     }},
    {"from_values",
     "values",
     [](bool c) {
         return from_values<float>(std::array<float, 2>{1, c ? 2.F : 3.F}, {2}, kInt8);
     }},
    {"from_values",
     "sizes",
     [](bool c) {
         return from_values<float>(std::array<float, 2>{1, 2}, one_or(c, {1, 2}, {2}), kInt8);
     }},
    {"from_values",
     "options",
     [](bool c) {
         return from_values<float>(std::array<float, 2>{1, 2}, {2}, c ? kInt8 : kFloat32);
     }},
    {"tensor",
     "values",
     [](bool c) {
         return tensor<float>({1, c ? 2.F : 3.F});
     }},
    {"tensor",
     "options",
     [](bool c) {
         return tensor<float>({1, 2}, c ? kInt8 : kFloat32);
     }},
    {"scalar_tensor", "value", [](bool c) { return scalar_tensor(c ? 2 : 1); }},
    {"scalar_tensor", "options", [](bool c) { return scalar_tensor(1, c ? kInt8 : kFloat32); }},
};

// The gradient of the table, where the row of padding gets none.
Tensor embedding_gradient(std::int64_t padding) {
    Tensor table = m();
    table.set_requires_grad(true);
    embedding(table, index(), padding).sum().backward();
    return table.grad();
}

const Attribute kIndexed[] = {
    {"embedding", "padding_idx", [](bool c) { return embedding_gradient(c ? 2 : 1); }},
    {"gather", "dim", [](bool c) { return gather(m(), c ? 0 : 1, index()); }},
    {"index_select", "dim", [](bool c) { return index_select(m(), c ? 0 : 1, rows()); }},
    {"scatter_add", "dim", [](bool c) { return scatter_add(m(), c ? 0 : 1, index(), n()); }},
    {"index_add", "dim", [](bool c) { return index_add(m(), c ? 0 : 1, rows(), n()); }},
    {"index_copy", "dim", [](bool c) { return index_copy(m(), c ? 0 : 1, rows(), n()); }},
    {"cat",
     "dim",
     [](bool c) {
         return cat({m(), n()}, c ? 0 : 1);
     }},
    {"stack",
     "dim",
     [](bool c) {
         return stack({m(), n()}, c ? 0 : 1);
     }},
    {"pad",
     "padding",
     [](bool c) {
         return pad(m(), {c ? 2 : 1, 1});
     }},
    {"pad",
     "value",
     [](bool c) {
         return pad(m(), {1, 1}, c ? 2 : 1);
     }},
    {"repeat",
     "repeats",
     [](bool c) {
         return repeat(m(), {c ? 2 : 1, 1});
     }},
    {"tril", "diagonal", [](bool c) { return tril(m(), c ? 1 : 0); }},
    {"triu", "diagonal", [](bool c) { return triu(m(), c ? 1 : 0); }},
};

const Attribute kReductions[] = {
    {"sum", "dims", [](bool c) { return sum(m(), {c ? 0 : 1}); }},
    {"sum", "keepdim", [](bool c) { return sum(m(), {0}, c); }},
    {"mean", "dims", [](bool c) { return mean(m(), {c ? 0 : 1}); }},
    {"mean", "keepdim", [](bool c) { return mean(m(), {0}, c); }},
    {"amax", "dims", [](bool c) { return amax(m(), {c ? 0 : 1}); }},
    {"amax", "keepdim", [](bool c) { return amax(m(), {0}, c); }},
    {"amin", "dims", [](bool c) { return amin(m(), {c ? 0 : 1}); }},
    {"amin", "keepdim", [](bool c) { return amin(m(), {0}, c); }},
    {"var", "dims", [](bool c) { return var(m(), {c ? 0 : 1}); }},
    {"var", "correction", [](bool c) { return var(m(), {0}, c ? 0 : 1); }},
    {"var", "keepdim", [](bool c) { return var(m(), {0}, 1, c); }},
    {"std", "dims", [](bool c) { return pumice::std(m(), {c ? 0 : 1}); }},
    {"std", "correction", [](bool c) { return pumice::std(m(), {0}, c ? 0 : 1); }},
    {"std", "keepdim", [](bool c) { return pumice::std(m(), {0}, 1, c); }},
    {"argmax", "dim", [](bool c) { return argmax(m(), c ? 0 : 1); }},
    {"argmax", "keepdim", [](bool c) { return argmax(m(), 0, c); }},
    {"argmin", "dim", [](bool c) { return argmin(m(), c ? 0 : 1); }},
    {"argmin", "keepdim", [](bool c) { return argmin(m(), 0, c); }},
    {"logsumexp", "dims", [](bool c) { return logsumexp(m(), {c ? 0 : 1}); }},
    {"logsumexp", "keepdim", [](bool c) { return logsumexp(m(), {0}, c); }},
    {"cumsum", "dim", [](bool c) { return cumsum(m(), c ? 0 : 1); }},
    {"sum_to_size",
     "sizes",
     [](bool c) {
         return sum_to_size(m(), one_or(c, {1, 4}, {4, 1}));
     }},
    {"any", "dims", [](bool c) { return any(gt(m(), 1.5), {c ? 0 : 1}); }},
    {"any", "keepdim", [](bool c) { return any(m(), {0}, c); }},
    {"all", "dims", [](bool c) { return all(gt(m(), 0.8), {c ? 0 : 1}); }},
    {"all", "keepdim", [](bool c) { return all(m(), {0}, c); }},
    {"allclose", "rtol", [](bool c) { return scalar_tensor(allclose(m(), n(), c ? 9.0 : 0.0)); }},
    {"allclose",
     "atol",
     [](bool c) { return scalar_tensor(allclose(m(), n(), 0.0, c ? 9.0 : 0.0)); }},
    {"allclose",
     "equal_nan",
     [](bool c) { return scalar_tensor(allclose(nothing_odd(), nothing_odd(), 0.0, 0.0, c)); }},
    {"softmax", "dim", [](bool c) { return softmax(m(), c ? 0 : 1); }},
    {"log_softmax", "dim", [](bool c) { return log_softmax(m(), c ? 0 : 1); }},
};

const Attribute kNorms[] = {
    {"layer_norm",
     "normalized_shape",
     [](bool c) {
         return layer_norm(m(), one_or(c, {4, 4}, {4}));
     }},
    {"layer_norm",
     "weight",
     [](bool c) { return layer_norm(m(), {4}, c ? arange(4.0) : Tensor()); }},
    {"layer_norm",
     "bias",
     [](bool c) { return layer_norm(m(), {4}, {}, c ? ones({4}) : Tensor()); }},
    {"layer_norm", "eps", [](bool c) { return layer_norm(m(), {4}, {}, {}, c ? 1.0 : 1e-5); }},
    {"rms_norm",
     "normalized_shape",
     [](bool c) {
         return rms_norm(m(), one_or(c, {4, 4}, {4}));
     }},
    {"rms_norm", "weight", [](bool c) { return rms_norm(m(), {4}, c ? arange(4.0) : Tensor()); }},
    {"rms_norm", "eps", [](bool c) { return rms_norm(m(), {4}, {}, c ? 1.0 : 1e-5); }},
    {"batch_norm",
     "training",
     [](bool c) { return batch_norm(image(), {}, {}, zeros({4}), ones({4}), c); }},
    {"batch_norm",
     "momentum",
     [](bool c) {
         return moved_mean([&](const Tensor& mean, const Tensor& var) {
             batch_norm(image(), {}, {}, mean, var, true, c ? 0.5 : 0.1);
         });
     }},
    {"batch_norm",
     "eps",
     [](bool c) { return batch_norm(image(), {}, {}, {}, {}, true, 0.1, c ? 1.0 : 1e-5); }},
    {"group_norm", "num_groups", [](bool c) { return group_norm(image(), c ? 2 : 1); }},
    {"group_norm",
     "weight",
     [](bool c) { return group_norm(image(), 2, c ? arange(4.0) : Tensor()); }},
    {"group_norm",
     "bias",
     [](bool c) { return group_norm(image(), 2, {}, c ? ones({4}) : Tensor()); }},
    {"group_norm", "eps", [](bool c) { return group_norm(image(), 2, {}, {}, c ? 1.0 : 1e-5); }},
    {"instance_norm",
     "use_input_stats",
     [](bool c) { return instance_norm(image(), {}, {}, zeros({4}), ones({4}), c); }},
    {"instance_norm",
     "momentum",
     [](bool c) {
         return moved_mean([&](const Tensor& mean, const Tensor& var) {
             instance_norm(image(), {}, {}, mean, var, true, c ? 0.5 : 0.1);
         });
     }},
    {"instance_norm",
     "eps",
     [](bool c) { return instance_norm(image(), {}, {}, {}, {}, true, 0.1, c ? 1.0 : 1e-5); }},
};

const Attribute kProducts[] = {
    {"linear", "bias", [](bool c) { return linear(m(), n(), c ? ones({4}) : Tensor()); }},
    {"conv2d",
     "bias",
     [](bool c) {
         return conv2d(image(), ones({2, 4, 3, 3}), c ? ones({2}) : Tensor());
     }},
    {"conv2d",
     "stride",
     [](bool c) {
         return conv2d(image(), ones({2, 4, 3, 3}), {}, {c ? 2 : 1, 1});
     }},
    {"conv2d",
     "padding",
     [](bool c) {
         return conv2d(image(), ones({2, 4, 3, 3}), {}, 1, {c ? 1 : 0, 0});
     }},
    {"conv2d",
     "dilation",
     [](bool c) {
         return conv2d(image(), ones({2, 4, 3, 3}), {}, 1, 0, {c ? 2 : 1, 1});
     }},
    {"conv2d",
     "groups",
     [](bool c) {
         return conv2d(image(), ones({4, c ? 1 : 4, 3, 3}), {}, 1, 0, 1, c ? 4 : 1);
     }},
    {"max_pool2d",
     "kernel_size",
     [](bool c) {
         return max_pool2d(image(), {c ? 3 : 2, 2});
     }},
    {"max_pool2d",
     "stride",
     [](bool c) {
         return max_pool2d(image(), 3, {{c ? 2 : 1, 1}});
     }},
    {"max_pool2d",
     "padding",
     [](bool c) {
         return max_pool2d(image(), 3, 1, {c ? 1 : 0, 0});
     }},
    {"max_pool2d",
     "dilation",
     [](bool c) {
         return max_pool2d(image(), 3, 1, 0, {c ? 2 : 1, 1});
     }},
    {"max_pool2d", "ceil_mode", [](bool c) { return pool_of(image(), c); }},
    {"avg_pool2d",
     "kernel_size",
     [](bool c) {
         return avg_pool2d(image(), {c ? 3 : 2, 2});
     }},
    {"avg_pool2d",
     "stride",
     [](bool c) {
         return avg_pool2d(image(), 3, {{c ? 2 : 1, 1}});
     }},
    {"avg_pool2d",
     "padding",
     [](bool c) {
         return avg_pool2d(image(), 3, 1, {c ? 1 : 0, 0});
     }},
    {"avg_pool2d", "ceil_mode", [](bool c) { return avg_pool2d(image(), 2, 2, 0, c); }},
    {"avg_pool2d",
     "count_include_pad",
     [](bool c) { return avg_pool2d(image(), 3, 1, 1, false, c); }},
    {"avg_pool2d",
     "divisor_override",
     [](bool c) { return avg_pool2d(image(), 2, 2, 0, false, true, c ? 2 : 3); }},
    {"adaptive_avg_pool2d",
     "output_size",
     [](bool c) {
         return adaptive_avg_pool2d(image(), {c ? 2 : 3, 2});
     }},
    {"scaled_dot_product_attention",
     "mask",
     [](bool c) { return scaled_dot_product_attention(m(), n(), m(), c ? gt(n(), 1) : Tensor()); }},
    {"scaled_dot_product_attention",
     "is_causal",
     [](bool c) { return scaled_dot_product_attention(m(), n(), m(), {}, c); }},
    {"scaled_dot_product_attention",
     "scale",
     [](bool c) { return scaled_dot_product_attention(m(), n(), m(), {}, false, c ? 1.0 : 2.0); }},
};

const Attribute kLosses[] = {
    {"mse_loss", "reduction", [](bool c) { return mse_loss(m(), n(), reduction_of(c)); }},
    {"l1_loss", "reduction", [](bool c) { return l1_loss(m(), n(), reduction_of(c)); }},
    {"huber_loss", "reduction", [](bool c) { return huber_loss(m(), n(), reduction_of(c)); }},
    {"huber_loss",
     "delta",
     [](bool c) { return huber_loss(m(), n(), Reduction::kMean, c ? 0.25 : 1.0); }},
    {"cross_entropy",
     "reduction",
     [](bool c) { return cross_entropy(m(), targets(), reduction_of(c)); }},
    {"cross_entropy",
     "ignore_index",
     [](bool c) { return cross_entropy(m(), targets(), Reduction::kMean, c ? 3 : -100); }},
    {"cross_entropy",
     "label_smoothing",
     [](bool c) { return cross_entropy(m(), targets(), Reduction::kMean, -100, c ? 0.5 : 0.0); }},
    {"quantile_loss",
     "reduction",
     [](bool c) {
         return quantile_loss(m(),
                              view(narrow(n(), 0, 0, 1), {4}),
                              tensor<float>({0.1F, 0.3F, 0.5F, 0.9F}),
                              reduction_of(c));
     }},
};

const Attribute kViews[] = {
    {"view",
     "sizes",
     [](bool c) {
         return view(m(), one_or(c, {2, 8}, {8, 2}));
     }},
    {"reshape",
     "sizes",
     [](bool c) {
         return reshape(m(), one_or(c, {2, 8}, {8, 2}));
     }},
    {"flatten", "start_dim", [](bool c) { return flatten(image(), c ? 1 : 0); }},
    {"flatten", "end_dim", [](bool c) { return flatten(image(), 0, c ? 1 : 2); }},
    {"permute",
     "dims",
     [](bool c) {
         return permute(m(), one_or(c, {0, 1}, {1, 0}));
     }},
    {"transpose", "dim0", [](bool c) { return transpose(image(), c ? 0 : 1, 3); }},
    {"transpose", "dim1", [](bool c) { return transpose(image(), 0, c ? 1 : 3); }},
    {"expand", "sizes", [](bool c) { return expand(ones({1}), {c ? 2 : 3}); }},
    {"squeeze",
     "dim",
     [](bool c) {
         return squeeze(ones({1, 1, 3}), c ? 0 : 2);
     }},
    {"unsqueeze", "dim", [](bool c) { return unsqueeze(m(), c ? 0 : 1); }},
    {"select", "dim", [](bool c) { return select(m(), c ? 0 : 1, 1); }},
    {"select", "index", [](bool c) { return select(m(), 0, c ? 1 : 2); }},
    {"slice", "dim", [](bool c) { return slice(m(), c ? 0 : 1, 1); }},
    {"slice", "start", [](bool c) { return slice(m(), 0, c ? 1 : 2); }},
    {"slice", "end", [](bool c) { return slice(m(), 0, 0, c ? 1 : 2); }},
    {"slice", "step", [](bool c) { return slice(m(), 0, 0, 4, c ? 1 : 2); }},
    {"narrow", "dim", [](bool c) { return narrow(m(), c ? 0 : 1, 1, 2); }},
    {"narrow", "start", [](bool c) { return narrow(m(), 0, c ? 0 : 1, 2); }},
    {"narrow", "length", [](bool c) { return narrow(m(), 0, 1, c ? 1 : 2); }},
    {"unfold", "dim", [](bool c) { return unfold(m(), c ? 0 : 1, 2, 1); }},
    {"unfold", "length", [](bool c) { return unfold(m(), 0, c ? 2 : 3, 1); }},
    {"unfold", "step", [](bool c) { return unfold(m(), 0, 2, c ? 2 : 1); }},
    {"split", "split_length", [](bool c) { return split(m(), c ? 2 : 3)[0]; }},
    {"split", "dim", [](bool c) { return split(m(), 2, c ? 0 : 1)[0]; }},
    {"split_with_sizes",
     "lengths",
     [](bool c) {
         return split_with_sizes(m(), {c ? 1 : 2, c ? 3 : 2})[0];
     }},
    {"split_with_sizes",
     "dim",
     [](bool c) {
         return split_with_sizes(m(), {1, 3}, c ? 0 : 1)[0];
     }},
    {"chunk", "chunks", [](bool c) { return chunk(m(), c ? 2 : 4)[0]; }},
    {"chunk", "dim", [](bool c) { return chunk(m(), 2, c ? 0 : 1)[0]; }},
    {"as_strided", "sizes", [](bool c) { return as_strided(m(), {c ? 2 : 3}, {1}, 0); }},
    {"as_strided", "strides", [](bool c) { return as_strided(m(), {3}, {c ? 2 : 1}, 0); }},
    {"as_strided", "offset", [](bool c) { return as_strided(m(), {3}, {1}, c ? 2 : 1); }},
};

bool are_same(const Tensor& a, const Tensor& b) {
    return a.sizes() == b.sizes() && a.dtype() == b.dtype() &&
           a.to_host().bytes == b.to_host().bytes;
}

void check_attributes(std::span<const Attribute> attributes) {
    for (const Attribute& attribute : attributes) {
        CAPTURE(std::string(attribute.function));
        CAPTURE(std::string(attribute.parameter));
        const Tensor plain = attribute.call(false);
        CHECK(are_same(plain, attribute.call(false)));
        CHECK_FALSE(are_same(plain, attribute.call(true)));
    }
}

}  // namespace

TEST_CASE("attributes: each changes the result") {
    check_attributes(kMaps);
    check_attributes(kWritten);
    check_attributes(kFactories);
    check_attributes(kIndexed);
    check_attributes(kReductions);
    check_attributes(kNorms);
    check_attributes(kProducts);
    check_attributes(kLosses);
    check_attributes(kViews);
}
