// SPDX-License-Identifier: Apache-2.0
#include "subjects.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include "forecaster/pipeline.h"
#include "networks/resnet18.h"
#include "networks/transformers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace pumice::command {

namespace {

Subject make_forecaster(const std::string& folder) {
    const forecaster::Forecaster model = forecaster::load_model(folder);
    return {[model](const Tensor& x) { return model->predict(x, 2); },
            randn({1, 120}),
            model->parameters()};
}

Subject make_encoder() {
    const networks::Encoder model{networks::EncoderConfig()};
    return {[model](const Tensor& x) { return model->forward(x); },
            randint(0, 30000, {1, 128}),
            model->parameters()};
}

Subject make_decoder() {
    const networks::Decoder model{networks::DecoderConfig()};
    return {[model](const Tensor& x) { return model->forward(x, 255); },
            randn({1, 1, 1024}),
            model->parameters()};
}

Subject make_resnet18() {
    const networks::ResNet18 model;
    model->eval();
    return {[model](const Tensor& x) { return model->forward(x); },
            randn({1, 3, 224, 224}),
            model->parameters()};
}

}  // namespace

std::string default_model_folder() {
    const std::filesystem::path program = std::filesystem::canonical("/proc/self/exe");
    const std::filesystem::path installed =
        program.parent_path().parent_path() / "share/pumice/forecaster";
    return std::filesystem::exists(installed) ? installed.string() : PUMICE_MODEL_DIR;
}

Subject make_sample(const std::string& name, const std::string& forecaster_folder) {
    if (name == "encoder") {
        return make_encoder();
    }
    if (name == "decoder") {
        return make_decoder();
    }
    return name == "resnet18" ? make_resnet18() : make_forecaster(forecaster_folder);
}

Subject make_subject(const std::string& name_or_folder) {
    if (std::find(kSamples.begin(), kSamples.end(), name_or_folder) != kSamples.end()) {
        return make_sample(name_or_folder, default_model_folder());
    }
    if (!std::filesystem::is_directory(name_or_folder)) {
        throw ArgumentError(
            name_or_folder,
            fmt::format("is neither a model's folder nor one of {}", fmt::join(kSamples, ", ")));
    }
    return make_forecaster(name_or_folder);
}

void in_mode(const std::string& mode, const std::function<void()>& body) {
    if (mode == "grad" || mode == "step") {
        body();
    } else if (mode == "no_grad") {
        no_grad(body);
    } else {
        inference_mode(body);
    }
}

void add_subject_options(CLI::App& command, std::string& model, std::string& mode) {
    command
        .add_option("MODEL",
                    model,
                    fmt::format("a folder with the forecaster's model, or a sample: {}",
                                fmt::join(kSamples, ", ")))
        ->required();
    command.add_option("--mode", mode)->check(CLI::IsMember(kModes))->capture_default_str();
}

}  // namespace pumice::command
