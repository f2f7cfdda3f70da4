// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/normalization.h"

#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pumice::nn {

namespace {

// Calls in each of the three modes.
template <class F>
void in_all_modes(F&& call) {
    call();
    no_grad(call);
    inference_mode(call);
}

constexpr const char* kE2 =
    "Inplace update to inference tensor outside InferenceMode is not allowed.";

}  // namespace

TEST_CASE("normalization: parameters, buffers and what options leave out") {
    const BatchNorm2d norm(4);
    CHECK(norm->named_parameters().keys() == std::vector<std::string>{"weight", "bias"});
    CHECK(norm->state_dict().keys() ==
          std::vector<std::string>{
              "weight", "bias", "running_mean", "running_var", "num_batches_tracked"});
    test::check_close(norm->weight, {1, 1, 1, 1});
    test::check_close(norm->running_var, {1, 1, 1, 1});
    const BatchNorm1d plain(BatchNormOptions(4).affine(false).track_running_stats(false));
    CHECK(plain->state_dict().empty());
    CHECK(InstanceNorm1d(3)->state_dict().empty());
    const InstanceNorm2d full(InstanceNormOptions(3).affine(true).track_running_stats(true));
    CHECK(full->state_dict().size() == 5);
    CHECK(GroupNorm(2, 4, 1e-5, false)->state_dict().empty());
}

TEST_CASE("normalization: batch norm trains on its batch and evaluates with what it kept") {
    const BatchNorm1d norm(BatchNormOptions(3).eps(0.5).momentum(0.25));
    const Tensor x = test::random_tensor({6, 3}, 1.0, 3.0);
    const Tensor running_mean = zeros({3});
    const Tensor running_var = ones({3});
    const Tensor wanted =
        batch_norm(x, norm->weight, norm->bias, running_mean, running_var, true, 0.25, 0.5);
    test::check_same_bits(norm(x), wanted);
    test::check_same_bits(norm->running_mean, running_mean);
    test::check_same_bits(norm->running_var, running_var);
    CHECK(norm->num_batches_tracked.item<int>() == 1);
    norm->eval();
    test::check_same_bits(
        norm(x),
        batch_norm(x, norm->weight, norm->bias, running_mean, running_var, false, 0.0, 0.5));
    CHECK(norm->num_batches_tracked.item<int>() == 1);
    norm->reset_running_stats();
    test::check_close(norm->running_mean, {0, 0, 0});
    test::check_close(norm->running_var, {1, 1, 1});
    CHECK(norm->num_batches_tracked.item<int>() == 0);
}

TEST_CASE("normalization: without momentum the statistics are the mean over all batches") {
    const BatchNorm2d norm(BatchNormOptions(2).momentum(std::nullopt));
    Tensor mean = zeros({2});
    Tensor var = zeros({2});
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const Tensor x = test::random_tensor({2, 2, 3, 3}, 0.0, 2.0, seed);
        norm(x);
        mean += pumice::mean(x, {0, 2, 3}) / 3;
        var += pumice::var(x, {0, 2, 3}) / 3;
    }
    test::check_close(norm->running_mean, mean.to_vector<double>(), 1e-5);
    test::check_close(norm->running_var, var.to_vector<double>(), 1e-5);
    CHECK(norm->num_batches_tracked.item<int>() == 3);
}

TEST_CASE("normalization: without statistics every batch is its own measure") {
    const BatchNorm1d norm(BatchNormOptions(3).track_running_stats(false));
    const Tensor x = test::random_tensor({6, 3}, 1.0, 3.0);
    const Tensor trained = norm(x);
    norm->eval();
    test::check_same_bits(norm(x), trained);
    test::check_close(mean(trained, {0}), {0, 0, 0}, 1e-5);
}

TEST_CASE("normalization: instance and group norms are their operators") {
    const InstanceNorm1d norm(
        InstanceNormOptions(3).eps(0.5).momentum(0.25).affine(true).track_running_stats(true));
    const Tensor x = test::random_tensor({2, 3, 5}, 1.0, 3.0);
    const Tensor mean = zeros({3});
    const Tensor var = ones({3});
    test::check_same_bits(norm(x),
                          instance_norm(x, norm->weight, norm->bias, mean, var, true, 0.25, 0.5));
    test::check_same_bits(norm->running_mean, mean);
    test::check_same_bits(norm->running_var, var);
    CHECK(norm->num_batches_tracked.item<int>() == 0);
    norm->eval();
    test::check_same_bits(norm(x),
                          instance_norm(x, norm->weight, norm->bias, mean, var, false, 0.25, 0.5));
    const InstanceNorm2d plain(3);
    const Tensor image = test::random_tensor({3, 4, 2});
    test::check_same_bits(plain(image), plain(image.unsqueeze(0)).squeeze(0));
    const GroupNorm group(2, 4, 0.5);
    const Tensor y = test::random_tensor({2, 4, 3});
    test::check_same_bits(group(y), group_norm(y, 2, group->weight, group->bias, 0.5));
}

TEST_CASE("G79 training moves the statistics in place in every mode, evaluation never") {
    const BatchNorm2d norm(2);
    const InstanceNorm2d instances(InstanceNormOptions(2).track_running_stats(true));
    const Tensor x = test::random_tensor({2, 2, 3, 3}, 1.0, 2.0);
    const std::vector<Tensor> buffers = {norm->running_mean,
                                         norm->running_var,
                                         norm->num_batches_tracked,
                                         instances->running_mean,
                                         instances->running_var};
    int calls = 0;
    in_all_modes([&] {
        const std::vector<double> before = buffers[0].to_vector<double>();
        const std::uint32_t version = buffers[0]._version();
        norm(x);
        instances(x);
        CHECK(norm->num_batches_tracked.item<int>() == ++calls);
        CHECK(buffers[0].to_vector<double>() != before);
        CHECK(buffers[0]._version() > version);
        CHECK(norm->running_mean.is_same(buffers[0]));
        CHECK(norm->named_buffers()[0].second.is_same(buffers[0]));
        CHECK(instances->running_mean.is_same(buffers[3]));
    });
    norm->eval();
    instances->eval();
    std::vector<std::uint32_t> versions;
    for (const Tensor& buffer : buffers) {
        CHECK(!buffer.is_inference());
        CHECK(!buffer.requires_grad());
        versions.push_back(buffer._version());
    }
    in_all_modes([&] {
        norm(x);
        instances(x);
        for (std::size_t i = 0; i < buffers.size(); ++i) {
            CHECK(buffers[i]._version() == versions[i]);
        }
    });
}

TEST_CASE("G79 the statistics' values are the same in all modes") {
    const Tensor x = test::random_tensor({5, 3}, 1.0, 2.0);
    std::vector<Tensor> means;
    in_all_modes([&] {
        const BatchNorm1d norm(3);
        norm(x);
        means.push_back(norm->running_mean);
    });
    test::check_same_bits(means[1], means[0]);
    test::check_same_bits(means[2], means[0]);
}

TEST_CASE("G64 statistics made in inference mode are normal, persistent, and can train outside") {
    const BatchNorm1d norm = inference_mode([] { return BatchNorm1d(3); });
    CHECK(norm->weight.is_inference());
    for (const auto& [name, value] : norm->named_buffers()) {
        INFO(name);
        CHECK(!value.is_inference());
        CHECK(!impl_of(value).storage->is_transient());
    }
    norm(test::random_tensor({5, 3}));
    CHECK(norm->num_batches_tracked.item<int>() == 1);
}

TEST_CASE("normalization: statistics that may not be written are refused before anything is") {
    const BatchNorm1d from(3);
    const BatchNorm1d norm = inference_mode([&] { return BatchNorm1d(from->clone()); });
    REQUIRE(norm->running_mean.is_inference());
    const Tensor x = test::random_tensor({5, 3});
    test::check_throws<GradModeError>([&] { norm(x); }, kE2);
    test::check_throws<GradModeError>([&] { norm->reset_running_stats(); }, kE2);
    test::check_close(norm->running_mean, {0, 0, 0});
    CHECK(norm->num_batches_tracked.item<int>() == 0);
    inference_mode([&] { norm(x); });
    CHECK(norm->num_batches_tracked.item<int>() == 1);
    norm->materialize_normal_();
    norm(x);
    CHECK(norm->num_batches_tracked.item<int>() == 2);
}

TEST_CASE("normalization: refusals") {
    test::check_throws<ArgumentError>([] { BatchNorm2d(0); }, "num_features must be positive");
    test::check_throws<ArgumentError>([] { GroupNorm(3, 4); }, "num_groups must divide");
    test::check_throws<ShapeError>([] { BatchNorm2d(3)(ones({2, 3, 4})); }, "wanted 4 dimensions");
    test::check_throws<ShapeError>(
        [] {
            BatchNorm1d(3)(ones({2, 4}));
        },
        "wanted 3 channels in dimension 1; got x [2, 4]");
    test::check_throws<ShapeError>(
        [] {
            BatchNorm1d(3)(ones({2, 3, 4, 4}));
        },
        "wanted 2 or 3 dimensions");
    test::check_throws<ShapeError>(
        [] {
            InstanceNorm1d(3)(ones({4, 5}));
        },
        "wanted 3 channels in dimension 0");
    test::check_throws<ShapeError>([] { GroupNorm(2, 4)(ones({4})); }, "wanted 4 channels");
    const BatchNorm1d norm(3);
    test::check_throws<ShapeError>([&] { norm(ones({1, 3})); }, "more than 1 value per channel");
    CHECK(norm->num_batches_tracked.item<int>() == 0);
}

}  // namespace pumice::nn
