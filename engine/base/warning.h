// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace pumice {

/// Whether this build looks for likely mistakes at a cost (the option PUMICE_CHECKED).
#ifdef PUMICE_CHECKED
inline constexpr bool kIsChecked = true;
#else
inline constexpr bool kIsChecked = false;
#endif

/// One warning, a static of the place that gives it.
class Warning {
public:
    /// `message` must outlive the process's last use.
    constexpr explicit Warning(const char* message) noexcept : message_(message) {}

    void give() noexcept;

private:
    const char* message_;
    std::atomic<bool> was_given_{false};
};

}  // namespace pumice
