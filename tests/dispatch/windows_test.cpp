// SPDX-License-Identifier: Apache-2.0
#include "dispatch/windows.h"

#include "pumice/graph.h"

#include "support/harness.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace pumice {
namespace {

using test::check_close;
using test::check_same_bits;
using test::check_throws;
using test::random_tensor;

// Small tensors, of 128 KiB and more, take the path of those past maxStorageBufferRange.
class LowRange {
public:
    explicit LowRange(std::uint64_t most_bytes) {
        vk::limit_storage_range(vk::device(), most_bytes);
    }

    LowRange(const LowRange&) = delete;
    LowRange& operator=(const LowRange&) = delete;
    LowRange(LowRange&&) = delete;
    LowRange& operator=(LowRange&&) = delete;

    ~LowRange() { vk::restore(vk::device()); }
};

constexpr std::uint64_t kMostBytes = 48U << 10U;

using Inputs = std::vector<Tensor>;

struct Case {
    std::string name;
    Inputs inputs;
    test::Function function;
};

void check_same(const std::vector<Case>& cases) {
    for (const Case& each : cases) {
        INFO(each.name);
        const Tensor wanted = each.function(each.inputs);
        const LowRange low(kMostBytes);
        check_same_bits(each.function(each.inputs), wanted);
    }
}

// Indices in [0, extent), in no order.
Tensor index_of(const Dims& sizes, std::int32_t extent) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(numel(sizes)));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(extent));
    }
    return view(tensor(values), sizes);
}

std::vector<double> running_sums(const Tensor& x) {
    std::vector<double> sums = x.to_vector<double>();
    const auto columns = static_cast<std::size_t>(x.size(1));
    for (std::size_t i = columns; i < sums.size(); ++i) {
        sums[i] += sums[i - columns];
    }
    return sums;
}

std::vector<Tensor> gradients_of(const Case& of) {
    Inputs leaves;
    for (const Tensor& input : of.inputs) {
        leaves.push_back(input.clone().detach());
        leaves.back().set_requires_grad(true);
    }
    sum(square(of.function(leaves))).backward();
    std::vector<Tensor> gradients;
    for (const Tensor& leaf : leaves) {
        gradients.push_back(leaf.grad());
    }
    return gradients;
}

using Reduction = std::function<Tensor(const Tensor& x, const Dims& dims)>;

std::optional<std::int64_t> only_dim(const Dims& dims) {
    return dims.empty() ? std::nullopt : std::optional(dims[0]);
}

// What picks a value, or counts, gives the same bits however it is cut.
const std::vector<Reduction> kExact = {
    [](const Tensor& x, const Dims& dims) { return argmax(x, only_dim(dims)).to(kFloat32); },
    [](const Tensor& x, const Dims& dims) { return amax(x, dims); },
    [](const Tensor& x, const Dims& dims) { return amin(x, dims, true); },
    [](const Tensor& x, const Dims& dims) { return argmin(x, only_dim(dims)).to(kFloat32); },
    [](const Tensor& x, const Dims& dims) { return any(gt(x, 0.5), dims).to(kFloat32); },
    [](const Tensor& x, const Dims& dims) { return all(gt(x, -0.999), dims).to(kFloat32); },
    [](const Tensor& x, const Dims& dims) {
        return sum(mul(x, 9.0).to(kInt32), dims).to(kFloat32);
    },
};

// Sums of different parts may differ in their last bits.
const std::vector<Reduction> kRounded = {
    [](const Tensor& x, const Dims& dims) { return sum(x, dims); },
    [](const Tensor& x, const Dims& dims) { return logsumexp(x, dims); },
    [](const Tensor& x, const Dims& dims) { return mean(x, dims); },
    [](const Tensor& x, const Dims& dims) { return var(x, dims); },
    [](const Tensor& x, const Dims& dims) { return std(x, dims); },
};

// The first `count` of both lists.
void check_reductions(const Tensor& x, const Dims& dims, std::size_t count = 8) {
    for (std::size_t i = 0; i < std::min(count, kExact.size()); ++i) {
        const Tensor wanted = kExact[i](x, dims);
        const LowRange low(kMostBytes);
        check_same_bits(kExact[i](x, dims), wanted);
    }
    for (std::size_t i = 0; i < std::min(count, kRounded.size()); ++i) {
        const std::vector<double> wanted = kRounded[i](x, dims).to_vector<double>();
        const LowRange low(kMostBytes);
        check_close(kRounded[i](x, dims), wanted, test::tolerance_of(x.dtype()));
    }
}

std::vector<Case> cases() {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const Tensor row = random_tensor({128}, -1, 1, 2);
    const Tensor half = random_tensor({2048, 34}, -1, 1, 3, kFloat16);
    const Tensor three = random_tensor({3, 20001}, -1, 1, 4, kFloat16);
    return {
        {"add", {x, row}, [](const Inputs& in) { return add(in[0], in[1]); }},
        {"mul transposed",
         {x, x},
         [](const Inputs& in) { return mul(transpose(in[0], 0, 1), transpose(in[1], 0, 1)); }},
        {"exp", {x}, [](const Inputs& in) { return exp(in[0]); }},
        {"odd rows of a narrow dtype", {half}, [](const Inputs& in) { return mul(in[0], 3.0); }},
        {"long odd rows", {three, three}, [](const Inputs& in) { return add(in[0], in[1]); }},
        {"where", {x, row}, [](const Inputs& in) { return where(gt(in[0], 0.0), in[0], in[1]); }},
        {"clone", {x}, [](const Inputs& in) { return transpose(in[0], 0, 1).contiguous(); }},
        {"conversion", {half}, [](const Inputs& in) { return in[0].to(kFloat32); }},
        {"softmax", {x}, [](const Inputs& in) { return softmax(in[0], 1); }},
        {"layer_norm", {x, row}, [](const Inputs& in) { return layer_norm(in[0], {128}, in[1]); }},
        {"sum over rows", {x}, [](const Inputs& in) { return sum(in[0], {1}); }},
        {"amax, kept", {x}, [](const Inputs& in) { return amax(in[0], {1}, true); }},
        {"argmax", {x}, [](const Inputs& in) { return argmax(in[0], 1).to(kFloat32); }},
    };
}

}  // namespace

TEST_CASE("windows: operands past the range limit give the same bits") {
    check_same(cases());
}

TEST_CASE("windows: factories give the same bits, wherever they are cut") {
    const auto seeded = [](const std::function<Tensor()>& make) {
        return [make](const Inputs&) {
            manual_seed(7);
            const Tensor made = make();
            CHECK(get_rng_state().offset * 4 < static_cast<std::uint64_t>(made.numel()) + 4);
            return made;
        };
    };
    check_same({
        {"rand", {}, seeded([] {
             return rand({256, 131});
         })},
        {"rand of three long rows", {}, seeded([] {
             return rand({3, 20001}, kFloat16);
         })},
        {"randn", {}, seeded([] { return randn({60001}); })},
        {"randint", {}, seeded([] {
             return randint(-5, 1000, {5, 10001}).to(kFloat32);
         })},
        {"arange", {}, [](const Inputs&) { return arange(-3, 60001, 1, kFloat32); }},
        {"arange of floats", {}, [](const Inputs&) { return arange(0, 20, 0.0004, kFloat32); }},
        {"full",
         {},
         [](const Inputs&) {
             return full({3, 20001}, 2.5, kFloat32);
         }},
        {"ones",
         {},
         [](const Inputs&) {
             return ones({3, 40001}, kBool).to(kFloat32);
         }},
    });
}

TEST_CASE("windows: dropout has one mask, forward and backward") {
    for (const DType dtype : {kFloat32, kFloat16}) {
        const Tensor x = random_tensor({3, 30001}, 1, 2, 1, dtype);
        const auto run = [&x] {
            manual_seed(11);
            Tensor leaf = x.clone().detach();
            leaf.set_requires_grad(true);
            const Tensor y = dropout(leaf, 0.4);
            y.backward(ones_like(y));
            return std::vector<Tensor>{y.detach(), leaf.grad()};
        };
        const std::vector<Tensor> wanted = run();
        const LowRange low(kMostBytes);
        const std::vector<Tensor> got = run();
        check_same_bits(got[0], wanted[0]);
        check_same_bits(got[1], wanted[1]);
    }
}

TEST_CASE("windows: tensors are joined in parts") {
    const Tensor x = random_tensor({130, 128}, -1, 1, 1);
    const Tensor y = random_tensor({70, 128}, -1, 1, 2);
    const Tensor half = random_tensor({3, 9999}, -1, 1, 3, kFloat16);
    check_same({
        {"cat",
         {x, y},
         [](const Inputs& in) {
             return cat({in[0], in[1], in[0], in[1]}, 0);
         }},
        {"cat of columns",
         {x},
         [](const Inputs& in) {
             return cat({in[0], in[0]}, 1);
         }},
        {"cat of transposed",
         {x},
         [](const Inputs& in) {
             return cat({transpose(in[0], 0, 1), transpose(in[0], 0, 1)}, 0);
         }},
        {"cat of odd rows",
         {half},
         [](const Inputs& in) {
             return cat({in[0], in[0]}, 0);
         }},
        {"cat of ten",
         {y},
         [](const Inputs& in) { return cat(std::vector<Tensor>(10, in[0]), 0); }},
        {"stack",
         {x},
         [](const Inputs& in) {
             return stack({in[0], in[0], in[0]});
         }},
    });
}

TEST_CASE("windows: tables are read by index in parts") {
    const Tensor table = random_tensor({4096, 16}, -1, 1, 1);
    const Tensor odd = random_tensor({8193, 9}, -1, 1, 2, kFloat16);
    const Tensor few = tensor<std::int32_t>({0, 4095, 17, 2048, 17, 3000, 1});
    const Tensor many = index_of({2048}, 4096);
    const Tensor grid = index_of({64, 64}, 8193);
    const Tensor elements = index_of({1024, 16}, 4096);
    check_same({
        {"embedding", {table, few}, [](const Inputs& in) { return embedding(in[0], in[1]); }},
        {"embedding, all large",
         {table, many},
         [](const Inputs& in) { return embedding(in[0], in[1]); }},
        {"embedding of odd rows",
         {odd, grid},
         [](const Inputs& in) { return embedding(in[0], in[1]); }},
        {"index_select of rows",
         {table, many},
         [](const Inputs& in) { return index_select(in[0], 0, in[1]); }},
        {"index_select of columns",
         {table, tensor<std::int32_t>({15, 0, 7})},
         [](const Inputs& in) { return index_select(in[0], -1, in[1]); }},
        {"index_select from a transposed table",
         {table, many},
         [](const Inputs& in) { return index_select(transpose(in[0], 0, 1), 1, in[1]); }},
        {"gather", {table, elements}, [](const Inputs& in) { return gather(in[0], 0, in[1]); }},
        {"gather of columns",
         {table, index_of({4096, 5}, 16)},
         [](const Inputs& in) { return gather(in[0], 1, in[1]); }},
        {"index of rows by a grid",
         {odd, grid},
         [](const Inputs& in) { return in[0].index({in[1]}); }},
        {"index of columns by a grid",
         {table, index_of({2, 3}, 16)},
         [](const Inputs& in) {
             return in[0].index({indexing::Slice(), in[1]});
         }},
        {"index in the middle",
         {table, many},
         [](const Inputs& in) {
             return in[0].view({2, 4096, 8}).index({1, in[1]});
         }},
    });
}

TEST_CASE("windows: sums by index are made in parts") {
    const Tensor table = random_tensor({4096, 16}, -1, 1, 1);
    const Tensor source = random_tensor({2048, 16}, -1, 1, 2);
    const Tensor long_source = random_tensor({10000, 8}, -1, 1, 3);
    check_same({
        {"index_add of rows",
         {table, index_of({2048}, 4096), source},
         [](const Inputs& in) { return index_add(in[0], 0, in[1], in[2]); }},
        {"index_add of many to few rows",
         {random_tensor({3, 8}, -1, 1, 4), index_of({10000}, 3), long_source},
         [](const Inputs& in) { return index_add(in[0], 0, in[1], in[2]); }},
        {"index_add of columns",
         {table, index_of({40}, 16), random_tensor({4096, 40}, -1, 1, 5)},
         [](const Inputs& in) { return index_add(in[0], 1, in[1], in[2]); }},
        {"index_copy of rows",
         {table, index_of({2048}, 4096), source},
         [](const Inputs& in) { return index_copy(in[0], 0, in[1], in[2]); }},
        {"index_copy of many to few rows",
         {random_tensor({3, 8}, -1, 1, 4), index_of({10000}, 3), long_source},
         [](const Inputs& in) { return index_copy(in[0], 0, in[1], in[2]); }},
        {"index_copy of columns",
         {table, index_of({40}, 16), random_tensor({4096, 40}, -1, 1, 5)},
         [](const Inputs& in) { return index_copy(in[0], 1, in[1], in[2]); }},
        {"scatter_add",
         {table, index_of({600, 16}, 4096), source},
         [](const Inputs& in) { return scatter_add(in[0], 0, in[1], in[2].slice(0, 0, 600)); }},
    });
}

TEST_CASE("windows: images are convolved and pooled in parts") {
    const Tensor x = random_tensor({16, 4, 24, 32}, -1, 1, 1);
    const Tensor weight = random_tensor({2, 4, 3, 3}, -1, 1, 2);
    const Case conv = {
        "conv2d", {x, weight}, [](const Inputs& in) { return conv2d(in[0], in[1], {}, 1, 1); }};
    const Case pool = {
        "max_pool2d", {x}, [](const Inputs& in) { return max_pool2d(in[0], 3, 1, 1); }};
    const Case many = {"conv2d, many results of one image",
                       {random_tensor({1, 4, 32, 64}), random_tensor({8, 4, 1, 1}), ones({8})},
                       [](const Inputs& in) { return conv2d(in[0], in[1], in[2]); }};
    const Case planes = {"max_pool2d, planes of one image",
                         {x.view({1, 64, 24, 32})},
                         [](const Inputs& in) { return max_pool2d(in[0], 2); }};
    const Case means = {
        "avg_pool2d", {x}, [](const Inputs& in) { return avg_pool2d(in[0], 3, 1, 1); }};
    check_same({conv, pool, many, planes, means});
    const std::vector<Tensor> wanted = gradients_of(conv);
    const std::vector<Tensor> pooled = gradients_of(pool);
    const LowRange low(kMostBytes);
    const std::vector<Tensor> got = gradients_of(conv);
    check_same_bits(got[0], wanted[0]);
    // Sums of 16 * 24 * 32 products, in other parts.
    check_close(got[1], wanted[1].to_vector<double>(), 1e-4);
    check_same_bits(gradients_of(pool)[0], pooled[0]);
    check_throws<UnsupportedError>(
        [&] {
            conv2d(x.view({1, 64, 24, 32}), ones({1, 64, 3, 3}));
        },
        "conv2d");
}

// 65536 codes, a byte each before they are packed.
TEST_CASE("windows: masks that gradients keep") {
    const Tensor x = random_tensor({256, 256}, -1, 1, 1);
    const Tensor half = random_tensor({256, 256}, -1, 1, 2, kFloat16);
    for (const Case& each :
         {Case{"clamp", {x}, [](const Inputs& in) { return clamp(in[0], -0.5, 0.5); }},
          Case{"clamp, a narrow dtype",
               {half},
               [](const Inputs& in) { return clamp(in[0], -0.5, 0.5); }},
          Case{"maximum", {x, half}, [](const Inputs& in) { return maximum(in[0], in[1]); }}}) {
        INFO(each.name);
        const std::vector<Tensor> wanted = gradients_of(each);
        const LowRange low(kMostBytes);
        const std::vector<Tensor> got = gradients_of(each);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            check_same_bits(got[i], wanted[i]);
        }
    }
}

TEST_CASE("windows: movements and scans") {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const Tensor half = random_tensor({3, 9999}, -1, 1, 3, kFloat16);
    check_same({
        {"pad",
         {x},
         [](const Inputs& in) {
             return pad(in[0], {3, 5, 2, 1}, 1.5);
         }},
        {"pad of odd rows",
         {half},
         [](const Inputs& in) {
             return pad(in[0], {1, -2, 1, 0});
         }},
        {"cumsum of integers",
         {x},
         [](const Inputs& in) { return cumsum(mul(in[0], 100.0).to(kInt32), 0).to(kFloat32); }},
        {"cumsum of rows", {x}, [](const Inputs& in) { return cumsum(in[0], 1); }},
        {"tril",
         {random_tensor({32, 32, 32}, -1, 1, 2)},
         [](const Inputs& in) { return tril(in[0]); }},
        {"rotary_embedding",
         {random_tensor({2, 4, 64, 64}, -1, 1, 4),
          random_tensor({64, 32}),
          random_tensor({64, 32})},
         [](const Inputs& in) { return rotary_embedding(in[0], in[1], in[2]); }},
    });
    const Tensor positive = random_tensor({256, 128}, 0.5, 1, 5);
    const std::vector<double> wanted = running_sums(positive);
    const LowRange low(kMostBytes);
    check_close(cumsum(positive, 0), wanted, 1e-6);
}

TEST_CASE("windows: attention is cut along batch, heads and queries" *
          doctest::test_suite("long")) {
    const Tensor q = random_tensor({2, 4, 64, 64}, -1, 1, 1);
    const Tensor k = random_tensor({2, 4, 64, 64}, -1, 1, 2);
    const Tensor shared = random_tensor({64, 64}, -1, 1, 3);
    const Tensor mask = random_tensor({4, 64, 64}, -1, 1, 4);
    const Tensor one_head = random_tensor({512, 64}, -1, 1, 5);
    const auto attention = [](const Inputs& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2]);
    };
    check_same({
        {"plain", {q, k, k}, attention},
        {"shared keys", {q, shared, shared}, attention},
        {"queries of one head", {one_head, shared, shared}, attention},
        {"masked",
         {q, k, k, mask},
         [](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[2], in[3]); }},
        {"causal",
         {q, k, k},
         [](const Inputs& in) {
             return scaled_dot_product_attention(in[0], in[1], in[2], {}, true);
         }},
    });
}

TEST_CASE("windows: reductions to few values" * doctest::test_suite("long")) {
    const Tensor x = random_tensor({256, 128}, 100, 101, 1);
    const Tensor rows = random_tensor({6, 20001}, 100, 101, 2);
    const Tensor half = random_tensor({100001}, -1, 1, 3, kFloat16);
    // Every reduction once, and two of each list over other layouts: a software driver takes long
    // to compile the variants.
    check_reductions(rows, {-1});
    check_reductions(rows, {0}, 2);
    check_reductions(transpose(x, 0, 1), {}, 2);
    check_reductions(half, {}, 2);
}

TEST_CASE("windows: gradients of what is cut" * doctest::test_suite("long")) {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const Tensor table = random_tensor({4096, 16}, -1, 1, 2);
    const Tensor q = random_tensor({2, 4, 64, 64}, -1, 1, 3);
    const Tensor rows = index_of({2048}, 4096);
    const Tensor elements = index_of({512, 16}, 4096);
    const Tensor none;
    const std::vector<Case> each_case = {
        {"cat",
         {x, x},
         [](const Inputs& in) {
             return cat({in[0], in[1]}, 0);
         }},
        {"embedding", {table}, [&](const Inputs& in) { return embedding(in[0], rows); }},
        {"index_select", {table}, [&](const Inputs& in) { return index_select(in[0], 0, rows); }},
        {"gather", {table}, [&](const Inputs& in) { return gather(in[0], 0, elements); }},
        {"pad",
         {x},
         [](const Inputs& in) {
             return pad(in[0], {3, 5, 2, 1});
         }},
        {"cumsum",
         {random_tensor({256, 128}, 0.5, 1, 6)},
         [](const Inputs& in) { return cumsum(in[0], 0); }},
        {"slice", {x}, [](const Inputs& in) { return slice(in[0], 1, 3, 120, 2); }},
        {"select", {x}, [](const Inputs& in) { return select(in[0], 0, 77); }},
        {"mean", {x}, [](const Inputs& in) { return mean(in[0]); }},
        {"var", {x}, [](const Inputs& in) { return var(in[0], {0}); }},
        {"std", {x}, [](const Inputs& in) { return std(in[0]); }},
        {"amax", {x}, [](const Inputs& in) { return amax(in[0], {0}); }},
        {"logsumexp", {x}, [](const Inputs& in) { return logsumexp(in[0], {}); }},
        {"layer_norm",
         {x, random_tensor({128}, 1, 2, 4), random_tensor({128}, 1, 2, 5)},
         [](const Inputs& in) { return layer_norm(in[0], {128}, in[1], in[2]); }},
        {"attention",
         {q, q, q},
         [](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); }},
        {"causal attention",
         {q, q, q},
         [&none](const Inputs& in) {
             return scaled_dot_product_attention(in[0], in[1], in[2], none, true);
         }},
    };
    for (const Case& each : each_case) {
        INFO(each.name);
        const std::vector<Tensor> wanted = gradients_of(each);
        const LowRange low(kMostBytes);
        const std::vector<Tensor> got = gradients_of(each);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            check_close(got[i], wanted[i].to_vector<double>(), 1e-5);
        }
    }
}

TEST_CASE("windows: matrix products are cut along rows, columns, batch and depth") {
    const Tensor a = random_tensor({3, 64, 128}, -1, 1, 1);
    const Tensor b = random_tensor({128, 128}, -1, 1, 2);
    const Tensor weight = random_tensor({512, 128}, -1, 1, 3);
    const Tensor bias = random_tensor({512}, -1, 1, 4);
    const Tensor vector = random_tensor({128}, -1, 1, 5);
    const std::vector<std::function<Tensor()>> products = {
        [&] { return matmul(a, b); },
        [&] { return matmul(a, transpose(weight, 0, 1)); },
        [&] { return matmul(vector, b); },
        [&] { return matmul(a, vector); },
        [&] { return matmul(transpose(b, 0, 1), transpose(a, 1, 2)); },
        [&] { return linear(a, weight, bias); },
    };
    for (const auto& product : products) {
        const std::vector<double> wanted = product().to_vector<double>();
        const LowRange low(kMostBytes);
        check_close(product(), wanted, 1e-5);
    }
}

TEST_CASE("windows: gradients of a layer whose weight is cut") {
    const auto gradients = [] {
        Tensor x = random_tensor({8, 128}, -1, 1, 1);
        Tensor weight = random_tensor({256, 128}, -0.1, 0.1, 2);
        x.set_requires_grad(true);
        weight.set_requires_grad(true);
        sum(square(linear(x, weight))).backward();
        return std::vector<Tensor>{x.grad(), weight.grad()};
    };
    const std::vector<Tensor> wanted = gradients();
    const LowRange low(kMostBytes);
    const std::vector<Tensor> got = gradients();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        check_close(got[i], wanted[i].to_vector<double>(), 1e-5);
    }
}

TEST_CASE("windows: in-place and out forms write through every part") {
    Tensor x = random_tensor({256, 128}, -1, 1, 1);
    std::vector<double> wanted = x.to_vector<double>();
    for (double& value : wanted) {
        value = 2.0 * value + 1.0;
    }
    const LowRange low(kMostBytes);
    x.mul_(2.0).add_(1.0);
    check_close(x, wanted);
    x.fill_(7.0);
    check_close(x, std::vector<double>(32768, 7.0));
}

TEST_CASE("windows: a captured call is cut as an eager one") {
    const InferenceMode guard;
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const auto fn = [](const Tensor& in) { return softmax(add(mul(in, 3.0), in), -1); };
    const Tensor wanted = fn(x);
    const LowRange low(kMostBytes);
    const Plan plan = capture(fn, {x});
    CHECK(plan.stats().kernel_count > plan.stats().operator_count);
    check_same_bits(plan(x)[0], wanted);
}

TEST_CASE("windows: what no cut makes small enough says so, and the engine goes on") {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const std::vector<double> wanted = x.to_vector<double>();
    {
        const LowRange low(kMostBytes);
        check_throws<UnsupportedError>([&] { static_cast<void>(softmax(x, 0)); },
                                       "[softmax] operand [256, 128] float32 spans 131072 bytes");
        check_throws<UnsupportedError>(
            [&] {
                static_cast<void>(softmax(reshape(x, {2, 16384}), 0));
            },
            "maxStorageBufferRange");
    }
    check_close(x, wanted);
}

// 4096 x 14336 floats are 235 MB: more than lavapipe and many phones bind at once.
TEST_CASE("windows: a weight of 235 MB on this device's own limit") {
    constexpr std::int64_t kOut = 14336;
    constexpr std::int64_t kIn = 4096;
    if (vk::device().capabilities().max_storage_range_bytes >= kOut * kIn * sizeof(float)) {
        MESSAGE("skipped: this device binds 235 MB at once");
        return;
    }
    const InferenceMode guard;
    const Tensor row = arange(0, kIn, 1, kFloat32).div_(static_cast<double>(kIn));
    const Tensor column = arange(0, kOut, 1, kFloat32).div_(static_cast<double>(kOut)).unsqueeze(1);
    const Tensor weight = mul(column, row);  // weight[i, j] = i / out * j / in
    const Tensor x = ones({1, kIn});
    const double row_sum = (static_cast<double>(kIn) - 1.0) / 2.0;
    std::vector<double> wanted;
    for (std::int64_t i = 0; i < kOut; ++i) {
        wanted.push_back(static_cast<double>(i) / static_cast<double>(kOut) * row_sum);
    }
    check_close(linear(x, weight), wanted, 1e-4);
    check_close(matmul(ones({1, kOut}), weight).slice(1, 0, 2), {0.0, 7167.5 / 4096.0}, 1e-4);
}

}  // namespace pumice
