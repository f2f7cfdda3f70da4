// SPDX-License-Identifier: Apache-2.0
// Every public function is asked for what its docs refuse: the error has the documented type, and
// names the function that was called, whatever that is made of. Undefined operands are in
// all_ops_test.cpp.
#include "pumice/nn/functional.h"

#include "dispatch/op_def.h"
#include "ops/all_ops.h"
#include "support/harness.h"
#include "support/unary_cases.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pumice {

namespace {

namespace functional = nn::functional;

struct Refusal {
    const char* where;
    void (*call)();
};

Tensor ints() {
    return ones({2, 2}, kInt32);
}

Tensor flags() {
    return ones({2, 2}, kBool);
}

Tensor matrix() {
    return ones({2, 3});
}

// Expanded, so that one element stands in several places.
Tensor wide() {
    return ones({1}).expand({4});
}

Tensor huge() {
    return ones({1}).expand({std::int64_t{1} << 31});
}

// As many dimensions as there can be.
Tensor deep() {
    return ones(Dims::filled(kMaxDims, 1));
}

constexpr Refusal kShapes[] = {
    {"unsqueeze", [] { unsqueeze(deep(), 0); }},
    {"unfold", [] { unfold(deep(), 0, 1, 1); }},
    {"stack",
     [] {
         stack({deep(), deep()}, 0);
     }},
    {"one_hot", [] { functional::one_hot(deep().to(kInt32), 3); }},
    {"embedding", [] { embedding(matrix(), deep().to(kInt32)); }},
    {"index", [] { deep().index({indexing::None}); }},
    {"empty", [] { empty({-1}); }},
    {"zeros", [] { zeros({-1}); }},
    {"ones", [] { ones({-1}); }},
    {"full", [] { full({-1}, 2); }},
    {"zeros_like", [] { zeros_like(huge()); }},
    {"ones_like", [] { ones_like(huge()); }},
    {"empty_like", [] { empty_like(huge()); }},
    {"full_like", [] { full_like(huge(), 1); }},
    {"arange", [] { arange(0.0, 1e10, 1.0); }},
    {"rand", [] { rand({-1}); }},
    {"randn", [] { randn({-1}); }},
    {"randint", [] { randint(0, 2, {-1}); }},
    {"from_bytes", [] { from_bytes({}, HostDType::kF32, {1}, kFloat32); }},
    {"from_values", [] { from_values(std::span<const float>(), {1}, kFloat32); }},
    {"add", [] { add(matrix(), ones({4})); }},
    {"sub", [] { sub(matrix(), ones({4})); }},
    {"mul", [] { mul(matrix(), ones({4})); }},
    {"div", [] { div(matrix(), ones({4})); }},
    {"pow", [] { pow(matrix(), ones({4})); }},
    {"maximum", [] { maximum(matrix(), ones({4})); }},
    {"minimum", [] { minimum(matrix(), ones({4})); }},
    {"eq", [] { eq(matrix(), ones({4})); }},
    {"ne", [] { ne(matrix(), ones({4})); }},
    {"lt", [] { lt(matrix(), ones({4})); }},
    {"le", [] { le(matrix(), ones({4})); }},
    {"gt", [] { gt(matrix(), ones({4})); }},
    {"ge", [] { ge(matrix(), ones({4})); }},
    {"logical_and", [] { logical_and(matrix(), ones({4})); }},
    {"logical_or", [] { logical_or(matrix(), ones({4})); }},
    {"logical_xor", [] { logical_xor(matrix(), ones({4})); }},
    {"where", [] { where(flags(), matrix(), matrix()); }},
    {"masked_fill", [] { masked_fill(matrix(), flags(), 0); }},
    {"exp", [] { exp(huge()); }},
    {"gelu", [] { gelu(huge(), "tanh"); }},
    {"add", [] { add(huge(), 1); }},
    {"mul", [] { mul(huge(), 2); }},
    {"clamp", [] { clamp(huge(), 0, 1); }},
    {"to", [] { to(huge(), kInt32); }},
    {"clone", [] { clone(huge()); }},
    {"contiguous", [] { contiguous(huge()); }},
    {"add_",
     [] {
         Tensor x = ones({2});
         add_(x, matrix());
     }},
    {"sub_",
     [] {
         Tensor x = ones({2});
         sub_(x, matrix());
     }},
    {"mul_",
     [] {
         Tensor x = ones({2});
         mul_(x, ones({2, 2}));
     }},
    {"div_",
     [] {
         Tensor x = ones({2});
         div_(x, ones({2, 2}));
     }},
    {"copy_",
     [] {
         Tensor x = ones({2});
         copy_(x, matrix());
     }},
    {"fill_",
     [] {
         Tensor x = huge();
         fill_(x, 1);
     }},
    {"zero_",
     [] {
         Tensor x = huge();
         zero_(x);
     }},
    {"add_out",
     [] {
         Tensor x = ones({2});
         add_out(x, matrix(), matrix());
     }},
    {"sub_out",
     [] {
         Tensor x = ones({2});
         sub_out(x, matrix(), matrix());
     }},
    {"mul_out",
     [] {
         Tensor x = ones({2});
         mul_out(x, matrix(), matrix());
     }},
    {"div_out",
     [] {
         Tensor x = ones({2});
         div_out(x, matrix(), matrix());
     }},
    {"exp_out",
     [] {
         Tensor x = ones({2});
         exp_out(x, matrix());
     }},
    {"log_out",
     [] {
         Tensor x = ones({2});
         log_out(x, matrix());
     }},
    {"sqrt_out",
     [] {
         Tensor x = ones({2});
         sqrt_out(x, matrix());
     }},
    {"tanh_out",
     [] {
         Tensor x = ones({2});
         tanh_out(x, matrix());
     }},
    {"sigmoid_out",
     [] {
         Tensor x = ones({2});
         sigmoid_out(x, matrix());
     }},
    {"amax", [] { amax(zeros({0})); }},
    {"amin", [] { amin(zeros({0})); }},
    {"max", [] { static_cast<void>(zeros({0}).max()); }},
    {"min", [] { static_cast<void>(zeros({0}).min()); }},
    {"argmax", [] { argmax(zeros({0})); }},
    {"argmin", [] { argmin(zeros({0})); }},
    {"sum_to_size", [] { sum_to_size(matrix(), {4}); }},
    {"allclose", [] { allclose(matrix(), ones({4})); }},
    {"view", [] { view(matrix(), {4}); }},
    {"reshape", [] { reshape(matrix(), {4}); }},
    {"view_as", [] { view_as(matrix(), ones({4})); }},
    {"t",
     [] {
         t(ones({1, 1, 1}));
     }},
    {"expand", [] { expand(matrix(), {4}); }},
    {"as_strided", [] { as_strided(matrix(), {9}, {1}, 0); }},
    {"embedding", [] { embedding(ones({2}), ints()); }},
    {"gather", [] { gather(ones({2}), 0, ints()); }},
    {"index_select", [] { index_select(matrix(), 0, ints()); }},
    {"scatter_add", [] { scatter_add(ones({2}), 0, ints(), matrix()); }},
    {"index_add", [] { index_add(matrix(), 0, zeros({2}, kInt32), ones({1})); }},
    {"index_copy", [] { index_copy(matrix(), 0, zeros({2}, kInt32), ones({1})); }},
    {"masked_select", [] { masked_select(matrix(), flags()); }},
    {"cat",
     [] {
         cat({matrix(), ones({3, 4, 5})});
     }},
    {"stack",
     [] {
         stack({matrix(), ones({4})});
     }},
    {"pad",
     [] {
         pad(matrix(), {-2, -2});
     }},
    {"repeat", [] { repeat(matrix(), {2}); }},
    {"tril", [] { tril(ones({2})); }},
    {"triu", [] { triu(ones({2})); }},
    {"matmul", [] { matmul(matrix(), matrix()); }},
    {"matmul_out",
     [] {
         Tensor x = ones({2});
         matmul_out(x, matrix(), matrix());
     }},
    {"linear",
     [] {
         linear(matrix(), ones({4, 4}));
     }},
    {"scaled_dot_product_attention",
     [] {
         scaled_dot_product_attention(matrix(), ones({2, 4}), matrix());
     }},
    {"conv2d", [] { conv2d(matrix(), matrix()); }},
    {"max_pool2d", [] { max_pool2d(matrix(), 2); }},
    {"avg_pool2d", [] { avg_pool2d(matrix(), 2); }},
    {"adaptive_avg_pool2d", [] { adaptive_avg_pool2d(matrix(), 1); }},
    {"layer_norm", [] { layer_norm(matrix(), {4}); }},
    {"rms_norm", [] { rms_norm(matrix(), {4}); }},
    {"batch_norm", [] { batch_norm(ones({2}), {}, {}, {}, {}, true); }},
    {"group_norm", [] { group_norm(ones({2}), 1); }},
    {"instance_norm",
     [] {
         instance_norm(ones({2, 2}), {}, {}, {}, {}, true);
     }},
    {"rotary_embedding", [] { rotary_embedding(matrix(), matrix(), matrix()); }},
    {"mse_loss", [] { mse_loss(matrix(), ones({4})); }},
    {"l1_loss", [] { l1_loss(matrix(), ones({4})); }},
    {"huber_loss", [] { huber_loss(matrix(), ones({4})); }},
    {"cross_entropy", [] { cross_entropy(matrix(), ints()); }},
    {"quantile_loss", [] { quantile_loss(matrix(), matrix(), matrix()); }},
    {"leaky_relu", [] { functional::leaky_relu(huge()); }},
    {"nll_loss",
     [] {
         functional::nll_loss(matrix(), zeros({5, 5, 5}, kInt32));
     }},
    {"binary_cross_entropy_with_logits",
     [] { functional::binary_cross_entropy_with_logits(matrix(), ones({4})); }},
    {"one_hot",
     [] {
         functional::one_hot(ones({1, 1, 1, 1, 1, 1, 1, 1}, kInt32), 2);
     }},
    {"index", [] { static_cast<void>(matrix().index({zeros({3}, kBool)})); }},
    {"index_put_", [] { matrix().index_put_({0}, ones({2})); }},
    {"item", [] { static_cast<void>(matrix().item()); }},
};

constexpr Refusal kDTypes[] = {
    {"zeros", [] { zeros({1}, TensorOptions(kInt32, true)); }},
    {"ones", [] { ones({1}, TensorOptions(kInt32, true)); }},
    {"empty", [] { empty({1}, TensorOptions(kInt32, true)); }},
    {"full", [] { full({1}, 1, TensorOptions(kInt32, true)); }},
    {"full_like", [] { full_like(ones({1}, kInt8), 300); }},
    {"scalar_tensor", [] { scalar_tensor(300, kInt8); }},
    {"arange", [] { arange(0, 2, 1, kBool); }},
    {"tensor", [] { tensor<int>({300}, kInt8); }},
    {"from_values",
     [] {
         const std::array<int, 1> values = {300};
         from_values(std::span<const int>(values), {1}, kInt8);
     }},
    {"rand", [] { rand({1}, kInt32); }},
    {"randn", [] { randn({1}, kInt32); }},
    {"sub", [] { sub(flags(), flags()); }},
    {"rsub", [] { rsub(flags(), true); }},
    {"sub_",
     [] {
         Tensor x = flags();
         sub_(x, flags());
     }},
    {"sub_out",
     [] {
         Tensor x = flags();
         sub_out(x, flags(), flags());
     }},
    {"neg", [] { neg(flags()); }},
    {"neg_",
     [] {
         Tensor x = flags();
         neg_(x);
     }},
    {"add_",
     [] {
         Tensor x = ints();
         add_(x, 0.5);
     }},
    {"mul_",
     [] {
         Tensor x = ints();
         mul_(x, ones({2, 2}));
     }},
    {"div_",
     [] {
         Tensor x = ints();
         div_(x, 2);
     }},
    {"pow_",
     [] {
         Tensor x = ints();
         pow_(x, 0.5);
     }},
    {"sqrt_",
     [] {
         Tensor x = ints();
         sqrt_(x);
     }},
    {"rsqrt_",
     [] {
         Tensor x = ints();
         rsqrt_(x);
     }},
    {"exp_",
     [] {
         Tensor x = ints();
         exp_(x);
     }},
    {"log_",
     [] {
         Tensor x = ints();
         log_(x);
     }},
    {"tanh_",
     [] {
         Tensor x = ints();
         tanh_(x);
     }},
    {"sigmoid_",
     [] {
         Tensor x = ints();
         sigmoid_(x);
     }},
    {"clamp_",
     [] {
         Tensor x = ints();
         clamp_(x, 0.5, {});
     }},
    {"fill_",
     [] {
         Tensor x = ints();
         fill_(x, 1e10);
     }},
    {"exp_out",
     [] {
         Tensor x = ints();
         exp_out(x, ones({2, 2}));
     }},
    {"add_out",
     [] {
         Tensor x = ints();
         add_out(x, ones({2, 2}), ones({2, 2}));
     }},
    {"where", [] { where(ints(), ints(), ints()); }},
    {"masked_fill", [] { masked_fill(ints(), flags(), 1e10); }},
    {"masked_fill", [] { masked_fill(ints(), ints(), 1); }},
    {"mean", [] { mean(ints()); }},
    {"var", [] { var(ints()); }},
    {"std", [] { pumice::std(ints()); }},
    {"argmax", [] { argmax(flags()); }},
    {"argmin", [] { argmin(flags()); }},
    {"logsumexp", [] { logsumexp(ints(), {0}); }},
    {"equal", [] { equal(ints(), flags()); }},
    {"allclose", [] { allclose(ints(), flags()); }},
    {"embedding", [] { embedding(matrix(), matrix()); }},
    {"gather", [] { gather(matrix(), 0, matrix()); }},
    {"index_select", [] { index_select(matrix(), 0, ones({1})); }},
    {"scatter_add", [] { scatter_add(matrix(), 0, matrix(), matrix()); }},
    {"index_add", [] { index_add(matrix(), 0, ones({2}), matrix()); }},
    {"index_copy", [] { index_copy(matrix(), 0, zeros({2}, kInt32), ints()); }},
    {"masked_select", [] { masked_select(ints(), ints()); }},
    {"pad",
     [] {
         pad(ones({2}, kInt8), {1, 1}, 300);
     }},
    {"matmul", [] { matmul(flags(), flags()); }},
    {"matmul_out",
     [] {
         Tensor x = ones({2, 2});
         matmul_out(x, flags(), flags());
     }},
    {"linear", [] { linear(flags(), flags()); }},
    {"scaled_dot_product_attention", [] { scaled_dot_product_attention(ints(), ints(), ints()); }},
    {"conv2d", [] { conv2d(ints(), ints()); }},
    {"max_pool2d", [] { max_pool2d(ints(), 1); }},
    {"avg_pool2d", [] { avg_pool2d(ints(), 1); }},
    {"adaptive_avg_pool2d", [] { adaptive_avg_pool2d(ints(), 1); }},
    {"softmax", [] { softmax(ints(), 0); }},
    {"log_softmax", [] { log_softmax(ints(), 0); }},
    {"layer_norm", [] { layer_norm(ints(), {2}); }},
    {"rms_norm", [] { rms_norm(ints(), {2}); }},
    {"batch_norm", [] { batch_norm(ints(), {}, {}, {}, {}, true); }},
    {"group_norm", [] { group_norm(ints(), 1); }},
    {"instance_norm", [] { instance_norm(ints(), {}, {}, {}, {}, true); }},
    {"dropout", [] { dropout(ints()); }},
    {"rotary_embedding",
     [] {
         rotary_embedding(ints(), ones({2, 1}), ones({2, 1}));
     }},
    {"mse_loss", [] { mse_loss(ints(), ints()); }},
    {"l1_loss", [] { l1_loss(ints(), ints()); }},
    {"huber_loss", [] { huber_loss(ints(), ints()); }},
    {"cross_entropy", [] { cross_entropy(matrix(), ones({2})); }},
    {"quantile_loss", [] { quantile_loss(ints(), ints(), ints()); }},
    {"nll_loss", [] { functional::nll_loss(matrix(), ones({2})); }},
    {"one_hot", [] { functional::one_hot(ones({2}), 2); }},
    {"index", [] { static_cast<void>(matrix().index({ones({2})})); }},
    {"index_put_", [] { matrix().index_put_({0}, ints()); }},
    {"index_put_", [] { ones({2}, kInt8).index_put_({0}, 300); }},
    {"data_ptr", [] { static_cast<void>(ints().data_ptr<float>()); }},
};

constexpr Refusal kArguments[] = {
    {"arange", [] { arange(0, 1, 0); }},
    {"randint", [] { randint(1, 1, {1}); }},
    {"add", [] { add(ints(), std::int64_t{1} << 40); }},
    {"add", [] { add(ints(), ints(), 0.5); }},
    {"sub", [] { sub(ints(), std::int64_t{1} << 40); }},
    {"rsub", [] { rsub(ints(), std::int64_t{1} << 40); }},
    {"mul", [] { mul(ints(), std::int64_t{1} << 40); }},
    {"pow", [] { pow(ints(), -1); }},
    {"pow", [] { pow(ints(), std::int64_t{1} << 40); }},
    {"eq", [] { eq(ints(), std::int64_t{1} << 40); }},
    {"ne", [] { ne(ints(), std::int64_t{1} << 40); }},
    {"lt", [] { lt(ints(), std::int64_t{1} << 40); }},
    {"le", [] { le(ints(), std::int64_t{1} << 40); }},
    {"gt", [] { gt(ints(), std::int64_t{1} << 40); }},
    {"ge", [] { ge(ints(), std::int64_t{1} << 40); }},
    {"pow_",
     [] {
         Tensor x = ints();
         pow_(x, -1);
     }},
    {"add_",
     [] {
         Tensor x = wide();
         add_(x, 1);
     }},
    {"add_",
     [] {
         Tensor x = wide();
         add_(x, wide());
     }},
    {"sub_",
     [] {
         Tensor x = wide();
         sub_(x, 1);
     }},
    {"mul_",
     [] {
         Tensor x = wide();
         mul_(x, 2);
     }},
    {"div_",
     [] {
         Tensor x = wide();
         div_(x, 2);
     }},
    {"neg_",
     [] {
         Tensor x = wide();
         neg_(x);
     }},
    {"abs_",
     [] {
         Tensor x = wide();
         abs_(x);
     }},
    {"square_",
     [] {
         Tensor x = wide();
         square_(x);
     }},
    {"relu_",
     [] {
         Tensor x = wide();
         relu_(x);
     }},
    {"clamp_",
     [] {
         Tensor x = wide();
         clamp_(x, 0, 1);
     }},
    {"copy_",
     [] {
         Tensor x = wide();
         copy_(x, ones({4}));
     }},
    {"add_out",
     [] {
         Tensor x = wide();
         add_out(x, ones({4}), ones({4}));
     }},
    {"exp_out",
     [] {
         Tensor x = wide();
         exp_out(x, ones({4}));
     }},
    {"matmul_out",
     [] {
         Tensor x = ones({1, 1}).expand({2, 2});
         matmul_out(x, matrix(), ones({3, 2}));
     }},
    {"gelu", [] { gelu(matrix(), "other"); }},
    {"softplus", [] { softplus(matrix(), 0.0); }},
    {"clamp", [] { clamp(matrix(), {}, {}); }},
    {"sum", [] { sum(matrix(), {2}); }},
    {"mean", [] { mean(matrix(), {2}); }},
    {"amax", [] { amax(matrix(), {2}); }},
    {"amin", [] { amin(matrix(), {2}); }},
    {"var", [] { var(matrix(), {2}); }},
    {"std", [] { pumice::std(matrix(), {2}); }},
    {"argmax", [] { argmax(matrix(), 2); }},
    {"argmin", [] { argmin(matrix(), 2); }},
    {"logsumexp", [] { logsumexp(matrix(), {2}); }},
    {"cumsum", [] { cumsum(matrix(), 2); }},
    {"any", [] { any(matrix(), {2}); }},
    {"all", [] { all(matrix(), {2}); }},
    {"flatten", [] { flatten(matrix(), 1, 0); }},
    {"permute",
     [] {
         permute(matrix(), {0, 0});
     }},
    {"transpose", [] { transpose(matrix(), 0, 2); }},
    {"squeeze", [] { squeeze(matrix(), 2); }},
    {"unsqueeze", [] { unsqueeze(matrix(), 3); }},
    {"select", [] { select(matrix(), 0, 2); }},
    {"slice", [] { slice(matrix(), 0, 0, 1, 0); }},
    {"narrow", [] { narrow(matrix(), 0, 0, 3); }},
    {"unfold", [] { unfold(matrix(), 0, 3, 1); }},
    {"split", [] { split(matrix(), 0); }},
    {"split_with_sizes", [] { split_with_sizes(matrix(), {3}); }},
    {"chunk", [] { chunk(matrix(), 0); }},
    {"as_strided", [] { as_strided(matrix(), {1}, {-1}, 0); }},
    {"embedding", [] { embedding(matrix(), ints(), 2); }},
    {"gather", [] { gather(matrix(), 2, ints()); }},
    {"index_select", [] { index_select(matrix(), 2, zeros({1}, kInt32)); }},
    {"scatter_add", [] { scatter_add(matrix(), 2, ints(), matrix()); }},
    {"index_add", [] { index_add(matrix(), 2, zeros({2}, kInt32), matrix()); }},
    {"index_copy", [] { index_copy(matrix(), 2, zeros({2}, kInt32), matrix()); }},
    {"cat", [] { cat({}); }},
    {"stack", [] { stack({}); }},
    {"pad", [] { pad(matrix(), {1}); }},
    {"repeat",
     [] {
         repeat(matrix(), {-1, 1});
     }},
    {"scaled_dot_product_attention",
     [] {
         scaled_dot_product_attention(
             matrix(), matrix(), matrix(), {}, false, std::numeric_limits<double>::infinity());
     }},
    {"conv2d",
     [] {
         conv2d(ones({1, 1, 3, 3}), ones({1, 1, 1, 1}), {}, 0);
     }},
    {"max_pool2d",
     [] {
         max_pool2d(ones({1, 1, 3, 3}), 0);
     }},
    {"avg_pool2d",
     [] {
         avg_pool2d(ones({1, 1, 3, 3}), 0);
     }},
    {"adaptive_avg_pool2d",
     [] {
         adaptive_avg_pool2d(ones({1, 1, 3, 3}), -1);
     }},
    {"softmax", [] { softmax(matrix(), 2); }},
    {"log_softmax", [] { log_softmax(matrix(), 2); }},
    {"batch_norm", [] { batch_norm(matrix(), {}, {}, {}, {}, false); }},
    {"group_norm", [] { group_norm(matrix(), 2); }},
    {"instance_norm", [] { instance_norm(matrix(), {}, {}, {}, {}, false); }},
    {"dropout", [] { dropout(matrix(), 2.0); }},
    {"huber_loss", [] { huber_loss(matrix(), matrix(), Reduction::kMean, 0.0); }},
    {"cross_entropy",
     [] { cross_entropy(matrix(), zeros({2}, kInt32), Reduction::kMean, -100, 2.0); }},
    {"one_hot", [] { functional::one_hot(ints(), -1); }},
    {"index", [] { static_cast<void>(matrix().index({5})); }},
    {"index",
     [] {
         static_cast<void>(matrix().index({0, 0, 0}));
     }},
    {"index_put_", [] { matrix().index_put_({5}, 1); }},
};

// Operators that only the engine calls: in gradients, or with operands that it has checked.
constexpr std::string_view kInternal[] = {
    "apply_mask",
    "attention_gradient",
    "avg_pool2d_gradient",
    "channel_affine",
    "conv2d_image_gradient",
    "conv2d_weight_gradient",
    "gelu_backward",
    "gelu_tanh_backward",
    "index_places",
    "is_within",
    "keep_where",
    "max_pool2d_gradient",
    "norm_backward",
    "order",
    "pack_mask",
    "relu_backward",
    "scatter_sum",
    "sigmoid_backward",
    "silu_backward",
    "strided_sum",
    "tanh_backward",
};

// Public names without a row above, nor in pumice/ops/unary.inc: nothing but an undefined operand
// is refused.
constexpr std::string_view kRefuseLittle[] = {
    "alias", "isfinite", "isnan", "logical_not", "nan_to_num"};

template <class E>
void check_refusals(std::span<const Refusal> refusals) {
    for (const Refusal& refusal : refusals) {
        CAPTURE(std::string(refusal.where));
        test::check_throws<E>(refusal.call, "[" + std::string(refusal.where) + "] ");
    }
}

bool is_in(std::span<const std::string_view> names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("what a function refuses is told under its own name") {
    check_refusals<ShapeError>(kShapes);
    check_refusals<DTypeError>(kDTypes);
    check_refusals<ArgumentError>(kArguments);
    test::check_throws<UnsupportedError>([] { zeros({1}, kFloat64); }, "[zeros] ");
    test::check_throws<UnsupportedError>([] { to(ints(), kFloat64); }, "[to] ");
}

TEST_CASE("every operator that users reach has a row with its name") {
    const auto has_row = [](std::string_view name) {
        const auto names_it = [&](const Refusal& refusal) { return refusal.where == name; };
        return std::any_of(std::begin(kShapes), std::end(kShapes), names_it) ||
               std::any_of(std::begin(kDTypes), std::end(kDTypes), names_it) ||
               std::any_of(std::begin(kArguments), std::end(kArguments), names_it);
    };
    for (const dispatch::OpDef* def : ops::all_ops()) {
        CAPTURE(std::string(def->name));
        const bool is_unary =
            std::any_of(std::begin(test::kUnaryFunctions),
                        std::end(test::kUnaryFunctions),
                        [&](const test::UnaryFunction& each) { return each.name == def->where(); });
        CHECK((has_row(def->where()) || is_unary || is_in(kRefuseLittle, def->where())) !=
              is_in(kInternal, def->where()));
    }
}

TEST_CASE("errors about several values say which is which") {
    using test::check_throws;
    check_throws<ShapeError>([] { add(matrix(), ones({4})); },
                             "got a [2, 3] float32 and b [4] float32");
    check_throws<ShapeError>([] { where(flags(), matrix(), ones({4})); },
                             "got condition [2, 2] bool, a [2, 3] float32 and b [4] float32");
    check_throws<ArgumentError>(
        [] {
            max_pool2d(ones({1, 1, 4, 4}), 1, 2, 1);
        },
        "got kernel_size [1, 1], stride [2, 2], dilation [1, 1] and padding "
        "[1, 1]");
    check_throws<ArgumentError>(
        [] {
            conv2d(ones({1, 1, 3, 3}), ones({1, 1, 1, 1}), {}, 0);
        },
        "got stride [0, 0], dilation [1, 1], groups 1 and padding [0, 0]");
    check_throws<ShapeError>(
        [] {
            rotary_embedding(matrix(), ones({2, 1}), ones({3}));
        },
        "got x [2, 3] float32, cos [2, 1] float32 and sin [3] float32");
    check_throws<DTypeError>(
        [] {
            linear(matrix(), ones({2, 3}), ones({2}, kInt32));
        },
        "got x [2, 3] float32, weight [2, 3] float32 and bias [2] int32");
    check_throws<ShapeError>(
        [] {
            scaled_dot_product_attention(matrix(), ones({2, 4}), matrix());
        },
        "got query [2, 3] float32, key [2, 4] float32 and value [2, 3] float32");
    check_throws<ArgumentError>([] { as_strided(matrix(), {1}, {-1}, 0); },
                                "got sizes [1], strides [-1] and offset 0");
    check_throws<DTypeError>([] { equal(ints(), flags()); },
                             "got a [2, 2] int32 and b [2, 2] bool");
}

}  // namespace pumice
