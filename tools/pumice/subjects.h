// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace pumice::command {

/// A model with an input for it.
struct Subject {
    std::function<Tensor(const Tensor&)> run;
    Tensor input;
    std::vector<Tensor> parameters;
};

/// Samples that come with the program, and the modes in which a subject runs.
inline const std::vector<std::string> kSamples = {"decoder", "encoder", "forecaster", "resnet18"};
inline const std::vector<std::string> kModes = {"grad", "no_grad", "inference", "captured"};

/// Where the shipped forecaster is: beside the sources, or where `cmake --install` puts it.
std::string default_model_folder();

/// One of kSamples; the forecaster is read from a folder.
Subject make_sample(const std::string& name, const std::string& forecaster_folder);

/// A sample by its name, or the forecaster in a folder.
/// @throws ArgumentError if it is neither, FileError for a folder without a model
Subject make_subject(const std::string& name_or_folder);

/// Runs the body in a mode; captured replays run in inference mode, whole training steps ("step")
/// in grad mode.
void in_mode(const std::string& mode, const std::function<void()>& body);

/// The options MODEL and --mode of a command.
void add_subject_options(CLI::App& command, std::string& model, std::string& mode);

}  // namespace pumice::command
