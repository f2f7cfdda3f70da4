// SPDX-License-Identifier: Apache-2.0
#include "base/warning.h"

#include "pumice/warning.h"

#include <cstdio>

namespace pumice {

namespace {

void print_warning(const char* message) noexcept {
    std::fprintf(stderr, "pumice: warning: %s\n", message);
}

std::atomic<WarningHandler> the_handler{print_warning};
std::atomic<bool> warns_always{false};

}  // namespace

void Warning::give() noexcept {
    if (!was_given_.exchange(true) || warns_always.load()) {
        the_handler.load()(message_);
    }
}

WarningHandler set_warning_handler(WarningHandler handler) noexcept {
    return the_handler.exchange(handler != nullptr ? handler : print_warning);
}

void set_warn_always(bool always) noexcept {
    warns_always.store(always);
}

}  // namespace pumice
