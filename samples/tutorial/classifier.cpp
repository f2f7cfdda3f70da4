// SPDX-License-Identifier: Apache-2.0
// Tutorial 2: a classifier of points in three clouds, trained and evaluated.
#include <pumice/nn/containers.h>
#include <pumice/nn/layers.h>
#include <pumice/optim.h>
#include <pumice/pumice.h>

#include <cstdint>
#include <cstdio>
#include <exception>

namespace {

using namespace pumice;

constexpr std::int64_t kPoints = 300;
constexpr int kSteps = 150;

struct Data {
    Tensor points;  // [kPoints, 2]
    Tensor labels;  // [kPoints] int32, the cloud of each point
};

Data make_clouds() {
    const Tensor centers = tensor({0.0F, 2.0F, -2.0F, -1.0F, 2.0F, -1.0F}).view({3, 2});
    const Tensor labels = randint(0, 3, {kPoints});
    return {embedding(centers, labels) + randn({kPoints, 2}) * 0.4, labels};
}

nn::Sequential make_model() {
    nn::Sequential model;
    model->push_back(nn::Linear(2, 16));
    model->push_back(relu);
    model->push_back(nn::Linear(16, 3));
    return model;
}

double train(const nn::Sequential& model, const Data& data) {
    optim::Adam adam(model->parameters(), {.lr = 0.02});
    Tensor loss;
    for (int step = 0; step < kSteps; ++step) {
        adam.zero_grad();
        loss = cross_entropy(model(data.points), data.labels);
        loss.backward();
        adam.step();
    }
    return loss.item<double>();
}

double accuracy(const nn::Sequential& model, const Data& data) {
    const InferenceMode guard;
    const Tensor guesses = argmax(model(data.points), 1);
    return mean(eq(guesses, data.labels).to(kFloat32)).item<double>();
}

void run() {
    manual_seed(7);
    const Data seen = make_clouds();
    const Data unseen = make_clouds();
    const nn::Sequential model = make_model();
    std::printf("before: right %s\n", accuracy(model, unseen) > 0.9 ? "nearly always" : "rarely");
    const double loss = train(model, seen);
    std::printf("after:  right %s\n", accuracy(model, unseen) > 0.9 ? "nearly always" : "rarely");
    std::printf("loss below 0.1: %s\n", loss < 0.1 ? "yes" : "no");
}

}  // namespace

int main() {
    try {
        run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
