// SPDX-License-Identifier: Apache-2.0
#include "differential/samples.h"

#include <nlohmann/json.hpp>

#include <sstream>

namespace differential {

namespace {

using Json = nlohmann::json;

// Seven digits of a float32 as the shortest double that says so.
Json rounded(const std::vector<float>& values) {
    Json list = Json::array();
    for (const float value : values) {
        std::ostringstream text;
        text.precision(7);
        text << value;
        list.push_back(std::stod(text.str()));
    }
    return list;
}

Json to_json(const Instruction& step) {
    return {static_cast<int>(step.op),
            static_cast<int>(step.mode),
            step.results,
            step.operands,
            step.numbers,
            step.value};
}

Instruction to_step(const Json& json) {
    Instruction step;
    step.op = static_cast<Op>(json[0].get<int>());
    step.mode = static_cast<Mode>(json[1].get<int>());
    json[2].get_to(step.results);
    json[3].get_to(step.operands);
    json[4].get_to(step.numbers);
    json[5].get_to(step.value);
    return step;
}

Json to_json(const TensorState& x) {
    const std::array<bool, 5> flags = {
        x.requires_grad, x.is_leaf, x.is_inference, x.is_view, x.has_grad};
    return {x.slot, x.sizes, rounded(x.values), flags, x.version, rounded(x.grad)};
}

TensorState to_state(const Json& json) {
    TensorState x;
    json[0].get_to(x.slot);
    json[1].get_to(x.sizes);
    json[2].get_to(x.values);
    const auto flags = json[3].get<std::array<bool, 5>>();
    x.requires_grad = flags[0];
    x.is_leaf = flags[1];
    x.is_inference = flags[2];
    x.is_view = flags[3];
    x.has_grad = flags[4];
    json[4].get_to(x.version);
    json[5].get_to(x.grad);
    return x;
}

Json to_json(const Sample& sample) {
    Json steps = Json::array();
    for (const Instruction& step : sample.program.steps) {
        steps.push_back(to_json(step));
    }
    Json tensors = Json::array();
    for (const TensorState& state : sample.outcome.tensors) {
        tensors.push_back(to_json(state));
    }
    Json hooks = Json::array();
    for (const auto& [place, values] : sample.outcome.hook_log) {
        hooks.push_back({place, rounded(values)});
    }
    return {{"slots", sample.program.slot_count},
            {"steps", steps},
            {"tensors", tensors},
            {"hooks", hooks},
            {"failed_at", sample.outcome.failed_at},
            {"error", sample.outcome.error}};
}

Sample to_sample(const Json& json) {
    Sample sample;
    json.at("slots").get_to(sample.program.slot_count);
    for (const Json& step : json.at("steps")) {
        sample.program.steps.push_back(to_step(step));
    }
    for (const Json& state : json.at("tensors")) {
        sample.outcome.tensors.push_back(to_state(state));
    }
    for (const Json& hook : json.at("hooks")) {
        sample.outcome.hook_log[hook[0].get<int>()] = hook[1].get<std::vector<float>>();
    }
    json.at("failed_at").get_to(sample.outcome.failed_at);
    json.at("error").get_to(sample.outcome.error);
    return sample;
}

}  // namespace

std::string write(const std::vector<Sample>& samples) {
    std::string text;
    for (const Sample& sample : samples) {
        text += (text.empty() ? "[\n" : ",\n") + to_json(sample).dump();
    }
    return text + "\n]\n";
}

std::vector<Sample> read(const std::string& text) {
    std::vector<Sample> samples;
    for (const Json& json : Json::parse(text)) {
        samples.push_back(to_sample(json));
    }
    return samples;
}

}  // namespace differential
