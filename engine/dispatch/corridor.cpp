// SPDX-License-Identifier: Apache-2.0
#include "dispatch/corridor.h"

#include "pumice/error.h"

#include "base/invariant.h"
#include "base/naming.h"
#include "base/warn.h"
#include "dispatch/execute.h"
#include "dispatch/observer.h"
#include "dispatch/state.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace pumice::dispatch {

namespace {

// Calls prepare at once, and abandon unless commit came.
class Recording {
public:
    Recording(const OpCall& call, const CallTraits& traits, const Decision& decision)
        : observer_(decision.record ? tape() : nullptr) {
        if (Capturer* const capture = capturer()) [[unlikely]] {
            capture->check(call);
        }
        if (observer_ != nullptr) {
            observer_->prepare(call, traits, decision);
        }
    }

    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    Recording(Recording&&) = delete;
    Recording& operator=(Recording&&) = delete;

    ~Recording() {
        if (observer_ != nullptr) {
            observer_->abandon();
        }
    }

    void commit(const OpCall& call,
                const CallTraits& traits,
                const Decision& decision,
                std::span<const Tensor> outputs) {
        if (observer_ != nullptr) {
            std::exchange(observer_, nullptr)->commit(call, traits, decision, outputs);
        }
    }

private:
    Observer* observer_;
};

// Filled in place: returned by value, its flags would pass through memory twice.
void gather_traits(const OpDef& def,
                   std::span<const Tensor> inputs,
                   Form form,
                   CallTraits& traits) noexcept {
    traits.form = form;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) {
            continue;
        }
        const TensorImpl& impl = impl_of(inputs[i]);
        const bool is_r = impl.tracks_grad();
        traits.has_normal_operand = traits.has_normal_operand || !impl.is_inference;
        traits.has_any_r = traits.has_any_r || is_r;
        traits.has_differentiable_r =
            traits.has_differentiable_r || (is_r && def.grad_of(i) == Grad::kFormula);
    }
}

void describe_target(CallTraits& traits, const Tensor& target) noexcept {
    const TensorImpl& impl = impl_of(target);
    traits.target_is_inference = impl.is_inference;
    traits.target_requires_grad = impl.tracks_grad();
    traits.has_any_r = traits.has_any_r || traits.target_requires_grad;
    traits.target_is_leaf = impl.is_leaf();
    traits.target_is_view = static_cast<bool>(impl.view);
    if (impl.view) {
        traits.target_creation = impl.view->creation;
        traits.target_base_is_leaf = impl.view->base->is_leaf();
    }
}

// G2, and the warning of G27.
void check_state(const AutogradState& state, const CallTraits& traits) {
    PUMICE_INVARIANT(!state.inference || (!state.grad && !state.fw_grad));
    if (state.grad && traits.has_differentiable_r && !traits.has_normal_operand) {
        static constinit WarningOnce warning(
            "an operator on inference tensors alone is not recorded, though one requires grad; "
            "clone() makes a normal tensor of it");
        warning.give();
    }
}

// What a call on these operands means now. The form is known when this is compiled, which saves
// each call some branches; functional calls have no target.
template <Form kForm>
Decision decide_now(const OpDef& def,
                    std::span<const Tensor> inputs,
                    const Tensor* target,
                    CallTraits& traits) {
    gather_traits(def, inputs, kForm, traits);
    if constexpr (kForm != Form::kFunctional) {
        describe_target(traits, *target);
    }
    if constexpr (kForm == Form::kView) {
        traits.is_multi_output_view = def.is_multi_output_view;
    }
    if constexpr (kIsChecked) {
        check_state(thread_state.autograd, traits);
    }
    return decide(def.where(),
                  traits,
                  thread_state.autograd,
                  thread_state.is_persistent_forced,
                  capturer() != nullptr);
}

IntrusivePtr<TensorImpl> new_impl(const OutputMeta& meta) {
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->sizes = meta.sizes;
    impl->strides = meta.strides;
    impl->offset = meta.offset;
    impl->numel = numel(meta.sizes);
    impl->dtype = meta.dtype;
    return impl;
}

Tensor to_handle(IntrusivePtr<TensorImpl>&& impl) noexcept {
    return Tensor(IntrusivePtr<RefCounted>(std::move(impl)));
}

// G69: the storage of a dying inference operand that is read only where the output is written.
IntrusivePtr<Storage> lent_storage(const OpCall& call, const OutputMeta& meta) noexcept {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        if ((call.def.lends >> i & 1U) == 0 || !call.inputs[i].defined()) {
            continue;
        }
        const TensorImpl& impl = impl_of(call.inputs[i]);
        if (impl.use_count() == 1 && impl.is_inference && impl.dtype == meta.dtype &&
            impl.is_contiguous && impl.offset == 0 && impl.storage->use_count() == 1 &&
            impl.storage->is_transient() && impl.sizes == meta.sizes) {
            return impl.storage;
        }
    }
    return {};
}

// Kernels count elements in 32 bits and divide numbers below 2^31 (geometry/map_step.cpp).
// Factories refuse more, but broadcasting, joining and padding may arrive at it, and views may have
// it.
void check_element_counts(const OpCall& call, const Dims& sizes) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    std::int64_t count = 1;
    bool overflows = false;
    bool is_empty = false;
    for (const std::int64_t extent : sizes) {
        overflows = __builtin_mul_overflow(count, extent, &count) || overflows;
        is_empty = is_empty || extent == 0;
    }
    const Dims* refused = !is_empty && (overflows || count > kMost) ? &sizes : nullptr;
    for (const Tensor& input : call.inputs) {
        if (input.defined() && impl_of(input).numel > kMost) {
            refused = &impl_of(input).sizes;
        }
    }
    if (refused != nullptr) {
        throw ShapeError(
            call.def.where(),
            fmt::format("at most {} elements; got shape {}", kMost, to_string(*refused)));
    }
}

Tensor make_output(const OpCall& call, const OutputMeta& meta, const Decision& decision) {
    check_element_counts(call, meta.sizes);
    IntrusivePtr<TensorImpl> impl = new_impl(meta);
    impl->is_inference = decision.output_is_inference;
    if (call.def.lends != 0 && decision.storage == memory::StorageClass::kTransient) {
        impl->storage = lent_storage(call, meta);
    }
    if (!impl->storage) {
        const auto size_bytes = static_cast<std::uint64_t>(impl->numel * itemsize(meta.dtype));
        impl->storage = decision.storage == memory::StorageClass::kPlanned
                            ? make_placeholder(size_bytes)
                            : make_storage(size_bytes, decision.storage);
    }
    if (!impl->is_inference) {
        impl->version = IntrusivePtr<VersionCounter>::make();
    }
    return to_handle(std::move(impl));
}

// The corridor itself. `deliver(call, inferred, decision)` makes or finds the outputs, has the
// device fill them, and returns them.
template <Form kForm, class Deliver>
void pass_through(const OpDef& def,
                  std::span<const Tensor> inputs,
                  AttrsRef attrs,
                  const Tensor* target,
                  Deliver&& deliver) {
    const OpCall call{def, inputs, attrs};
    Inferred inferred;
    def.infer(call, inferred);
    if constexpr (kForm == Form::kInPlace || kForm == Form::kOut) {
        check_target(call, *target, inferred[0], kForm == Form::kInPlace);
    }
    CallTraits traits;
    const Decision decision = decide_now<kForm>(def, inputs, target, traits);
    Recording recording(call, traits, decision);
    const std::span<const Tensor> outputs = deliver(call, inferred, decision);
    recording.commit(call, traits, decision, outputs);
}

template <Form kForm>
void write_to(const OpDef& def, Tensor& target, std::span<Tensor> inputs, AttrsRef attrs) {
    const std::span<const Tensor> outputs(&target, 1);
    pass_through<kForm>(
        def,
        inputs,
        attrs,
        &target,
        [&](const OpCall& call, const Inferred& /*inferred*/, const Decision& decision) {
            execute(call, outputs);
            if (decision.bumps_version) {
                impl_of(target).version->bump();
            }
            return outputs;
        });
}

Tensor make_view(const Tensor& base, const OutputMeta& meta, const Decision& decision) {
    const TensorImpl& base_impl = impl_of(base);
    IntrusivePtr<TensorImpl> impl = new_impl(meta);
    impl->storage = base_impl.storage;
    impl->is_inference = base_impl.is_inference;
    impl->is_contiguous = strides_are_contiguous(impl->sizes, impl->strides);
    if (decision.makes_view_record) {
        impl->version = base_impl.version;
        impl->view = IntrusivePtr<ViewRecord>::make(
            base_impl.view ? base_impl.view->base
                           : IntrusivePtr(static_cast<TensorImpl*>(base.impl())),
            decision.creation);
    }
    return to_handle(std::move(impl));
}

}  // namespace

void check_target(const OpCall& call,
                  const Tensor& target,
                  const OutputMeta& result,
                  bool keeps_dtype) {
    const TensorImpl& impl = impl_of(target);
    if (impl.sizes != result.sizes) {
        throw ShapeError(call.def.where(),
                         fmt::format("the result has shape {}, which the written tensor {} does "
                                     "not have",
                                     to_string(result.sizes),
                                     describe(target)));
    }
    const bool fits =
        keeps_dtype
            ? (is_floating_point(impl.dtype) ||
               (!is_floating_point(result.dtype) && (impl.dtype != kBool || result.dtype == kBool)))
            : impl.dtype == result.dtype;
    if (!fits) {
        throw DTypeError(call.def.where(),
                         fmt::format("the result has dtype {}, which can't be cast to the written "
                                     "tensor's {}",
                                     to_string(result.dtype),
                                     to_string(impl.dtype)));
    }
}

std::string describe_inputs(const OpCall& call) {
    InlineVector<Named, kMaxInputs> operands;
    for (std::size_t i = 0; i < call.inputs.size() && i < kMaxInputs; ++i) {
        if (call.inputs[i].defined()) {
            operands.push_back({call.def.inputs[i].name, describe(call.inputs[i])});
        }
    }
    return listed(std::span<const Named>(operands.data(), operands.size()));
}

void check_in_place(std::string_view op, const Tensor& target) {
    CallTraits traits;
    traits.form = Form::kInPlace;
    describe_target(traits, target);
    traits.has_differentiable_r = true;
    check_write(op, traits, AutogradState{});
}

void call_many(const OpDef& def,
               std::span<Tensor> inputs,
               AttrsRef attrs,
               std::span<Tensor> outputs) {
    pass_through<Form::kFunctional>(
        def,
        inputs,
        attrs,
        nullptr,
        [&](const OpCall& call, const Inferred& inferred, const Decision& decision) {
            for (std::size_t i = 0; i < outputs.size(); ++i) {
                outputs[i] = make_output(call, inferred[i], decision);
            }
            execute(call, outputs);
            return outputs;
        });
}

Tensor call(const OpDef& def, std::span<Tensor> inputs, AttrsRef attrs) {
    Tensor output;
    call_many(def, inputs, attrs, std::span(&output, 1));
    return output;
}

bool is_recorded(const OpDef& def, std::span<const Tensor> inputs) {
    CallTraits traits;
    return decide_now<Form::kFunctional>(def, inputs, nullptr, traits).record;
}

Tensor call_view(const OpDef& def, const Tensor& base, AttrsRef attrs) {
    Tensor output;
    const std::span<const Tensor> outputs(&output, 1);
    pass_through<Form::kView>(
        def,
        std::span(&base, 1),
        attrs,
        &base,
        [&](const OpCall& /*call*/, const Inferred& inferred, const Decision& decision) {
            output = make_view(base, inferred[0], decision);
            return outputs;
        });
    return output;
}

void call_in_place(const OpDef& def, std::span<Tensor> inputs, AttrsRef attrs) {
    // A handle of its own: `inputs[0]` stays an operand, the same tensor is the target.
    Tensor target = inputs[0];
    write_to<Form::kInPlace>(def, target, inputs, attrs);
}

void call_out(const OpDef& def, Tensor& out, std::span<Tensor> inputs, AttrsRef attrs) {
    write_to<Form::kOut>(def, out, inputs, attrs);
}

Tensor make_tensor(const Dims& sizes, DType dtype) {
    for (const std::int64_t extent : sizes) {
        if (extent < 0) {
            throw ShapeError("make_tensor",
                             fmt::format("extents must not be negative; got {}", to_string(sizes)));
        }
    }
    static constexpr OpDef kFactory{.name = "factory"};
    CallTraits traits;
    const Decision decision = decide_now<Form::kFunctional>(kFactory, {}, nullptr, traits);
    const OpCall call{kFactory, {}, {}};
    return make_output(call, contiguous_meta(sizes, dtype), decision);
}

Tensor alias(const Tensor& base, bool shares_version) {
    const TensorImpl& from = impl_of(base);
    IntrusivePtr<TensorImpl> impl = new_impl(
        {.sizes = from.sizes, .strides = from.strides, .offset = from.offset, .dtype = from.dtype});
    impl->storage = from.storage;
    impl->is_inference = from.is_inference;
    impl->is_contiguous = from.is_contiguous;
    if (!from.is_inference) {
        impl->version = shares_version ? from.version : IntrusivePtr<VersionCounter>::make();
    }
    return to_handle(std::move(impl));
}

}  // namespace pumice::dispatch
