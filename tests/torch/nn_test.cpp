// SPDX-License-Identifier: Apache-2.0
// Programs as they are written for LibTorch, and the same ones by Pumice's names.
#include "pumice/torch.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

namespace F = torch::nn::functional;
using pumice::test::check_close;
using pumice::test::check_gradients;
using pumice::test::check_same_bits;
using pumice::test::check_throws;
using pumice::test::random_tensor;

namespace {

struct SpiralNetImpl : torch::nn::Module {
    explicit SpiralNetImpl(int64_t hidden) {
        fc1 = register_module("fc1", torch::nn::Linear(2, hidden));
        fc2 = register_module("fc2",
                              torch::nn::Linear(torch::nn::LinearOptions(hidden, 2).bias(true)));
    }

    torch::Tensor forward(torch::Tensor x) {
        x = torch::tanh(fc1->forward(x));
        return fc2->forward(x);
    }

    torch::nn::Linear fc1{nullptr}, fc2{nullptr};
};

TORCH_MODULE(SpiralNet);

// The same module by Pumice's names.
class PlainNet : public pumice::nn::Module {
public:
    explicit PlainNet(std::int64_t hidden)
        : fc1_(register_module("fc1", pumice::nn::Linear(2, hidden))),
          fc2_(register_module("fc2", pumice::nn::Linear(hidden, 2))) {}

    pumice::Tensor forward(pumice::Tensor x) { return fc2_(pumice::tanh(fc1_(std::move(x)))); }

private:
    pumice::nn::Linear fc1_;
    pumice::nn::Linear fc2_;
};

// Two spirals of 32 points each, one turn: [64, 2], and the class of each point.
std::pair<torch::Tensor, torch::Tensor> two_spirals() {
    std::vector<float> points;
    std::vector<int> classes;
    for (int i = 0; i < 64; ++i) {
        const int which = i % 2;
        const double radius = 0.2 + 0.8 * (i / 2) / 31.0;
        const double angle = radius * 4.0 + which * 3.14159265;
        points.push_back(static_cast<float>(radius * std::cos(angle)));
        points.push_back(static_cast<float>(radius * std::sin(angle)));
        classes.push_back(which);
    }
    return {torch::tensor(points).view({64, 2}), torch::tensor(classes, torch::kLong)};
}

}  // namespace

TEST_CASE("torch: a program learns two spirals, to the same loss as by Pumice's names") {
    torch::Device device(torch::kCPU);
    if (torch::cuda::is_available()) {
        device = torch::kCUDA;
    }
    auto [points, classes] = two_spirals();
    points = points.to(device);
    classes = classes.to(device);
    CHECK(classes.dtype() == torch::kInt32);

    torch::manual_seed(3);
    SpiralNet net(16);
    net->to(device);
    torch::optim::Adam optimizer(
        net->parameters(),
        torch::optim::AdamOptions(0.05).betas(std::make_tuple(0.9, 0.99)).weight_decay(1e-4));
    net->train();
    std::vector<double> losses;
    for (int step = 0; step < 60; ++step) {
        optimizer.zero_grad();
        torch::Tensor loss = F::cross_entropy(net->forward(points), classes);
        loss.backward();
        optimizer.step();
        losses.push_back(loss.item<double>());
    }
    CHECK(losses.front() > 0.5);
    CHECK(losses.back() < 0.15);
    net->eval();
    {
        torch::NoGradGuard no_grad;
        const auto hits = net(points).argmax(1).eq(classes).sum().item<int64_t>();
        CHECK(hits >= 60);
    }

    pumice::manual_seed(3);
    PlainNet plain(16);
    pumice::optim::Adam plain_optimizer(plain.parameters(),
                                        {.lr = 0.05, .beta2 = 0.99, .weight_decay = 1e-4});
    for (const double wanted : losses) {
        plain_optimizer.zero_grad();
        const pumice::Tensor loss = pumice::cross_entropy(plain.forward(points), classes);
        loss.backward();
        plain_optimizer.step();
        REQUIRE(loss.item() == wanted);
    }
}

TEST_CASE("torch: Sequential, modules by pointer and by name, modules without parameters") {
    torch::nn::Sequential net(torch::nn::Linear(4, 3),
                              torch::nn::ReLU(),
                              torch::nn::Dropout(torch::nn::DropoutOptions().p(0.5)),
                              torch::nn::Functional(torch::log_softmax, 1));
    net->push_back("last", torch::nn::Linear(torch::nn::LinearOptions(3, 2).bias(false)));
    net->push_back(std::make_shared<SpiralNetImpl>(5));
    CHECK(net->size() == 6);
    CHECK(net->named_children()[5].key() == "5");
    CHECK(net->parameters().size() == 7);
    net->eval();
    CHECK(net->forward(torch::ones({7, 4})).sizes() == torch::IntArrayRef({7, 2}));

    const torch::Tensor x = random_tensor({3, 4}, -2, 2);
    check_same_bits(torch::nn::Tanh()(x), torch::tanh(x));
    check_same_bits(torch::nn::Sigmoid()(x), torch::sigmoid(x));
    check_same_bits(torch::nn::SiLU()(x), torch::silu(x));
    check_same_bits(torch::nn::Identity()(x), x);
    check_same_bits(torch::nn::GELU()(x), torch::gelu(x));
    check_same_bits(torch::nn::GELU(torch::nn::GELUOptions().approximate("tanh"))(x),
                    torch::gelu(x, "tanh"));
    check_same_bits(torch::nn::Softmax(0)(x), torch::softmax(x, 0));
    check_same_bits(torch::nn::LogSoftmax(torch::nn::LogSoftmaxOptions(1))(x),
                    torch::log_softmax(x, 1));
    CHECK(torch::nn::Flatten()(torch::ones({2, 3, 4})).sizes() == torch::IntArrayRef({2, 12}));
}

TEST_CASE("torch: options of layers are those of the layers' constructors") {
    torch::nn::Linear linear(torch::nn::LinearOptions(4, 3).bias(false));
    CHECK_FALSE(linear->bias.defined());
    CHECK(linear->weight.sizes() == torch::IntArrayRef({3, 4}));
    torch::nn::Embedding table(torch::nn::EmbeddingOptions(5, 2).padding_idx(-1));
    CHECK(table->weight[4].abs().sum().item() == 0.0);
    CHECK(torch::nn::Embedding(torch::nn::EmbeddingOptions(5, 2))->weight[4].abs().sum().item() >
          0.0);
    check_throws<c10::Error>(
        [] { torch::nn::Embedding(torch::nn::EmbeddingOptions(5, 2).padding_idx(5)); },
        "[Embedding] padding_idx must be in [-5, 5); got 5");
    const torch::Tensor x = random_tensor({3, 4});
    torch::nn::LayerNorm norm(torch::nn::LayerNormOptions({4}).eps(0.5).elementwise_affine(false));
    CHECK(norm->parameters().empty());
    check_same_bits(norm(x), torch::layer_norm(x, {4}, {}, {}, 0.5));
    check_same_bits(F::layer_norm(x, F::LayerNormFuncOptions({4}).eps(0.5)), norm(x));
    CHECK(torch::nn::LayerNorm(torch::nn::LayerNormOptions({4}))->parameters().size() == 2);
    CHECK(torch::nn::LayerNorm(std::vector<int64_t>{2, 4})->bias.sizes() ==
          torch::IntArrayRef({2, 4}));
    torch::nn::Dropout all(torch::nn::DropoutOptions(0.9));
    CHECK(all(torch::ones({1000})).eq(0).sum().item() > 800);
    check_throws<c10::Error>([] { torch::nn::Dropout(1.5); }, "[Dropout] p must be in [0, 1)");
    CHECK_FALSE(SpiralNet(nullptr).ptr());
}

TEST_CASE("torch: options of the norms are asked for by their names, each with its effect") {
    const torch::Tensor x = random_tensor({4, 2, 3}, 1, 3);
    const torch::Tensor image = x.unsqueeze(-1);
    const torch::Tensor mean = torch::zeros({2});
    const torch::Tensor var = torch::ones({2});
    torch::nn::BatchNorm2d batch(torch::nn::BatchNorm2dOptions(2).eps(0.5).momentum(0.25));
    const torch::Tensor normed =
        torch::batch_norm(image, torch::ones({2}), torch::zeros({2}), mean, var, true, 0.25, 0.5);
    check_same_bits(batch(image), normed);
    check_same_bits(batch->running_mean, mean);
    check_same_bits(batch->running_var, var);
    torch::nn::BatchNorm1d bare(
        torch::nn::BatchNorm1dOptions(2).affine(false).track_running_stats(false));
    CHECK(bare->parameters().empty());
    CHECK(bare->buffers().empty());
    torch::nn::BatchNorm1d cumulative(torch::nn::BatchNorm1dOptions(2).momentum(torch::nullopt));
    cumulative(x);
    check_close(cumulative->running_mean, x.mean({0, 2}).to_vector<double>(), 1e-6);

    torch::nn::InstanceNorm1d plain(torch::nn::InstanceNorm1dOptions(2).eps(0.5));
    CHECK(plain->named_parameters().is_empty());
    CHECK(plain->named_buffers().is_empty());
    check_same_bits(plain(x), torch::instance_norm(x, {}, {}, {}, {}, true, 0.1, 0.5));
    torch::nn::InstanceNorm2d full(
        torch::nn::InstanceNorm2dOptions(2).momentum(0.5).affine(true).track_running_stats(true));
    CHECK(full->parameters().size() == 2);
    full(image);
    check_close(full->running_mean, (x.mean({0, 2}) * 0.5).to_vector<double>(), 1e-6);

    torch::nn::GroupNorm groups(torch::nn::GroupNormOptions(2, 2).eps(0.5).affine(false));
    CHECK(groups->parameters().empty());
    check_same_bits(groups(x), torch::group_norm(x, 2, {}, {}, 0.5));
    CHECK(torch::nn::GroupNorm(torch::nn::GroupNormOptions(1, 2))->parameters().size() == 2);

    check_throws<c10::Error>([] { torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(0)); },
                             "[BatchNorm2d] num_features must be positive; got 0");
    check_throws<c10::Error>(
        [] { torch::nn::InstanceNorm1d(torch::nn::InstanceNorm1dOptions(-1)); },
        "[InstanceNorm1d] num_features must be positive; got -1");
    check_throws<c10::Error>([] { torch::nn::GroupNorm(torch::nn::GroupNormOptions(2, 3)); },
                             "[GroupNorm] num_groups must divide num_channels");
}

TEST_CASE("torch: functional forms take their options") {
    const torch::Tensor x = random_tensor({3, 4}, -2, 2);
    const torch::Tensor y = random_tensor({3, 4}, -2, 2, 5);
    check_same_bits(F::softmax(x, F::SoftmaxFuncOptions(1)), torch::softmax(x, 1));
    check_same_bits(F::softmax(x, 0), torch::softmax(x, 0));
    check_same_bits(F::gelu(x, F::GELUFuncOptions().approximate("tanh")), torch::gelu(x, "tanh"));
    check_same_bits(F::dropout(x), x);
    CHECK(F::dropout(torch::ones({1000}), F::DropoutFuncOptions().p(0.9).training(true))
              .eq(0)
              .sum()
              .item() > 800);
    CHECK(F::pad(x, F::PadFuncOptions({1, 2}).value(3)).select(1, 0).to_vector<int>() ==
          std::vector<int>{3, 3, 3});
    CHECK(F::one_hot(torch::tensor({1, 0}), 3).to_vector<int>() ==
          std::vector<int>{0, 1, 0, 1, 0, 0});
    CHECK(F::leaky_relu(torch::tensor({-2.0, 3.0}), F::LeakyReLUFuncOptions().negative_slope(0.5))
              .to_vector<int>() == std::vector<int>{-1, 3});
    check_same_bits(F::embedding(torch::tensor({2, 0}), x), x.index({torch::tensor({2, 0})}));

    check_same_bits(F::mse_loss(x, y), torch::mse_loss(x, y));
    check_same_bits(F::mse_loss(x, y, F::MSELossFuncOptions(torch::kSum)),
                    torch::mse_loss(x, y, torch::kSum));
    check_same_bits(F::l1_loss(x, y, F::L1LossFuncOptions().reduction(torch::kNone)),
                    torch::l1_loss(x, y, torch::kNone));
    check_same_bits(F::huber_loss(x, y, F::HuberLossFuncOptions().delta(0.5)),
                    torch::huber_loss(x, y, torch::kMean, 0.5));
    check_same_bits(torch::nn::MSELoss(torch::nn::MSELossOptions().reduction(torch::kSum))(x, y),
                    torch::mse_loss(x, y, torch::kSum));
    torch::nn::HuberLoss huber;
    check_same_bits(huber(x, y), torch::huber_loss(x, y));
}

TEST_CASE("torch: losses of classes and of logits against their formulas") {
    const torch::Tensor x = random_tensor({4, 3}, -2, 2);
    const std::vector<int> classes = {2, 0, -100, 1};
    const torch::Tensor target = torch::tensor(classes);
    const std::vector<double> logs = torch::log_softmax(x, 1).to_vector<double>();
    std::vector<double> each(4);
    for (std::size_t i = 0; i < 4; ++i) {
        each[i] = classes[i] < 0 ? 0.0 : -logs[i * 3 + static_cast<std::size_t>(classes[i])];
    }
    const double total = each[0] + each[1] + each[3];
    const torch::Tensor log_probs = torch::log_softmax(x, 1);
    const auto reduced_by = [](torch::Reduction reduction) {
        return F::NLLLossFuncOptions().reduction(reduction);
    };
    check_close(F::nll_loss(log_probs, target, reduced_by(torch::kNone)), each, 1e-6);
    check_close(F::nll_loss(log_probs, target, reduced_by(torch::kSum)), {total}, 1e-6);
    check_close(torch::nll_loss(log_probs, target), {total / 3}, 1e-6);
    check_close(torch::nn::CrossEntropyLoss()(x, target), {total / 3}, 1e-6);
    const torch::Tensor pair = torch::tensor({2, 0, 1, 1});
    check_close(F::cross_entropy(x, pair, F::CrossEntropyFuncOptions().ignore_index(1)),
                {(each[0] + each[1]) / 2},
                1e-6);
    check_throws<pumice::ShapeError>(
        [&] {
            F::nll_loss(log_probs, torch::tensor({2, 0}));
        },
        "[nll_loss] input must be [N, C]");
    check_close(F::nll_loss(log_probs, pair, reduced_by(torch::kSum).ignore_index(1)),
                {each[0] + each[1]},
                1e-6);
    check_same_bits(F::cross_entropy(x, pair, F::CrossEntropyFuncOptions().label_smoothing(0.25)),
                    torch::cross_entropy(x, pair, torch::kMean, -100, 0.25));
    check_gradients([&](const auto& in) { return torch::nll_loss(in[0], target); }, {x});

    const torch::Tensor truth =
        torch::tensor({0.0, 1.0, 0.25, 1.0, 0.0, 0.5, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0}).view({4, 3});
    const std::vector<double> xs = x.to_vector<double>();
    const std::vector<double> ys = truth.to_vector<double>();
    std::vector<double> wanted;
    double sum = 0.0;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        const double p = 1.0 / (1.0 + std::exp(-xs[i]));
        wanted.push_back(-(ys[i] * std::log(p) + (1 - ys[i]) * std::log(1 - p)));
        sum += wanted.back();
    }
    check_close(F::binary_cross_entropy_with_logits(
                    x, truth, F::BinaryCrossEntropyWithLogitsFuncOptions(torch::kNone)),
                wanted,
                2e-6);
    check_close(torch::nn::BCEWithLogitsLoss()(x, truth), {sum / 12}, 2e-6);
    CHECK(std::isfinite(
        F::binary_cross_entropy_with_logits(torch::full({1}, -300.0), torch::ones({1})).item()));
}

TEST_CASE("torch: what has no counterpart says so") {
    const torch::Tensor x = torch::ones({2}, torch::dtype(torch::kLong));
    CHECK(x.dtype() == torch::kInt32);
    CHECK(x.dtype() != torch::kDouble);
    const auto throws = [](auto&& call, const std::string& text) {
        check_throws<torch::UnsupportedError>(call, text);
    };
    const auto options = torch::dtype(torch::kDouble).requires_grad(true);
    throws([&] { torch::randn({5, 5}, options); }, "[randn] there are no float64 tensors");
    throws([&] { torch::rand(10, options); }, "[rand]");
    throws([&] { torch::ones({5, 5}, options); }, "[ones]");
    throws([&] { torch::empty({5, 5}, options); }, "[empty]");
    throws([&] { torch::arange(0, 3, 1, torch::kDouble); }, "[arange]");
    throws([&] { torch::tensor({1.0, 2.0}, torch::kDouble); }, "[tensor]");
    throws([&] { torch::scalar_tensor(1.0, torch::kDouble); }, "[scalar_tensor]");
    throws([&] { x.to(torch::kDouble); },
           "[to] there are no float64 tensors; wanted another dtype");
    throws([&] { torch::nn::Linear(2, 2)->to(torch::kDouble); }, "[to]");
    CHECK(torch::tensor({1, 2}, torch::device(torch::kCUDA)).dtype() == torch::kInt32);
    CHECK(torch::tensor({1.5, 2.5}, torch::requires_grad()).requires_grad());
    CHECK(x.device() == torch::kCPU);
}

TEST_CASE("torch: convolution and pooling, as layers and as functions") {
    torch::nn::Conv2d conv(torch::nn::Conv2dOptions(2, 3, 3).stride(2).padding(1).bias(false));
    const torch::Tensor x = random_tensor({2, 2, 8, 9});
    const torch::Tensor y = conv(x);
    check_same_bits(y, torch::conv2d(x, conv->weight, {}, 2, 1));
    check_same_bits(y, torch::conv2d(x, conv->weight, {}, {2, 2}, {1, 1}, {1, 1}, 1));
    check_same_bits(y, F::conv2d(x, conv->weight, F::Conv2dFuncOptions().stride(2).padding(1)));
    const torch::Tensor bias = torch::ones({4});
    const torch::Tensor weight = random_tensor({4, 1, 2, 2});
    check_same_bits(
        F::conv2d(x, weight, F::Conv2dFuncOptions().bias(bias).dilation({1, 2}).groups(2)),
        torch::conv2d(x, weight, bias, 1, 0, {1, 2}, 2));
    torch::nn::MaxPool2d max(torch::nn::MaxPool2dOptions(3).stride(2).padding(1));
    check_same_bits(max(x), torch::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}));
    check_same_bits(max(x), F::max_pool2d(x, F::MaxPool2dFuncOptions(3).stride(2).padding(1)));
    check_same_bits(torch::max_pool2d(x, 2, {}), torch::nn::MaxPool2d(2)(x));
    torch::nn::AvgPool2d avg(torch::nn::AvgPool2dOptions({3, 2}).stride({2, 1}));
    check_same_bits(avg(x), torch::avg_pool2d(x, {3, 2}, {2, 1}));
    check_same_bits(avg(x), F::avg_pool2d(x, F::AvgPool2dFuncOptions({3, 2}).stride({2, 1})));
    torch::nn::AdaptiveAvgPool2d adaptive(torch::nn::AdaptiveAvgPool2dOptions({1, 1}));
    check_same_bits(adaptive(x), torch::adaptive_avg_pool2d(x, {1, 1}));
    check_same_bits(adaptive(x), F::adaptive_avg_pool2d(x, F::AdaptiveAvgPool2dFuncOptions(1)));
    torch::nn::Sequential chain(conv, torch::nn::ReLU(), max, adaptive, torch::nn::Flatten());
    CHECK(chain->forward(x).sizes() == torch::IntArrayRef({2, 3}));
}
