// SPDX-License-Identifier: Apache-2.0
#include "dispatch/decide.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::dispatch {

namespace {

constexpr AutogradState kGrad{.grad = true, .inference = false, .fw_grad = true};
constexpr AutogradState kNoGrad{.grad = false, .inference = false, .fw_grad = true};
constexpr AutogradState kInference{.grad = false, .inference = true, .fw_grad = false};
constexpr std::array<AutogradState, 3> kModes = {kGrad, kNoGrad, kInference};

CallTraits functional(bool has_normal, bool has_r) {
    return {.form = Form::kFunctional,
            .has_normal_operand = has_normal,
            .has_differentiable_r = has_r,
            .has_any_r = has_r};
}

CallTraits writing(Form form, bool target_is_inference, bool target_r, bool other_r) {
    return {.form = form,
            .has_normal_operand = !target_is_inference,
            .has_differentiable_r = target_r || other_r,
            .has_any_r = target_r || other_r,
            .target_is_inference = target_is_inference,
            .target_requires_grad = target_r};
}

}  // namespace

TEST_CASE("decide: G21 G26 functional calls over all combinations") {
    for (const AutogradState& state : kModes) {
        for (const bool has_normal : {false, true}) {
            for (const bool has_r : {false, true}) {
                const Decision decision = decide("op", functional(has_normal, has_r), state, false);
                CHECK(decision.record == (state.grad && has_normal && has_r));
                CHECK(decision.output_is_inference == state.inference);
                CHECK(!decision.bumps_version);
                CHECK(!decision.makes_view_record);
                CHECK((decision.storage == memory::StorageClass::kTransient) == state.inference);
            }
        }
    }
}

TEST_CASE("decide: G64 a forced persistent storage is never transient") {
    const Decision decision = decide("op", functional(true, false), kInference, true);
    CHECK(decision.storage == memory::StorageClass::kPersistent);
}

TEST_CASE("decide: a captured call's outputs are planned in every mode, its kinds are the mode's") {
    for (const AutogradState& state : kModes) {
        const Decision decision = decide("op", functional(true, true), state, false, true);
        CHECK(decision.storage == memory::StorageClass::kPlanned);
        CHECK(decision.output_is_inference == state.inference);
        CHECK(decision.record == state.grad);
    }
}

TEST_CASE("decide: G22 views have the kind of their base in every mode") {
    for (const AutogradState& state : kModes) {
        for (const bool base_is_inference : {false, true}) {
            CallTraits traits = functional(!base_is_inference, true);
            traits.form = Form::kView;
            traits.target_is_inference = base_is_inference;
            const Decision decision = decide("view", traits, state, false);
            CHECK(decision.output_is_inference == base_is_inference);
            CHECK(decision.makes_view_record == !base_is_inference);
            CHECK(decision.record == (state.grad && !base_is_inference));
        }
    }
}

TEST_CASE("decide: G36 creation metadata of views and of views of views") {
    CallTraits traits = functional(true, false);
    traits.form = Form::kView;
    CHECK(decide("view", traits, kGrad, false).creation == CreationMeta::kDefault);
    CHECK(decide("view", traits, kNoGrad, false).creation == CreationMeta::kNoGradMode);
    CHECK(decide("view", traits, kInference, false).creation == CreationMeta::kInferenceMode);
    traits.is_multi_output_view = true;
    CHECK(decide("split", traits, kGrad, false).creation == CreationMeta::kMultiOutputNode);
    CHECK(decide("split", traits, kInference, false).creation == CreationMeta::kInferenceMode);
    traits.is_multi_output_view = false;
    traits.target_is_view = true;
    traits.target_creation = CreationMeta::kNoGradMode;
    CHECK(decide("view", traits, kGrad, false).creation == CreationMeta::kNoGradMode);
    CHECK(decide("view", traits, kInference, false).creation == CreationMeta::kInferenceMode);
    traits.target_creation = CreationMeta::kInferenceMode;
    CHECK(decide("view", traits, kNoGrad, false).creation == CreationMeta::kInferenceMode);
}

TEST_CASE("decide: G34 G37 in-place writes over all combinations") {
    for (const AutogradState& state : kModes) {
        for (const bool is_inference : {false, true}) {
            for (const bool other_r : {false, true}) {
                const CallTraits traits = writing(Form::kInPlace, is_inference, false, other_r);
                if (is_inference && !state.inference) {
                    test::check_throws<GradModeError>(
                        [&] { decide("add_", traits, state, false); },
                        "Inplace update to inference tensor outside InferenceMode is not allowed.");
                    continue;
                }
                const Decision decision = decide("add_", traits, state, false);
                CHECK(decision.output_is_inference == is_inference);
                CHECK(decision.bumps_version == !is_inference);
                CHECK(decision.record == (state.grad && other_r && !is_inference));
            }
        }
    }
}

TEST_CASE("decide: G31 the order of the checks in place") {
    CallTraits traits = writing(Form::kInPlace, false, true, false);
    test::check_throws<GradModeError>(
        [&] { decide("add_", traits, kGrad, false); },
        "] a leaf Variable that requires grad is being used in an in-place operation.");
    CHECK_NOTHROW(decide("add_", traits, kNoGrad, false));
    CHECK_NOTHROW(decide("add_", traits, kInference, false));
    traits.target_is_view = true;
    test::check_throws<GradModeError>(
        [&] { decide("add_", traits, kGrad, false); },
        "a view of a leaf Variable that requires grad is being used in an in-place operation.");
    traits.target_creation = CreationMeta::kNoGradMode;
    test::check_throws<GradModeError>(
        [&] { decide("add_", traits, kGrad, false); },
        "A view was created in no_grad mode and is being modified inplace with grad mode enabled.");
    traits.target_creation = CreationMeta::kInferenceMode;
    test::check_throws<GradModeError>(
        [&] { decide("add_", traits, kGrad, false); },
        "A view was created in inference mode and is being modified inplace in normal mode.");
    traits = writing(Form::kInPlace, false, true, false);
    traits.target_is_leaf = false;
    CHECK(decide("add_", traits, kGrad, false).record);
}

TEST_CASE("decide: G28 out= tests grad before kind") {
    const CallTraits both = writing(Form::kOut, true, false, true);
    test::check_throws<GradModeError>([&] { decide("add", both, kGrad, false); },
                                      "functions with out=... arguments don't support automatic "
                                      "differentiation, but one of the arguments requires grad.");
    test::check_throws<GradModeError>(
        [&] { decide("add", both, kNoGrad, false); },
        "Inplace update to inference tensor outside InferenceMode is not allowed.");
    CHECK(!decide("add", both, kInference, false).bumps_version);
    const Decision plain = decide("add", writing(Form::kOut, false, false, false), kGrad, false);
    CHECK(plain.bumps_version);
    CHECK(!plain.record);
}

}  // namespace pumice::dispatch
