// SPDX-License-Identifier: Apache-2.0
// Tutorial 3: a small convolutional network, and the memory that a pass takes in each mode.
#include <pumice/memory.h>
#include <pumice/nn/activations.h>
#include <pumice/nn/containers.h>
#include <pumice/nn/conv.h>
#include <pumice/nn/layers.h>
#include <pumice/nn/normalization.h>
#include <pumice/pumice.h>

#include <cstdint>
#include <cstdio>
#include <exception>

namespace {

using namespace pumice;

nn::Sequential make_network() {
    nn::Sequential network;
    std::int64_t channels = 3;
    for (const std::int64_t wider : {16, 32, 64}) {
        network->push_back(nn::Conv2d(nn::Conv2dOptions(channels, wider, 3).padding(1)));
        network->push_back(nn::BatchNorm2d(wider));
        network->push_back(relu);
        network->push_back(nn::MaxPool2d(2));
        channels = wider;
    }
    network->push_back(nn::AdaptiveAvgPool2d(1));
    network->push_back(nn::Flatten());
    network->push_back(nn::Linear(channels, 10));
    network->eval();
    return network;
}

// One pass under a trace, which sees every storage that a kernel reads or writes.
void print_memory(const char* mode, const nn::Sequential& network, const Tensor& image) {
    MemoryTrace trace;
    const HostTensor scores = network(image).to_host();  // needed until it was read
    trace.finish();
    const double peak = static_cast<double>(trace.peak_bytes()) / 1024;
    const double bound = static_cast<double>(trace.lower_bound_bytes()) / 1024;
    std::printf("%zu scores by %-9s: peak %5.0f KiB, lower bound %4.0f KiB, ratio %.2f\n",
                scores.values<float>().size(),
                mode,
                peak,
                bound,
                peak / bound);
}

void run() {
    manual_seed(1);
    const nn::Sequential network = make_network();
    const Tensor image = rand({1, 3, 64, 64});
    print_memory("grad", network, image);
    no_grad([&] { print_memory("no_grad", network, image); });
    inference_mode([&] { print_memory("inference", network, image); });
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
