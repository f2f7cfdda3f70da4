// SPDX-License-Identifier: Apache-2.0
// Groups of parameters against one optimizer for each group, and against the formulas.
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace pumice::optim {

namespace {

Tensor leaf(const std::vector<float>& values) {
    return tensor(values).set_requires_grad(true);
}

// A parameter of 3 elements and one of 2.
std::vector<Tensor> two_parameters() {
    return {leaf({1.0F, -2.0F, 0.5F}), leaf({3.0F, 0.25F})};
}

// Gradients that depend on the step, from 1.
void set_gradients(const std::vector<Tensor>& parameters, int t) {
    Tensor first = parameters[0];
    Tensor second = parameters[1];
    const auto step = static_cast<float>(t);
    first.set_grad(tensor<float>({0.5F * step, -1.0F, 0.125F}));
    second.set_grad(tensor<float>({-0.25F, step}));
}

// Four steps of one optimizer with two groups, and of two optimizers, must give the same bits.
template <class Method, class Options>
void check_groups(const Options& first, const Options& second) {
    const std::vector<Tensor> grouped = two_parameters();
    const std::vector<Tensor> alone = two_parameters();
    Method both({OptimizerParamGroup({grouped[0]}, first), OptimizerParamGroup({grouped[1]})},
                second);
    Method one({alone[0]}, first);
    Method other({alone[1]}, second);
    for (int t = 1; t <= 4; ++t) {
        set_gradients(grouped, t);
        set_gradients(alone, t);
        both.step();
        one.step();
        other.step();
    }
    test::check_same_bits(grouped[0], alone[0]);
    test::check_same_bits(grouped[1], alone[1]);
}

}  // namespace

TEST_CASE("parameter groups: each is updated with its own options") {
    check_groups<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5},
                      SGDOptions{.lr = 0.2, .weight_decay = 0.1});
    check_groups<SGD>(SGDOptions{.lr = 0.1},
                      SGDOptions{.lr = 0.2, .momentum = 0.5, .nesterov = true});
    check_groups<Adam>(AdamOptions{.lr = 0.1, .beta1 = 0.8, .eps = 1e-3},
                       AdamOptions{.lr = 0.3, .beta2 = 0.9, .weight_decay = 0.1});
    check_groups<AdamW>(AdamOptions{.lr = 0.1, .weight_decay = 0.0},
                        AdamOptions{.lr = 0.3, .weight_decay = 0.5});
}

TEST_CASE("parameter groups: options are read and changed between steps") {
    const std::vector<Tensor> p = two_parameters();
    SGD optimizer({OptimizerParamGroup({p[0]}, SGDOptions{.lr = 0.5}), OptimizerParamGroup({p[1]})},
                  {.lr = 0.25});
    CHECK(optimizer.param_groups().size() == 2);
    CHECK(optimizer.param_groups()[1].params()[0].is_same(p[1]));
    CHECK(optimizer.lrs() == std::vector<double>{0.5, 0.25});
    CHECK(optimizer.lr() == 0.5);
    CHECK(optimizer.parameters().size() == 2);
    CHECK(optimizer.parameters()[1].is_same(p[1]));
    optimizer.param_groups()[1].options().set_lr(0.0);
    set_gradients(p, 1);
    optimizer.step();
    test::check_close(p[0], {0.75, -1.5, 0.4375});
    test::check_close(p[1], {3.0, 0.25});
    optimizer.set_lr(1.0);
    CHECK(optimizer.lrs() == std::vector<double>{1.0, 1.0});
    optimizer.set_lrs({0.0, 2.0});
    optimizer.step();
    test::check_close(p[0], {0.75, -1.5, 0.4375});
    test::check_close(p[1], {3.5, -1.75});
    optimizer.zero_grad();
    CHECK(!p[0].grad().defined());
    CHECK(!p[1].grad().defined());
}

TEST_CASE("parameter groups: momentum may be switched on and off between steps") {
    const Tensor p = leaf({1.0F});
    SGD optimizer({p}, {.lr = 1.0, .dampening = 0.5});
    auto& options =
        static_cast<GroupOptions<SGDOptions>&>(optimizer.param_groups()[0].options()).values();
    const auto step = [&](float gradient) {
        Tensor target = p;
        target.set_grad(tensor<float>({gradient}));
        optimizer.step();
        return p.item();
    };
    CHECK(step(1.0F) == 0.0);
    CHECK(optimizer.state_dict().keys() == std::vector<std::string>{"step"});
    options.momentum = 0.5;
    CHECK(step(2.0F) == -2.0);  // the first gradient fills the buffer, undamped
    CHECK(step(2.0F) == -4.0);  // 0.5 * 2 + 0.5 * 2
    CHECK(optimizer.state_dict().keys() == std::vector<std::string>{"step", "0.momentum_buffer"});
    options.momentum = 0.0;
    CHECK(step(1.0F) == -5.0);
    CHECK(optimizer.state_dict().keys() == std::vector<std::string>{"step"});
    options.momentum = 0.5;
    CHECK(step(2.0F) == -7.0);  // the buffer was kept: 0.5 * 2 + 0.5 * 2
}

TEST_CASE("parameter groups: a group that is added starts at its own first step") {
    const std::vector<Tensor> p = two_parameters();
    Adam optimizer({p[0]}, {.lr = 0.1});
    set_gradients(p, 1);
    optimizer.step();
    OptimizerParamGroup group({p[1]}, AdamOptions{.lr = 0.5});
    optimizer.add_param_group(group);
    group.options().set_lr(7.0);
    CHECK(optimizer.lrs() == std::vector<double>{0.1, 0.5});
    optimizer.step();
    // Adam's first step is lr against the gradient's sign.
    test::check_close(p[1], {3.5, -0.25}, 1e-6);
    CHECK(optimizer.state_dict()["step"].to_vector<int>() == std::vector<int>{2, 1});
    CHECK(
        optimizer.state_dict().keys() ==
        std::vector<std::string>{"step", "0.exp_avg", "0.exp_avg_sq", "1.exp_avg", "1.exp_avg_sq"});
    // The defaults are for groups to come.
    optimizer.defaults().set_lr(0.75);
    optimizer.add_param_group({std::vector<Tensor>{leaf({1.0F})}});
    CHECK(optimizer.lrs() == std::vector<double>{0.1, 0.5, 0.75});
}

TEST_CASE("parameter groups: state is saved and restored over all groups") {
    const std::vector<Tensor> own = two_parameters();
    const auto groups_of = [](const std::vector<Tensor>& p) {
        return std::vector<OptimizerParamGroup>{
            OptimizerParamGroup({p[0]}, SGDOptions{.lr = 0.1}),
            OptimizerParamGroup({p[1]}, SGDOptions{.lr = 0.2, .momentum = 0.9})};
    };
    SGD first(groups_of(own), {});
    for (int t = 1; t <= 3; ++t) {
        set_gradients(own, t);
        first.step();
    }
    CHECK(first.state_dict().keys() == std::vector<std::string>{"step", "1.momentum_buffer"});
    const std::vector<Tensor> copies = {own[0].detach().clone().set_requires_grad(true),
                                        own[1].detach().clone().set_requires_grad(true)};
    SGD second(groups_of(copies), {});
    second.load_state_dict(first.state_dict());
    set_gradients(own, 4);
    set_gradients(copies, 4);
    first.step();
    second.step();
    test::check_same_bits(copies[0], own[0]);
    test::check_same_bits(copies[1], own[1]);
    auto state = first.state_dict();
    state.insert("0.momentum_buffer", ones({3}));
    test::check_throws<ArgumentError>([&] { second.load_state_dict(state); },
                                      "unknown state '0.momentum_buffer'");
    state.erase("0.momentum_buffer");
    state.erase("1.momentum_buffer");
    test::check_throws<ArgumentError>([&] { second.load_state_dict(state); },
                                      "missing state '1.momentum_buffer'");
}

TEST_CASE("parameter groups: what is refused changes nothing") {
    const std::vector<Tensor> p = two_parameters();
    const auto refuse = []<class E>(E*, auto&& call, const std::string& text) {
        test::check_throws<E>(call, text);
    };
    ArgumentError* const argument = nullptr;
    refuse(
        argument, [] { SGD(std::vector<OptimizerParamGroup>(), {}); }, "got no groups");
    refuse(
        argument,
        [&] {
            SGD({OptimizerParamGroup({p[0]}), OptimizerParamGroup({p[1], p[0]})}, {});
        },
        "[Optimizer] parameter 2 is in another group");
    refuse(
        argument,
        [&] { SGD({OptimizerParamGroup({p[0]}, AdamOptions{})}, {}); },
        "[Optimizer] group 0 has options of another optimizer");
    SGD optimizer({p[0]}, {.lr = 0.5});
    const auto add = [&optimizer](const OptimizerParamGroup& group) {
        return [&optimizer, group] { optimizer.add_param_group(group); };
    };
    refuse(argument, add(std::vector<Tensor>()), "got no parameters");
    refuse(argument, add({{ones({1})}}), "can't optimize parameter 1: wanted a leaf");
    refuse(argument, add({{p[0]}}), "parameter 1 is in another group");
    refuse(argument, add({{p[1]}, SGDOptions{.momentum = -1.0}}), "[SGD] momentum must be >= 0");
    refuse(static_cast<GradModeError*>(nullptr),
           add({{inference_mode([] {
               return ones({2}, {kFloat32, true});
           })}}),
           "Cannot optimize an inference tensor (parameter 1)");
    CHECK(optimizer.param_groups().size() == 1);
    refuse(
        argument,
        [&] {
            optimizer.set_lrs({1.0, 1.0});
        },
        "for each of 1 groups; got 2");

    optimizer.add_param_group({{p[1]}});
    refuse(
        argument,
        [&] {
            optimizer.set_lrs({1.0, std::nan("")});
        },
        "lr must be finite");
    CHECK(optimizer.lrs() == std::vector<double>{0.5, 0.5});
    optimizer.param_groups()[1].options().set_lr(std::numeric_limits<double>::infinity());
    set_gradients(p, 1);
    refuse(
        argument, [&] { optimizer.step(); }, "[SGD] lr must be finite and >= 0; got inf");
    test::check_close(p[0], {1.0, -2.0, 0.5});
    CHECK(optimizer.state_dict()["step"].to_vector<int>() == std::vector<int>{0, 0});
    const OptimizerParamGroup bare({p[0]});
    CHECK_FALSE(bare.has_options());
    refuse(
        argument, [&] { static_cast<void>(bare.options()); }, "wanted a group with options");
}

}  // namespace pumice::optim
