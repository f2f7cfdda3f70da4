// SPDX-License-Identifier: Apache-2.0
#include "differential/run.h"

#include <string>
#include <torch/torch.h>
#include <vector>

namespace differential {

namespace {

torch::Tensor segment(std::int64_t kind, const torch::Tensor& x);

namespace engine {

using torch::Tensor;

const std::vector<std::int64_t>& shape(const std::vector<std::int64_t>& sizes) {
    return sizes;
}

Tensor tensor_of(const std::vector<float>& values, const std::vector<std::int64_t>& sizes) {
    return torch::tensor(values, torch::kFloat32).view(sizes).clone();
}

Tensor ones_like(const Tensor& x) {
    return torch::ones(x.sizes());
}

Tensor clone_of(const Tensor& x) {
    return x.clone(torch::MemoryFormat::Contiguous);
}

Tensor data_of(const Tensor& x) {
    return x.variable_data();
}

// LibTorch 1.13 dies of a null pointer where a stale view gets its first hook.
void look_at_history(const Tensor& x) {
    static_cast<void>(x.grad_fn());
}

// Not grad(), which warns of tensors that are no leaves.
Tensor grad_of(Tensor x) {
    return x.mutable_grad();
}

std::vector<float> values_of(const Tensor& x) {
    const torch::NoGradGuard guard;
    const Tensor flat = x.detach().contiguous();
    const float* const values = flat.data_ptr<float>();
    return {values, values + flat.numel()};
}

// As torch.utils.checkpoint, which LibTorch lacks.
struct Checkpoint : torch::autograd::Function<Checkpoint> {
    static Tensor forward(torch::autograd::AutogradContext* context,
                          const Tensor& x,
                          std::int64_t kind) {
        context->save_for_backward({x});
        context->saved_data["kind"] = kind;
        return segment(kind, x);
    }

    static torch::autograd::variable_list backward(
        torch::autograd::AutogradContext* context,
        const torch::autograd::variable_list& gradients) {
        const Tensor x = context->get_saved_variables()[0].detach().requires_grad_(true);
        const torch::AutoGradMode enable(true);
        const Tensor y = segment(context->saved_data["kind"].toInt(), x);
        torch::autograd::backward({y}, {gradients[0]});
        return {x.grad(), Tensor()};
    }
};

Tensor checkpoint(std::int64_t kind, const Tensor& x) {
    return Checkpoint::apply(x, kind);
}

std::string text_of(const std::exception& error) {
    const auto* const own = dynamic_cast<const c10::Error*>(&error);
    return own != nullptr ? own->what_without_backtrace() : error.what();
}

}  // namespace engine

}  // namespace

}  // namespace differential

#include "differential/interpreter.h"

namespace differential {

Outcome run_on_libtorch(const Program& program) {
    return Machine(program).run();
}

}  // namespace differential
