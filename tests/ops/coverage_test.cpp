// SPDX-License-Identifier: Apache-2.0
// Every operator of all_ops.inc runs in a case here: in all modes, in each dtype that it takes, and
// refused in the others. What its values should be stands in the tests of its own file.
#include "pumice/autograd.h"
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "dispatch/op_def.h"
#include "ops/all_ops.h"
#include "support/harness.h"
#include "support/unary_cases.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace pumice;
using namespace pumice::test;

namespace {

using Inputs = std::vector<Tensor>;
using DTypes = std::vector<DType>;

const DTypes kAll{kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool};
const DTypes kNumbers{kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8};
const DTypes kFloats{kFloat32, kFloat16, kBFloat16};
const DTypes kFloatsAndInt32{kFloat32, kFloat16, kBFloat16, kInt32};

// A dtype that is missing here does not compile; one that has tensors belongs to kAll.
constexpr bool has_tensors(DType dtype) {
    switch (dtype) {
        case kFloat32:
        case kFloat16:
        case kBFloat16:
        case kInt32:
        case kInt8:
        case kUInt8:
        case kBool: return true;
        case kFloat64: return false;
    }
    return false;
}

struct Case {
    std::string name;
    const DTypes& dtypes;
    Function run;
    Dims sizes = {3, 5};  ///< of the two operands that a case is given
};

Inputs operands_of(const Case& each, DType dtype) {
    return {to(random_tensor(each.sizes, 0.5, 3.5, 1), dtype),
            to(random_tensor(each.sizes, 0.5, 3.5, 2), dtype)};
}

Case map(const char* name, const DTypes& dtypes, Tensor (*run)(Tensor)) {
    return {name, dtypes, [run](const Inputs& in) { return run(in[0]); }};
}

Case pair(const char* name, const DTypes& dtypes, Tensor (*run)(Tensor, Tensor)) {
    return {name, dtypes, [run](const Inputs& in) { return run(in[0], in[1]); }};
}

Case scalar(const char* name, const DTypes& dtypes, Tensor (*run)(Tensor, const Scalar&)) {
    return {name, dtypes, [run](const Inputs& in) { return run(in[0], 2); }};
}

Tensor places() {
    return tensor<std::int32_t>({2, 0, 1});
}

std::vector<Case> maps() {
    std::vector<Case> cases{
        map("isfinite", kAll, isfinite),
        map("isnan", kAll, isnan),
        map("logical_not", kAll, logical_not),
        map("clone", kAll, clone),
        {"gelu", kAll, [](const Inputs& in) { return gelu(in[0]); }},
        {"gelu, tanh", kAll, [](const Inputs& in) { return gelu(in[0], "tanh"); }},
        {"softplus", kAll, [](const Inputs& in) { return softplus(in[0], 2.0, 3.0); }},
        {"clamp", kAll, [](const Inputs& in) { return clamp(in[0], 1, 2); }},
        {"nan_to_num", kAll, [](const Inputs& in) { return nan_to_num(in[0]); }},
        {"to", kAll, [](const Inputs& in) { return to(in[0], kInt8); }},
        {"dropout",
         kFloats,
         [](const Inputs& in) {
             manual_seed(3);
             return dropout(in[0], 0.5);
         }},
        {"fill_",
         kAll,
         [](const Inputs& in) {
             Tensor target = in[0].clone();
             return fill_(target, 1);
         }},
        {"copy_",
         kAll,
         [](const Inputs& in) {
             Tensor target = in[0].clone();
             return copy_(target, in[1]);
         }},
    };
    for (Case& each : std::vector<Case>{
             pair("add", kAll, [](Tensor a, Tensor b) { return add(a, b); }),
             pair("sub", kNumbers, [](Tensor a, Tensor b) { return sub(a, b); }),
             pair("mul", kAll, mul),
             pair("div", kAll, div),
             pair("pow", kAll, pow),
             pair("maximum", kAll, maximum),
             pair("minimum", kAll, minimum),
             pair("eq", kAll, eq),
             pair("ne", kAll, ne),
             pair("lt", kAll, lt),
             pair("le", kAll, le),
             pair("gt", kAll, gt),
             pair("ge", kAll, ge),
             pair("logical_and", kAll, logical_and),
             pair("logical_or", kAll, logical_or),
             pair("logical_xor", kAll, logical_xor),
             scalar("add scalar", kAll, add),
             scalar("sub scalar", kAll, sub),
             scalar("rsub scalar", kAll, rsub),
             scalar("mul scalar", kAll, mul),
             scalar("div scalar", kAll, div),
             scalar("pow scalar", kAll, pow),
             scalar("eq scalar", kAll, eq),
             scalar("ne scalar", kAll, ne),
             scalar("lt scalar", kAll, lt),
             scalar("le scalar", kAll, le),
             scalar("gt scalar", kAll, gt),
             scalar("ge scalar", kAll, ge),
             {"where", kAll, [](const Inputs&in) { return where(gt(in[0], 1), in[0], in[1]); }}}) {
        cases.push_back(std::move(each));
    }
    for (const UnaryFunction& each : kUnaryFunctions) {
        cases.push_back(map(each.name.data(), takes_bool(each) ? kAll : kNumbers, each.call));
    }
    return cases;
}

std::vector<Case> reductions_and_norms() {
    return {
        {"sum", kAll, [](const Inputs& in) { return sum(in[0], {1}); }},
        {"mean", kFloats, [](const Inputs& in) { return mean(in[0], {1}); }},
        {"amax", kAll, [](const Inputs& in) { return amax(in[0], {1}); }},
        {"amin", kAll, [](const Inputs& in) { return amin(in[0], {1}); }},
        {"var", kFloats, [](const Inputs& in) { return var(in[0], {1}); }},
        {"std", kFloats, [](const Inputs& in) { return pumice::std(in[0], {1}); }},
        {"argmax", kNumbers, [](const Inputs& in) { return argmax(in[0], 1); }},
        {"argmin", kNumbers, [](const Inputs& in) { return argmin(in[0], 1); }},
        {"logsumexp", kFloats, [](const Inputs& in) { return logsumexp(in[0], {1}); }},
        {"cumsum", kAll, [](const Inputs& in) { return cumsum(in[0], 1); }},
        {"any", kAll, [](const Inputs& in) { return any(in[0], {1}); }},
        {"all", kAll, [](const Inputs& in) { return all(in[0], {1}); }},
        {"softmax", kFloats, [](const Inputs& in) { return softmax(in[0], 1); }},
        {"log_softmax", kFloats, [](const Inputs& in) { return log_softmax(in[0], 1); }},
        {"layer_norm", kFloats, [](const Inputs& in) { return layer_norm(in[0], {5}); }},
        {"rms_norm", kFloats, [](const Inputs& in) { return rms_norm(in[0], {5}); }},
        {"batch_norm",
         kFloats,
         [](const Inputs& in) { return batch_norm(in[0], {}, {}, {}, {}, true); }},
        {"group_norm",
         kFloats,
         [](const Inputs& in) {
             const Tensor scale = full({4}, 2, in[0].dtype());
             return group_norm(in[0], 2, scale, scale);
         },
         {2, 4, 3}},
    };
}

std::vector<Case> products() {
    return {
        {"matmul", kFloatsAndInt32, [](const Inputs& in) { return matmul(in[0], in[1]); }, {5, 5}},
        {"linear", kFloatsAndInt32, [](const Inputs& in) { return linear(in[0], in[1]); }},
        {"conv2d", kFloats, [](const Inputs& in) { return conv2d(in[0], in[1]); }, {2, 2, 3, 3}},
        {"max_pool2d",
         kFloats,
         [](const Inputs& in) { return max_pool2d(in[0], 2); },
         {1, 2, 4, 4}},
        {"avg_pool2d",
         kFloats,
         [](const Inputs& in) { return avg_pool2d(in[0], 2); },
         {1, 2, 4, 4}},
        {"scaled_dot_product_attention",
         kFloats,
         [](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[0]); },
         {1, 2, 3, 4}},
        {"rotary_embedding",
         kFloats,
         [](const Inputs& in) {
             const Tensor turn = full({3, 2}, 0.5);
             return rotary_embedding(in[0], turn, turn);
         },
         {1, 2, 3, 4}},
    };
}

std::vector<Case> indexed() {
    return {
        {"embedding", kAll, [](const Inputs& in) { return embedding(in[0], places()); }},
        {"gather", kAll, [](const Inputs& in) { return gather(in[0], 1, unsqueeze(places(), 1)); }},
        {"index_select", kAll, [](const Inputs& in) { return index_select(in[0], 0, places()); }},
        {"index", kAll, [](const Inputs& in) { return in[0].index({places()}); }},
        {"index, two",
         kAll,
         [](const Inputs& in) {
             return in[0].index({places(), places()});
         }},
        {"scatter_add",
         kAll,
         [](const Inputs& in) { return scatter_add(in[0], 1, unsqueeze(places(), 1), in[1]); }},
        {"index_add", kAll, [](const Inputs& in) { return index_add(in[0], 0, places(), in[1]); }},
        {"index_copy",
         kAll,
         [](const Inputs& in) { return index_copy(in[0], 0, places(), in[1]); }},
        {"cat",
         kAll,
         [](const Inputs& in) {
             return cat({in[0], in[1]}, 1);
         }},
        {"pad",
         kAll,
         [](const Inputs& in) {
             return pad(in[0], {1, 2});
         }},
        {"tril", kAll, [](const Inputs& in) { return tril(in[0]); }},
        {"triu", kAll, [](const Inputs& in) { return triu(in[0]); }},
    };
}

std::vector<Case> views() {
    return {
        {"alias", kAll, [](const Inputs& in) { return alias(in[0]); }},
        {"as_strided", kAll, [](const Inputs& in) { return as_strided(in[0], {4}, {2}, 1); }},
        {"expand",
         kAll,
         [](const Inputs& in) {
             return expand(in[0], {2, 3, 5});
         }},
        {"permute",
         kAll,
         [](const Inputs& in) {
             return permute(in[0], {1, 0});
         }},
        {"select", kAll, [](const Inputs& in) { return select(in[0], 1, 2); }},
        {"slice", kAll, [](const Inputs& in) { return slice(in[0], 1, 1, 5, 2); }},
        {"split", kAll, [](const Inputs& in) { return split(in[0], 2, 1)[1]; }},
        {"squeeze", kAll, [](const Inputs& in) { return squeeze(in[0], 0); }, {1, 5}},
        {"transpose", kAll, [](const Inputs& in) { return transpose(in[0], 0, 1); }},
        {"unfold", kAll, [](const Inputs& in) { return unfold(in[0], 1, 2, 1); }},
        {"unsqueeze", kAll, [](const Inputs& in) { return unsqueeze(in[0], 1); }},
        {"view",
         kAll,
         [](const Inputs& in) {
             return view(in[0], {5, 3});
         }},
    };
}

// Of the operands' dtype.
std::vector<Case> factories() {
    return {
        {"arange", kNumbers, [](const Inputs& in) { return arange(0, 5, 1, in[0].dtype()); }},
        {"full", kAll, [](const Inputs& in) { return full({3}, 1, in[0].dtype()); }},
        {"rand",
         kFloats,
         [](const Inputs& in) {
             manual_seed(3);
             return rand({3}, in[0].dtype());
         }},
        {"randn",
         kFloats,
         [](const Inputs& in) {
             manual_seed(3);
             return randn({3}, in[0].dtype());
         }},
        {"randint",
         kAll,
         [](const Inputs& /*in*/) {
             manual_seed(3);
             return randint(0, 9, {3});
         }},
    };
}

// The gradient of the first operand.
Function gradient_of(const Function& run) {
    return [run](const Inputs& in) {
        Tensor leaf = in[0].detach().clone();
        leaf.set_requires_grad(true);
        const Tensor out = run({leaf, in[1]});
        return autograd::grad({out}, {leaf}, {ones_like(out)})[0];
    };
}

// Forward cases whose gradients take operators of their own.
std::vector<Case> gradients() {
    std::vector<Case> cases{
        {"clamp", kFloats, [](const Inputs& in) { return clamp(in[0], 1, 2); }},
        {"gelu", kFloats, [](const Inputs& in) { return gelu(in[0]); }},
        {"gelu, tanh", kFloats, [](const Inputs& in) { return gelu(in[0], "tanh"); }},
        {"sigmoid", kFloats, [](const Inputs& in) { return sigmoid(in[0]); }},
        {"silu", kFloats, [](const Inputs& in) { return silu(in[0]); }},
        {"tanh", kFloats, [](const Inputs& in) { return tanh(in[0]); }},
        {"relu", kFloats, [](const Inputs& in) { return relu(in[0]); }},
        {"maximum", kFloats, [](const Inputs& in) { return maximum(in[0], in[1]); }},
        {"where", kFloats, [](const Inputs& in) { return where(gt(in[0], 1), in[0], in[1]); }},
        {"unfold", kFloats, [](const Inputs& in) { return unfold(in[0], 1, 2, 1); }},
        {"embedding", kFloats, [](const Inputs& in) { return embedding(in[0], places()); }},
        {"layer_norm", kFloats, [](const Inputs& in) { return layer_norm(in[0], {5}); }},
        {"conv2d", kFloats, [](const Inputs& in) { return conv2d(in[0], in[1]); }, {2, 2, 3, 3}},
        {"conv2d, weight",
         kFloats,
         [](const Inputs& in) { return conv2d(in[1], in[0]); },
         {2, 2, 3, 3}},
        {"max_pool2d",
         kFloats,
         [](const Inputs& in) { return max_pool2d(in[0], 2); },
         {1, 2, 4, 4}},
        {"avg_pool2d",
         kFloats,
         [](const Inputs& in) { return avg_pool2d(in[0], 2); },
         {1, 2, 4, 4}},
        {"scaled_dot_product_attention",
         kFloats,
         [](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[1]); },
         {1, 2, 3, 4}},
    };
    for (Case& each : cases) {
        each.run = gradient_of(each.run);
        each.name += ", gradient";
    }
    return cases;
}

std::vector<Case> forward_cases() {
    std::vector<Case> all;
    for (auto* family : {maps, reductions_and_norms, products, indexed, views, factories}) {
        for (Case& each : family()) {
            all.push_back(std::move(each));
        }
    }
    return all;
}

// A plan with a kernel a call.
Plan plain_plan(const Case& each, const Inputs& inputs) {
    return capture(
        [&](std::span<const Tensor> in) {
            return each.run({in[0], in[1]});
        },
        inputs,
        {.eliminate_dead_code = false,
         .fold_constants = false,
         .eliminate_common_subexpressions = false,
         .recognise_attention = false,
         .fuse_elementwise = false,
         .fuse_into_kernels = false});
}

// Names of the calls, which stand first in the boxes.
void add_operators(const Case& each, std::set<std::string>& names) {
    const std::string dot = plain_plan(each, operands_of(each, kFloat32)).dot();
    static const std::string kLabel = " [label=\"";
    for (std::size_t at = dot.find(kLabel); at != std::string::npos; at = dot.find(kLabel, at)) {
        at += kLabel.size();
        names.insert(dot.substr(at, dot.find('\\', at) - at));
    }
}

// A plan keeps views as geometry alone, so that the node that a view records must tell of it.
std::string node_of_view(const Case& each) {
    Inputs inputs = operands_of(each, kFloat32);
    inputs[0].set_requires_grad(true);
    return each.run(inputs).grad_fn()->name();
}

// "as_strided" is "AsStridedBackward" there.
std::string node_name(std::string_view op) {
    std::string name;
    bool starts_word = true;
    for (const char letter : op) {
        if (letter != '_') {
            name += starts_word ? static_cast<char>(std::toupper(letter)) : letter;
        }
        starts_word = letter == '_';
    }
    return name + "Backward";
}

bool takes(const Case& each, DType dtype) {
    return std::find(each.dtypes.begin(), each.dtypes.end(), dtype) != each.dtypes.end();
}

// Every forward case, in all modes or refused.
void check_in(const DTypes& dtypes) {
    for (const Case& each : forward_cases()) {
        for (const DType dtype : dtypes) {
            CAPTURE(each.name);
            CAPTURE(to_string(dtype));
            const Inputs inputs = operands_of(each, dtype);
            if (takes(each, dtype)) {
                check_modes(each.run, inputs);
            } else {
                check_throws<DTypeError>([&] { each.run(inputs); }, "");
            }
        }
    }
}

}  // namespace

TEST_CASE("coverage: every operator is called by a case") {
    CHECK(std::all_of(kAll.begin(), kAll.end(), has_tensors));
    std::set<std::string> called;
    for (const Case& each : forward_cases()) {
        add_operators(each, called);
    }
    inference_mode([&] {
        // Without gradients no places are kept.
        add_operators({"max_pool2d",
                       kFloats,
                       [](const Inputs& in) { return max_pool2d(in[0], 2); },
                       {1, 2, 4, 4}},
                      called);
    });
    for (const Case& each : gradients()) {
        add_operators(each, called);
    }
    for (const Case& each : views()) {
        called.insert(node_of_view(each));
    }
    for (const dispatch::OpDef* def : ops::all_ops()) {
        const std::string name = def->is_view ? node_name(def->name) : std::string(def->name);
        CHECK_MESSAGE(called.contains(name), name);
    }
}

TEST_CASE("coverage: every case in every mode, in float32 and float16") {
    check_in({kFloat32, kFloat16});
}

TEST_CASE("coverage: every case in every mode, in the other dtypes" * doctest::test_suite("long")) {
    check_in({kBFloat16, kInt32, kInt8, kUInt8, kBool});
}

TEST_CASE("coverage: every gradient, captured, in every floating dtype") {
    for (const Case& each : gradients()) {
        for (const DType dtype : each.dtypes) {
            CAPTURE(each.name);
            CAPTURE(to_string(dtype));
            const Inputs inputs = operands_of(each, dtype);
            const Tensor wanted = each.run(inputs);
            CHECK(wanted.dtype() == dtype);
            const Plan plan = plain_plan(each, inputs);
            check_same_bits(plan.replay(inputs)[0], wanted);
            check_same_bits(plan.replay(inputs)[0], wanted);
        }
    }
}
