// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

namespace pumice {

/// Whether this build looks for likely mistakes at a cost (the option PUMICE_CHECKED).
#ifdef PUMICE_CHECKED
inline constexpr bool kIsChecked = true;
#else
inline constexpr bool kIsChecked = false;
#endif

/// Hands a warning to the handler.
void warn(const std::string& message);

/// One warning that is given once a process: a static of the place that gives it.
class WarningOnce {
public:
    /// `message` must outlive the process's last use.
    constexpr explicit WarningOnce(const char* message) noexcept : message_(message) {}

    void give();

private:
    const char* message_;
    std::atomic<bool> was_given_{false};
};

}  // namespace pumice
