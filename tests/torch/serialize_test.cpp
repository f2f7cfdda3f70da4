// SPDX-License-Identifier: Apache-2.0
#include "pumice/torch.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

using pumice::test::check_same_bits;
using pumice::test::check_throws;
using pumice::test::random_tensor;
using pumice::test::Scratch;

namespace {

torch::nn::Sequential new_net() {
    return torch::nn::Sequential(
        torch::nn::Linear(3, 4), torch::nn::Tanh(), torch::nn::Linear(4, 2));
}

}  // namespace

TEST_CASE("torch::save, torch::load: tensors") {
    const Scratch scratch;
    const std::string path = scratch.path("tensor.safetensors");
    const torch::Tensor x = random_tensor({2, 3});
    torch::save(x.t(), path);
    torch::Tensor loaded;
    torch::load(loaded, path);
    CHECK(loaded.sizes() == torch::IntArrayRef({3, 2}));
    check_same_bits(loaded, x.t().contiguous());
    CHECK(!loaded.requires_grad());
    torch::save(torch::ones({2}, torch::requires_grad()), path);
    torch::load(loaded, path);
    CHECK(loaded.requires_grad());

    std::vector<torch::Tensor> many;
    for (int i = 0; i < 11; ++i) {
        many.push_back(torch::full({1}, i));
    }
    torch::save(many, path);
    std::vector<torch::Tensor> appended = {x};
    torch::load(appended, path);
    REQUIRE(appended.size() == 12);
    CHECK(appended[11].item() == 10.0);
    CHECK(appended[2].dtype() == torch::kInt32);

    check_throws<torch::ArgumentError>([&] { torch::save(torch::Tensor(), path); }, "undefined");
    check_throws<torch::FileError>([&] { torch::load(loaded, scratch.path("none")); }, "none");
    torch::save(new_net(), path);
    check_throws<torch::ArgumentError>([&] { torch::load(loaded, path); }, "0");
    check_throws<torch::ArgumentError>([&] { torch::load(appended, path); }, "0");
    CHECK(appended.size() == 12);
}

TEST_CASE("torch::save, torch::load: modules and optimizers go on where they were") {
    const Scratch scratch;
    const torch::Tensor x = random_tensor({5, 3});
    torch::nn::Sequential net = new_net();
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(0.1));
    const auto step = [&x](torch::nn::Sequential& module, torch::optim::Optimizer& with) {
        with.zero_grad();
        const torch::Tensor loss = module->forward(x).square().sum();
        loss.backward();
        with.step();
        return loss.item();
    };
    step(net, optimizer);
    torch::save(net, scratch.path("net"));
    torch::save(optimizer, scratch.path("optimizer"));

    torch::nn::Sequential copy = new_net();
    torch::optim::Adam copy_optimizer(copy->parameters(), torch::optim::AdamOptions(0.1));
    torch::load(copy, scratch.path("net"));
    torch::load(copy_optimizer, scratch.path("optimizer"));
    for (int i = 0; i < 3; ++i) {
        CHECK(step(net, optimizer) == step(copy, copy_optimizer));
    }

    // By pointer and by reference.
    const auto shared = std::make_shared<torch::nn::LinearImpl>(3, 2);
    torch::save(shared, scratch.path("linear"));
    torch::nn::LinearImpl plain(3, 2);
    torch::load(plain, scratch.path("linear"));
    check_same_bits(plain.weight, shared->weight);
    torch::save(plain, scratch.path("linear"));
    torch::load(shared, scratch.path("linear"));
    check_throws<torch::ArgumentError>([&] { torch::load(net, scratch.path("linear")); }, "weight");
    check_throws<torch::ShapeError>(
        [&] {
            torch::nn::LinearImpl other(4, 2);
            torch::load(other, scratch.path("linear"));
        },
        "weight");
}
