// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/grad_mode.h"

#include <cstdint>

/// @file
/// What LibTorch's dispatcher would say of the thread's mode. Pumice has no dispatcher; programs,
/// tests most of all, ask these four questions about inference mode (grad-mode rules G1, G8).

namespace c10 {

/// The one key that is asked for.
enum class DispatchKey : std::uint8_t { ADInplaceOrView };

/// Type of autograd_dispatch_keyset.
struct AutogradDispatchKeySet {};

/// What the queries of dispatch state take.
inline constexpr AutogradDispatchKeySet autograd_dispatch_keyset{};

namespace impl {

/// Whether the thread leaves the key, or the keys, out: autograd's are in inference mode.
/// @{
inline bool tls_is_dispatch_key_excluded(DispatchKey /*key*/) noexcept {
    return false;
}

inline bool tls_is_dispatch_keyset_excluded(AutogradDispatchKeySet /*keys*/) noexcept {
    return pumice::InferenceMode::is_enabled();
}

/// @}

/// Whether the thread adds the key, or the keys: this one outside of inference mode.
/// @{
inline bool tls_is_dispatch_key_included(DispatchKey /*key*/) noexcept {
    return !pumice::InferenceMode::is_enabled();
}

inline bool tls_is_dispatch_keyset_included(AutogradDispatchKeySet /*keys*/) noexcept {
    return false;
}

/// @}

}  // namespace impl

}  // namespace c10
