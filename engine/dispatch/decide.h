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

/// The rows of `decide` for a written target. @throws GradModeError (E2, E6, E8, E10, E11)
void check_write(std::string_view op, const CallTraits& traits, const AutogradState& state);

/// What a new view remembers of how it came to be.
inline CreationMeta view_creation(const CallTraits& traits, const AutogradState& state) {
    CreationMeta made = CreationMeta::kDefault;
    if (state.inference) {
        made = CreationMeta::kInferenceMode;
    } else if (!state.grad) {
        made = CreationMeta::kNoGradMode;
    } else if (traits.is_multi_output_view) {
        made = CreationMeta::kMultiOutputNode;
    }
    // G36: the view's own default keeps what it was made from; inference sticks.
    const bool keeps =
        traits.target_is_view &&
        (made == CreationMeta::kDefault || traits.target_creation == CreationMeta::kInferenceMode);
    return keeps ? traits.target_creation : made;
}

/// The one place where mode, kind and storage are decided: rules G21-G37 of the grad-mode layer.
/// Pure; inline, because every operator asks. @throws GradModeError (E2, E6, E8, E10, E11)
inline Decision decide(std::string_view op,
                       const CallTraits& traits,
                       const AutogradState& state,
                       bool is_persistent_forced,
                       bool is_captured = false) {
    Decision decision;
    // G26. Views of inference tensors have no normal operand, and with `out` E11 came before.
    decision.record = state.grad && traits.has_normal_operand && traits.has_differentiable_r;
    switch (traits.form) {
        case Form::kView:
            decision.output_is_inference = traits.target_is_inference;  // G22
            decision.makes_view_record = !traits.target_is_inference;
            decision.creation = view_creation(traits, state);
            break;
        case Form::kInPlace:
        case Form::kOut:
            check_write(op, traits, state);
            decision.output_is_inference = traits.target_is_inference;
            decision.bumps_version = !traits.target_is_inference;  // G34
            break;
        case Form::kFunctional:
            decision.output_is_inference = state.inference;  // G21
            if (is_captured) {
                decision.storage = memory::StorageClass::kPlanned;
            } else if (state.inference && !is_persistent_forced) {
                decision.storage = memory::StorageClass::kTransient;  // G65
            }
            break;
    }
    return decision;
}

}  // namespace pumice::dispatch
