// SPDX-License-Identifier: Apache-2.0
// From a call to commands: steps are selected, checked, bound and appended.
#include "dispatch/execute.h"

#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "dispatch/observer.h"
#include "dispatch/state.h"
#include "dispatch/windows.h"
#include "memory/trace.h"
#include "vk/device.h"
#include "vk/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace pumice::dispatch {

namespace {

using Workspaces = InlineVector<IntrusivePtr<Storage>, 4>;

const TensorImpl& tensor_of(Operand operand, const OpCall& call, std::span<const Tensor> outputs) {
    return impl_of(operand.role == Operand::Role::kInput ? call.inputs[operand.index]
                                                         : outputs[operand.index]);
}

using Bindings = InlineVector<vk::Binding, 8>;
using Storages = InlineVector<Storage*, 8>;

void trace(const BoundStep& bound) {
    InlineVector<std::uint64_t, 8> reads;
    InlineVector<std::uint64_t, 8> writes;
    const std::uint32_t written = vk::kernel_info(bound.step.kernel()).written_mask;
    for (std::size_t i = 0; i < bound.storages.size(); ++i) {
        const std::uint64_t id = bound.storages[i]->allocation().id;
        ((written >> i & 1U) != 0 ? writes : reads).push_back(id);
    }
    memory::trace_kernel(bound.label, {reads.data(), reads.size()}, {writes.data(), writes.size()});
}

[[noreturn]] void refuse_range(const OpCall& call,
                               const std::string& operand,
                               std::uint64_t range_bytes,
                               const vk::Capabilities& caps) {
    throw UnsupportedError(
        call.def.where(),
        fmt::format(
            "{} spans {} bytes; this device binds at most {} bytes (maxStorageBufferRange), "
            "and the call cannot be cut into parts that fit",
            operand,
            range_bytes,
            caps.max_storage_range_bytes));
}

void check_workspaces(const OpCall& call, const Program& program, const vk::Capabilities& caps) {
    for (const std::uint64_t bytes : program.workspace_bytes) {
        if (bytes > caps.max_storage_range_bytes) {
            refuse_range(call, "a workspace", bytes, caps);
        }
    }
}

void check_operands(const OpCall& call,
                    std::span<const Tensor> outputs,
                    const Program& program,
                    const vk::Capabilities& caps) {
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        for (const Operand& operand : program.steps[i].bindings) {
            if (operand.role == Operand::Role::kWorkspace) {
                continue;
            }
            const TensorImpl& impl = tensor_of(operand, call, outputs);
            const std::uint64_t bytes =
                bind_window(impl, operand, caps.storage_alignment_bytes).binding.size_bytes;
            if (bytes > caps.max_storage_range_bytes) {
                const bool is_input = operand.role == Operand::Role::kInput;
                const Tensor& tensor =
                    is_input ? call.inputs[operand.index] : outputs[operand.index];
                refuse_range(call, "operand " + describe(tensor), bytes, caps);
            }
        }
    }
}

// Nothing of a call is recorded before all of its kernels are compiled, so that one that fails
// leaves nothing half done.
void prepare(vk::Device& device, const Program& program) {
    const std::size_t count = program.steps.size();
    constexpr std::size_t kMostAtOnce = 8;
    for (std::size_t first = 0; first < count; first += kMostAtOnce) {
        InlineVector<vk::KernelUse, kMostAtOnce> uses;
        for (std::size_t i = first; i < std::min(count, first + kMostAtOnce); ++i) {
            const Step& step = program.steps[i];
            uses.push_back({step.kernel(), step.spec()});
        }
        device.queue().prepare({uses.data(), uses.size()});
    }
}

void append(vk::Device& device, const BoundStep& bound) {
    const Step& step = bound.step;
    device.queue().dispatch({.kernel = step.kernel(),
                             .spec = step.spec(),
                             .bindings = bound.bindings,
                             .push = step.push(),
                             .groups = step.groups,
                             .work = step.work,
                             .quad_mask = step.quad_mask,
                             .label = bound.label});
    if (memory::trace_is_open.load(std::memory_order_relaxed)) {
        trace(bound);
    }
}

// A kernel that loops for longer would be stopped by its device, on some without a word.
void check_loops(const OpCall& call, const Program& program) {
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        const Step& step = program.steps[i];
        if (!is_within_bound(step)) [[unlikely]] {
            throw InternalError(
                call.def.name,
                fmt::format("a step must loop at most {} times in an invocation; got {} of {}",
                            vk::kMostIterations,
                            iterations_of(step),
                            vk::kernel_info(step.kernel()).name));
        }
    }
}

void select_steps(const OpCall& call,
                  std::span<const Tensor> outputs,
                  const vk::Capabilities& caps,
                  Program& program) {
    call.def.select(call, outputs, caps, program);
    check_workspaces(call, program, caps);
    check_loops(call, program);
}

// Binds each step to its operands' ranges.
template <class MakeWorkspace, class Visit>
void visit_steps(const OpCall& call,
                 std::span<const Tensor> outputs,
                 const Program& program,
                 const vk::Capabilities& caps,
                 const MakeWorkspace& make_workspace,
                 const Visit& visit) {
    Workspaces workspaces;
    for (const std::uint64_t bytes : program.workspace_bytes) {
        workspaces.push_back(make_workspace(bytes));
    }
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        const Step& step = program.steps[i];
        Bindings bindings;
        Storages storages;
        for (const Operand operand : step.bindings) {
            if (operand.role == Operand::Role::kWorkspace) {
                Storage* const scratch = workspaces[operand.index].get();
                storages.push_back(scratch);
                bindings.push_back(scratch->allocation().range);
            } else {
                const TensorImpl& impl = tensor_of(operand, call, outputs);
                storages.push_back(impl.storage.get());
                bindings.push_back(
                    bind_window(impl, operand, caps.storage_alignment_bytes).binding);
            }
        }
        visit(BoundStep{.step = step,
                        .label = call.def.name,
                        .bindings = {bindings.data(), bindings.size()},
                        .storages = {storages.data(), storages.size()}});
    }
}

// Of a call on the way to the device: a tensor of a captured function has nothing there.
void check_all_placed(const OpCall& call, std::span<const Tensor> outputs) {
    for (const std::span<const Tensor> tensors : {call.inputs, outputs}) {
        for (const Tensor& tensor : tensors) {
            if (tensor.defined() && !impl_of(tensor).storage->is_placed()) [[unlikely]] {
                check_placed(call.def.where(), tensor);
            }
        }
    }
}

void run_program(vk::Device& device, const OpCall& call, std::span<const Tensor> outputs) {
    Program program;
    select_steps(call, outputs, device.capabilities(), program);
    if (program.steps.size() > 1) {  // a call's only kernel is compiled by its dispatch
        prepare(device, program);
    }
    visit_steps(
        call,
        outputs,
        program,
        device.capabilities(),
        [](std::uint64_t bytes) { return make_storage(bytes, memory::StorageClass::kTransient); },
        [&device](const BoundStep& bound) { append(device, bound); });
}

// Halves of halves, until every operand can be bound or no cut makes it smaller.
template <class Visit>
void for_each_window(const OpCall& call,
                     std::span<const Tensor> outputs,
                     const vk::Capabilities& caps,
                     const Visit& visit) {
    const auto halves = cut_window(call, outputs, caps);
    if (!halves) {
        visit(call, outputs);
        return;
    }
    for (const Window& half : *halves) {
        for_each_window({call.def, half.inputs, call.attrs}, half.outputs, caps, visit);
    }
}

// Before any part runs, all are looked at.
template <class Visit>
void check_windows(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   const Visit& visit) {
    for_each_window(
        call, outputs, caps, [&](const OpCall& part, std::span<const Tensor> part_outputs) {
            Program program;
            select_steps(part, part_outputs, caps, program);
            check_operands(part, part_outputs, program, caps);
            visit(program);
        });
}

bool writes_nothing(std::span<const Tensor> outputs) noexcept {
    return std::all_of(outputs.begin(), outputs.end(), [](const Tensor& output) {
        return impl_of(output).numel == 0;
    });
}

}  // namespace

void execute(const OpCall& call, std::span<const Tensor> outputs) {
    if (writes_nothing(outputs)) {
        return;
    }
    if (Capturer* const capture = capturer()) [[unlikely]] {
        capture->append(call, outputs);
        return;
    }
    check_all_placed(call, outputs);
    vk::Device& device = vk::device();
    const vk::Capabilities& caps = device.capabilities();
    if (needs_windows(call, outputs, caps)) [[unlikely]] {
        check_windows(
            call, outputs, caps, [&device](const Program& program) { prepare(device, program); });
        for_each_window(
            call, outputs, caps, [&device](const OpCall& part, std::span<const Tensor> its) {
                run_program(device, part, its);
            });
    } else {
        run_program(device, call, outputs);
    }
}

void lower(const OpCall& call,
           std::span<const Tensor> outputs,
           const vk::Capabilities& caps,
           const std::function<void(const BoundStep&)>& visit) {
    if (needs_windows(call, outputs, caps)) {
        check_windows(call, outputs, caps, [](const Program& /*program*/) {});
    }
    for_each_window(call, outputs, caps, [&](const OpCall& part, std::span<const Tensor> its) {
        Program program;
        select_steps(part, its, caps, program);
        visit_steps(part, its, program, caps, make_placeholder, visit);
    });
}

}  // namespace pumice::dispatch
