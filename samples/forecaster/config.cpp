// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/io.h"

#include "forecaster/model.h"

#include <nlohmann/json.hpp>

namespace forecaster {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
void read_field(const std::string& path, const Json& json, const char* name, T& field) {
    try {
        field = json.at(name).get<T>();
    } catch (const Json::exception&) {
        throw pumice::FileError(path,
                                std::string("field '") + name + "' is missing or of another type");
    }
}

void check(const std::string& path, const Config& config) {
    const bool is_sane =
        config.patch_length > 0 && config.model_dim > 0 && config.head_count > 0 &&
        config.head_dim > 0 && config.head_dim % 2 == 0 && config.feed_forward_dim > 0 &&
        config.hidden_dim > 0 && config.block_count > 0 && config.time_scale > 0.0 &&
        config.context_length >= config.patch_length &&
        config.context_length % config.patch_length == 0 &&
        config.horizon_length >= config.patch_length &&
        config.horizon_length % config.patch_length == 0 && !config.quantiles.empty();
    if (!is_sane) {
        throw pumice::FileError(path,
                                "counts must be positive, head_dim even, and context_length and "
                                "horizon_length multiples of patch_length");
    }
    double before = 0.0;
    for (const double quantile : config.quantiles) {
        if (!(quantile > before && quantile < 1.0)) {
            throw pumice::FileError(path, "field 'quantiles' must rise within (0, 1)");
        }
        before = quantile;
    }
}

}  // namespace

Config read_config(const std::string& path) {
    const Json json = Json::parse(pumice::io::read_file(path), nullptr, false);
    if (!json.is_object()) {
        throw pumice::FileError(path, "is not a JSON object");
    }
    Config config;
    read_field(path, json, "patch_length", config.patch_length);
    read_field(path, json, "model_dim", config.model_dim);
    read_field(path, json, "head_count", config.head_count);
    read_field(path, json, "head_dim", config.head_dim);
    read_field(path, json, "feed_forward_dim", config.feed_forward_dim);
    read_field(path, json, "hidden_dim", config.hidden_dim);
    read_field(path, json, "block_count", config.block_count);
    read_field(path, json, "context_length", config.context_length);
    read_field(path, json, "horizon_length", config.horizon_length);
    read_field(path, json, "time_scale", config.time_scale);
    read_field(path, json, "rotary_base", config.rotary_base);
    read_field(path, json, "quantiles", config.quantiles);
    check(path, config);
    return config;
}

void write_config(const std::string& path, const Config& config) {
    const Json json = {{"patch_length", config.patch_length},
                       {"model_dim", config.model_dim},
                       {"head_count", config.head_count},
                       {"head_dim", config.head_dim},
                       {"feed_forward_dim", config.feed_forward_dim},
                       {"hidden_dim", config.hidden_dim},
                       {"block_count", config.block_count},
                       {"context_length", config.context_length},
                       {"horizon_length", config.horizon_length},
                       {"time_scale", config.time_scale},
                       {"rotary_base", config.rotary_base},
                       {"quantiles", config.quantiles}};
    pumice::io::write_file(path, json.dump(2) + "\n");
}

}  // namespace forecaster
