// SPDX-License-Identifier: Apache-2.0
// Optimizers as programs for LibTorch use them.
#include "pumice/torch.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using pumice::test::check_close;
using pumice::test::check_throws;

TEST_CASE("torch::optim: options, closures, clipping and StepLR") {
    using torch::optim::AdamOptions;
    using torch::optim::AdamWOptions;
    using torch::optim::SGDOptions;
    const auto sgd = SGDOptions(0.1).momentum(0.9).dampening(0.5).weight_decay(0.1).nesterov(true);
    CHECK(sgd.values().momentum == 0.9);
    CHECK(sgd.values().dampening == 0.5);
    CHECK(sgd.values().weight_decay == 0.1);
    CHECK(sgd.values().nesterov);
    CHECK(AdamOptions().lr() == 1e-3);
    CHECK(AdamOptions().weight_decay() == 0.0);
    CHECK(AdamWOptions().weight_decay() == 1e-2);
    const auto adam = AdamWOptions(0.5).betas({0.8, 0.9}).eps(1e-3).weight_decay(0.2);
    CHECK(adam.values().beta1 == 0.8);
    CHECK(adam.values().beta2 == 0.9);
    CHECK(adam.values().eps == 1e-3);
    CHECK(adam.values().weight_decay == 0.2);

    torch::Tensor p = torch::ones({2}, torch::requires_grad());
    torch::optim::SGD optimizer({p}, /*lr=*/0.25);
    torch::optim::StepLR schedule(optimizer, 2, 0.5);
    const torch::Tensor loss = optimizer.step([&] {
        optimizer.zero_grad();
        torch::Tensor now = p.square().sum();
        now.backward();
        return now;
    });
    CHECK(loss.item() == 2.0);
    CHECK(p.detach().to_vector<float>() == std::vector<float>{0.5F, 0.5F});
    schedule.step();
    CHECK(optimizer.lr() == 0.25);
    schedule.step();
    CHECK(optimizer.lr() == 0.125);
    {
        // The closure computes gradients under no_grad too.
        torch::NoGradGuard guard;
        optimizer.step([&] {
            optimizer.zero_grad();
            torch::Tensor now = (p * 4).sum();
            now.backward();
            return now;
        });
    }
    CHECK(p.detach().to_vector<float>() == std::vector<float>{0.0F, 0.0F});
    CHECK(torch::nn::utils::clip_grad_norm_({p}, 1.0) == doctest::Approx(std::sqrt(32.0)));
    CHECK(p.grad().square().sum().item() == doctest::Approx(1.0));
}

TEST_CASE("torch::optim: groups have learning rates of their own") {
    using torch::optim::OptimizerParamGroup;
    using torch::optim::SGDOptions;
    torch::nn::Linear body(2, 2);
    torch::nn::Linear head(2, 1);
    std::vector<OptimizerParamGroup> groups;
    groups.emplace_back(body->parameters());
    groups.push_back(OptimizerParamGroup(head->parameters(), std::make_unique<SGDOptions>(0.5)));
    torch::optim::SGD optimizer(groups, SGDOptions(0.1).momentum(0.9));
    REQUIRE(optimizer.param_groups().size() == 2);
    CHECK(optimizer.param_groups()[0].params().size() == 2);
    CHECK(optimizer.param_groups()[0].options().get_lr() == 0.1);
    CHECK(optimizer.param_groups()[1].options().get_lr() == 0.5);
    for (auto& group : optimizer.param_groups()) {
        REQUIRE(group.has_options());
        auto& options = static_cast<SGDOptions&>(group.options());
        options.lr(options.lr() * 0.5);
    }
    optimizer.param_groups().back().options().set_lr(2.0);
    CHECK(optimizer.lrs() == std::vector<double>{0.05, 2.0});
    CHECK(static_cast<SGDOptions&>(optimizer.param_groups()[0].options()).momentum() == 0.9);
    CHECK(static_cast<SGDOptions&>(optimizer.param_groups()[1].options()).momentum() == 0.0);
    CHECK(static_cast<SGDOptions&>(optimizer.defaults()).lr() == 0.1);

    const std::vector<double> before = head->bias.to_vector<double>();
    head->bias.set_grad(torch::full({1}, 0.25));
    optimizer.step();
    check_close(head->bias, {before[0] - 0.5}, 1e-6);

    torch::optim::StepLR schedule(optimizer, 1, 0.5);
    schedule.step();
    CHECK(optimizer.lrs() == std::vector<double>{0.025, 1.0});
    torch::Tensor late = torch::ones({1}, torch::requires_grad());
    optimizer.add_param_group(OptimizerParamGroup({late}));
    schedule.step();
    CHECK(optimizer.lrs() == std::vector<double>{0.0125, 0.5, 0.05});

    check_throws<c10::Error>(
        [&] {
            optimizer.add_param_group(
                OptimizerParamGroup({torch::ones({1}, torch::requires_grad())},
                                    std::make_unique<torch::optim::AdamOptions>(0.1)));
        },
        "options of another optimizer");
    // Options in Pumice's form have another type, and a static_cast of them would not hold.
    check_throws<c10::Error>(
        [&] {
            optimizer.add_param_group(OptimizerParamGroup(
                {torch::ones({1}, torch::requires_grad())}, pumice::optim::SGDOptions{.lr = 0.1}));
        },
        "options of another optimizer");
}

TEST_CASE("torch::optim: Adam and AdamW take groups, and one batch trains them") {
    using torch::optim::OptimizerParamGroup;
    torch::Tensor a = torch::ones({2}, torch::requires_grad());
    torch::Tensor b = torch::ones({2}, torch::requires_grad());
    const auto one_step = [&](torch::optim::Optimizer& optimizer) {
        optimizer.zero_grad();
        ((a * 2).sum() + (b * 3).sum()).backward();
        optimizer.step();
    };
    // The first step of Adam is the rate against the gradient's sign.
    torch::optim::Adam adam(
        {OptimizerParamGroup({a}, std::make_unique<torch::optim::AdamOptions>(0.25)),
         OptimizerParamGroup({b})},
        torch::optim::AdamOptions(0.5));
    one_step(adam);
    check_close(a.detach(), {0.75, 0.75}, 1e-6);
    check_close(b.detach(), {0.5, 0.5}, 1e-6);
    torch::optim::AdamW adamw(
        {OptimizerParamGroup({a},
                             std::make_unique<torch::optim::AdamWOptions>(
                                 torch::optim::AdamWOptions(0.25).weight_decay(0.0))),
         OptimizerParamGroup({b})},
        torch::optim::AdamWOptions(0.5).weight_decay(1.0));
    one_step(adamw);
    check_close(a.detach(), {0.5, 0.5}, 1e-6);
    check_close(b.detach(), {-0.25, -0.25}, 1e-6);
    CHECK(torch::nn::utils::clip_grad_norm_(adamw.parameters(), 1.0) ==
          doctest::Approx(std::sqrt(26.0)));
    CHECK(adamw.state_dict().keys().size() == 5);
}
