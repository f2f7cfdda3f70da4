// SPDX-License-Identifier: Apache-2.0
// What Pumice reads of the environment.
#include "vk/environment.h"

#include "pumice/error.h"

#include <cstdlib>

namespace pumice::vk {

std::string environment_value(const char* name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): Pumice never sets the environment
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string_view environment_choice(const char* name, std::span<const std::string_view> allowed) {
    const std::string value = environment_value(name);
    if (value.empty()) {
        return "";
    }
    std::string names;
    for (const std::string_view choice : allowed) {
        if (choice == value) {
            return choice;
        }
        names += names.empty() ? "" : ", ";
        names += choice;
    }
    throw ArgumentError(name, "must be unset or one of: " + names + "; got " + value);
}

bool environment_says(const char* name, std::string_view only_value) {
    return !environment_choice(name, {&only_value, 1}).empty();
}

}  // namespace pumice::vk
