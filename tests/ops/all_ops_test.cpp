// SPDX-License-Identifier: Apache-2.0
#include "ops/all_ops.h"

#include "pumice/nn/functional.h"
#include "pumice/pumice.h"

#include "dispatch/op_def.h"
#include "support/harness.h"
#include "support/unary_cases.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

using namespace pumice;

namespace {

// A call that must refuse undefined operands, and the name it must give.
struct Unary {
    const char* where;
    Tensor (*run)(Tensor x);
};

struct Binary {
    const char* where;
    Tensor (*run)(Tensor a, Tensor b);
};

struct Ternary {
    const char* where;
    Tensor (*run)(Tensor a, Tensor b, Tensor c);
};

constexpr Unary kUnary[] = {
    {"isnan", isnan},
    {"isfinite", isfinite},
    {"logical_not", logical_not},
    {"clone", clone},
    {"contiguous", contiguous},
    {"gelu", [](Tensor x) { return gelu(x); }},
    {"gelu", [](Tensor x) { return gelu(x, "tanh"); }},
    {"softplus", [](Tensor x) { return softplus(x); }},
    {"clamp", [](Tensor x) { return clamp(x, 0, 1); }},
    {"nan_to_num", [](Tensor x) { return nan_to_num(x); }},
    {"to", [](Tensor x) { return to(x, kInt32); }},
    {"softmax", [](Tensor x) { return softmax(x, 0); }},
    {"log_softmax", [](Tensor x) { return log_softmax(x, 0); }},
    {"dropout", [](Tensor x) { return dropout(x); }},
    {"dropout", [](Tensor x) { return dropout(x, 0.5, false); }},
    {"layer_norm", [](Tensor x) { return layer_norm(x, {2}); }},
    {"rms_norm", [](Tensor x) { return rms_norm(x, {2}); }},
    {"batch_norm", [](Tensor x) { return batch_norm(x, {}, {}, {}, {}, true); }},
    {"group_norm", [](Tensor x) { return group_norm(x, 2); }},
    {"max_pool2d", [](Tensor x) { return max_pool2d(x, 2); }},
    {"avg_pool2d", [](Tensor x) { return avg_pool2d(x, 2); }},
    {"adaptive_avg_pool2d", [](Tensor x) { return adaptive_avg_pool2d(x, 1); }},
    {"instance_norm", [](Tensor x) { return instance_norm(x, {}, {}, {}, {}, true); }},
    {"sum", [](Tensor x) { return sum(x); }},
    {"mean", [](Tensor x) { return mean(x); }},
    {"amax", [](Tensor x) { return amax(x); }},
    {"amin", [](Tensor x) { return amin(x); }},
    {"var", [](Tensor x) { return var(x); }},
    {"std", [](Tensor x) { return pumice::std(x); }},
    {"argmax", [](Tensor x) { return argmax(x); }},
    {"argmin", [](Tensor x) { return argmin(x, 0); }},
    {"logsumexp", [](Tensor x) { return logsumexp(x, {0}); }},
    {"cumsum", [](Tensor x) { return cumsum(x, 0); }},
    {"sum_to_size", [](Tensor x) { return sum_to_size(x, {1}); }},
    {"any", [](Tensor x) { return any(x); }},
    {"all", [](Tensor x) { return all(x); }},
    {"pad",
     [](Tensor x) {
         return pad(x, {1, 1});
     }},
    {"repeat", [](Tensor x) { return repeat(x, {2}); }},
    {"nonzero", [](Tensor x) { return nonzero(x); }},
    {"max", [](Tensor x) { return x.max(); }},
    {"min", [](Tensor x) { return x.min(); }},
    {"masked_fill", [](Tensor x) { return masked_fill(x, ones({}, kBool), 1); }},
    {"leaky_relu", [](Tensor x) { return nn::functional::leaky_relu(x); }},
    {"one_hot", [](Tensor x) { return nn::functional::one_hot(x, 2); }},
    {"data_ptr", [](Tensor x) { return x.data_ptr<float>() == nullptr ? x : x; }},
    {"index_put_", [](Tensor x) { return x.index_put_({0}, 1); }},
    {"tril", [](Tensor x) { return tril(x); }},
    {"triu", [](Tensor x) { return triu(x); }},
    {"empty_like", [](Tensor x) { return empty_like(x); }},
    {"zeros_like", [](Tensor x) { return zeros_like(x); }},
    {"ones_like", [](Tensor x) { return ones_like(x); }},
    {"full_like", [](Tensor x) { return full_like(x, 2); }},
    {"view", [](Tensor x) { return view(x, {1}); }},
    {"reshape", [](Tensor x) { return reshape(x, {1}); }},
    {"flatten", [](Tensor x) { return flatten(x); }},
    {"permute", [](Tensor x) { return permute(x, {0}); }},
    {"transpose", [](Tensor x) { return transpose(x, 0, 1); }},
    {"t", [](Tensor x) { return t(x); }},
    {"expand", [](Tensor x) { return expand(x, {1}); }},
    {"squeeze", [](Tensor x) { return squeeze(x, 0); }},
    {"unsqueeze", [](Tensor x) { return unsqueeze(x, 0); }},
    {"select", [](Tensor x) { return select(x, 0, 0); }},
    {"slice", [](Tensor x) { return slice(x, 0, 0); }},
    {"narrow", [](Tensor x) { return narrow(x, 0, 0, 1); }},
    {"unfold", [](Tensor x) { return unfold(x, 0, 1, 1); }},
    {"split", [](Tensor x) { return split(x, 1)[0]; }},
    {"split_with_sizes", [](Tensor x) { return split_with_sizes(x, {1})[0]; }},
    {"chunk", [](Tensor x) { return chunk(x, 1)[0]; }},
    {"as_strided", [](Tensor x) { return as_strided(x, {1}, {1}, 0); }},
    {"alias", [](Tensor x) { return alias(x); }},
    {"detach", [](Tensor x) { return x.detach(); }},
    {"data", [](Tensor x) { return x.data(); }},
    {"persist", [](Tensor x) { return x.persist(); }},
    {"item", [](Tensor x) { return scalar_tensor(x.item()); }},
    {"to_host", [](Tensor x) { return zeros(x.to_host().sizes); }},
    {"to_host_async", [](Tensor x) { return zeros(x.to_host_async().get().sizes); }},
    {"add", [](Tensor x) { return add(x, 1); }},
    {"sub", [](Tensor x) { return sub(x, 1); }},
    {"sub", [](Tensor x) { return sub(x, true); }},
    {"rsub", [](Tensor x) { return rsub(x, 1); }},
    {"rsub", [](Tensor x) { return rsub(x, true); }},
    {"mul", [](Tensor x) { return mul(x, 1); }},
    {"div", [](Tensor x) { return div(x, 1); }},
    {"pow", [](Tensor x) { return pow(x, 1); }},
    {"eq", [](Tensor x) { return eq(x, 1); }},
    {"ne", [](Tensor x) { return ne(x, 1); }},
    {"lt", [](Tensor x) { return lt(x, 1); }},
    {"le", [](Tensor x) { return le(x, 1); }},
    {"gt", [](Tensor x) { return gt(x, 1); }},
    {"ge", [](Tensor x) { return ge(x, 1); }},
    {"add_", [](Tensor x) { return add_(x, 1); }},
    {"sub_", [](Tensor x) { return sub_(x, 1); }},
    {"sub_", [](Tensor x) { return sub_(x, true); }},
    {"mul_", [](Tensor x) { return mul_(x, 1); }},
    {"div_", [](Tensor x) { return div_(x, 1); }},
    {"pow_", [](Tensor x) { return pow_(x, 1); }},
    {"clamp_", [](Tensor x) { return clamp_(x, 0, 1); }},
    {"fill_", [](Tensor x) { return fill_(x, 1); }},
    {"zero_", [](Tensor x) { return zero_(x); }},
};

constexpr Binary kBinary[] = {
    {"add", [](Tensor a, Tensor b) { return add(a, b); }},
    {"sub", [](Tensor a, Tensor b) { return sub(a, b); }},
    {"mul", [](Tensor a, Tensor b) { return mul(a, b); }},
    {"div", [](Tensor a, Tensor b) { return div(a, b); }},
    {"pow", [](Tensor a, Tensor b) { return pow(a, b); }},
    {"maximum", [](Tensor a, Tensor b) { return maximum(a, b); }},
    {"minimum", [](Tensor a, Tensor b) { return minimum(a, b); }},
    {"eq", [](Tensor a, Tensor b) { return eq(a, b); }},
    {"ne", [](Tensor a, Tensor b) { return ne(a, b); }},
    {"lt", [](Tensor a, Tensor b) { return lt(a, b); }},
    {"le", [](Tensor a, Tensor b) { return le(a, b); }},
    {"gt", [](Tensor a, Tensor b) { return gt(a, b); }},
    {"ge", [](Tensor a, Tensor b) { return ge(a, b); }},
    {"logical_and", [](Tensor a, Tensor b) { return logical_and(a, b); }},
    {"logical_or", [](Tensor a, Tensor b) { return logical_or(a, b); }},
    {"logical_xor", [](Tensor a, Tensor b) { return logical_xor(a, b); }},
    {"copy_", [](Tensor a, Tensor b) { return copy_(a, b); }},
    {"sub_", [](Tensor a, Tensor b) { return sub_(a, b); }},
    {"matmul", [](Tensor a, Tensor b) { return matmul(a, b); }},
    {"linear", [](Tensor a, Tensor b) { return linear(a, b); }},
    {"conv2d", [](Tensor a, Tensor b) { return conv2d(a, b); }},
    {"mse_loss", [](Tensor a, Tensor b) { return mse_loss(a, b); }},
    {"l1_loss", [](Tensor a, Tensor b) { return l1_loss(a, b); }},
    {"huber_loss", [](Tensor a, Tensor b) { return huber_loss(a, b); }},
    {"add_", [](Tensor a, Tensor b) { return add_(a, b); }},
    {"mul_", [](Tensor a, Tensor b) { return mul_(a, b); }},
    {"div_", [](Tensor a, Tensor b) { return div_(a, b); }},
    {"cat",
     [](Tensor a, Tensor b) {
         return cat({a, b});
     }},
    {"stack",
     [](Tensor a, Tensor b) {
         return stack({a, b});
     }},
    {"embedding", [](Tensor a, Tensor b) { return embedding(a, b); }},
    {"gather", [](Tensor a, Tensor b) { return gather(a, 0, b); }},
    {"index_select", [](Tensor a, Tensor b) { return index_select(a, 0, b); }},
    {"index", [](Tensor a, Tensor b) { return a.index({b}); }},
    {"masked_select", [](Tensor a, Tensor b) { return masked_select(a, b); }},
    {"cross_entropy", [](Tensor a, Tensor b) { return cross_entropy(a, b); }},
    {"nll_loss", [](Tensor a, Tensor b) { return nn::functional::nll_loss(a, b); }},
    {"binary_cross_entropy_with_logits",
     [](Tensor a, Tensor b) { return nn::functional::binary_cross_entropy_with_logits(a, b); }},
    {"equal", [](Tensor a, Tensor b) { return scalar_tensor(equal(a, b)); }},
    {"allclose", [](Tensor a, Tensor b) { return scalar_tensor(allclose(a, b)); }},
};

constexpr Ternary kTernary[] = {
    {"where", [](Tensor a, Tensor b, Tensor c) { return where(a, b, c); }},
    {"add_out", [](Tensor a, Tensor b, Tensor c) { return add_out(a, b, c); }},
    {"sub_out", [](Tensor a, Tensor b, Tensor c) { return sub_out(a, b, c); }},
    {"mul_out", [](Tensor a, Tensor b, Tensor c) { return mul_out(a, b, c); }},
    {"div_out", [](Tensor a, Tensor b, Tensor c) { return div_out(a, b, c); }},
    {"matmul_out", [](Tensor a, Tensor b, Tensor c) { return matmul_out(a, b, c); }},
    {"rotary_embedding", [](Tensor a, Tensor b, Tensor c) { return rotary_embedding(a, b, c); }},
    {"scaled_dot_product_attention",
     [](Tensor a, Tensor b, Tensor c) { return scaled_dot_product_attention(a, b, c); }},
    {"scatter_add", [](Tensor a, Tensor b, Tensor c) { return scatter_add(a, 0, b, c); }},
    {"index_add", [](Tensor a, Tensor b, Tensor c) { return index_add(a, 0, b, c); }},
    {"index_copy", [](Tensor a, Tensor b, Tensor c) { return index_copy(a, 0, b, c); }},
};

template <class F>
void check_undefined(const std::string& where, F&& run) {
    CAPTURE(where);
    test::check_throws<ArgumentError>(run, "[" + where + "] got an undefined tensor");
}

}  // namespace

TEST_CASE("all_ops: each once, each well formed") {
    std::set<std::string_view> names;
    for (const dispatch::OpDef* def : ops::all_ops()) {
        CAPTURE(std::string(def->name));
        CHECK(names.insert(def->name).second);
        CHECK(dispatch::well_formed(*def));
    }
    CHECK(names.size() > 20);
}

TEST_CASE("every operator refuses undefined operands by name") {
    const Tensor none;
    const Tensor x = ones({2, 2});
    const Tensor index = zeros({2, 2}, kInt32);
    for (const Unary& call : kUnary) {
        check_undefined(call.where, [&] { call.run(none); });
    }
    for (const test::UnaryFunction& function : test::kUnaryFunctions) {
        Tensor nothing;
        Tensor out = ones({2, 2});
        check_undefined(std::string(function.name), [&] { function.call(none); });
        check_undefined(std::string(function.in_place_name), [&] { function.write(nothing); });
        check_undefined(std::string(function.out_name), [&] { function.write_out(out, none); });
        check_undefined(std::string(function.out_name), [&] { function.write_out(nothing, x); });
    }
    for (const Binary& call : kBinary) {
        check_undefined(call.where, [&] { call.run(none, index); });
        check_undefined(call.where, [&] { call.run(x, none); });
        check_undefined(call.where, [&] { call.run(none, none); });
    }
    for (const Ternary& call : kTernary) {
        check_undefined(call.where, [&] { call.run(none, index, x); });
        check_undefined(call.where, [&] { call.run(x, none, x); });
        check_undefined(call.where, [&] { call.run(x, index, none); });
    }
    check_undefined("quantile_loss", [&] { quantile_loss(none, x, x); });
    check_undefined("quantile_loss", [&] { quantile_loss(x, none, x); });
    check_undefined("quantile_loss", [&] { quantile_loss(x, x, none); });
    check_undefined("view_as", [&] { view_as(x, none); });
    check_undefined("view_as", [&] { view_as(none, x); });
}
