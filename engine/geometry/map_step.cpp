// SPDX-License-Identifier: Apache-2.0
// The step of one elementwise kernel: how its operands collapse, which layout they then have, and
// what the kernel is handed.
#include "geometry/map_step.h"

#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "geometry/map_walk.h"
#include "tensor/promote.h"

#include <fmt/format.h>

#include <algorithm>

namespace pumice::ops {

namespace {

constexpr std::size_t kMostOperands = 4;
using Walk = MapWalk<kMostOperands>;

void set_divisor(vk::MapPush& push, std::size_t dim, std::uint32_t size) {
    const Divisor divisor = divisor_of(size);
    push.sizes[dim] = size;
    push.magics[dim] = divisor.magic;
    push.shifts |= divisor.shift << (5U * dim);
}

void set_strides(vk::MapPush& push, const Walk& walk, std::size_t operand_count) {
    const auto dims = static_cast<std::size_t>(walk.dim_count);
    for (std::size_t dim = 0; dim + 1 < dims; ++dim) {
        set_divisor(push, dim, static_cast<std::uint32_t>(walk.sizes[dim]));
    }
    for (std::size_t i = 0; i < operand_count; ++i) {
        for (std::size_t dim = 0; dim < dims; ++dim) {
            push.strides[i * kMostMapDims + dim] = static_cast<std::uint32_t>(walk.strides[i][dim]);
        }
    }
}

struct Layout {
    vk::Layout kind = vk::Layout::kContiguous;
    std::uint32_t dim_count = 1;
};

Layout choose_layout(const MapCall& call, vk::MapPush& push) {
    const TensorImpl& output = *call.operands[0];
    const bool is_plain = std::all_of(
        call.operands.begin(), call.operands.end(), [&output](const TensorImpl* operand) {
            return operand->is_contiguous && operand->sizes == output.sizes;
        });
    if (is_plain) {
        return {};
    }
    const Walk walk = collapse<kMostOperands>(output.sizes, call.operands);
    PUMICE_INVARIANT(walk.dim_count <= kMostMapDims);
    bool is_contiguous = true;
    for (std::size_t i = 0; i < call.operands.size(); ++i) {
        is_contiguous = is_contiguous && walk.is_contiguous(i);
    }
    if (is_contiguous) {
        return {};
    }
    set_strides(push, walk, call.operands.size());
    return {.kind = output.is_contiguous ? vk::Layout::kStrided : vk::Layout::kScattered,
            .dim_count = static_cast<std::uint32_t>(walk.dim_count)};
}

// Invocations that the output asks for: its words, or its elements where they are scattered.
std::uint64_t unit_count(const TensorImpl& output, const vk::MapPush& push, const Layout& layout) {
    if (layout.kind == vk::Layout::kScattered) {
        return push.count;
    }
    return word_count(push.offsets[0], push.count, dispatch::item_shift(output.dtype));
}

}  // namespace

MapStep begin_map_step(const MapCall& call,
                       const vk::Capabilities& caps,
                       dispatch::Program& program) {
    const TensorImpl& output = *call.operands[0];
    vk::MapPush push{.count = static_cast<std::uint32_t>(output.numel),
                     .offsets = {},
                     .sizes = {},
                     .magics = {},
                     .shifts = 0,
                     .strides = {},
                     .params = call.params};
    for (std::size_t i = 0; i < call.operands.size(); ++i) {
        push.offsets[i] = dispatch::bound_offset(*call.operands[i], caps);
    }
    const Layout layout = choose_layout(call, push);
    const std::uint64_t units = unit_count(output, push, layout);
    const MapSchedule schedule = schedule_map(units, caps.is_cpu);

    dispatch::Step& step = program.steps.emplace_back();
    for (const dispatch::Operand binding : call.bindings) {
        step.bindings.push_back(binding);
    }
    step.groups = dispatch::fold_groups(schedule.groups, caps);
    step.work = static_cast<std::uint64_t>(output.numel) * call.operands.size();
    return {.step = step,
            .frame = {.local_size = MapSchedule::kLocalSize,
                      .out_dtype = output.dtype,
                      .layout = static_cast<std::uint32_t>(layout.kind),
                      .dim_count = layout.dim_count,
                      .words = schedule.words},
            .push = push};
}

bool fits_map(const Dims& sizes, std::span<const Tensor> inputs, const Tensor* target) {
    if (sizes.count() <= kMostMapDims) {
        return true;
    }
    InlineVector<const TensorImpl*, kMostOperands> operands;
    for (const Tensor& input : inputs) {
        operands.push_back(&impl_of(input));
    }
    const Tensor fresh = target == nullptr ? make_symbolic(sizes, kFloat32) : *target;
    operands.push_back(&impl_of(fresh));
    return collapse<kMostOperands>(sizes, {operands.data(), operands.size()}).dim_count <=
           kMostMapDims;
}

namespace {

// False where the inputs do not broadcast.
bool set_common_sizes(std::span<const Tensor> inputs, Dims& sizes) {
    sizes = impl_of(inputs[0]).sizes;
    for (const Tensor& input : inputs.subspan(1)) {
        const Dims& other = impl_of(input).sizes;
        if (other == sizes) {
            continue;
        }
        while (sizes.count() < other.count()) {
            sizes.insert(0, 1);
        }
        for (std::int64_t i = 1; i <= other.count(); ++i) {
            std::int64_t& extent = sizes[sizes.count() - i];
            const std::int64_t mine = other[other.count() - i];
            if (extent != mine && extent != 1 && mine != 1) {
                return false;
            }
            extent = extent == 1 ? mine : extent;
        }
    }
    return true;
}

}  // namespace

std::optional<Dims> common_sizes(std::span<const Tensor> inputs) {
    Dims sizes;
    return set_common_sizes(inputs, sizes) ? std::optional(sizes) : std::nullopt;
}

Dims broadcast_sizes(const dispatch::OpCall& call) {
    Dims sizes;
    if (!set_common_sizes(call.inputs, sizes)) {
        throw ShapeError(
            call.def.where(),
            fmt::format("the operands' shapes must broadcast; got {}", describe_inputs(call)));
    }
    return sizes;
}

}  // namespace pumice::ops
