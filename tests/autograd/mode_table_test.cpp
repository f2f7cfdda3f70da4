// SPDX-License-Identifier: Apache-2.0
// Section 5 of the grad-mode rules through the device: every mode, form of operator, kind and
// requires_grad of the operands, against a model written from the rules' tables.
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace pumice {

namespace {

enum class Mode : std::uint8_t { kGrad, kNoGrad, kInference };
enum class Form : std::uint8_t { kFunctional, kSaving, kView, kInPlace, kOut };
// Normal or inference; a leaf that requires grad, or the result of one.
enum class Kind : std::uint8_t { kNormal, kNormalLeaf, kNormalRecorded, kInferred, kInferredLeaf };

constexpr std::array kModes = {Mode::kGrad, Mode::kNoGrad, Mode::kInference};
constexpr std::array kForms = {
    Form::kFunctional, Form::kSaving, Form::kView, Form::kInPlace, Form::kOut};
constexpr std::array kKinds = {
    Kind::kNormal, Kind::kNormalLeaf, Kind::kNormalRecorded, Kind::kInferred, Kind::kInferredLeaf};

bool is_inferred(Kind kind) {
    return kind == Kind::kInferred || kind == Kind::kInferredLeaf;
}

bool requires_grad(Kind kind) {
    return kind != Kind::kNormal && kind != Kind::kInferred;
}

Tensor make(Kind kind, double value) {
    switch (kind) {
        case Kind::kNormal: return full({2, 2}, value);
        case Kind::kNormalLeaf: return full({2, 2}, value, {kFloat32, true});
        case Kind::kNormalRecorded: return full({2, 2}, value, {kFloat32, true}).clone();
        case Kind::kInferred: return inference_mode([&] { return full({2, 2}, value); });
        default: return inference_mode([&] { return full({2, 2}, value, {kFloat32, true}); });
    }
}

// What the call should come to.
struct Outcome {
    std::string error;  ///< part of the text, or empty
    bool is_inference = false;
    bool requires_grad = false;
    bool is_recorded = false;
    bool is_view = false;
    std::uint32_t version_steps = 0;  ///< of the first operand
};

constexpr const char* kE2 = "Inplace update to inference tensor outside InferenceMode";
constexpr const char* kE3 = "Inference tensors cannot be saved for backward.";
constexpr const char* kE10a = "a leaf Variable that requires grad is being used in an in-place";
constexpr const char* kE11 = "functions with out=... arguments don't support automatic";

bool records(Mode mode, Kind a, Kind b) {
    return mode == Mode::kGrad && (!is_inferred(a) || !is_inferred(b)) &&
           (requires_grad(a) || requires_grad(b));
}

Outcome functional(Mode mode, Kind a, Kind b, bool saves) {
    Outcome outcome;
    outcome.is_inference = mode == Mode::kInference;
    outcome.is_recorded = outcome.requires_grad = records(mode, a, b);
    // A product's gradient for one operand needs the other.
    const bool saves_inferred =
        (requires_grad(a) && is_inferred(b)) || (requires_grad(b) && is_inferred(a));
    if (outcome.is_recorded && saves && saves_inferred) {
        outcome.error = kE3;
    }
    return outcome;
}

Outcome viewed(Mode mode, Kind a) {
    Outcome outcome;
    outcome.is_inference = is_inferred(a);
    outcome.is_view = !is_inferred(a);
    outcome.requires_grad = !is_inferred(a) && requires_grad(a);
    outcome.is_recorded = outcome.requires_grad && mode == Mode::kGrad;
    return outcome;
}

Outcome written_in_place(Mode mode, Kind a, Kind b) {
    Outcome outcome;
    outcome.is_inference = is_inferred(a);
    outcome.requires_grad = requires_grad(a);
    outcome.is_recorded = a == Kind::kNormalRecorded;
    if (is_inferred(a)) {
        outcome.error = mode == Mode::kInference ? "" : kE2;
        return outcome;
    }
    outcome.version_steps = 1;
    if (records(mode, a, b)) {
        outcome.error = a == Kind::kNormalLeaf ? kE10a : "";
        outcome.requires_grad = outcome.is_recorded = true;
    }
    return outcome;
}

Outcome written_as_out(Mode mode, Kind a, Kind b) {
    Outcome outcome = written_in_place(mode == Mode::kGrad ? Mode::kNoGrad : mode, a, b);
    if (mode == Mode::kGrad && (requires_grad(a) || requires_grad(b))) {
        outcome.error = kE11;
    }
    return outcome;
}

Outcome model_of(Mode mode, Form form, Kind a, Kind b) {
    switch (form) {
        case Form::kFunctional: return functional(mode, a, b, false);
        case Form::kSaving: return functional(mode, a, b, true);
        case Form::kView: return viewed(mode, a);
        case Form::kInPlace: return written_in_place(mode, a, b);
        default: return written_as_out(mode, a, b);
    }
}

Tensor call(Form form, Tensor& a, const Tensor& b) {
    switch (form) {
        case Form::kFunctional: return add(a, b);
        case Form::kSaving: return mul(a, b);
        case Form::kView: return a.view({4});
        case Form::kInPlace: add_(a, b); return a;
        default: add_out(a, b, b); return a;
    }
}

float value_of(Form form) {  // of operands 2 and 3
    switch (form) {
        case Form::kSaving:
        case Form::kOut: return 6;
        case Form::kView: return 2;
        default: return 5;
    }
}

Tensor in_mode(Mode mode, const std::function<Tensor()>& fn) {
    switch (mode) {
        case Mode::kGrad: return fn();
        case Mode::kNoGrad: return no_grad(fn);
        default: return inference_mode(fn);
    }
}

void check(Mode mode, Form form, Kind kind_a, Kind kind_b) {
    const Outcome wanted = model_of(mode, form, kind_a, kind_b);
    Tensor a = make(kind_a, 2);
    const Tensor b = make(kind_b, 3);
    const bool has_version = !is_inferred(kind_a);
    const auto version = has_version ? a._version() : 0;
    const auto run = [&] { return in_mode(mode, [&] { return call(form, a, b); }); };
    if (!wanted.error.empty()) {
        test::check_throws<GradModeError>([&] { static_cast<void>(run()); }, wanted.error);
        CHECK(a.to_vector<float>() == std::vector<float>(4, 2));
        CHECK(a.requires_grad() == requires_grad(kind_a));
        CHECK((!has_version || a._version() == version));
        return;
    }
    const Tensor made = run();
    CHECK(made.is_inference() == wanted.is_inference);
    CHECK(made.requires_grad() == wanted.requires_grad);
    CHECK((made.grad_fn() != nullptr) == wanted.is_recorded);
    CHECK(made.is_leaf() == !wanted.is_recorded);
    CHECK(made.is_view() == wanted.is_view);
    CHECK(made.to_vector<float>() == std::vector<float>(4, value_of(form)));
    CHECK((!has_version || a._version() == version + wanted.version_steps));
}

}  // namespace

TEST_CASE("section 5: every mode, form, kind and requires_grad") {
    for (const Mode mode : kModes) {
        for (const Form form : kForms) {
            for (const Kind a : kKinds) {
                for (const Kind b : kKinds) {
                    CAPTURE(static_cast<int>(mode));
                    CAPTURE(static_cast<int>(form));
                    CAPTURE(static_cast<int>(a));
                    CAPTURE(static_cast<int>(b));
                    check(mode, form, a, b);
                }
            }
        }
    }
}

}  // namespace pumice
