// SPDX-License-Identifier: Apache-2.0
#include "pumice/device.h"
#include "pumice/ops/factory.h"

#include "commands.h"
#include "standard_streams.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const DeviceInfo& info) {
    Json json = {{"index", info.index},
                 {"name", info.name},
                 {"driver", info.driver},
                 {"uuid", info.uuid},
                 {"type", info.type},
                 {"api_version", info.api_version},
                 {"usable", info.is_usable},
                 {"chosen", info.is_chosen}};
    if (!info.is_usable) {
        json["refusal"] = info.refusal;
    }
    json["tiers"] = Json::object();
    for (const auto& [name, is_on] : info.tiers) {
        json["tiers"][name] = is_on;
    }
    json["limits"] = Json::object();
    for (const auto& [name, value] : info.limits) {
        json["limits"][name] = value;
    }
    json["heaps"] = Json::array();
    for (const auto& [bytes, is_local] : info.heaps) {
        json["heaps"].push_back({{"bytes", bytes}, {"device_local", is_local}});
    }
    return json;
}

void print(const DeviceInfo& info) {
    fmt::print("{} {}: {} ({}, Vulkan {})\n",
               info.is_chosen ? '*' : ' ',
               info.index,
               info.name,
               info.type,
               info.api_version);
    fmt::print("    driver {}\n    uuid   {}\n", info.driver, info.uuid);
    if (!info.is_usable) {
        fmt::print("    not usable: {}\n", info.refusal);
    }
    std::string on;
    std::string off;
    for (const auto& [name, is_on] : info.tiers) {
        (is_on ? on : off) += " " + name;
    }
    fmt::print("    tiers on: {}\n    tiers off:{}\n", on.empty() ? " none" : on, off);
    for (const auto& [name, value] : info.limits) {
        fmt::print("    {:<40} {}\n", name, value);
    }
    for (const auto& [bytes, is_local] : info.heaps) {
        fmt::print("    heap of {:.1f} GiB{}\n",
                   static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0),
                   is_local ? ", device local" : "");
    }
}

void print_all(const std::vector<DeviceInfo>& devices, bool as_json) {
    if (as_json) {
        Json json = {{"devices", Json::array()}};
        for (const DeviceInfo& info : devices) {
            json["devices"].push_back(to_json(info));
        }
        fmt::print("{}\n", json.dump(2));
        return;
    }
    for (const DeviceInfo& info : devices) {
        print(info);
    }
    fmt::print("* runs the tensors; PUMICE_DEVICE chooses by index, part of the name, or UUID\n");
}

void run(bool as_json) {
    const std::vector<DeviceInfo> devices = list_devices();
    print_all(devices, as_json);
    const bool is_any_chosen = std::any_of(
        devices.begin(), devices.end(), [](const DeviceInfo& info) { return info.is_chosen; });
    if (!is_any_chosen) {
        finish_stdout();
        static_cast<void>(empty({1}));  // throws what every tensor would: the reason in one line
    }
}

}  // namespace

void add_info(CLI::App& app) {
    CLI::App* command = app.add_subcommand("info", "devices, their tiers and limits, the choice");
    const auto as_json = std::make_shared<bool>(false);
    command->add_flag("--json", *as_json);
    command->callback([as_json] { run(*as_json); });
}

}  // namespace pumice::command
