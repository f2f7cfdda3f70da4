// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/grad_mode.h"

#include "memory/allocator.h"
#include "tensor/tensor_impl.h"

#include <cstdint>
#include <string_view>

namespace pumice::dispatch {

/// How the result is delivered.
enum class Form : std::uint8_t { kFunctional, kView, kInPlace, kOut };

/// What decide looks at, gathered in one walk over the operands.
struct CallTraits {
    Form form = Form::kFunctional;
    bool has_normal_operand = false;    ///< some tensor operand is normal
    bool has_differentiable_r = false;  ///< some differentiable operand requires grad
    bool has_any_r = false;             ///< some operand (or out) requires grad
    bool is_multi_output_view = false;
    // The target: self in place, `out`, or the base of a view.
    bool target_is_inference = false;
    bool target_requires_grad = false;
    bool target_is_leaf = true;
    bool target_is_view = false;
    bool target_base_is_leaf = true;
    CreationMeta target_creation = CreationMeta::kDefault;
};

/// The answers for one call.
struct Decision {
    bool record = false;               ///< attach a node
    bool output_is_inference = false;  ///< kind of the outputs
    bool makes_view_record = false;    ///< a normal view remembers its base
    bool bumps_version = false;
    CreationMeta creation = CreationMeta::kDefault;
    memory::StorageClass storage = memory::StorageClass::kPersistent;
};

/// The one place where mode, kind and storage are decided: rules G21-G37 of the grad-mode layer.
/// Pure. @throws GradModeError (E2, E6, E8, E10, E11)
Decision decide(std::string_view op,
                const CallTraits& traits,
                const AutogradState& state,
                bool is_persistent_forced);

}  // namespace pumice::dispatch
