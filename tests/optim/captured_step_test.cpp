// SPDX-License-Identifier: Apache-2.0
// Captured optimizer steps against eager ones, bit for bit.
#include "pumice/graph.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pumice::optim {

namespace {

using test::check_same_bits;
using test::check_throws;
using test::random_tensor;

constexpr int kSteps = 20;

using Parameters = std::vector<Tensor>;
using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const Parameters&)>;

// Parameters of several ranks, one of them without dimensions.
Parameters make_parameters(DType dtype) {
    Parameters all;
    for (const Dims& sizes : {Dims{3, 6}, Dims{3}, Dims{}}) {
        Tensor parameter = random_tensor(sizes, -1, 1, 21, dtype);
        all.push_back(parameter.set_requires_grad(true));
    }
    return all;
}

// A model of those parameters with its optimizer.
struct Trainer {
    Parameters parameters;
    std::unique_ptr<Optimizer> optimizer;
    std::optional<Plan> plan;

    Trainer(const MakeOptimizer& make, DType dtype)
        : parameters(make_parameters(dtype)), optimizer(make(parameters)) {}

    Tensor step(const Tensor& x) const {
        optimizer->zero_grad();
        Tensor loss = mean(square(mul(linear(x, parameters[0], parameters[1]), parameters[2])));
        loss.backward();
        optimizer->step();
        return loss.detach();
    }

    Tensor replay(const Tensor& x) {
        if (!plan) {
            plan = capture([this](const Tensor& in) { return step(in); }, {x});
        }
        return plan->replay({x})[0];
    }
};

Tensor batch(int step, DType dtype) {
    return random_tensor({4, 6}, -1, 1, 100 + static_cast<std::uint64_t>(step), dtype);
}

void check_same_training(const Trainer& got, const Trainer& wanted) {
    for (std::size_t i = 0; i < wanted.parameters.size(); ++i) {
        INFO(i);
        check_same_bits(got.parameters[i], wanted.parameters[i]);
    }
    const auto state = wanted.optimizer->state_dict();
    const auto got_state = got.optimizer->state_dict();
    REQUIRE(got_state.keys() == state.keys());
    for (const auto& [name, value] : state) {
        INFO(name);
        check_same_bits(*got_state.find(name), value);
    }
}

// Twenty steps eager, replayed, and mixed.
void check_captured(const MakeOptimizer& make, DType dtype = kFloat32) {
    Trainer eager(make, dtype);
    Trainer replayed(make, dtype);
    Trainer mixed(make, dtype);
    for (int t = 0; t < kSteps; ++t) {
        INFO(t);
        const Tensor x = batch(t, dtype);
        const Tensor loss = eager.step(x);
        check_same_bits(replayed.replay(x), loss);
        check_same_bits(t % 3 == 1 ? mixed.replay(x) : mixed.step(x), loss);
    }
    check_same_training(replayed, eager);
    check_same_training(mixed, eager);
}

template <class O, class Options>
MakeOptimizer maker(const Options& options) {
    return [options](const Parameters& parameters) {
        return std::make_unique<O>(parameters, options);
    };
}

template <class Options>
Options& options_of(const Trainer& trainer) {
    return static_cast<GroupOptions<Options>&>(trainer.optimizer->param_groups()[0].options())
        .values();
}

}  // namespace

TEST_CASE("captured steps: SGD with and without momentum, dampening, decay and nesterov" *
          doctest::test_suite("long")) {
    check_captured(maker<SGD>(SGDOptions{.lr = 0.1}));
    check_captured(maker<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5}));
    check_captured(
        maker<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}));
}

TEST_CASE("captured steps: Adam and AdamW" * doctest::test_suite("long")) {
    check_captured(maker<Adam>(AdamOptions{.lr = 0.05}));
    check_captured(maker<Adam>(AdamOptions{.lr = 0.05, .beta2 = 0.95, .weight_decay = 0.1}));
    check_captured(maker<AdamW>(AdamOptions{.lr = 0.05, .weight_decay = 0.1}));
}

TEST_CASE("captured steps: half parameters have the eager bits too" * doctest::test_suite("long")) {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        check_captured(maker<SGD>(SGDOptions{.lr = 0.3, .momentum = 0.9, .dampening = 0.3}), dtype);
        check_captured(maker<AdamW>(AdamOptions{.lr = 0.05, .eps = 1e-3, .weight_decay = 0.1}),
                       dtype);
    }
}

TEST_CASE("captured steps: replays follow a schedule and rates set by hand") {
    for (const MakeOptimizer& make :
         {maker<SGD>(SGDOptions{.lr = 0.2}), maker<AdamW>(AdamOptions{.weight_decay = 0.1})}) {
        Trainer eager(make, kFloat32);
        Trainer replayed(make, kFloat32);
        CosineSchedule schedule(*eager.optimizer, 3, kSteps);
        CosineSchedule other(*replayed.optimizer, 3, kSteps);
        for (int t = 0; t < kSteps; ++t) {
            if (t == 10) {
                eager.optimizer->param_groups()[0].options().set_lr(0.5);
                replayed.optimizer->param_groups()[0].options().set_lr(0.5);
            }
            const Tensor x = batch(t, kFloat32);
            check_same_bits(replayed.replay(x), eager.step(x));
            schedule.step();
            other.step();
        }
        check_same_training(replayed, eager);
        CHECK(replayed.plan->stats().recording_count <= 2);
    }
}

TEST_CASE("captured steps: several in one function, and the optimizer's alone in inference mode" *
          doctest::test_suite("long")) {
    const MakeOptimizer damped =
        maker<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5});
    for (const MakeOptimizer& make : {damped, maker<Adam>(AdamOptions{.lr = 0.1})}) {
        Trainer eager(make, kFloat32);
        Trainer replayed(make, kFloat32);
        const auto twice = [](const Trainer& trainer) {
            return [&trainer](const Tensor& x) { return add(trainer.step(x), trainer.step(x)); };
        };
        const Plan plan = capture(twice(replayed), {batch(0, kFloat32)});
        for (int t = 0; t < 5; ++t) {
            const Tensor x = batch(t, kFloat32);
            check_same_bits(plan(x)[0], twice(eager)(x));
        }
        check_same_training(replayed, eager);

        // The plan reads the gradients where they are.
        const InferenceMode guard;
        const auto step_alone = [](const Trainer& trainer) {
            return [&trainer](const Tensor& x) {
                trainer.optimizer->step();
                return x;
            };
        };
        for (const Trainer* trainer : {&eager, &replayed}) {
            for (std::size_t i = 0; i < trainer->parameters.size(); ++i) {
                Tensor parameter = trainer->parameters[i];
                inference_mode(false, [&] { parameter.set_grad(ones_like(parameter.detach())); });
            }
        }
        const Plan alone = capture(step_alone(replayed), {ones({1})});
        for (int t = 0; t < 3; ++t) {
            alone(ones({1}));
            step_alone(eager)(ones({1}));
        }
        check_same_training(replayed, eager);
    }
}

TEST_CASE("captured steps: a capture alone is no step") {
    Trainer trainer(maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    const Parameters before = {trainer.parameters[0].detach().clone()};
    const Tensor x = batch(0, kFloat32);
    const Plan plan = capture([&](const Tensor& in) { return trainer.step(in); }, {x});
    check_same_bits(trainer.parameters[0], before[0]);
    CHECK(trainer.optimizer->state_dict().keys() == std::vector<std::string>{"step"});
    trainer.optimizer->load_state_dict(trainer.optimizer->state_dict());
    plan.stats();
    Trainer eager(maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    check_same_bits(trainer.step(x), eager.step(x));
    check_same_training(trainer, eager);
}

TEST_CASE("captured steps: state is saved and loaded between replays; the old plan is stale" *
          doctest::test_suite("long")) {
    const MakeOptimizer make = maker<AdamW>(AdamOptions{.lr = 0.1, .weight_decay = 0.1});
    Trainer first(make, kFloat32);
    for (int t = 0; t < 3; ++t) {
        first.replay(batch(t, kFloat32));
    }
    Trainer second(make, kFloat32);
    second.replay(batch(7, kFloat32));
    second.optimizer->load_state_dict(first.optimizer->state_dict());
    no_grad([&] {
        for (std::size_t i = 0; i < first.parameters.size(); ++i) {
            copy_(second.parameters[i], first.parameters[i]);
        }
    });
    const Tensor x = batch(9, kFloat32);
    CHECK(second.plan->is_stale());
    check_throws<ArgumentError>([&] { second.replay(x); }, "capture again");
    second.plan.reset();
    check_same_bits(second.replay(x), first.replay(x));
    check_same_bits(second.replay(x), first.step(x));
    CHECK(second.optimizer->state_dict()["step"].to_vector<int>() == std::vector<int>(3, 5));
}

TEST_CASE("captured steps: compile captures again for other options or groups, not for rates" *
          doctest::test_suite("long")) {
    Trainer eager(maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    Trainer compiled(maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    auto fast = compile([&](const Tensor& x) { return compiled.step(x); });
    const auto check_step = [&](int t, std::size_t captures) {
        const Tensor x = batch(t, kFloat32);
        check_same_bits(fast(x), eager.step(x));
        CHECK(fast.capture_count() == captures);
    };
    check_step(0, 1);
    compiled.optimizer->set_lr(0.2);
    eager.optimizer->set_lr(0.2);
    check_step(1, 1);
    options_of<AdamOptions>(compiled).beta1 = 0.5;
    options_of<AdamOptions>(eager).beta1 = 0.5;
    check_step(2, 2);
    const Tensor extra = ones({2}, {kFloat32, true});
    compiled.optimizer->add_param_group(OptimizerParamGroup({extra}));
    check_step(3, 3);
    check_step(4, 3);
}

TEST_CASE("captured steps: a rate that is not allowed is refused before anything runs") {
    Trainer trainer(maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    const Tensor x = batch(0, kFloat32);
    trainer.replay(x);
    const Tensor before = trainer.parameters[0].detach().clone();
    options_of<AdamOptions>(trainer).lr = -1.0;
    check_throws<ArgumentError>([&] { trainer.replay(x); }, "[Adam] lr must be finite");
    check_same_bits(trainer.parameters[0], before);
    CHECK(trainer.optimizer->state_dict()["step"].to_vector<int>() == std::vector<int>(3, 1));
}

TEST_CASE("captured steps: a plan outlives its optimizer") {
    std::optional<Trainer> trainer(std::in_place, maker<Adam>(AdamOptions{.lr = 0.1}), kFloat32);
    const Tensor x = batch(0, kFloat32);
    trainer->replay(x);
    const Plan plan = *trainer->plan;
    const Tensor parameter = trainer->parameters[0];
    const Tensor before = parameter.detach().clone();
    trainer.reset();
    plan(x);
    CHECK(parameter.to_host().bytes != before.to_host().bytes);
}

}  // namespace pumice::optim
