// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a function that runs again in the backward walk instead of keeping its tensors.
#include "pumice/checkpoint.h"

#include "pumice/error.h"
#include "pumice/function.h"
#include "pumice/grad_mode.h"
#include "pumice/random.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace pumice::autograd {

namespace {

// What the second run needs besides the inputs.
struct Segment {
    std::function<variable_list(const variable_list&)> fn;
    std::optional<GeneratorState> random;
};

// The generator at an earlier state for its lifetime.
class RandomScope {
public:
    explicit RandomScope(const std::optional<GeneratorState>& state) : before_(get_rng_state()) {
        if (state) {
            set_rng_state(*state);
        }
    }

    RandomScope(const RandomScope&) = delete;
    RandomScope& operator=(const RandomScope&) = delete;
    RandomScope(RandomScope&&) = delete;
    RandomScope& operator=(RandomScope&&) = delete;

    ~RandomScope() { set_rng_state(before_); }

private:
    GeneratorState before_;
};

variable_list leaves_of(const variable_list& inputs, const AutogradContext& context) {
    variable_list leaves;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        Tensor& leaf = leaves.emplace_back(inputs[i]);
        if (leaf.defined()) {
            leaf = leaf.detach();
            if (context.needs_input_grad(i)) {
                leaf.set_requires_grad(true);
            }
        }
    }
    return leaves;
}

struct Checkpoint : Function<Checkpoint> {
    static variable_list forward(AutogradContext* context,
                                 const std::shared_ptr<Segment>& segment,
                                 const variable_list& inputs) {
        context->save_for_backward(inputs);
        context->saved_data["segment"] = IValue(std::static_pointer_cast<void>(segment));
        return segment->fn(inputs);
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const auto segment =
            std::static_pointer_cast<Segment>(context->saved_data["segment"].toPointer());
        const variable_list leaves = leaves_of(context->get_saved_variables(), *context);
        const RandomScope random(segment->random);
        const variable_list outputs = enable_grad([&] { return segment->fn(leaves); });
        variable_list roots;
        variable_list root_gradients;
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (outputs[i].requires_grad()) {
                roots.push_back(outputs[i]);
                root_gradients.push_back(gradients.at(i));
            }
        }
        autograd::backward(roots, root_gradients);
        variable_list results = {Tensor()};
        for (const Tensor& leaf : leaves) {
            results.push_back(leaf.defined() ? leaf.grad() : Tensor());
        }
        return results;
    }
};

}  // namespace

variable_list checkpoint(std::function<variable_list(const variable_list&)> fn,
                         const variable_list& inputs,
                         bool preserve_rng_state) {
    auto segment = std::make_shared<Segment>();
    segment->fn = std::move(fn);
    if (preserve_rng_state) {
        segment->random = get_rng_state();
    }
    return Checkpoint::apply(segment, inputs);
}

}  // namespace pumice::autograd
