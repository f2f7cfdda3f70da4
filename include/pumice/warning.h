// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <string>
#include <utility>

namespace PUMICE_API pumice {

/// A message about something that is allowed, but likely a mistake.
class Warning {
public:
    /// For the engine.
    explicit Warning(std::string message) : message_(std::move(message)) {}

    /// What it says.
    [[nodiscard]] const std::string& msg() const noexcept { return message_; }

private:
    std::string message_;
};

/// Takes warnings, from any thread. Source: c10::WarningHandler.
class WarningHandler {
public:
    WarningHandler() = default;
    WarningHandler(const WarningHandler&) = delete;
    WarningHandler& operator=(const WarningHandler&) = delete;
    WarningHandler(WarningHandler&&) = delete;
    WarningHandler& operator=(WarningHandler&&) = delete;
    virtual ~WarningHandler() = default;

    /// At first: a line on stderr.
    virtual void process(const Warning& warning);
};

/// Who is told, and how often.
namespace WarningUtils {

/// Installs a handler for all threads, which must live until another is installed; null restores
/// the first one.
void set_warning_handler(WarningHandler* handler) noexcept;
/// The handler of all threads.
WarningHandler* get_warning_handler() noexcept;
/// Whether warnings that are given once a process are given every time; false at first.
void set_warnAlways(bool always) noexcept;
/// As it was set.
bool get_warnAlways() noexcept;

/// While it lives, every warning is given every time.
class WarnAlways {
public:
    /// Sets it, and restores what was when it ends.
    explicit WarnAlways(bool always = true) noexcept : before_(get_warnAlways()) {
        set_warnAlways(always);
    }

    WarnAlways(const WarnAlways&) = delete;
    WarnAlways& operator=(const WarnAlways&) = delete;
    WarnAlways(WarnAlways&&) = delete;
    WarnAlways& operator=(WarnAlways&&) = delete;

    ~WarnAlways() { set_warnAlways(before_); }

private:
    bool before_;
};

}  // namespace WarningUtils

}  // namespace pumice
