// SPDX-License-Identifier: Apache-2.0
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

namespace pumice::optim {

TEST_CASE("schedules warm up linearly, then fall along their curve") {
    const Tensor p = ones({1}, {kFloat32, true});
    SGD optimizer({p}, {.lr = 2.0});
    LinearSchedule linear(optimizer, 4, 12, 0.5);
    CHECK(optimizer.lr() == doctest::Approx(0.5));
    for (int step = 1; step <= 20; ++step) {
        linear.step();
        const double progress = std::min(1.0, (step - 4) / 8.0);
        CHECK(optimizer.lr() ==
              doctest::Approx(step < 4 ? 2.0 * (step + 1) / 4.0 : 2.0 - progress));
    }
    SGD other({p}, {.lr = 2.0});
    CosineSchedule cosine(other, 0, 10);
    cosine.set_step(5);
    CHECK(other.lr() == doctest::Approx(1.0));
    cosine.set_step(3);
    CHECK(other.lr() == doctest::Approx(1.0 + std::cos(0.3 * std::numbers::pi)));
    test::check_throws<ArgumentError>([&] { LinearSchedule(other, 5, 5); }, "warmup_steps");
}

TEST_CASE("schedules: what is refused changes neither step nor rate") {
    const Tensor p = ones({1}, {kFloat32, true});
    SGD optimizer({p}, {.lr = 2.0});
    test::check_throws<ArgumentError>([&] { LinearSchedule(optimizer, 4, 12, -0.5); },
                                      "[LinearSchedule] final_factor must be finite and >= 0");
    test::check_throws<ArgumentError>([&] { CosineSchedule(optimizer, 4, 12, std::nan("")); },
                                      "[CosineSchedule] final_factor must be finite and >= 0");
    CHECK(optimizer.lr() == 2.0);
    // A rate that overflows is refused by the optimizer.
    SGD fast({p}, {.lr = 1e300});
    LinearSchedule steep(fast, 0, 10, 1e300);
    test::check_throws<ArgumentError>([&] { steep.step(); }, "lr must be finite");
    CHECK(steep.step_count() == 0);
    CHECK(fast.lr() == 1e300);
    test::check_throws<ArgumentError>([&] { steep.set_step(-1); }, "wanted a step >= 0; got -1");
    CHECK(steep.step_count() == 0);
}

TEST_CASE("schedules scale the rate of each group") {
    const Tensor p = ones({1}, {kFloat32, true});
    const Tensor q = ones({1}, {kFloat32, true});
    SGD optimizer({OptimizerParamGroup({p}), OptimizerParamGroup({q}, SGDOptions{.lr = 0.5})},
                  {.lr = 2.0});
    LinearSchedule linear(optimizer, 0, 10);
    linear.set_step(5);
    CHECK(optimizer.lrs() == std::vector<double>{1.0, 0.25});
    CHECK(linear.lr() == 1.0);
    optimizer.add_param_group(OptimizerParamGroup({ones({1}, {kFloat32, true})}));
    test::check_throws<ArgumentError>([&] { linear.step(); },
                                      "wanted a learning rate for each of 3 groups; got 2");
    CHECK(linear.step_count() == 5);
    CHECK(optimizer.lrs() == std::vector<double>{1.0, 0.25, 2.0});
}

}  // namespace pumice::optim
