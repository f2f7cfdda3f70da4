// SPDX-License-Identifier: Apache-2.0
// Each optimizer against its paper's update, written in float64.
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

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
    }
    optimizer.step();
    const Tensor i = inference_mode([] { return ones({2}, {kFloat32, true}); });
    test::check_throws<GradModeError>([&] { SGD({i}, {.lr = 0.1}); },
                                      "Cannot optimize an inference tensor");
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

TEST_CASE("optimizers refuse bad options") {
    test::check_throws<ArgumentError>([] { SGD({}, {.lr = 0.1}); }, "got no parameters");
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
