// SPDX-License-Identifier: Apache-2.0
// Every operand of every operator whose kernels run chains of maps, made by a chain, of other
// strides, broadcast, of another dtype: a captured function gives the bits of its eager call.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace pumice {

namespace {

using test::check_same_bits;
using test::random_tensor;

using Map = std::function<Tensor(const Tensor&)>;
using Operator = std::function<Tensor(const std::vector<Tensor>&)>;

// An operator, and the shapes of its operands.
struct Host {
    std::string name;
    Operator call;
    std::vector<Dims> sizes;
};

// How an operand comes to be of the tensor that the function gets: the same shape and dtype.
struct Kind {
    std::string name;
    Map make;
};

Tensor with_gaps(const Tensor& x) {
    const std::int64_t last = x.size(-1);
    return cat({x, x}, -1).slice(-1, last / 2, last / 2 + last);
}

Tensor turned(const Tensor& x) {
    return x.dim() < 2 ? x : x.transpose(-1, -2).contiguous().transpose(-1, -2);
}

const std::vector<Kind> kKinds = {
    {"chain", [](const Tensor& x) { return add(mul(x, 0.5), 1.0); }},
    {"chain of gaps", [](const Tensor& x) { return neg(with_gaps(x)); }},
    {"turned", turned},
    {"other dtype",
     [](const Tensor& x) {
         return to(to(x, x.dtype() == kFloat32 ? kFloat16 : kFloat32), x.dtype());
     }},
    {"broadcast", [](const Tensor& x) { return x.slice(-1, 0, 1).expand(x.sizes()); }},
    {"gaps", with_gaps},
    {"plain", [](const Tensor& x) { return x; }},
    {"zeros", [](const Tensor& x) { return mul(x, 0.0); }},
};

// In round r operand i is of kind r + i, so that all meet all sooner or later.
void check_operands(const std::vector<Host>& hosts, DType dtype, std::size_t rounds) {
    const InferenceMode guard;
    for (const Host& host : hosts) {
        std::vector<Tensor> inputs;
        for (const Dims& sizes : host.sizes) {
            inputs.push_back(to(random_tensor(sizes, -2, 2, inputs.size() + 1), dtype));
        }
        for (std::size_t round = 0; round < rounds; ++round) {
            const auto fn = [&](std::span<const Tensor> in) {
                std::vector<Tensor> operands;
                for (const Tensor& each : in) {
                    operands.push_back(
                        kKinds[(round + operands.size()) % kKinds.size()].make(each));
                }
                return relu(host.call(operands));
            };
            CAPTURE(host.name);
            CAPTURE(kKinds[round % kKinds.size()].name);
            check_same_bits(capture(fn, inputs).replay(inputs)[0], fn(inputs));
        }
    }
}

const std::vector<Host> kRowHosts = {
    {"sum", [](const auto& in) { return sum(in[0], {1}); }, {{5, 33}}},
    {"mean", [](const auto& in) { return mean(in[0], {0}); }, {{5, 33}}},
    {"var", [](const auto& in) { return var(in[0], {1}); }, {{5, 33}}},
    {"logsumexp", [](const auto& in) { return logsumexp(in[0], {1}); }, {{5, 33}}},
    {"softmax", [](const auto& in) { return softmax(in[0], -1); }, {{5, 33}}},
    {"log_softmax", [](const auto& in) { return log_softmax(in[0], 0); }, {{5, 33}}},
    {"rms_norm", [](const auto& in) { return rms_norm(in[0], {33}, in[1]); }, {{5, 33}, {33}}},
    {"layer_norm",
     [](const auto& in) { return layer_norm(in[0], {33}, in[1], in[2]); },
     {{5, 33}, {33}, {33}}},
    {"layer_norm without weight",
     [](const auto& in) { return layer_norm(in[0], {33}, {}, in[1]); },
     {{5, 33}, {33}}},
    {"group_norm",
     [](const auto& in) { return group_norm(in[0], 2, in[1], in[2]); },
     {{2, 4, 9}, {4}, {4}}},
    {"batch_norm",
     [](const auto& in) { return batch_norm(in[0], in[1], in[2], in[3], square(in[4]), false); },
     {{2, 4, 9}, {4}, {4}, {4}, {4}}},
};

const std::vector<Host> kProductHosts = {
    {"matmul", [](const auto& in) { return matmul(in[0], in[1]); }, {{6, 9}, {9, 8}}},
    {"linear", [](const auto& in) { return linear(in[0], in[1], in[2]); }, {{6, 9}, {8, 9}, {8}}},
    {"conv2d",
     [](const auto& in) { return conv2d(in[0], in[1], in[2], 1, 1); },
     {{1, 2, 5, 6}, {3, 2, 3, 3}, {3}}},
    {"attention",
     [](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], in[3]); },
     {{1, 2, 5, 8}, {1, 2, 7, 8}, {1, 2, 7, 8}, {5, 7}}},
};

}  // namespace

TEST_CASE("hosted operands: reductions, softmax and norms" * doctest::test_suite("long")) {
    check_operands(kRowHosts, kFloat32, 4);
}

TEST_CASE("hosted operands: reductions, softmax and norms of half types" *
          doctest::test_suite("long")) {
    check_operands(kRowHosts, kFloat16, 1);
}

TEST_CASE("hosted operands: products, convolutions, attention" * doctest::test_suite("long")) {
    check_operands(kProductHosts, kFloat32, 3);
}

TEST_CASE("hosted operands: weights of norms that a chain makes, of many lengths") {
    const InferenceMode guard;
    for (const std::int64_t length : {2, 64, 300}) {
        const std::vector<Tensor> inputs = {random_tensor({3, length}, -1, 1, 1),
                                            random_tensor({length}, -1, 1, 2)};
        const auto rms = [length](const Tensor& x, const Tensor& w) {
            return rms_norm(x, {length}, w + 1.0);
        };
        const auto layer = [length](const Tensor& x, const Tensor& w) {
            return layer_norm(x, {length}, to(to(w, kFloat16), kFloat32), w * 0.5);
        };
        check_same_bits(capture(rms, inputs)(inputs[0], inputs[1])[0], rms(inputs[0], inputs[1]));
        check_same_bits(capture(layer, inputs)(inputs[0], inputs[1])[0],
                        layer(inputs[0], inputs[1]));
    }
}

}  // namespace pumice
