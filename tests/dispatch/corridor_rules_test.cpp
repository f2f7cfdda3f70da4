// SPDX-License-Identifier: Apache-2.0
// What holds for every operator: equal values in all modes (G81), and no storage shared between the
// kinds (G24).
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/unary_cases.h"
#include "tensor/tensor_impl.h"

#include <doctest/doctest.h>

#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace pumice::test {

namespace {

using In = const std::vector<Tensor>&;

struct Call {
    std::string name;
    std::function<Tensor(In in)> run;
};

// in: x, y [4, 6] positive; w [6], b [6] positive; i [4, 6] int32 in [0, 4); m [4, 6] bool.
constexpr std::size_t kX = 0;
constexpr std::size_t kY = 1;
constexpr std::size_t kW = 2;
constexpr std::size_t kB = 3;
constexpr std::size_t kI = 4;
constexpr std::size_t kM = 5;

std::vector<Tensor> make_inputs() {
    const std::vector<int> indices = {0, 3, 1, 2, 2, 0, 1, 1, 3, 0, 2, 3,
                                      3, 2, 1, 0, 0, 1, 2, 2, 3, 1, 0, 3};
    Tensor i = tensor(indices).view({4, 6});
    return {random_tensor({4, 6}, 0.2, 2.0, 1),
            random_tensor({4, 6}, 0.2, 2.0, 2),
            random_tensor({6}, 0.5, 1.5, 3),
            random_tensor({6}, 0.1, 1.0, 4),
            i,
            i > 1};
}

const Call kOtherCalls[] = {
    {"relu", [](In in) { return relu(in[kX] - 1); }},
    {"gelu", [](In in) { return gelu(in[kX] - 1); }},
    {"gelu_tanh", [](In in) { return gelu(in[kX] - 1, "tanh"); }},
    {"softplus", [](In in) { return softplus(in[kX]); }},
    {"clamp", [](In in) { return clamp(in[kX], 0.5, 1.5); }},
    {"nan_to_num", [](In in) { return nan_to_num(in[kX] / 0); }},
    {"isnan", [](In in) { return isnan(in[kX]); }},
    {"isfinite", [](In in) { return isfinite(in[kX]); }},
    {"logical_not", [](In in) { return logical_not(in[kM]); }},
    {"add", [](In in) { return add(in[kX], in[kY], 0.3); }},
    {"add_broadcast", [](In in) { return add(in[kX], in[kB]); }},
    {"add_scalar", [](In in) { return add(in[kX], 0.1); }},
    {"sub", [](In in) { return sub(in[kX], in[kY], 0.3); }},
    {"rsub", [](In in) { return rsub(in[kX], 0.7); }},
    {"mul", [](In in) { return mul(in[kX], in[kY]); }},
    {"mul_scalar", [](In in) { return mul(in[kX], 0.3); }},
    {"div", [](In in) { return div(in[kX], in[kY]); }},
    {"pow", [](In in) { return pow(in[kX], in[kY]); }},
    {"pow_scalar", [](In in) { return pow(in[kX], 1.7); }},
    {"maximum", [](In in) { return maximum(in[kX], in[kY]); }},
    {"minimum", [](In in) { return minimum(in[kX], in[kY]); }},
    {"eq", [](In in) { return eq(in[kX], in[kY]); }},
    {"lt", [](In in) { return lt(in[kX], in[kY]); }},
    {"logical_xor", [](In in) { return logical_xor(in[kM], in[kI]); }},
    {"where", [](In in) { return where(in[kM], in[kX], in[kY]); }},
    {"masked_fill", [](In in) { return masked_fill(in[kX], in[kM], 3); }},
    {"to", [](In in) { return to(in[kX], kBFloat16); }},
    {"clone", [](In in) { return clone(in[kX]); }},
    {"contiguous", [](In in) { return contiguous(t(in[kX])); }},
    {"chain", [](In in) { return exp(neg(square(in[kX] * 0.5 + 1))); }},
    {"add_", [](In in) { return clone(in[kX]).add_(in[kY], 0.3); }},
    {"mul_", [](In in) { return clone(in[kX]).mul_(in[kB]); }},
    {"div_", [](In in) { return clone(in[kX]).div_(in[kY]); }},
    {"copy_", [](In in) { return clone(in[kX]).copy_(in[kY]); }},
    {"fill_", [](In in) { return clone(in[kX]).fill_(0.1); }},
    {"add_to_view",
     [](In in) {
         Tensor y = clone(in[kX]);
         Tensor part = y.narrow(1, 1, 3);
         part.add_(1);
         return y;
     }},
    {"sum", [](In in) { return sum(in[kX]); }},
    {"sum_rows", [](In in) { return sum(in[kX], {1}, true); }},
    {"mean", [](In in) { return mean(in[kX], {0}); }},
    {"amax", [](In in) { return amax(in[kX], {1}); }},
    {"amin", [](In in) { return amin(in[kX]); }},
    {"var", [](In in) { return var(in[kX], {1}); }},
    {"std", [](In in) { return pumice::std(in[kX]); }},
    {"argmax", [](In in) { return argmax(in[kX], 1); }},
    {"argmin", [](In in) { return argmin(in[kX]); }},
    {"logsumexp", [](In in) { return logsumexp(in[kX], {1}); }},
    {"cumsum", [](In in) { return cumsum(in[kX], 1); }},
    {"sum_to_size", [](In in) { return sum_to_size(in[kX], {6}); }},
    {"any", [](In in) { return any(in[kM], {0}); }},
    {"all", [](In in) { return all(in[kM]); }},
    {"matmul", [](In in) { return matmul(in[kX], t(in[kY])); }},
    {"matmul_vector", [](In in) { return matmul(in[kX], in[kW]); }},
    {"linear", [](In in) { return linear(in[kX], in[kY], in[kB].narrow(0, 0, 4)); }},
    {"attention",
     [](In in) { return scaled_dot_product_attention(in[kX], in[kY], in[kY], {}, true); }},
    {"softmax", [](In in) { return softmax(in[kX], 1); }},
    {"log_softmax", [](In in) { return log_softmax(in[kX], 0); }},
    {"layer_norm", [](In in) { return layer_norm(in[kX], {6}, in[kW], in[kB]); }},
    {"rms_norm", [](In in) { return rms_norm(in[kX], {6}, in[kW]); }},
    {"batch_norm", [](In in) { return batch_norm(in[kX], in[kW], in[kB], {}, {}, true); }},
    {"batch_norm_tracked",
     [](In in) {
         const Tensor mean = zeros({6});
         const Tensor var = ones({6});
         const Tensor y = batch_norm(in[kX], in[kW], in[kB], mean, var, true);
         return cat({y, mean.view({1, 6}), var.view({1, 6})});
     }},
    {"batch_norm_eval",
     [](In in) { return batch_norm(in[kX], in[kW], in[kB], in[kB], in[kW], false); }},
    {"group_norm", [](In in) { return group_norm(in[kX], 3, in[kW], in[kB]); }},
    {"instance_norm",
     [](In in) {
         return instance_norm(in[kX].view({2, 6, 2}), in[kW], in[kB], {}, {}, true);
     }},
    {"conv2d",
     [](In in) {
         return conv2d(in[kX].view({1, 2, 3, 4}), in[kY].view({3, 2, 2, 2}), {}, 1, 1);
     }},
    {"max_pool2d",
     [](In in) {
         return max_pool2d(in[kX].view({1, 2, 3, 4}), 2);
     }},
    {"avg_pool2d",
     [](In in) {
         return avg_pool2d(in[kX].view({1, 2, 3, 4}), 2);
     }},
    {"adaptive_avg_pool2d",
     [](In in) {
         return adaptive_avg_pool2d(in[kX].view({1, 2, 3, 4}), 1);
     }},
    {"dropout",
     [](In in) {
         manual_seed(5);
         return dropout(in[kX], 0.4);
     }},
    {"rand",
     [](In /*in*/) {
         manual_seed(5);
         return rand({3, 5}) + randn({3, 5});
     }},
    {"rotary",
     [](In in) {
         return rotary_embedding(
             in[kX], in[kY].detach().narrow(1, 0, 3), in[kX].detach().narrow(1, 3, 3));
     }},
    {"mse_loss", [](In in) { return mse_loss(in[kX], in[kY]); }},
    {"l1_loss", [](In in) { return l1_loss(in[kX], in[kY]); }},
    {"huber_loss", [](In in) { return huber_loss(in[kX], in[kY]); }},
    {"cross_entropy",
     [](In in) {
         return cross_entropy(in[kX], select(in[kI], 1, 0), Reduction::kMean, -100, 0.1);
     }},
    {"gather", [](In in) { return gather(in[kX], 0, in[kI]); }},
    {"index_select", [](In in) { return index_select(in[kX], 0, select(in[kI], 0, 1)); }},
    {"embedding", [](In in) { return embedding(in[kX], in[kI]); }},
    {"scatter_add", [](In in) { return scatter_add(in[kX], 0, in[kI], in[kY]); }},
    {"index_add", [](In in) { return index_add(in[kX], 0, select(in[kI], 1, 2), in[kY]); }},
    {"cat",
     [](In in) {
         return cat({in[kX], in[kY]}, 1);
     }},
    {"stack",
     [](In in) {
         return stack({in[kX], in[kY]}, 1);
     }},
    {"pad",
     [](In in) {
         return pad(in[kX], {1, 2}, 0.5);
     }},
    {"repeat",
     [](In in) {
         return repeat(in[kX], {2, 3});
     }},
    {"tril", [](In in) { return tril(in[kX]); }},
    {"triu", [](In in) { return triu(in[kX], 1); }},
    {"view",
     [](In in) {
         return view(in[kX], {3, 8});
     }},
    {"reshape",
     [](In in) {
         return reshape(t(in[kX]), {3, 8});
     }},
    {"flatten", [](In in) { return flatten(in[kX]); }},
    {"permute",
     [](In in) {
         return permute(in[kX], {1, 0});
     }},
    {"expand",
     [](In in) {
         return expand(in[kX], {2, 4, 6});
     }},
    {"unsqueeze", [](In in) { return unsqueeze(in[kX], 1); }},
    {"select", [](In in) { return select(in[kX], 1, 2); }},
    {"slice", [](In in) { return slice(in[kX], 1, 1, 6, 2); }},
    {"unfold", [](In in) { return unfold(in[kX], 1, 3, 2); }},
    {"chunk", [](In in) { return chunk(in[kX], 2, 1)[1]; }},
    {"as_strided",
     [](In in) {
         return as_strided(in[kX], {3, 3}, {2, 1}, 4);
     }},
    {"alias", [](In in) { return alias(in[kX]); }},
    {"detach", [](In in) { return in[kX].detach(); }},
    {"data", [](In in) { return in[kX].data(); }},
    {"same_dtype", [](In in) { return to(in[kX], kFloat32); }},
    {"already_contiguous", [](In in) { return contiguous(in[kX]); }},
    {"no_dropout", [](In in) { return dropout(in[kX], 0.4, false); }},
};

std::vector<Call> calls() {
    std::vector<Call> all(std::begin(kOtherCalls), std::end(kOtherCalls));
    for (const UnaryFunction& each : kUnaryFunctions) {
        all.push_back({std::string(each.name), [call = each.call](In in) { return call(in[kX]); }});
    }
    return all;
}

std::vector<Tensor> tracked(In inputs) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
        leaves.push_back(input.clone());
        if (input.is_floating_point()) {
            leaves.back().set_requires_grad(true);
        }
    }
    return leaves;
}

bool shares_storage(const Tensor& a, const Tensor& b) {
    return impl_of(a).storage == impl_of(b).storage;
}

// A result may share only with operands of its own kind.
void check_kinds_apart(const Tensor& result, In inputs) {
    for (const Tensor& input : inputs) {
        if (shares_storage(result, input)) {
            CHECK(result.is_inference() == input.is_inference());
        }
    }
}

}  // namespace

TEST_CASE("G81 operators give the same bits in all three modes" * doctest::test_suite("long")) {
    const std::vector<Tensor> inputs = make_inputs();
    for (const Call& call : calls()) {
        CAPTURE(call.name);
        const Tensor wanted = check_modes(call.run, inputs);
        // Normal operands in inference mode, and inference operands outside of it.
        check_same_bits(inference_mode([&] { return call.run(inputs); }), wanted);
        const std::vector<Tensor> inferred = inference_mode([&] {
            std::vector<Tensor> copies;
            for (const Tensor& input : inputs) {
                copies.push_back(input.clone());
            }
            return copies;
        });
        check_same_bits(call.run(inferred), wanted);
        check_same_bits(no_grad([&] { return call.run(inferred); }), wanted);
    }
}

TEST_CASE("G24 a result shares no storage with an operand of the other kind") {
    const std::vector<Tensor> normal = tracked(make_inputs());
    const std::vector<Tensor> inferred = inference_mode([] { return make_inputs(); });
    for (const Call& call : calls()) {
        CAPTURE(call.name);
        const auto check = [&](In inputs) {
            check_kinds_apart(call.run(inputs), inputs);
            check_kinds_apart(no_grad([&] { return call.run(inputs); }), inputs);
            check_kinds_apart(inference_mode([&] { return call.run(inputs); }), inputs);
        };
        check(normal);
        check(inferred);
    }
}

// If a node kept memory of an inference tensor, writing that tensor would change the gradients.
TEST_CASE("G24 no inference tensor's memory is reachable from what a recorded call saved" *
          doctest::test_suite("long")) {
    std::size_t recorded = 0;
    std::size_t refused = 0;
    for (const Call& call : calls()) {
        for (std::size_t position = 0; position < 6; ++position) {
            CAPTURE(call.name);
            CAPTURE(position);
            std::vector<Tensor> inputs = tracked(make_inputs());
            const Tensor i = inference_mode([&] { return make_inputs()[position]; });
            inputs[position] = i;
            Tensor y;
            try {
                y = call.run(inputs);
            } catch (const GradModeError& error) {
                CHECK(std::string(error.what()).find("Inference tensors cannot be saved") !=
                      std::string::npos);
                ++refused;
                continue;
            }
            if (!y.requires_grad()) {
                continue;
            }
            ++recorded;
            const Tensor loss = sum(y.to(kFloat32));
            loss.backward({}, true);
            std::vector<Tensor> before;
            for (Tensor& input : inputs) {
                before.push_back(input.grad());
                input.set_grad({});
            }
            inference_mode([&] {
                Tensor target = i;
                fill_(target, i.is_floating_point() ? Scalar(1e30) : Scalar(1));
            });
            loss.backward();
            for (std::size_t k = 0; k < inputs.size(); ++k) {
                if (before[k].defined()) {
                    check_same_bits(inputs[k].grad(), before[k]);
                }
            }
        }
    }
    CHECK(recorded > 100);
    CHECK(refused > 20);
}

TEST_CASE("G24 what leaves or enters inference mode shares nothing across the kinds") {
    const Tensor i = inference_mode([] { return ones({4}); });
    Tensor n = zeros({4});
    for (const Tensor& made : {i.clone(), contiguous(i.slice(0, 0, 4, 2)), i + 0}) {
        CHECK(!made.is_inference());
        CHECK(!shares_storage(made, i));
    }
    for (const Tensor& made : {i.detach(), i.data(), i.view({2, 2}), contiguous(i)}) {
        CHECK(made.is_inference());
        CHECK(shares_storage(made, i));
    }
    inference_mode([&] {
        CHECK(!n.view({2, 2}).is_inference());
        CHECK(!n.detach().is_inference());
        CHECK(!shares_storage(n.clone(), n));
        n.copy_(i);
        // A dying operand lends its memory to inference tensors alone.
        Tensor dying = i * 2;
        const Tensor heir = neg(std::move(dying));
        CHECK(heir.is_inference());
    });
    CHECK(!shares_storage(n, i));
    Tensor dying = inference_mode([] { return ones({4}) * 2; });
    const Tensor heir = neg(std::move(dying));
    CHECK(!heir.is_inference());
    CHECK(!impl_of(heir).storage->is_transient());
}

}  // namespace pumice::test
