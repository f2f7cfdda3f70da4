// SPDX-License-Identifier: Apache-2.0
// What operators keep for their backward formulas, by which operands require grad: nothing that the
// wanted gradients do not read.
#include "pumice/gradcheck.h"
#include "pumice/nn/functional.h"
#include "pumice/pumice.h"
#include "pumice/saved_tensor_hooks.h"

#include "ops/elementwise/gradients.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pumice {

namespace {

using autograd::SavedTensorHooks;
using autograd::SavedTensorHooksGuard;
using test::random_tensor;

using In = const std::vector<Tensor>&;

/// Bytes that a call keeps when the operands of `with_grad` (bits) require grad.
struct Kept {
    std::uint32_t with_grad;
    std::int64_t bytes;
};

struct Row {
    std::string name;
    std::function<Tensor(In)> call;
    std::vector<Dims> operands;
    std::vector<Kept> kept;
};

std::int64_t kept_bytes(const Row& row, std::uint32_t with_grad) {
    std::vector<Tensor> operands;
    for (std::size_t i = 0; i < row.operands.size(); ++i) {
        operands.push_back(random_tensor(row.operands[i], 0.5, 1.5, i + 1));
        operands.back().set_requires_grad((with_grad >> i & 1U) != 0);
    }
    std::int64_t bytes = 0;
    const SavedTensorHooksGuard guard(
        {.pack =
             [&bytes](const Tensor& saved) {
                 bytes += saved.numel() * itemsize(saved.dtype());
                 return std::any(saved);
             },
         .unpack = [](const std::any& value) { return std::any_cast<Tensor>(value); }});
    static_cast<void>(row.call(operands));
    return bytes;
}

Tensor indices() {
    return tensor({2, 0, 1});
}

// Sizes that tell the operands apart.
const std::vector<Row>& rows() {
    static const std::vector<Row> all = {
        {"neg", [](In in) { return neg(in[0]); }, {{5}}, {{1, 0}}},
        {"relu", [](In in) { return relu(in[0]); }, {{5}}, {{1, 20}}},
        {"gelu", [](In in) { return gelu(in[0]); }, {{5}}, {{1, 20}}},
        {"silu", [](In in) { return silu(in[0]); }, {{5}}, {{1, 20}}},
        // Masks, in words of 32 bits: a bit an element, two where operands share.
        {"clamp", [](In in) { return clamp(in[0], 0.75, 1.25); }, {{70}}, {{1, 12}}},
        {"clamp_",
         [](In in) {
             Tensor x = in[0].clone();
             return clamp_(x, 0.75, {});
         },
         {{70}},
         {{1, 12}}},
        {"nan_to_num", [](In in) { return nan_to_num(in[0]); }, {{70}}, {{1, 12}}},
        {"maximum",
         [](In in) { return maximum(in[0], in[1]); },
         {{6, 7}, {7}},
         {{1, 12}, {2, 12}, {3, 12}}},
        {"minimum", [](In in) { return minimum(in[0], in[1]); }, {{5}, {5}}, {{1, 4}, {3, 4}}},
        {"dropout", [](In in) { return dropout(in[0], 0.5); }, {{5}}, {{1, 0}}},
        {"softmax", [](In in) { return softmax(in[0], -1); }, {{2, 5}}, {{1, 40}}},
        {"log_softmax", [](In in) { return log_softmax(in[0], -1); }, {{2, 5}}, {{1, 40}}},
        {"mul by a number", [](In in) { return mul(in[0], 3.0); }, {{5}}, {{1, 0}}},
        {"add", [](In in) { return add(in[0], in[1]); }, {{6, 4}, {4}}, {{3, 0}}},
        {"mul",
         [](In in) { return mul(in[0], in[1]); },
         {{6, 4}, {4}},
         {{1, 16}, {2, 96}, {3, 112}}},
        {"div",
         [](In in) { return div(in[0], in[1]); },
         {{6, 4}, {4}},
         {{1, 16}, {2, 112}, {3, 112}}},
        {"sqrt", [](In in) { return sqrt(in[0]); }, {{5}}, {{1, 20}}},
        {"log", [](In in) { return log(in[0]); }, {{5}}, {{1, 20}}},
        {"pow",
         [](In in) { return pow(in[0], in[1]); },
         {{6, 4}, {4}},
         {{1, 112}, {2, 112}, {3, 112}}},
        {"masked_fill",
         [](In in) { return masked_fill(in[0], gt(in[0].detach(), 1.0), 0.0); },
         {{5}},
         {{1, 5}}},
        {"sum", [](In in) { return sum(in[0]); }, {{5}}, {{1, 0}}},
        {"var", [](In in) { return var(in[0]); }, {{5}}, {{1, 20}}},
        {"std", [](In in) { return pumice::std(in[0]); }, {{5}}, {{1, 24}}},
        {"amax", [](In in) { return amax(in[0]); }, {{5}}, {{1, 24}}},
        {"logsumexp", [](In in) { return logsumexp(in[0], {0}); }, {{5}}, {{1, 24}}},
        {"cumsum", [](In in) { return cumsum(in[0], 0); }, {{5}}, {{1, 0}}},
        {"matmul",
         [](In in) { return matmul(in[0], in[1]); },
         {{3, 5}, {5, 2}},
         {{1, 40}, {2, 60}, {3, 100}}},
        {"linear",
         [](In in) { return linear(in[0], in[1], in[2]); },
         {{3, 5}, {2, 5}, {2}},
         {{1, 40}, {2, 60}, {4, 0}, {7, 100}}},
        {"conv2d",
         [](In in) { return conv2d(in[0], in[1], in[2]); },
         {{1, 2, 4, 4}, {3, 2, 3, 3}, {3}},
         {{1, 216}, {2, 128}, {4, 0}, {7, 344}}},
        {"where",
         [](In in) { return where(gt(in[0].detach(), 1.0), in[1], in[2]); },
         {{6, 4}, {6, 4}, {6, 4}},
         {{2, 24}, {4, 24}, {6, 24}}},
        {"layer_norm",
         [](In in) { return layer_norm(in[0], {6}, in[1], in[2]); },
         {{4, 6}, {6}, {6}},
         {{1, 120}, {2, 96}, {4, 0}, {7, 120}}},
        {"rms_norm",
         [](In in) { return rms_norm(in[0], {6}, in[1]); },
         {{4, 6}, {6}},
         {{1, 120}, {2, 96}, {3, 120}}},
        {"batch_norm",
         [](In in) { return batch_norm(in[0], in[1], in[2], {}, {}, true); },
         {{4, 3}, {3}, {3}},
         {{1, 84}, {2, 72}, {4, 0}, {7, 84}}},
        {"embedding", [](In in) { return embedding(in[0], indices()); }, {{4, 7}}, {{1, 12}}},
        {"index_select",
         [](In in) { return index_select(in[0], 0, indices()); },
         {{4, 7}},
         {{1, 12}}},
        {"index_add",
         [](In in) { return index_add(in[0], 0, indices(), in[1]); },
         {{4, 7}, {3, 7}},
         {{1, 0}, {2, 12}, {3, 12}}},
        {"scatter_add",
         [](In in) {
             return scatter_add(in[0], 0, view(indices(), {3, 1}), in[1]);
         },
         {{4, 1}, {3, 1}},
         {{1, 0}, {2, 12}, {3, 12}}},
        {"index_copy",
         [](In in) { return index_copy(in[0], 0, indices(), in[1]); },
         {{4, 7}, {3, 7}},
         {{1, 12}, {2, 12}}},
        {"mse_loss",
         [](In in) { return mse_loss(in[0], in[1]); },
         {{5}, {5}},
         {{1, 20}, {2, 20}, {3, 20}}},
        {"l1_loss", [](In in) { return l1_loss(in[0], in[1]); }, {{5}, {5}}, {{1, 20}}},
        // Three tensors and a bit for each element.
        {"huber_loss", [](In in) { return huber_loss(in[0], in[1]); }, {{40}, {40}}, {{1, 488}}},
        // Two bits for each of 15 elements, and two factors of three.
        {"quantile_loss",
         [](In in) { return quantile_loss(in[0], in[1], in[2]); },
         {{5, 3}, {5}, {3}},
         {{1, 28}, {2, 28}}},
        // The logarithms 112, the classes 16, which of them count 4, and their number 4.
        {"cross_entropy",
         [](In in) {
             return cross_entropy(in[0], tensor({0, 6, 3, 1}));
         },
         {{4, 7}},
         {{1, 136}}},
        {"nll_loss",
         [](In in) {
             return nn::functional::nll_loss(in[0], tensor({0, 6, 3, 1}));
         },
         {{4, 7}},
         {{1, 24}}},
        // Input, target, relu's result, and exp's, which two formulas keep.
        {"binary_cross_entropy_with_logits",
         [](In in) { return nn::functional::binary_cross_entropy_with_logits(in[0], in[1]); },
         {{5}, {5}},
         {{1, 100}}},
        {"leaky_relu", [](In in) { return nn::functional::leaky_relu(in[0]); }, {{5}}, {{1, 5}}},
        // x for the rows' norm, a factor for each channel; the weight's gradient reads the norm.
        {"group_norm",
         [](In in) { return group_norm(in[0], 2, in[1], in[2]); },
         {{2, 4, 3}, {4}, {4}},
         {{1, 112}, {2, 96}, {4, 0}, {7, 208}}},
        {"max_pool2d", [](In in) { return max_pool2d(in[0], 2); }, {{1, 2, 4, 6}}, {{1, 48}}},
        {"avg_pool2d", [](In in) { return avg_pool2d(in[0], 2); }, {{1, 2, 4, 6}}, {{1, 0}}},
        // Query 48, key 80, value 40, result 24, logarithms of sums 12.
        {"scaled_dot_product_attention",
         [](In in) { return scaled_dot_product_attention(in[0], in[1], in[2]); },
         {{1, 3, 4}, {1, 5, 4}, {1, 5, 2}},
         {{1, 204}, {2, 204}, {4, 164}, {7, 204}}},
        // The gradient that arrives is read for y's alone.
        {"tanh_backward",
         [](In in) { return ops::tanh_backward(in[0], in[1]); },
         {{5}, {5}},
         {{1, 20}, {2, 40}, {3, 40}}},
        {"gelu_backward",
         [](In in) { return ops::gelu_backward(in[0], in[1]); },
         {{5}, {5}},
         {{1, 20}, {2, 40}, {3, 40}}},
    };
    return all;
}

// The gradient of sum(square(attention)) with respect to the value.
Tensor value_gradient(const std::vector<Tensor>& operands, bool is_value_alone) {
    std::vector<Tensor> leaves;
    for (std::size_t i = 0; i < operands.size(); ++i) {
        leaves.push_back(operands[i].detach());
        leaves.back().set_requires_grad(i == 2 || !is_value_alone);
    }
    sum(square(scaled_dot_product_attention(leaves[0], leaves[1], leaves[2], {}, true))).backward();
    return leaves[2].grad();
}

}  // namespace

TEST_CASE("saved tensors: operators keep what the wanted gradients read, and no more") {
    for (const Row& row : rows()) {
        for (const Kept& kept : row.kept) {
            INFO(row.name << ", operands that require grad " << kept.with_grad);
            CHECK(kept_bytes(row, kept.with_grad) == kept.bytes);
        }
        CHECK(kept_bytes(row, 0) == 0);
    }
}

TEST_CASE("saved tensors: attention for its value alone gives the same gradient") {
    const std::vector<Tensor> operands = {random_tensor({2, 3, 4}, -1, 1, 1),
                                          random_tensor({2, 5, 4}, -1, 1, 2),
                                          random_tensor({2, 5, 2}, -1, 1, 3)};
    test::check_same_bits(value_gradient(operands, true), value_gradient(operands, false));
    const auto of_value = [&](In in) {
        return scaled_dot_product_attention(operands[0], operands[1], in[0]);
    };
    test::check_gradients(of_value, {operands[2]});
    Tensor value = operands[2].detach();
    value.set_requires_grad(true);
    const Tensor result = square(of_value({value}));
    const Tensor first = autograd::grad({sum(result)}, {value}, {}, true, true)[0];
    const Tensor second = autograd::grad({sum(square(first))}, {value})[0];
    CHECK(second.sizes() == value.sizes());
    CHECK(all(isfinite(second)).item<bool>());
}

TEST_CASE("saved tensors: backward lets go of them as it passes") {
    const Tensor x = random_tensor({64, 64}, -1, 1, 1);
    Tensor leaf = x.detach();
    leaf.set_requires_grad(true);
    Tensor y = exp(leaf);
    for (int i = 0; i < 7; ++i) {
        y = exp(mul(std::move(y), 0.1));
    }
    Tensor loss = sum(std::move(y));
    const std::uint64_t kBytes = std::uint64_t{64} * 64 * 4;
    const std::uint64_t before = memory_stats().live_bytes;
    reset_peak_memory_stats();
    loss.backward();
    const MemoryStats after = memory_stats();
    // The eight results go; the leaf's gradient stays.
    CHECK(after.live_bytes == before - 7 * kBytes);
    // While they go, a formula holds the gradient that arrived, one on the way and its result.
    CHECK(after.peak_bytes <= before + 3 * kBytes);
}

}  // namespace pumice
