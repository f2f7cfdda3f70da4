// SPDX-License-Identifier: Apache-2.0
// Where warnings go, and which are given once.
#include "base/warn.h"

#include "pumice/warning.h"

#include <cstdio>

namespace pumice {

namespace {

constinit std::atomic<WarningHandler*> the_handler{nullptr};
constinit std::atomic<bool> warns_always{false};

}  // namespace

void WarningHandler::process(const Warning& warning) {
    std::fprintf(stderr, "pumice: warning: %s\n", warning.msg().c_str());
}

namespace WarningUtils {

void set_warning_handler(WarningHandler* handler) noexcept {
    the_handler.store(handler);
}

WarningHandler* get_warning_handler() noexcept {
    static WarningHandler first;
    WarningHandler* handler = the_handler.load();
    return handler != nullptr ? handler : &first;
}

void set_warnAlways(bool always) noexcept {
    warns_always.store(always);
}

bool get_warnAlways() noexcept {
    return warns_always.load();
}

}  // namespace WarningUtils

void warn(const std::string& message) {
    WarningUtils::get_warning_handler()->process(Warning(message));
}

void WarningOnce::give() {
    if (!was_given_.exchange(true) || warns_always.load()) {
        warn(message_);
    }
}

}  // namespace pumice
