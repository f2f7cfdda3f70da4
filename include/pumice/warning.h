// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pumice {

/// Called with what is legal and yet likely a mistake (grad-mode rules G9 and G27). Only builds
/// with PUMICE_CHECKED warn.
using WarningHandler = void (*)(const char* message) noexcept;

/// Installs a handler for all threads and returns the one before. The first prints a line on
/// stderr; null stands for it.
WarningHandler set_warning_handler(WarningHandler handler) noexcept;

/// Whether each warning is given every time; at first it is given once a process.
void set_warn_always(bool always) noexcept;

}  // namespace pumice
