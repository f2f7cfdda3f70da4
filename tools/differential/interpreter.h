// SPDX-License-Identifier: Apache-2.0
// Runs a program on the engine whose torch.h was included before this: one text for both. The file
// that includes it says in `engine` what the two spell in different ways.
#pragma once

#include "differential/program.h"

#include <exception>
#include <memory>
#include <utility>

namespace differential {

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Cube : torch::autograd::Function<Cube> {
    static Tensor forward(AutogradContext* context, const Tensor& x) {
        context->save_for_backward({x});
        return x * x * x;
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const Tensor x = context->get_saved_variables()[0];
        return {gradients[0] * x * x * 3.0};
    }
};

// Writes its operand.
struct ScaleDirty : torch::autograd::Function<ScaleDirty> {
    static Tensor forward(AutogradContext* context, Tensor x) {
        x.mul_(2.0);
        context->mark_dirty({x});
        return x;
    }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return {gradients[0] * 2.0};
    }
};

// Hands out a view of its operand.
struct ReturnView : torch::autograd::Function<ReturnView> {
    static Tensor forward(AutogradContext* /*context*/, const Tensor& x) { return x.unsqueeze(0); }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return {gradients[0].select(0, 0) * 1.5};
    }
};

// Hands out a view of a tensor of its own, which it has written through the view.
struct ReturnOwnView : torch::autograd::Function<ReturnOwnView> {
    static Tensor forward(AutogradContext* /*context*/, const Tensor& x) {
        Tensor view = (x * 2.0).contiguous().unsqueeze(0).select(0, 0);
        view.add_(1.0);
        return view;
    }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return {gradients[0] * 2.0};
    }
};

struct ReturnInput : torch::autograd::Function<ReturnInput> {
    static Tensor forward(AutogradContext* /*context*/, Tensor x) { return x; }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return {gradients[0] * 3.0};
    }
};

// The second output has no gradient.
struct TwoOutputs : torch::autograd::Function<TwoOutputs> {
    static variable_list forward(AutogradContext* context, const Tensor& x) {
        const Tensor doubled = x * 2.0;
        const Tensor shifted = x + 1.0;
        context->mark_non_differentiable({shifted});
        return {doubled, shifted};
    }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return {gradients[0] * 2.0};
    }
};

// What a checkpoint computes again.
Tensor segment(std::int64_t kind, const Tensor& x) {
    if (kind == 0) {
        return torch::tanh(x * x);
    }
    Tensor own = x * 2.0;
    own.unsqueeze(0).select(0, 0).mul_(x);
    return own + x;
}

bool is_defined(const std::vector<Tensor>& slots, const Instruction& step) {
    for (const int operand : step.operands) {
        if (!slots[static_cast<std::size_t>(operand)].defined()) {
            return false;
        }
    }
    return true;
}

class Machine {
public:
    explicit Machine(const Program& program)
        : program_(program), slots_(static_cast<std::size_t>(program.slot_count)) {}

    Outcome run() {
        for (std::size_t i = 0; i < program_.steps.size() && outcome_->failed_at < 0; ++i) {
            // An undefined operand stands for a gradient that did not arrive.
            if (is_defined(slots_, program_.steps[i])) {
                step_in_mode(static_cast<int>(i));
            }
        }
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i].defined()) {
                outcome_->tensors.push_back(state_of(static_cast<int>(i), slots_[i]));
            }
        }
        return *outcome_;
    }

private:
    void step_in_mode(int place) {
        at_ = &program_.steps[static_cast<std::size_t>(place)];
        place_ = place;
        try {
            if (at_->mode == Mode::kNoGrad) {
                const torch::NoGradGuard guard;
                step();
            } else if (at_->mode == Mode::kInference) {
                const c10::InferenceMode guard;
                step();
            } else {
                step();
            }
        } catch (const std::exception& error) {
            outcome_->failed_at = place;
            outcome_->error = engine::text_of(error);
        }
    }

    void step() {
        const Op op = at_->op;
        if (op == Op::kLeaf) {
            leaf();
        } else if (views(op)) {
            view();
        } else if (op >= Op::kAddInPlace && op <= Op::kFillInPlace) {
            update();
        } else if (op >= Op::kCopyInPlace && op <= Op::kAddOut) {
            put();
        } else if (op <= Op::kCat) {
            compute();
        } else if (op <= Op::kCheckpoint) {
            custom();
        } else {
            walk();
        }
    }

    Tensor& operand(std::size_t i) { return slots_[static_cast<std::size_t>(at_->operands[i])]; }

    std::int64_t number(std::size_t i) const { return at_->numbers[i]; }

    void give(Tensor result, std::size_t i = 0) {
        slots_[static_cast<std::size_t>(at_->results[i])] = std::move(result);
    }

    // Pumice's results are always contiguous, LibTorch's are as their operands.
    void give_new(const Tensor& result) { give(result.contiguous()); }

    void leaf() {
        std::int64_t count = 1;
        for (const std::int64_t extent : at_->numbers) {
            count *= extent;
        }
        std::vector<float> values;
        for (std::int64_t i = 0; i < count; ++i) {
            values.push_back(static_cast<float>((at_->results[0] * 5 + i * 3) % 12) * 0.25F -
                             1.375F);
        }
        Tensor made = engine::tensor_of(values, at_->numbers);
        made.requires_grad_(at_->value == 1.0);
        give(made);
    }

    void view() {
        const Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kSelect: give(x.select(number(0), number(1))); break;
            case Op::kSlice: give(x.slice(number(0), number(1), number(2), number(3))); break;
            case Op::kTranspose: give(x.transpose(number(0), number(1))); break;
            case Op::kReshape: give(x.reshape(engine::shape(at_->numbers))); break;
            case Op::kExpand: give(x.expand(engine::shape(at_->numbers))); break;
            case Op::kUnsqueeze: give(x.unsqueeze(number(0))); break;
            case Op::kUnfold: give(x.unfold(number(0), number(1), number(2))); break;
            case Op::kDetach: give(x.detach()); break;
            case Op::kData: give(engine::data_of(x)); break;
            case Op::kTensorData: give(x.tensor_data()); break;
            default: {
                const std::vector<Tensor> parts =
                    x.split_with_sizes({number(1), number(2)}, number(0));
                give(parts[0], 0);
                give(parts[1], 1);
            }
        }
    }

    void update() {
        Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kAddInPlace: x.add_(operand(1)); break;
            case Op::kSubInPlace: x.sub_(operand(1)); break;
            case Op::kMulInPlace: x.mul_(operand(1)); break;
            case Op::kAddScalarInPlace: x.add_(at_->value); break;
            case Op::kMulScalarInPlace: x.mul_(at_->value); break;
            case Op::kTanhInPlace: torch::tanh_(x); break;
            case Op::kReluInPlace: torch::relu_(x); break;
            case Op::kSigmoidInPlace: torch::sigmoid_(x); break;
            case Op::kZeroInPlace: x.zero_(); break;
            default: x.fill_(at_->value);
        }
    }

    void put() {
        using torch::indexing::Slice;
        Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kCopyInPlace: x.copy_(operand(1)); break;
            case Op::kIndexPut: x.index_put_({Slice(number(0), number(1))}, operand(1)); break;
            case Op::kAssign: x.select(number(0), number(1)) = operand(1); break;
            case Op::kAssignScalar: x[number(0)] = at_->value; break;
            default: torch::add_out(x, operand(1), operand(2));
        }
    }

    void compute() {
        const Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kAdd: give_new(x + operand(1)); break;
            case Op::kSub: give_new(x - operand(1)); break;
            case Op::kMul: give_new(x * operand(1)); break;
            case Op::kAddScalar: give_new(x + at_->value); break;
            case Op::kMulScalar: give_new(x * at_->value); break;
            // These save their result, which a copy of it would hide.
            case Op::kTanh: give(torch::tanh(x.contiguous())); break;
            case Op::kRelu: give(torch::relu(x.contiguous())); break;
            case Op::kSigmoid: give(torch::sigmoid(x.contiguous())); break;
            case Op::kSquare: give_new(torch::square(x)); break;
            case Op::kClone: give(engine::clone_of(x)); break;
            case Op::kSum: give_new(x.sum()); break;
            case Op::kSumDim: give_new(x.sum({number(0)})); break;
            case Op::kMean: give_new(x.mean()); break;
            case Op::kSoftmax: give(x.contiguous().softmax(number(0))); break;
            case Op::kMatmul: give_new(torch::matmul(x, operand(1))); break;
            default: give_new(torch::cat({x, operand(1)}, number(0)));
        }
    }

    void custom() {
        const Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kCube: give_new(Cube::apply(x)); break;
            case Op::kScaleDirty: give(ScaleDirty::apply(x)); break;
            case Op::kReturnView: give(ReturnView::apply(x)); break;
            case Op::kReturnOwnView: give(ReturnOwnView::apply(x)); break;
            case Op::kReturnInput: give(ReturnInput::apply(x)); break;
            case Op::kCheckpoint: give_new(engine::checkpoint(number(0), x)); break;
            default: {
                const variable_list outputs = TwoOutputs::apply(x);
                give(outputs[0].contiguous(), 0);
                give(outputs[1].contiguous(), 1);
            }
        }
    }

    void hook(Tensor& x) {
        const auto log = [outcome = outcome_, place = place_](const Tensor& gradient) {
            std::vector<float>& seen = outcome->hook_log[place];
            const std::vector<float> values = engine::values_of(gradient);
            seen.insert(seen.end(), values.begin(), values.end());
        };
        if (number(0) == 0) {
            x.register_hook([log](const Tensor& gradient) { log(gradient); });
        } else {
            x.register_hook([log](const Tensor& gradient) {
                log(gradient);
                return gradient * 2.0;
            });
        }
    }

    void walk() {
        Tensor& x = operand(0);
        switch (at_->op) {
            case Op::kDetachInPlace: x.detach_(); break;
            case Op::kRequiresGrad: x.requires_grad_(number(0) == 1); break;
            case Op::kRetainGrad:
                engine::look_at_history(x);
                x.retain_grad();
                break;
            case Op::kHook:
                engine::look_at_history(x);
                hook(x);
                break;
            case Op::kBackward: x.backward(engine::ones_like(x), number(0) == 1); break;
            case Op::kGrad:
                give(torch::autograd::grad(
                    {x}, {operand(1)}, {engine::ones_like(x)}, true, number(0) == 1, true)[0]);
                note_tracked(at_->results[0]);
                break;
            default: x.reset();
        }
    }

    void note_tracked(int slot) {
        const Tensor& x = slots_[static_cast<std::size_t>(slot)];
        outcome_->walk_tracked[slot] = x.defined() && x.requires_grad();
    }

    static TensorState state_of(int slot, const Tensor& x) {
        TensorState state;
        state.slot = slot;
        for (const std::int64_t extent : x.sizes()) {
            state.sizes.push_back(extent);
        }
        state.values = engine::values_of(x);
        state.requires_grad = x.requires_grad();
        state.is_leaf = x.is_leaf();
        state.is_inference = x.is_inference();
        state.is_view = x.is_view();
        state.version = x.is_inference() ? -1 : static_cast<std::int64_t>(x._version());
        const Tensor gradient = engine::grad_of(x);
        state.has_grad = gradient.defined();
        if (state.has_grad) {
            state.grad = engine::values_of(gradient);
        }
        return state;
    }

    const Program& program_;
    std::vector<Tensor> slots_;
    // Hooks may outlive the machine, in a graph that a cycle keeps.
    std::shared_ptr<Outcome> outcome_ = std::make_shared<Outcome>();
    const Instruction* at_ = nullptr;
    int place_ = 0;
};

}  // namespace

}  // namespace differential
