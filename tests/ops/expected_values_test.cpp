// SPDX-License-Identifier: Apache-2.0
// Every operator against values that PyTorch computed in float64, gradients included. The files and
// their names are explained in tools/make_expected_values.py; each line here has its twin there.
#include "pumice/io.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace pumice;

namespace {

using In = const std::vector<Tensor>&;

// Results of a case: one tensor, or several.
struct Outputs {
    Outputs(const Tensor& tensor) : tensors{tensor} {}

    Outputs(std::vector<Tensor> several) : tensors(std::move(several)) {}

    std::vector<Tensor> tensors;
};

// A lambda without captures that takes `In` and returns what Outputs is made of.
struct Call {
    template <class F>
    constexpr Call(F) : run([](In in) { return Outputs(F{}(in)); }) {}

    Outputs (*run)(In);
};

struct Case {
    const char* name;  // of the call; the file has it with and without "/variant"
    Call call;
    double tolerance = 2e-6;  // as test::tolerance_of(kFloat32)
};

// The file of one family.
class ExpectedFile {
public:
    explicit ExpectedFile(const std::string& family)
        : file_(PUMICE_TEST_DATA_DIR "/expected/" + family + ".safetensors") {
        for (const io::SafetensorsEntry& entry : file_.entries()) {
            names_.insert(entry.name);
        }
    }

    bool has(const std::string& name) const { return names_.contains(name); }

    Tensor load(const std::string& name) const { return file_.load(name); }

    // "CASE.inputI" and the like, from I = 0 until there is none.
    std::vector<Tensor> load_list(const std::string& prefix) const {
        std::vector<Tensor> list;
        while (has(prefix + std::to_string(list.size()))) {
            list.push_back(load(prefix + std::to_string(list.size())));
        }
        return list;
    }

    // Names of cases by the name of their call, which ends at a slash.
    std::map<std::string, std::set<std::string>> cases_by_call() const {
        std::map<std::string, std::set<std::string>> found;
        for (const std::string& name : names_) {
            const std::string test = name.substr(0, name.rfind('.'));
            found[test.substr(0, test.find('/'))].insert(test);
        }
        return found;
    }

private:
    io::SafetensorsFile file_;
    std::set<std::string> names_;
};

void check_equal(const Tensor& got, const Tensor& wanted, double tolerance) {
    REQUIRE(got.defined());
    REQUIRE(got.sizes() == wanted.sizes());
    REQUIRE(got.dtype() == wanted.dtype());
    test::check_close(got, wanted.to_vector<double>(), tolerance);
}

// The arguments; those that have a gradient in the file want one.
std::vector<Tensor> load_leaves(const ExpectedFile& file, const std::string& name) {
    std::vector<Tensor> leaves = file.load_list(name + ".input");
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (file.has(name + ".grad" + std::to_string(i))) {
            leaves[i].set_requires_grad(true);
        }
    }
    return leaves;
}

void check_gradients(const ExpectedFile& file,
                     const std::string& name,
                     const std::vector<Tensor>& leaves,
                     const std::vector<Tensor>& outputs,
                     double tolerance) {
    Tensor total = scalar_tensor(0.0);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        INFO("output " << k);
        const std::string weight = name + ".weight" + std::to_string(k);
        REQUIRE(outputs[k].requires_grad() == file.has(weight));
        if (file.has(weight)) {
            total = add(total, sum(mul(outputs[k], file.load(weight))));
        }
    }
    if (!total.requires_grad()) {
        return;
    }
    total.backward();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        INFO("gradient of input " << i);
        if (leaves[i].requires_grad()) {
            const Tensor wanted = file.load(name + ".grad" + std::to_string(i));
            check_equal(leaves[i].grad(), wanted, tolerance);
        }
    }
}

void check_case(const ExpectedFile& file, const std::string& name, const Case& test) {
    INFO("case " << name);
    const std::vector<Tensor> wanted = file.load_list(name + ".output");
    const std::vector<Tensor> leaves = load_leaves(file, name);
    const std::vector<Tensor> outputs = test.call.run(leaves).tensors;
    REQUIRE(outputs.size() == wanted.size());
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        INFO("output " << k);
        check_equal(outputs[k], wanted[k], test.tolerance);
    }
    check_gradients(file, name, leaves, outputs, test.tolerance);
}

void check_family(const std::string& family, std::span<const Case> tests) {
    const ExpectedFile file(family);
    auto left = file.cases_by_call();
    for (const Case& test : tests) {
        INFO("call " << std::string(test.name));
        REQUIRE(left.contains(test.name));  // else the file lacks it, or it stands here twice
        for (const std::string& name : left[test.name]) {
            check_case(file, name, test);
        }
        left.erase(test.name);
    }
    for (const auto& [name, cases] : left) {
        FAIL_CHECK("the file has cases of " << name << ", which no line here calls");
    }
}

constexpr Case kUnary[] = {
    {"neg", [](In in) { return neg(in[0]); }},
    {"abs", [](In in) { return abs(in[0]); }},
    {"sign", [](In in) { return sign(in[0]); }},
    {"square", [](In in) { return square(in[0]); }},
    {"sqrt", [](In in) { return sqrt(in[0]); }},
    {"rsqrt", [](In in) { return rsqrt(in[0]); }},
    {"reciprocal", [](In in) { return reciprocal(in[0]); }},
    {"exp", [](In in) { return exp(in[0]); }},
    {"log", [](In in) { return log(in[0]); }},
    {"log1p", [](In in) { return log1p(in[0]); }},
    {"sin", [](In in) { return sin(in[0]); }},
    {"cos", [](In in) { return cos(in[0]); }},
    {"tanh", [](In in) { return tanh(in[0]); }},
    {"sinh", [](In in) { return sinh(in[0]); }},
    {"cosh", [](In in) { return cosh(in[0]); }},
    {"asinh", [](In in) { return asinh(in[0]); }},
    {"erf", [](In in) { return erf(in[0]); }},
    {"sigmoid", [](In in) { return sigmoid(in[0]); }},
    {"relu", [](In in) { return relu(in[0]); }},
    {"gelu", [](In in) { return gelu(in[0]); }},
    {"gelu_tanh", [](In in) { return gelu(in[0], "tanh"); }},
    {"silu", [](In in) { return silu(in[0]); }},
    {"softplus", [](In in) { return softplus(in[0]); }},
    {"softplus_threshold", [](In in) { return softplus(in[0], 2.0, 3.0); }},
    {"clamp", [](In in) { return clamp(in[0], -1.0, 1.0); }},
    {"clamp_min", [](In in) { return clamp(in[0], -1.0, {}); }},
    {"clamp_max", [](In in) { return clamp(in[0], {}, 1.0); }},
    {"clamp_crossed", [](In in) { return clamp(in[0], 1.0, -1.0); }},
    {"clamp_int", [](In in) { return clamp(in[0], -2, 3); }},
    {"nan_to_num", [](In in) { return nan_to_num(in[0], 0.5, 7.0, -8.0); }},
    {"nan_to_num_default", [](In in) { return nan_to_num(in[0]); }},
    {"isnan", [](In in) { return isnan(in[0]); }},
    {"isfinite", [](In in) { return isfinite(in[0]); }},
    {"to_int32", [](In in) { return to(in[0], kInt32); }},
    {"to_bool", [](In in) { return to(in[0], kBool); }},
    {"float16_and_back", [](In in) { return to(to(in[0], kFloat16), kFloat32); }},
    {"bfloat16_and_back", [](In in) { return to(to(in[0], kBFloat16), kFloat32); }},
};

constexpr Case kBinary[] = {
    {"add", [](In in) { return add(in[0], in[1]); }},
    {"sub", [](In in) { return sub(in[0], in[1]); }},
    {"mul", [](In in) { return mul(in[0], in[1]); }},
    {"div", [](In in) { return div(in[0], in[1]); }},
    {"maximum", [](In in) { return maximum(in[0], in[1]); }},
    {"minimum", [](In in) { return minimum(in[0], in[1]); }},
    {"add_alpha", [](In in) { return add(in[0], in[1], 2.5); }},
    {"sub_alpha", [](In in) { return sub(in[0], in[1], 0.5); }},
    {"add_scalar", [](In in) { return add(in[0], 1.5); }},
    {"sub_scalar", [](In in) { return sub(in[0], 1.5); }},
    {"rsub_scalar", [](In in) { return rsub(in[0], 1.5); }},
    {"mul_scalar", [](In in) { return mul(in[0], -1.5); }},
    {"div_scalar", [](In in) { return div(in[0], 0.75); }},
    {"add_itself", [](In in) { return add(in[0], in[0]); }},
    {"mul_itself", [](In in) { return mul(in[0], in[0]); }},
    {"pow", [](In in) { return pow(in[0], in[1]); }},
    {"pow_0", [](In in) { return pow(in[0], 0); }},
    {"pow_1", [](In in) { return pow(in[0], 1); }},
    {"pow_2", [](In in) { return pow(in[0], 2); }},
    {"pow_3", [](In in) { return pow(in[0], 3); }},
    {"pow_half", [](In in) { return pow(in[0], 0.5); }},
    {"pow_minus_1", [](In in) { return pow(in[0], -1); }},
    {"pow_minus_1_5", [](In in) { return pow(in[0], -1.5); }},
    {"where", [](In in) { return where(in[0], in[1], in[2]); }},
    {"where_guards_log",
     [](In in) { return where(gt(in[0], 0.0), log(in[0]), zeros_like(in[0])); }},
};

constexpr Case kComparisons[] = {
    {"eq", [](In in) { return eq(in[0], in[1]); }},
    {"eq_scalar", [](In in) { return eq(in[0], 2.0); }},
    {"ne", [](In in) { return ne(in[0], in[1]); }},
    {"ne_scalar", [](In in) { return ne(in[0], 2.0); }},
    {"lt", [](In in) { return lt(in[0], in[1]); }},
    {"lt_scalar", [](In in) { return lt(in[0], 2.0); }},
    {"le", [](In in) { return le(in[0], in[1]); }},
    {"le_scalar", [](In in) { return le(in[0], 2.0); }},
    {"gt", [](In in) { return gt(in[0], in[1]); }},
    {"gt_scalar", [](In in) { return gt(in[0], 2.0); }},
    {"ge", [](In in) { return ge(in[0], in[1]); }},
    {"ge_scalar", [](In in) { return ge(in[0], 2.0); }},
    {"logical_and", [](In in) { return logical_and(in[0], in[1]); }},
    {"logical_or", [](In in) { return logical_or(in[0], in[1]); }},
    {"logical_xor", [](In in) { return logical_xor(in[0], in[1]); }},
    {"logical_not", [](In in) { return logical_not(in[0]); }},
};

// An in-place form on a copy of the first argument, so that gradients flow through the change.
template <class F>
constexpr Call change(F) {
    return [](In in) {
        Tensor x = clone(in[0]);
        F{}(x, in);
        return x;
    };
}

constexpr Case kInPlace[] = {
    {"add_", change([](Tensor& x, In in) { add_(x, in[1], 2.0); })},
    {"sub_", change([](Tensor& x, In in) { sub_(x, in[1]); })},
    {"mul_", change([](Tensor& x, In in) { mul_(x, in[1]); })},
    {"div_", change([](Tensor& x, In in) { div_(x, in[1]); })},
    {"pow_", change([](Tensor& x, In) { pow_(x, 3); })},
    {"neg_", change([](Tensor& x, In) { neg_(x); })},
    {"abs_", change([](Tensor& x, In) { abs_(x); })},
    {"square_", change([](Tensor& x, In) { square_(x); })},
    {"sqrt_", change([](Tensor& x, In) { sqrt_(x); })},
    {"rsqrt_", change([](Tensor& x, In) { rsqrt_(x); })},
    {"exp_", change([](Tensor& x, In) { exp_(x); })},
    {"log_", change([](Tensor& x, In) { log_(x); })},
    {"tanh_", change([](Tensor& x, In) { tanh_(x); })},
    {"sigmoid_", change([](Tensor& x, In) { sigmoid_(x); })},
    {"relu_", change([](Tensor& x, In) { relu_(x); })},
    {"clamp_", change([](Tensor& x, In) { clamp_(x, 0.75, 1.5); })},
    {"copy_", change([](Tensor& x, In in) { copy_(x, in[1]); })},
    {"fill_",
     [](In in) {
         Tensor x = clone(in[0]);
         fill_(x, 2.5);
         return mul(x, in[0]);
     }},
    {"zero_",
     [](In in) {
         Tensor x = clone(in[0]);
         zero_(x);
         return add(x, in[0]);
     }},
    {"through_views",
     [](In in) {
         Tensor x = clone(in[0]);
         Tensor column = select(t(x), 0, 0);
         add_(column, 1.0);
         Tensor row = select(x, 0, 1);
         mul_(row, in[1]);
         Tensor middle = slice(x, 1, 1, 3);
         exp_(middle);
         return x;
     }},
};

constexpr Dims kOuter = {0, 2};

constexpr Case kReductions[] = {
    {"sum", [](In in) { return sum(in[0]); }},
    {"sum_last", [](In in) { return sum(in[0], {-1}); }},
    {"sum_outer", [](In in) { return sum(in[0], kOuter, true); }},
    {"mean", [](In in) { return mean(in[0]); }},
    {"mean_last", [](In in) { return mean(in[0], {-1}); }},
    {"mean_outer", [](In in) { return mean(in[0], kOuter, true); }},
    {"amax", [](In in) { return amax(in[0]); }},
    {"amax_last", [](In in) { return amax(in[0], {-1}); }},
    {"amax_outer", [](In in) { return amax(in[0], kOuter, true); }},
    {"amin", [](In in) { return amin(in[0]); }},
    {"amin_last", [](In in) { return amin(in[0], {-1}); }},
    {"amin_outer", [](In in) { return amin(in[0], kOuter, true); }},
    {"sum_to_size",
     [](In in) {
         return sum_to_size(in[0], {4, 1});
     }},
    // The gradient reads x - mean; a mean of 1000 is rounded by up to 3e-5.
    {"var", [](In in) { return var(in[0]); }, 1e-5},
    {"var_last", [](In in) { return var(in[0], {-1}, 0); }},
    {"var_outer", [](In in) { return var(in[0], kOuter, 2, true); }},
    {"std", [](In in) { return pumice::std(in[0]); }, 1e-5},
    {"std_last", [](In in) { return pumice::std(in[0], {-1}, 0); }},
    {"std_outer", [](In in) { return pumice::std(in[0], kOuter, 2, true); }},
    {"argmax", [](In in) { return argmax(in[0]); }},
    {"argmax_middle", [](In in) { return argmax(in[0], 1, true); }},
    {"argmax_last", [](In in) { return argmax(in[0], -1); }},
    {"argmin", [](In in) { return argmin(in[0]); }},
    {"argmin_middle", [](In in) { return argmin(in[0], 1, true); }},
    {"argmin_last", [](In in) { return argmin(in[0], -1); }},
    {"any", [](In in) { return any(in[0]); }},
    {"any_last", [](In in) { return any(in[0], {1}, true); }},
    {"all", [](In in) { return all(in[0]); }},
    {"all_last", [](In in) { return all(in[0], {1}, true); }},
    {"logsumexp", [](In in) { return logsumexp(in[0], {1}); }},
    {"logsumexp_all",
     [](In in) {
         return logsumexp(in[0], {0, 1, 2}, true);
     }},
    {"cumsum_first", [](In in) { return cumsum(in[0], 0); }},
    {"cumsum_last", [](In in) { return cumsum(in[0], -1); }},
};

constexpr Case kLinalg[] = {
    // Sums of up to 300 products of magnitude up to 4, each rounded.
    {"matmul", [](In in) { return matmul(in[0], in[1]); }, 1e-5},
    {"matmul_left_turned", [](In in) { return matmul(t(in[0]), in[1]); }},
    {"matmul_right_turned", [](In in) { return matmul(in[0], t(in[1])); }},
    {"matmul_both_turned",
     [](In in) { return matmul(transpose(in[0], -1, -2), transpose(in[1], -1, -2)); }},
    {"matmul_by_itself", [](In in) { return matmul(in[0], t(in[0])); }},
    {"linear", [](In in) { return linear(in[0], in[1], in[2]); }},
    {"linear_no_bias", [](In in) { return linear(in[0], in[1]); }},
};

constexpr Case kNorms[] = {
    {"softmax_last", [](In in) { return softmax(in[0], -1); }},
    {"softmax_first", [](In in) { return softmax(in[0], 0); }},
    {"log_softmax_last", [](In in) { return log_softmax(in[0], -1); }},
    {"log_softmax_first", [](In in) { return log_softmax(in[0], 0); }},
    {"batch_norm", [](In in) { return batch_norm(in[0], in[1], in[2], {}, {}, true); }, 1e-5},
    {"batch_norm_plain",
     [](In in) { return batch_norm(in[0], {}, {}, {}, {}, true, 0.1, 0.5); },
     1e-5},
    {"batch_norm_tracked",
     [](In in) {
         const Tensor mean = in[3].clone();
         const Tensor var = in[4].clone();
         const Tensor y = batch_norm(in[0], in[1], in[2], mean, var, true, 0.3);
         return std::vector<Tensor>{y, mean, var};
     },
     1e-5},
    {"batch_norm_eval",
     [](In in) { return batch_norm(in[0], in[1], in[2], in[3], in[4], false, 0.3, 0.01); }},
    {"batch_norm_eval_plain", [](In in) { return batch_norm(in[0], {}, {}, in[1], in[2], false); }},
    {"group_norm", [](In in) { return group_norm(in[0], 2, in[1], in[2]); }, 1e-5},
    {"group_norm_plain", [](In in) { return group_norm(in[0], 1, {}, {}, 0.5); }, 1e-5},
    {"group_norm_weight", [](In in) { return group_norm(in[0], 2, in[1]); }, 1e-5},
    {"instance_norm", [](In in) { return instance_norm(in[0], in[1], in[2], {}, {}, true); }, 1e-5},
    {"instance_norm_tracked",
     [](In in) {
         const Tensor mean = in[3].clone();
         const Tensor var = in[4].clone();
         const Tensor y = instance_norm(in[0], in[1], in[2], mean, var, true, 0.3);
         return std::vector<Tensor>{y, mean, var};
     },
     1e-5},
    {"instance_norm_eval",
     [](In in) { return instance_norm(in[0], {}, {}, in[1], in[2], false, 0.3, 0.01); }},
    {"layer_norm", [](In in) { return layer_norm(in[0], {5}); }},
    {"layer_norm_affine", [](In in) { return layer_norm(in[0], {5}, in[1], in[2]); }},
    {"layer_norm_weight", [](In in) { return layer_norm(in[0], {5}, in[1]); }},
    {"layer_norm_two_dims",
     [](In in) {
         return layer_norm(in[0], {3, 5}, in[1], in[2], 0.1);
     }},
    {"layer_norm_constant", [](In in) { return layer_norm(in[0], {3}); }},
    {"layer_norm_far_from_0", [](In in) { return layer_norm(in[0], {40}); }},
    {"rms_norm", [](In in) { return rms_norm(in[0], {5}); }},
    {"rms_norm_weight", [](In in) { return rms_norm(in[0], {5}, in[1]); }},
    {"rms_norm_two_dims",
     [](In in) {
         return rms_norm(in[0], {3, 5}, in[1], 0.1);
     }},
    {"rms_norm_zeros", [](In in) { return rms_norm(in[0], {3}, {}, 0.25); }},
};

constexpr Case kConvolutions[] = {
    // Sums of up to 96 products of magnitude up to 4, each rounded.
    {"conv2d", [](In in) { return conv2d(in[0], in[1], in[2]); }, 1e-5},
    {"conv2d_no_bias", [](In in) { return conv2d(in[0], in[1]); }, 1e-5},
    {"conv2d_uneven",
     [](In in) {
         return conv2d(in[0], in[1], in[2], {2, 1}, {3, 1}, {2, 3});
     },
     1e-5},
    {"conv2d_groups", [](In in) { return conv2d(in[0], in[1], in[2], 2, 1, 1, 2); }, 1e-5},
    {"conv2d_depthwise", [](In in) { return conv2d(in[0], in[1], in[2], 1, 1, 1, 4); }, 1e-5},
    {"max_pool2d", [](In in) { return max_pool2d(in[0], 2); }},
    {"max_pool2d_overlapping", [](In in) { return max_pool2d(in[0], 3, 2, 1); }},
    {"max_pool2d_uneven",
     [](In in) {
         return max_pool2d(in[0], {2, 3}, {1, 2}, {1, 0}, {3, 1});
     }},
    {"max_pool2d_ceil", [](In in) { return max_pool2d(in[0], 2, 2, 0, 1, true); }},
    {"avg_pool2d", [](In in) { return avg_pool2d(in[0], 2); }},
    {"avg_pool2d_padded", [](In in) { return avg_pool2d(in[0], 3, 2, 1); }},
    {"avg_pool2d_ceil", [](In in) { return avg_pool2d(in[0], 2, 3, 1, true); }},
    {"avg_pool2d_apart",
     [](In in) {
         return avg_pool2d(in[0], {3, 2}, {2, 1}, 1, true, false);
     }},
    {"avg_pool2d_divisor", [](In in) { return avg_pool2d(in[0], 2, {}, 0, false, true, 3); }},
    {"adaptive_avg_pool2d", [](In in) { return adaptive_avg_pool2d(in[0], 1); }},
    {"adaptive_avg_pool2d_uneven",
     [](In in) {
         return adaptive_avg_pool2d(in[0], {3, 4});
     }},
};

constexpr Case kViews[] = {
    {"view",
     [](In in) {
         return view(in[0], {4, -1});
     }},
    {"reshape_turned",
     [](In in) {
         return reshape(permute(in[0], {2, 0, 1}), {3, 8});
     }},
    {"flatten", [](In in) { return flatten(in[0], 1, 2); }},
    {"permute",
     [](In in) {
         return permute(in[0], {2, 0, 1});
     }},
    {"transpose", [](In in) { return transpose(in[0], 0, -1); }},
    {"expand",
     [](In in) {
         return slice(expand(unsqueeze(in[0], 1), {3, 2, 5, 3, 4}), 2, 0, {}, 2);
     }},
    {"squeeze", [](In in) { return squeeze(slice(in[0], 1, 0, 1), 1); }},
    {"unsqueeze", [](In in) { return unsqueeze(in[0], -1); }},
    {"select", [](In in) { return select(in[0], 1, -1); }},
    {"slice", [](In in) { return slice(slice(in[0], 1, 1), 2, -3, -1); }},
    {"slice_step", [](In in) { return slice(slice(in[0], 1, 0, {}, 2), 2, 1, 99, 2); }},
    {"narrow", [](In in) { return narrow(in[0], 2, -3, 2); }},
    {"unfold_overlapping", [](In in) { return unfold(in[0], 2, 3, 1); }},
    {"unfold_apart", [](In in) { return unfold(in[0], 1, 1, 2); }},
    {"split", [](In in) { return split(in[0], 3, 2); }},
    {"split_with_sizes",
     [](In in) {
         return split_with_sizes(in[0], {1, 0, 2}, 1);
     }},
    {"chunk", [](In in) { return chunk(in[0], 3, 2); }},
    {"as_strided",
     [](In in) {
         return as_strided(in[0], {3, 4}, {2, 3}, 1);
     }},
    {"repeat",
     [](In in) {
         return repeat(select(in[0], 0, 0), {2, 1, 3});
     }},
    {"pad",
     [](In in) {
         return pad(in[0], {1, 2, 0, 3}, -1.5);
     }},
    {"pad_crops",
     [](In in) {
         return pad(in[0], {-1, 2, 1, -2}, 0.5);
     }},
    {"tril", [](In in) { return tril(in[0]); }},
    {"tril_above", [](In in) { return tril(in[0], 1); }},
    {"triu", [](In in) { return triu(in[0]); }},
    {"triu_below", [](In in) { return triu(in[0], -1); }},
    {"t", [](In in) { return t(in[0]); }},
    {"arange", [](In) { return arange(7); }},
    {"arange_step", [](In) { return arange(9, -3, -4); }},
    {"arange_float", [](In) { return arange(0.5, 2.0, 0.25); }},
};

constexpr Case kIndexing[] = {
    {"embedding", [](In in) { return embedding(in[1], in[0]); }},
    {"embedding_padding", [](In in) { return embedding(in[1], in[0], 5); }},
    {"gather_first", [](In in) { return gather(in[0], 0, in[1]); }},
    {"gather_shorter", [](In in) { return gather(in[0], 1, in[1]); }},
    {"index_select", [](In in) { return index_select(in[0], 1, in[1]); }},
    {"index_select_one", [](In in) { return index_select(in[0], 0, in[1]); }},
    {"scatter_add", [](In in) { return scatter_add(in[0], 1, in[1], in[2]); }},
    {"index_add", [](In in) { return index_add(in[0], 1, in[1], in[2]); }},
    {"cat",
     [](In in) {
         return cat({in[0], in[1]});
     }},
    {"cat_last",
     [](In in) {
         return cat({in[0], in[1], in[0]}, -1);
     }},
    {"cat_promotes",
     [](In in) {
         return cat({in[0], in[1]});
     }},
    {"stack",
     [](In in) {
         return stack({in[0], in[1]});
     }},
    {"stack_last",
     [](In in) {
         return stack({in[0], in[1], in[0]}, -1);
     }},
};

constexpr Case kLosses[] = {
    {"mse_none", [](In in) { return mse_loss(in[0], in[1], Reduction::kNone); }},
    {"l1_none", [](In in) { return l1_loss(in[0], in[1], Reduction::kNone); }},
    {"huber_none", [](In in) { return huber_loss(in[0], in[1], Reduction::kNone); }},
    {"huber_half_none", [](In in) { return huber_loss(in[0], in[1], Reduction::kNone, 0.5); }},
    {"cross_entropy_none", [](In in) { return cross_entropy(in[0], in[1], Reduction::kNone); }},
    {"cross_entropy_smooth_none",
     [](In in) { return cross_entropy(in[0], in[1], Reduction::kNone, 2, 0.25); }},
    {"quantile_none", [](In in) { return quantile_loss(in[0], in[1], in[2], Reduction::kNone); }},
    {"mse_mean", [](In in) { return mse_loss(in[0], in[1], Reduction::kMean); }},
    {"l1_mean", [](In in) { return l1_loss(in[0], in[1], Reduction::kMean); }},
    {"huber_mean", [](In in) { return huber_loss(in[0], in[1], Reduction::kMean); }},
    {"huber_half_mean", [](In in) { return huber_loss(in[0], in[1], Reduction::kMean, 0.5); }},
    {"cross_entropy_mean", [](In in) { return cross_entropy(in[0], in[1], Reduction::kMean); }},
    {"cross_entropy_smooth_mean",
     [](In in) { return cross_entropy(in[0], in[1], Reduction::kMean, 2, 0.25); }},
    {"quantile_mean", [](In in) { return quantile_loss(in[0], in[1], in[2], Reduction::kMean); }},
    {"mse_sum", [](In in) { return mse_loss(in[0], in[1], Reduction::kSum); }},
    {"l1_sum", [](In in) { return l1_loss(in[0], in[1], Reduction::kSum); }},
    {"huber_sum", [](In in) { return huber_loss(in[0], in[1], Reduction::kSum); }},
    {"huber_half_sum", [](In in) { return huber_loss(in[0], in[1], Reduction::kSum, 0.5); }},
    {"cross_entropy_sum", [](In in) { return cross_entropy(in[0], in[1], Reduction::kSum); }},
    {"cross_entropy_smooth_sum",
     [](In in) { return cross_entropy(in[0], in[1], Reduction::kSum, 2, 0.25); }},
    {"quantile_sum", [](In in) { return quantile_loss(in[0], in[1], in[2], Reduction::kSum); }},
};

Tensor attend(In in, bool is_causal = false, std::optional<double> scale = {}) {
    const Tensor mask = in.size() > 3 ? in[3] : Tensor();
    return scaled_dot_product_attention(in[0], in[1], in[2], mask, is_causal, scale);
}

constexpr Case kAttention[] = {
    {"attention", [](In in) { return attend(in); }},
    {"attention_scaled", [](In in) { return attend(in, false, -0.75); }},
    {"attention_causal", [](In in) { return attend(in, true); }},
    {"attention_causal_scaled", [](In in) { return attend(in, true, 0.3); }},
    {"rotary", [](In in) { return rotary_embedding(in[0], in[1], in[2]); }},
};

constexpr double kNoClipping = std::numeric_limits<double>::infinity();

// The two parameters in[0] and in[1] after each step with gradients from in[2] and in[3], a row a
// step; where gradients are clipped also their joint norms before that.
template <class Optimizer, class Options>
Outputs take_steps(In in, const Options& options, double max_norm = kNoClipping) {
    std::vector<Tensor> parameters = {clone(in[0].detach()), clone(in[1].detach())};
    parameters[0].set_requires_grad(true);
    parameters[1].set_requires_grad(true);
    Optimizer optimizer(parameters, options);
    std::vector<Tensor> history[2];
    std::vector<Tensor> norms;
    for (std::int64_t step = 0; step < in[2].size(0); ++step) {
        for (std::size_t i = 0; i < 2; ++i) {
            parameters[i].set_grad(clone(select(in[2 + i].detach(), 0, step)));
        }
        if (max_norm != kNoClipping) {
            norms.push_back(optim::clip_grad_norm_(parameters, max_norm));
        }
        optimizer.step();
        for (std::size_t i = 0; i < 2; ++i) {
            history[i].push_back(clone(parameters[i].detach()));
        }
    }
    std::vector<Tensor> results = {stack(history[0]), stack(history[1])};
    if (!norms.empty()) {
        results.push_back(stack(norms));
    }
    return results;
}

Outputs sgd(In in, const optim::SGDOptions& options, double max_norm = kNoClipping) {
    return take_steps<optim::SGD>(in, options, max_norm);
}

Outputs adam(In in, const optim::AdamOptions& options) {
    return take_steps<optim::Adam>(in, options);
}

Outputs adamw(In in, const optim::AdamOptions& options) {
    return take_steps<optim::AdamW>(in, options);
}

constexpr Case kOptimizers[] = {
    {"sgd", [](In in) { return sgd(in, {.lr = 0.1}); }},
    {"sgd_momentum", [](In in) { return sgd(in, {.lr = 0.1, .momentum = 0.9}); }},
    {"sgd_dampening",
     [](In in) { return sgd(in, {.lr = 0.1, .momentum = 0.8, .dampening = 0.5}); }},
    {"sgd_nesterov", [](In in) { return sgd(in, {.lr = 0.1, .momentum = 0.9, .nesterov = true}); }},
    {"sgd_decay", [](In in) { return sgd(in, {.lr = 0.1, .weight_decay = 0.2}); }},
    {"sgd_nesterov_decay",
     [](In in) {
         return sgd(in, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.2, .nesterov = true});
     }},
    {"adam", [](In in) { return adam(in, {.lr = 0.05}); }},
    {"adam_betas_eps",
     [](In in) { return adam(in, {.lr = 0.05, .beta1 = 0.7, .beta2 = 0.9, .eps = 0.01}); }},
    {"adam_decay", [](In in) { return adam(in, {.lr = 0.05, .weight_decay = 0.2}); }},
    {"adamw", [](In in) { return adamw(in, {.lr = 0.05, .weight_decay = 0.2}); }},
    {"adamw_betas_eps",
     [](In in) {
         return adamw(in,
                      {.lr = 0.05, .beta1 = 0.0, .beta2 = 0.9, .eps = 0.01, .weight_decay = 0.5});
     }},
    {"clip_binds", [](In in) { return sgd(in, {.lr = 0.1, .momentum = 0.9}, 0.5); }},
    {"clip_sometimes_binds", [](In in) { return sgd(in, {.lr = 0.1, .weight_decay = 0.1}, 3.0); }},
};

}  // namespace

TEST_CASE("expected values: operators of one operand") {
    check_family("unary", kUnary);
}

TEST_CASE("expected values: arithmetic and where") {
    check_family("binary", kBinary);
}

TEST_CASE("expected values: comparisons and logic") {
    check_family("comparisons", kComparisons);
}

TEST_CASE("expected values: in-place forms") {
    check_family("in_place", kInPlace);
}

TEST_CASE("expected values: reductions") {
    check_family("reductions", kReductions);
}

TEST_CASE("expected values: linalg" * doctest::test_suite("long")) {
    check_family("linalg", kLinalg);
}

TEST_CASE("expected values: softmax and norms") {
    check_family("norms", kNorms);
}

TEST_CASE("expected values: convolution and pooling") {
    check_family("convolutions", kConvolutions);
}

TEST_CASE("expected values: views") {
    check_family("views", kViews);
}

TEST_CASE("expected values: indexing") {
    check_family("indexing", kIndexing);
}

TEST_CASE("expected values: losses") {
    check_family("losses", kLosses);
}

TEST_CASE("expected values: attention and rotary embedding" * doctest::test_suite("long")) {
    check_family("attention", kAttention);
}

TEST_CASE("expected values: optimizers and gradient clipping") {
    check_family("optimizers", kOptimizers);
}
