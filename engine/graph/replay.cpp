// SPDX-License-Identifier: Apache-2.0
// One replay: what a call must be like, what is copied in and out, what the host does around the
// commands, and which results are lent, so that the next replay takes their memory back.
#include "pumice/error.h"

#include "dispatch/corridor.h"
#include "dispatch/execute.h"
#include "dispatch/state.h"
#include "graph/plan_impl.h"
#include "ops/copying.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace pumice {

namespace {

std::string_view name_of(GradModeKind mode) noexcept {
    switch (mode) {
        case GradModeKind::kInference: return "inference mode";
        case GradModeKind::kNoGrad: return "no_grad";
        case GradModeKind::kGrad: break;
    }
    return "grad mode";
}

void copy_out(const Tensor& source, const Tensor& result) {
    dispatch::execute({ops::kCopyOfValue, std::span(&source, 1), {}}, std::span(&result, 1));
}

}  // namespace

// The program's own tensors and constants are copied: a caller may write what it is given.
bool Plan::Impl::is_lent(const graph::TensorRef& ref) const noexcept {
    return aliases_outputs_ && placed_.is_planned(ref);
}

void Plan::Impl::take_back_lent() noexcept {
    for (const IntrusivePtr<Storage>& storage : lent_) {
        storage->overwrite();
    }
    lent_.clear();
}

// A storage of its own on the value's part of the slab, so that it can be taken back.
Tensor Plan::Impl::lend(const graph::TensorRef& ref) {
    memory::Allocation part = placed_.slab->allocation();
    part.node = nullptr;  // not its own
    part.range.offset_bytes += placed_.offset_of[ref.value];
    part.range.size_bytes = placed_.lowered.value_bytes[ref.value];
    lent_.push_back(
        IntrusivePtr<Storage>::make(part, placed_.graph.values[ref.value].storage->size_bytes()));
    Tensor output = graph::make_tensor(lent_.back(), ref);
    TensorImpl& impl = impl_of(output);
    impl.is_inference = mode_ == GradModeKind::kInference;
    if (!impl.is_inference) {
        impl.version = IntrusivePtr<VersionCounter>::make();
    }
    return output;
}

void Plan::Impl::check_call() const {
    if (dispatch::thread_state.capturer != nullptr) {
        throw UnsupportedError("replay", "a plan cannot be replayed inside a captured function");
    }
    if (current_grad_mode() != mode_) {
        throw GradModeError("replay",
                            fmt::format("Graph was captured in a different grad mode: in {}, and "
                                        "replayed in {}",
                                        name_of(mode_),
                                        name_of(current_grad_mode())));
    }
}

void Plan::Impl::check_arguments(std::span<const Tensor> arguments) const {
    if (arguments.size() != arguments_.size()) {
        throw ArgumentError("replay",
                            fmt::format("the plan was captured for {} arguments; got {}",
                                        arguments_.size(),
                                        arguments.size()));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        graph::check_argument(arguments[i], arguments_[i], placed_.graph.inputs[i], i);
        const bool is_lent =
            std::find(lent_.begin(), lent_.end(), impl_of(arguments[i]).storage) != lent_.end();
        if (is_lent) {
            throw ArgumentError("replay",
                                fmt::format("argument {} is a result of this plan's last replay, "
                                            "and this one takes its memory; give a clone",
                                            i));
        }
    }
}

void Plan::Impl::run(const graph::Commands::Recorded& commands,
                     std::span<const Tensor> arguments,
                     std::vector<Tensor>& results) {
    const graph::Graph& graph = placed_.graph;
    graph.host->feed();
    take_back_lent();
    memory::allocator().poison(placed_.slab->allocation().range);
    in_place_count_ = 0;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (commands.places[i].buffer != nullptr) {
            ++in_place_count_;
        } else {
            graph::copy_in(placed_.tensor_of(graph.inputs[i]), arguments[i]);
        }
    }
    commands_.replay(commands);
    for (const graph::Bump& bump : graph.bumped) {
        bump.version->bump(bump.count);
    }
    graph.gradients.hand_over();
    for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
        const graph::TensorRef& ref = graph.outputs[i];
        if (is_lent(ref)) {
            results[i] = lend(ref);
        } else {
            copy_out(placed_.tensor_of(ref), results[i]);
        }
    }
}

std::vector<Tensor> Plan::Impl::replay(std::span<const Tensor> arguments) {
    check_call();
    const graph::Turn turn(turns_);
    check_arguments(arguments);
    graph::check_current(placed_.graph);
    const graph::Commands::Recorded& commands = commands_.choose(arguments);
    std::vector<Tensor> results(placed_.graph.outputs.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        const graph::TensorRef& ref = placed_.graph.outputs[i];
        if (!is_lent(ref)) {
            results[i] = dispatch::make_tensor(ref.sizes, ref.dtype);
        }
    }
    run(commands, arguments, results);
    return results;
}

}  // namespace pumice
