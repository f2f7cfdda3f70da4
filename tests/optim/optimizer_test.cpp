// SPDX-License-Identifier: Apache-2.0
// Each optimizer against its paper's update, written in float64.
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <memory>

namespace pumice::optim {

namespace {

constexpr std::size_t kCount = 5;
constexpr int kSteps = 4;

// The gradient at step t (from 1) of element i.
double gradient_at(int t, std::size_t i) {
    return 0.5 * static_cast<double>(i) - 1.0 + 0.25 * t;
}

Tensor parameter() {
    Tensor p = tensor<float>({1.0F, -2.0F, 0.5F, 3.0F, 0.0F});
    return p.set_requires_grad(true);
}

std::vector<double> start() {
    return {1.0, -2.0, 0.5, 3.0, 0.0};
}

void take_steps(Optimizer& optimizer, Tensor p) {
    for (int t = 1; t <= kSteps; ++t) {
        std::vector<float> gradient;
        for (std::size_t i = 0; i < kCount; ++i) {
            gradient.push_back(static_cast<float>(gradient_at(t, i)));
        }
        p.set_grad(tensor(gradient));
        optimizer.step();
    }
}

using State = OrderedDict<std::string, Tensor>;

std::vector<std::int32_t> counts_of(const Optimizer& optimizer) {
    return optimizer.state_dict()[0].second.to_vector<std::int32_t>();
}

std::vector<std::string> names_of(const Optimizer& optimizer) {
    return optimizer.state_dict().keys();
}

// Four steps in which the second parameter has a gradient from the third on.
void take_uneven_steps(Optimizer& optimizer) {
    Tensor a = optimizer.parameters()[0];
    Tensor b = optimizer.parameters()[1];
    for (int t = 1; t <= kSteps; ++t) {
        const auto step = static_cast<float>(t);
        a.set_grad(tensor<float>({0.5F * step, -1.0F}));
        b.set_grad(t >= 3 ? tensor<float>({1.0F, 0.25F * step}) : Tensor());
        optimizer.step();
    }
}

std::vector<Tensor> uneven_parameters() {
    Tensor a = tensor<float>({1.0F, -2.0F});
    Tensor b = tensor<float>({0.5F, 3.0F});
    return {a.set_requires_grad(true), b.set_requires_grad(true)};
}

}  // namespace

TEST_CASE("SGD with momentum, dampening, decay and nesterov") {
    for (const SGDOptions& options :
         {SGDOptions{.lr = 0.1},
          SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.1},
          SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true}}) {
        const Tensor p = parameter();
        SGD optimizer({p}, options);
        take_steps(optimizer, p);
        std::vector<double> wanted = start();
        std::vector<double> buffer(kCount, 0.0);
        for (int t = 1; t <= kSteps; ++t) {
            for (std::size_t i = 0; i < kCount; ++i) {
                const double g = gradient_at(t, i) + options.weight_decay * wanted[i];
                buffer[i] = t == 1 ? g : options.momentum * buffer[i] + (1 - options.dampening) * g;
                const double direction = options.momentum == 0.0 ? g
                                         : options.nesterov      ? g + options.momentum * buffer[i]
                                                                 : buffer[i];
                wanted[i] -= options.lr * direction;
            }
        }
        test::check_close(p, wanted);
        CHECK(p._version() > 0);
    }
}

TEST_CASE("Adam and AdamW") {
    for (const bool is_decoupled : {false, true}) {
        const AdamOptions options{.lr = 0.05, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1};
        const Tensor p = parameter();
        Adam adam({p}, options);
        AdamW adamw({p}, options);
        take_steps(is_decoupled ? static_cast<Optimizer&>(adamw) : adam, p);
        std::vector<double> wanted = start();
        std::vector<double> mean(kCount, 0.0);
        std::vector<double> square(kCount, 0.0);
        for (int t = 1; t <= kSteps; ++t) {
            for (std::size_t i = 0; i < kCount; ++i) {
                double g = gradient_at(t, i);
                if (is_decoupled) {
                    wanted[i] *= 1.0 - options.lr * options.weight_decay;
                } else {
                    g += options.weight_decay * wanted[i];
                }
                mean[i] = options.beta1 * mean[i] + (1 - options.beta1) * g;
                square[i] = options.beta2 * square[i] + (1 - options.beta2) * g * g;
                const double unbiased_mean = mean[i] / (1 - std::pow(options.beta1, t));
                const double unbiased_square = square[i] / (1 - std::pow(options.beta2, t));
                wanted[i] -=
                    options.lr * unbiased_mean / (std::sqrt(unbiased_square) + options.eps);
            }
        }
        test::check_close(p, wanted, 1e-5);
    }
}

TEST_CASE("G56 G78 state is normal and persistent; inference parameters are refused") {
    const Tensor p = parameter();
    Adam optimizer({p}, {.lr = 0.1});
    Tensor target = p;
    target.set_grad(ones({5}));
    inference_mode([&] { optimizer.step(); });
    for (const auto& [name, value] : optimizer.state_dict()) {
        INFO(name);
        CHECK(!value.is_inference());
        CHECK(!impl_of(value).storage->is_transient());
    }
    optimizer.step();
    const Tensor i = inference_mode([] { return ones({2}, {kFloat32, true}); });
    test::check_throws<GradModeError>([&] { SGD({i}, {.lr = 0.1}); },
                                      "Cannot optimize an inference tensor");
}

TEST_CASE("G78 a step writes each parameter once, and its closure runs with recording on") {
    const auto versions_after_a_step = [](auto&& make) {
        Tensor p = parameter();
        const auto optimizer = make(std::vector<Tensor>{p});
        p.set_grad(ones({5}));
        optimizer->step();
        inference_mode([&] { optimizer->step(); });
        CHECK(p.is_leaf());
        CHECK(p.requires_grad());
        return p._version();
    };
    const auto sgd = [](std::vector<Tensor> p) {
        return std::make_unique<SGD>(
            std::move(p), SGDOptions{.momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
    };
    const auto adamw = [](std::vector<Tensor> p) {
        return std::make_unique<AdamW>(std::move(p), AdamOptions{.weight_decay = 0.1});
    };
    CHECK(versions_after_a_step(sgd) == 2);
    CHECK(versions_after_a_step(adamw) == 2);

    const Tensor p = parameter();
    SGD optimizer({p}, {.lr = 0.5});
    int calls = 0;
    const auto closure = [&] {
        ++calls;
        optimizer.zero_grad();
        Tensor loss = sum(mul(p, 2));
        loss.backward();
        return loss;
    };
    CHECK(optimizer.step(closure).item() == 5.0);
    CHECK(no_grad([&] { return optimizer.step(closure); }).item() == -5.0);
    test::check_close(p, {-1, -4, -1.5, 1, -2});
    inference_mode([&] {
        test::check_throws<GradModeError>([&] { optimizer.step(closure); },
                                          "Cannot nest enable_grad inside inference_mode");
    });
    CHECK(calls == 2);
    CHECK(p._version() == 2);
    test::check_throws<ArgumentError>([&] { optimizer.step(std::function<Tensor()>()); },
                                      "empty closure");
}

TEST_CASE("G54 G78 state loaded in inference mode is a normal copy") {
    const Tensor p = parameter();
    Adam first({p}, {.lr = 0.1});
    take_steps(first, p);
    const Tensor q = p.detach().clone().set_requires_grad(true);
    Adam second({q}, {.lr = 0.1});
    inference_mode([&] { second.load_state_dict(first.state_dict()); });
    for (const auto& [name, value] : second.state_dict()) {
        if (name != "step") {
            INFO(name);
            CHECK(!value.is_inference());
            CHECK(!impl_of(value).storage->is_transient());
        }
    }
    take_steps(first, p);
    take_steps(second, q);
    test::check_same_bits(q, p);
}

TEST_CASE("optimizer state survives a save and a load") {
    const Tensor p = parameter();
    Adam first({p}, {.lr = 0.1});
    take_steps(first, p);
    const Tensor q = p.detach().clone().set_requires_grad(true);
    Adam second({q}, {.lr = 0.1});
    second.load_state_dict(first.state_dict());
    take_steps(first, p);
    take_steps(second, q);
    test::check_same_bits(q, p);
    test::check_throws<ArgumentError>([&] { second.load_state_dict({}); }, "missing state 'step'");
    test::check_throws<ArgumentError>(
        [&] {
            second.load_state_dict({{"step", tensor<int>({1})}, {"9.x", ones({1})}});
        },
        "unknown state '9.x'");
}

TEST_CASE("each parameter counts its own steps, as in PyTorch") {
    // Values of PyTorch 1.13 for take_uneven_steps.
    const std::vector<Tensor> damped = uneven_parameters();
    SGD sgd(damped, {.lr = 1.0, .momentum = 0.9, .dampening = 0.5});
    take_uneven_steps(sgd);
    test::check_close(damped[0], {-4.499500274658203, 4.24399995803833}, 1e-6);
    test::check_close(damped[1], {-1.899999976158142, 1.0750000476837158}, 1e-6);
    CHECK(counts_of(sgd) == std::vector<std::int32_t>{4, 2});

    const std::vector<Tensor> plain = uneven_parameters();
    Adam adam(plain, {.lr = 0.1});
    take_uneven_steps(adam);
    test::check_close(plain[0], {0.6116406917572021, -1.5999999046325684}, 1e-6);
    test::check_close(plain[1], {0.30000001192092896, 2.8002676963806152}, 1e-6);

    const std::vector<Tensor> decayed = uneven_parameters();
    AdamW adamw(decayed, {.lr = 0.1, .weight_decay = 0.1});
    take_uneven_steps(adamw);
    test::check_close(decayed[0], {0.5780855417251587, -1.5271520614624023}, 1e-6);
    test::check_close(decayed[1], {0.2910500168800354, 2.741567850112915}, 1e-6);
}

TEST_CASE("optimizer state: counts and state of each parameter are restored exactly") {
    const std::vector<Tensor> own = uneven_parameters();
    Adam first(own, {.lr = 0.1});
    Tensor a = own[0];
    a.set_grad(ones({2}));
    first.step();
    CHECK(names_of(first) == std::vector<std::string>{"step", "0.exp_avg", "0.exp_avg_sq"});

    const std::vector<Tensor> copies = {own[0].detach().clone().set_requires_grad(true),
                                        own[1].detach().clone().set_requires_grad(true)};
    const std::vector<Tensor> others = uneven_parameters();
    Adam busy(others, {.lr = 0.1});
    take_uneven_steps(busy);
    busy.load_state_dict(first.state_dict());
    CHECK(names_of(busy) == names_of(first));
    CHECK(counts_of(busy) == std::vector<std::int32_t>{1, 0});

    Adam second(copies, {.lr = 0.1});
    second.load_state_dict(first.state_dict());
    take_uneven_steps(first);
    take_uneven_steps(second);
    test::check_same_bits(copies[0], own[0]);
    test::check_same_bits(copies[1], own[1]);

    const Adam fresh(uneven_parameters(), {.lr = 0.1});
    busy.load_state_dict(fresh.state_dict());
    CHECK(names_of(busy) == std::vector<std::string>{"step"});
}

TEST_CASE("optimizer state: a refused load changes nothing") {
    Adam optimizer(uneven_parameters(), {.lr = 0.1});
    take_uneven_steps(optimizer);
    const State good = optimizer.state_dict();
    State before;
    for (const auto& [name, value] : good) {
        before.insert(name, clone(value));
    }
    const auto refuse = [&]<class E>(E*, const State& state, const std::string& text) {
        test::check_throws<E>([&] { optimizer.load_state_dict(state); }, text);
    };
    ArgumentError* const argument = nullptr;
    const Tensor both = tensor<int>({9, 9});
    refuse(argument, {{"step", both}}, "missing state '0.exp_avg'");
    State state = good;
    state.erase("1.exp_avg_sq");
    refuse(argument, state, "missing state '1.exp_avg_sq'");
    state.insert("1.exp_avg_sum", ones({2}));
    refuse(argument, state, "unknown state '1.exp_avg_sum'");
    state = good;
    state.front().second = both;
    state.insert("extra", ones({2}));
    refuse(argument, state, "unknown state 'extra'");
    state["0.exp_avg"] = Tensor();
    refuse(argument, state, "'0.exp_avg' is undefined");
    state = good;
    state.front().second = tensor<int>({4, 0});
    refuse(argument, state, "unknown state '1.exp_avg'");
    state.front().second = tensor<int>({4, -1});
    refuse(argument, state, "'step' must be >= 0; got -1");
    state.front().second = ones({2});
    refuse(static_cast<DTypeError*>(nullptr), state, "'step' is float32, wanted int32");
    state.front().second = tensor<int>({4});
    refuse(static_cast<ShapeError*>(nullptr), state, "'step' has shape [1], wanted [2]");
    state = good;
    state.front().second = both;
    state.back().second = ones({3});
    refuse(static_cast<ShapeError*>(nullptr), state, "'1.exp_avg_sq' has shape [3], wanted [2]");
    const State after = optimizer.state_dict();
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        test::check_same_bits(after[i].second, before[i].second);
    }
}

// Tensors in every hole of so many elements or more, while the driver gives no memory.
std::vector<Tensor> fill_holes(std::int64_t least_count) {
    std::vector<Tensor> fillers;
    for (std::int64_t count = 16 << 20; count >= least_count; count /= 2) {
        try {
            for (;;) {
                fillers.push_back(empty({count}));
            }
        } catch (const OutOfMemoryError&) {
            // The next smaller ones may find room.
        }
    }
    return fillers;
}

TEST_CASE("a step that finds no memory for its state changes nothing and can be repeated") {
    constexpr std::int64_t kLarge = 1 << 16;
    Tensor small = parameter();
    small.set_grad(ones({5}));
    Tensor large = zeros({kLarge}, {kFloat32, true});
    large.set_grad(ones({kLarge}));
    Adam optimizer({small, large}, {.lr = 0.1});
    inject_fault(vk::device(), vk::Entry::kAllocateMemory, vk::Fault::kOutOfDeviceMemory);
    const std::vector<Tensor> fillers = fill_holes(kLarge / 4);
    CHECK_THROWS_AS(optimizer.step(), OutOfMemoryError);
    restore(vk::device());
    test::check_close(small, start());
    CHECK(names_of(optimizer) == std::vector<std::string>{"step"});
    CHECK(counts_of(optimizer) == std::vector<std::int32_t>{0, 0});
    optimizer.step();
    test::check_close(small, {0.9, -2.1, 0.4, 2.9, -0.1}, 1e-6);
    CHECK(large.select(0, 0).item() == doctest::Approx(-0.1));
    CHECK(counts_of(optimizer) == std::vector<std::int32_t>{1, 1});
}

TEST_CASE("optimizers refuse bad options") {
    test::check_throws<ArgumentError>([] { SGD(std::vector<Tensor>(), {.lr = 0.1}); },
                                      "got no parameters");
    test::check_throws<ArgumentError>([] { SGD({ones({1})}, {.lr = 0.1}); }, "wanted a leaf");
    test::check_throws<ArgumentError>([] { SGD({parameter()}, {.lr = -1.0}); }, "lr must be");
    test::check_throws<ArgumentError>([] { SGD({parameter()}, {.nesterov = true}); }, "nesterov");
    test::check_throws<ArgumentError>([] { Adam({parameter()}, {.beta1 = 1.0}); }, "beta1");
}

TEST_CASE("clip_grad_norm_ scales to the bound and leaves smaller norms alone") {
    Tensor p = parameter();
    p.set_grad(tensor<float>({3, 4, 0, 0, 0}));
    CHECK(clip_grad_norm_({p}, 1.0).item() == doctest::Approx(5.0));
    test::check_close(p.grad(), {0.6, 0.8, 0, 0, 0});
    p.set_grad(tensor<float>({0.3F, 0.4F, 0, 0, 0}));
    clip_grad_norm_({p}, 1.0);
    test::check_close(p.grad(), {static_cast<double>(0.3F), static_cast<double>(0.4F), 0, 0, 0});
    test::check_throws<ArgumentError>([&] { clip_grad_norm_({p}, 0.0); }, "max_norm");
}

}  // namespace pumice::optim
