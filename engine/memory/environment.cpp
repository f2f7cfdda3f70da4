// SPDX-License-Identifier: Apache-2.0
#include "memory/environment.h"

#include "pumice/error.h"

#include "vk/environment.h"

#include <string>

namespace pumice::memory {

std::string_view environment_choice(const char* name, std::span<const std::string_view> allowed) {
    const std::string value = vk::environment_value(name);
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

}  // namespace pumice::memory
