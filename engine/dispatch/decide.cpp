// SPDX-License-Identifier: Apache-2.0
// The one place that decides what a call does: record, view record, version, memory.
#include "dispatch/decide.h"

#include "pumice/error.h"

namespace pumice::dispatch {

namespace {

constexpr const char* kInplaceOnInference =
    "Inplace update to inference tensor outside InferenceMode is not allowed. Work on a clone() "
    "made outside of inference mode.";

[[noreturn]] void throw_view_creation(std::string_view op, CreationMeta creation) {
    switch (creation) {
        case CreationMeta::kInferenceMode:
            throw GradModeError(op,
                                "A view was created in inference mode and is being modified "
                                "inplace in normal mode.");
        case CreationMeta::kNoGradMode:
            throw GradModeError(op,
                                "A view was created in no_grad mode and is being modified inplace "
                                "with grad mode enabled.");
        case CreationMeta::kMultiOutputNode:
            throw GradModeError(op,
                                "This view is the output of a function that returns multiple "
                                "views and cannot be modified inplace with grad mode enabled.");
        default:
            throw GradModeError(op,
                                "This view was created inside a custom Function and cannot be "
                                "modified inplace with grad mode enabled.");
    }
}

// G31: creation metadata, then a view of a leaf, then a leaf.
void check_in_place_on_normal(std::string_view op, const CallTraits& traits) {
    if (traits.target_is_view && traits.target_creation != CreationMeta::kDefault) {
        throw_view_creation(op, traits.target_creation);
    }
    // A view never has requires_grad of its own: it is its base that is or is not a leaf.
    const bool is_leaf = traits.target_is_view ? traits.target_base_is_leaf : traits.target_is_leaf;
    if (!traits.target_requires_grad || !is_leaf) {
        return;
    }
    if (traits.target_is_view) {
        throw GradModeError(
            op,
            "a view of a leaf Variable that requires grad is being used in an in-place operation.");
    }
    throw GradModeError(
        op, "a leaf Variable that requires grad is being used in an in-place operation.");
}

}  // namespace

void check_write(std::string_view op, const CallTraits& traits, const AutogradState& state) {
    if (traits.form == Form::kOut && state.grad && traits.has_any_r) {
        throw GradModeError(op,
                            "functions with out=... arguments don't support automatic "
                            "differentiation, but one of the arguments requires grad.");
    }
    if (traits.target_is_inference) {
        if (!state.inference) {
            throw GradModeError(op, kInplaceOnInference);
        }
        return;
    }
    if (traits.form == Form::kInPlace && state.grad &&
        (traits.has_differentiable_r || traits.target_requires_grad)) {
        check_in_place_on_normal(op, traits);
    }
}

}  // namespace pumice::dispatch
