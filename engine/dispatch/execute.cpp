// SPDX-License-Identifier: Apache-2.0
#include "dispatch/execute.h"

#include "pumice/error.h"

#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "memory/trace.h"
#include "vk/device.h"
#include "vk/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace pumice::dispatch {

namespace {

constexpr std::uint64_t kWordBytes = 4;

using Workspaces = InlineVector<IntrusivePtr<Storage>, 4>;

std::int64_t hull_of(const TensorImpl& impl) noexcept {
    return impl.is_contiguous ? impl.numel : hull_elements(impl.sizes, impl.strides);
}

BoundRange bind_in(const TensorImpl& impl,
                   const Operand& operand,
                   std::uint64_t alignment_bytes) noexcept {
    const vk::Binding& all = impl.storage->allocation().range;
    const unsigned shift = item_shift(impl.dtype);
    const std::int64_t hull = operand.count == 0 ? hull_of(impl) : std::int64_t{operand.count};
    const std::uint64_t first = static_cast<std::uint64_t>(impl.offset + operand.first) << shift;
    const std::uint64_t start = first & ~(alignment_bytes - 1);
    const std::uint64_t bytes =
        std::max<std::uint64_t>(static_cast<std::uint64_t>(hull) << shift, 1);
    const std::uint64_t end = (first + bytes + kWordBytes - 1) & ~(kWordBytes - 1);
    return {.binding = {.buffer = all.buffer,
                        .offset_bytes = all.offset_bytes + start,
                        .size_bytes = std::min(end, all.size_bytes) - start},
            .offset_elements = static_cast<std::int64_t>((first - start) >> shift)};
}

const TensorImpl& tensor_of(Operand operand, const OpCall& call, std::span<const Tensor> outputs) {
    return impl_of(operand.role == Operand::Role::kInput ? call.inputs[operand.index]
                                                         : outputs[operand.index]);
}

std::uint64_t storage_id(Operand operand,
                         const OpCall& call,
                         std::span<const Tensor> outputs,
                         const Workspaces& workspaces) {
    return operand.role == Operand::Role::kWorkspace
               ? workspaces[operand.index]->allocation().id
               : tensor_of(operand, call, outputs).storage->allocation().id;
}

void trace(const Step& step,
           const OpCall& call,
           std::span<const Tensor> outputs,
           const Workspaces& workspaces) {
    InlineVector<std::uint64_t, 8> reads;
    InlineVector<std::uint64_t, 8> writes;
    const std::uint32_t written = vk::kernel_info(step.kernel).written_mask;
    for (std::size_t i = 0; i < step.bindings.size(); ++i) {
        const std::uint64_t id = storage_id(step.bindings[i], call, outputs, workspaces);
        ((written >> i & 1U) != 0 ? writes : reads).push_back(id);
    }
    memory::trace_kernel(
        call.def.name, {reads.data(), reads.size()}, {writes.data(), writes.size()});
}

[[noreturn]] void refuse_range(const OpCall& call,
                               const std::string& operand,
                               std::uint64_t range_bytes,
                               const vk::Capabilities& caps) {
    throw UnsupportedError(
        call.def.name,
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
                bind_in(impl, operand, caps.storage_alignment_bytes).binding.size_bytes;
            if (bytes > caps.max_storage_range_bytes) {
                const bool is_input = operand.role == Operand::Role::kInput;
                const Tensor& tensor =
                    is_input ? call.inputs[operand.index] : outputs[operand.index];
                refuse_range(call, "operand " + describe(tensor), bytes, caps);
            }
        }
    }
}

void append(vk::Device& device,
            const Step& step,
            const OpCall& call,
            std::span<const Tensor> outputs,
            const Workspaces& workspaces) {
    const vk::Capabilities& caps = device.capabilities();
    InlineVector<vk::Binding, 8> bindings;
    for (const Operand operand : step.bindings) {
        if (operand.role == Operand::Role::kWorkspace) {
            bindings.push_back(workspaces[operand.index]->allocation().range);
        } else {
            bindings.push_back(
                bind_in(tensor_of(operand, call, outputs), operand, caps.storage_alignment_bytes)
                    .binding);
        }
    }
    device.queue().dispatch({.kernel = step.kernel,
                             .spec = {step.spec.data(), step.spec.size()},
                             .bindings = {bindings.data(), bindings.size()},
                             .push = {step.push.data(), step.push_bytes},
                             .groups = step.groups,
                             .work = step.work,
                             .label = call.def.name});
    if (memory::trace_is_open.load(std::memory_order_relaxed)) {
        trace(step, call, outputs, workspaces);
    }
}

}  // namespace

BoundRange bind(const Tensor& tensor) {
    return bind_in(impl_of(tensor), {}, vk::device().capabilities().storage_alignment_bytes);
}

std::array<std::uint32_t, 3> fold_groups(std::uint64_t count, const vk::Capabilities& caps) {
    if (count <= caps.max_group_count[0]) {
        return {static_cast<std::uint32_t>(count), 1, 1};
    }
    const std::uint64_t width = caps.max_group_count[0];
    const std::uint64_t height = (count + width - 1) / width;
    if (height > caps.max_group_count[1]) {
        throw UnsupportedError("dispatch",
                               fmt::format("{} workgroups do not fit this device's grid", count));
    }
    return {static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), 1};
}

namespace {

void run_program(vk::Device& device, const OpCall& call, std::span<const Tensor> outputs) {
    Program program;
    call.def.select(call, outputs, device.capabilities(), program);
    check_workspaces(call, program, device.capabilities());
    Workspaces workspaces;
    for (const std::uint64_t bytes : program.workspace_bytes) {
        workspaces.push_back(make_storage(bytes, memory::StorageClass::kTransient));
    }
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        append(device, program.steps[i], call, outputs, workspaces);
    }
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

void run_windows(vk::Device& device, const OpCall& call, std::span<const Tensor> outputs) {
    const vk::Capabilities& caps = device.capabilities();
    for_each_window(
        call, outputs, caps, [&caps](const OpCall& part, std::span<const Tensor> part_outputs) {
            Program program;
            part.def.select(part, part_outputs, caps, program);
            check_workspaces(part, program, caps);
            check_operands(part, part_outputs, program, caps);
        });
    for_each_window(
        call, outputs, caps, [&device](const OpCall& part, std::span<const Tensor> part_outputs) {
            run_program(device, part, part_outputs);
        });
}

}  // namespace

void execute(const OpCall& call, std::span<const Tensor> outputs) {
    const bool is_empty = std::all_of(outputs.begin(), outputs.end(), [](const Tensor& output) {
        return impl_of(output).numel == 0;
    });
    if (is_empty) {
        return;
    }
    vk::Device& device = vk::device();
    if (needs_windows(call, outputs, device.capabilities())) [[unlikely]] {
        run_windows(device, call, outputs);
    } else {
        run_program(device, call, outputs);
    }
}

}  // namespace pumice::dispatch
