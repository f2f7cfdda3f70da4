// SPDX-License-Identifier: Apache-2.0
// Tutorial 6: a network whose weights a Python program has written as a safetensors file.
//   tutorial_weights_from_python FILE
#include <pumice/io.h>
#include <pumice/nn/activations.h>
#include <pumice/nn/containers.h>
#include <pumice/nn/layers.h>
#include <pumice/pumice.h>

#include <cstdio>
#include <exception>

namespace {

using namespace pumice;

// The shapes, and so the names of the parameters, are those of the Python side.
nn::Sequential make_model() {
    nn::Sequential model;
    model->push_back(nn::Linear(2, 8));  // "0.weight" [8, 2], "0.bias" [8]
    model->push_back(nn::Tanh());        // takes the name "1", has no parameters
    model->push_back(nn::Linear(8, 1));  // "2.weight" [1, 8], "2.bias" [1]
    model->eval();
    return model;
}

void run(const char* path) {
    const io::SafetensorsFile file(path);
    for (const io::SafetensorsEntry& entry : file.entries()) {
        std::printf("%-8s %s %s\n",
                    entry.name.c_str(),
                    entry.dtype_name.c_str(),
                    to_string(entry.sizes).c_str());
    }
    nn::StateDict state = file.load_all();
    const Tensor input = state["input"];
    const Tensor wanted = state["output"];
    state.erase("input");
    state.erase("output");

    const nn::Sequential model = make_model();
    model->load_state_dict(state);  // strict: a missing or an unknown name throws
    const Tensor output = inference_mode([&] { return model(input); });
    std::printf("agrees with %s: %s\n",
                file.metadata().at("made_by").c_str(),
                allclose(output, wanted, 1e-5, 1e-6) ? "yes" : "no");
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count != 2) {
        std::fprintf(stderr, "usage: %s FILE\n", arguments[0]);
        return 2;
    }
    try {
        run(arguments[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
