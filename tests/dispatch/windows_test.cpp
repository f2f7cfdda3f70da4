// SPDX-License-Identifier: Apache-2.0
#include "dispatch/windows.h"

#include "support/harness.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <functional>
#include <numeric>
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

struct Case {
    std::string name;
    std::vector<Tensor> inputs;
    test::Function function;
};

std::vector<Case> cases() {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const Tensor row = random_tensor({128}, -1, 1, 2);
    const Tensor half = random_tensor({2048, 34}, -1, 1, 3, kFloat16);
    using Inputs = std::vector<Tensor>;
    return {
        {"add", {x, row}, [](const Inputs& in) { return add(in[0], in[1]); }},
        {"mul transposed",
         {x, x},
         [](const Inputs& in) { return mul(transpose(in[0], 0, 1), transpose(in[1], 0, 1)); }},
        {"exp", {x}, [](const Inputs& in) { return exp(in[0]); }},
        {"odd rows of a narrow dtype", {half}, [](const Inputs& in) { return mul(in[0], 3.0); }},
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
    for (const Case& each : cases()) {
        INFO(each.name);
        const Tensor wanted = each.function(each.inputs);
        const LowRange low(kMostBytes);
        check_same_bits(each.function(each.inputs), wanted);
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

TEST_CASE("windows: what no cut makes small enough says so, and the engine goes on") {
    const Tensor x = random_tensor({256, 128}, -1, 1, 1);
    const std::vector<double> wanted = x.to_vector<double>();
    {
        const LowRange low(kMostBytes);
        check_throws<UnsupportedError>([&] { static_cast<void>(cumsum(x, 0)); },
                                       "[cumsum] operand [256, 128] float32 spans 131072 bytes");
        check_throws<UnsupportedError>([&] { static_cast<void>(softmax(x, 0)); },
                                       "maxStorageBufferRange");
    }
    check_close(x, wanted);
}

// 4096 x 14336 floats are 235 MB: more than lavapipe and many phones bind at once.
TEST_CASE("windows: a weight of 235 MB on this device's own limit") {
    constexpr std::int64_t kOut = 14336;
    constexpr std::int64_t kIn = 4096;
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
