// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks the namespaces of public headers: what is declared in them is seen outside of a shared
/// library, what the engine declares for itself is not.
#if defined(__GNUC__)
#define PUMICE_API [[gnu::visibility("default")]]
/// A class inside of a public one that is the engine's own.
#define PUMICE_HIDDEN [[gnu::visibility("hidden")]]
#else
#define PUMICE_API
#define PUMICE_HIDDEN
#endif
