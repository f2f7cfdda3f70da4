// SPDX-License-Identifier: Apache-2.0
// Copies: clone, contiguous, to (conversion), copy_, fill_, zero_.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "ops/elementwise/mapped.h"
#include "ops/factory/factory.h"
#include "tensor/scalar_bits.h"
#include "vk/kernels/elementwise_copy.h"
#include "vk/kernels/elementwise_gather_copy.h"

#include <fmt/format.h>

#include <array>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Operand;
using vk::KernelId;

namespace {

struct ConvertAttrs {
    DType dtype = kFloat32;
};

struct FillAttrs {
    MapParams bits{};
};

struct Copy {
    const TensorImpl& source;
    const TensorImpl& target;
    Operand source_binding;
};

void add_ragged_copy(const Copy& copy, const vk::Capabilities& caps, dispatch::Program& program) {
    const Dims& sizes = copy.target.sizes;
    const std::int64_t rank = sizes.count();
    const std::int64_t lead = rank - copy.source.sizes.count();
    vk::ElementwiseGatherCopyPush push{.sizes = {},
                                       .x_strides = {},
                                       .output_strides = {},
                                       .x_offset = dispatch::bound_offset(copy.source, caps),
                                       .output_offset = dispatch::bound_offset(copy.target, caps),
                                       .count = static_cast<std::uint32_t>(copy.target.numel),
                                       .dim_count = static_cast<std::uint32_t>(rank)};
    for (std::int64_t dim = 0; dim < rank; ++dim) {
        const auto at = static_cast<std::size_t>(rank - 1 - dim);
        const std::int64_t own = dim - lead;
        const bool walks = own >= 0 && copy.source.sizes[own] != 1;
        push.sizes[at] = static_cast<std::uint32_t>(sizes[dim]);
        push.x_strides[at] = walks ? static_cast<std::uint32_t>(copy.source.strides[own]) : 0;
        push.output_strides[at] = static_cast<std::uint32_t>(copy.target.strides[dim]);
    }
    constexpr std::uint32_t kLocalSize = 64;
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(copy.source_binding);
    step.bindings.push_back(dispatch::output());
    step.set(
        vk::ElementwiseGatherCopySpec{
            .local_size = kLocalSize, .x_dtype = copy.source.dtype, .out_dtype = copy.target.dtype},
        push);
    step.groups = dispatch::fold_groups((push.count + kLocalSize - 1) / kLocalSize, caps);
    step.work = std::uint64_t{push.count} * 2;
}

void add_copy(const Copy& copy,
              bool is_fill,
              const MapParams& params,
              const vk::Capabilities& caps,
              dispatch::Program& program) {
    const std::array<const TensorImpl*, 2> operands = {&copy.target, &copy.source};
    const std::array<Operand, 2> bindings = {copy.source_binding, dispatch::output()};
    add_map_step(
        {.kernel = KernelId::kElementwiseCopy,
         .operands = operands,
         .bindings = bindings,
         .params = params},
        vk::ElementwiseCopySpec{.map_frame = {}, .x_dtype = copy.source.dtype, .is_fill = is_fill},
        caps,
        program);
}

// Copies input `kInput` to the output, with conversion and broadcast.
template <std::size_t kInput>
void select_copy(const OpCall& call,
                 std::span<const Tensor> outputs,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    const Copy copy{.source = impl_of(call.inputs[kInput]),
                    .target = impl_of(outputs[0]),
                    .source_binding = dispatch::input(kInput)};
    if (fits_map(copy.target.sizes, call.inputs.subspan(kInput, 1), &outputs[0])) {
        add_copy(copy, false, {}, caps, program);
    } else {
        add_ragged_copy(copy, caps, program);
    }
}

void select_fill(const OpCall& call,
                 std::span<const Tensor> outputs,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    const TensorImpl& target = impl_of(outputs[0]);
    add_copy({.source = target, .target = target, .source_binding = dispatch::output()},
             true,
             call.attrs_as<FillAttrs>().bits,
             caps,
             program);
}

template <std::size_t kInput>
std::string express_copy(const OpCall& call, const Tensor& output, dispatch::Element& element) {
    return fmt::format("convert_bits({}, 0u, {}u, {}u)",
                       element.operands[kInput],
                       static_cast<std::uint32_t>(impl_of(call.inputs[kInput]).dtype),
                       static_cast<std::uint32_t>(impl_of(output).dtype));
}

std::string express_fill(const OpCall& call, const Tensor& output, dispatch::Element& element) {
    return fmt::format("number_bits({}, {}u)",
                       element.parameter(call.attrs_as<FillAttrs>().bits[0]),
                       static_cast<std::uint32_t>(impl_of(output).dtype));
}

// The kernel takes a float or an int32 and converts it, so it gets what the dtype keeps: both paths
// of fill_ and `full` then round once and alike.
std::uint32_t fill_kernel_word(std::uint32_t bits, DType dtype) {
    if (!is_floating_point(dtype)) {
        return bits;
    }
    std::uint32_t word = 0;
    convert_host(reinterpret_cast<const std::byte*>(&bits),
                 host_dtype(dtype),
                 reinterpret_cast<std::byte*>(&word),
                 HostDType::kF32,
                 1);
    return word;
}

void infer_same(const OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

void infer_convert(const OpCall& call, dispatch::Inferred& inferred) {
    inferred.push_back(dispatch::contiguous_meta(impl_of(call.inputs[0]).sizes,
                                                 call.attrs_as<ConvertAttrs>().dtype));
}

// The source must broadcast to self; its dtype is converted, whatever it is.
void infer_copy(const OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& self = impl_of(call.inputs[0]);
    if (common_sizes(call.inputs) != self.sizes) {
        throw ShapeError(call.def.where(),
                         fmt::format("source must broadcast to self's shape; got {}",
                                     dispatch::describe_inputs(call)));
    }
    inferred.push_back(dispatch::contiguous_meta(self.sizes, self.dtype));
}

void clone_grad(BackwardCall& call) {
    call.set(0, call.grad());
}

void convert_grad(BackwardCall& call) {
    call.set(0, to(call.grad(), call.input_dtype(0)));
}

void copy_grad(BackwardCall& call) {
    if (call.needs(0)) {
        call.set(0, zeros_like(call.grad()));
    }
    if (call.needs(1)) {
        call.set(1, to(sum_to_size(call.grad(), call.input_sizes(1)), call.input_dtype(1)));
    }
}

void fill_grad(BackwardCall& call) {
    call.set(0, zeros_like(call.grad()));
}

}  // namespace

constexpr OpDef kClone{.name = "clone",
                       .inputs = {{{"x", Grad::kFormula}}},
                       .infer = infer_same,
                       .select = select_copy<0>,
                       .window = dispatch::window_of_map,
                       .writes_strided = true,
                       .backward = clone_grad,
                       .express = express_copy<0>};
static_assert(well_formed(kClone));

constexpr OpDef kToCopy{.name = "to_copy",
                        .public_name = "to",
                        .inputs = {{{"x", Grad::kFormula}}},
                        .infer = infer_convert,
                        .select = select_copy<0>,
                        .window = dispatch::window_of_map,
                        .writes_strided = true,
                        .backward = convert_grad,
                        .express = express_copy<0>};
static_assert(well_formed(kToCopy));

constexpr OpDef kCopy{.name = "copy_",
                      .inputs = {{{"self", Grad::kFormula}, {"source", Grad::kFormula}}},
                      .infer = infer_copy,
                      .select = select_copy<1>,
                      .window = dispatch::window_of_map,
                      .writes_strided = true,
                      .backward = copy_grad,
                      .express = express_copy<1>};
static_assert(well_formed(kCopy));

constexpr OpDef kFill{.name = "fill_",
                      .inputs = {{{"self", Grad::kFormula}}},
                      .infer = infer_same,
                      .select = select_fill,
                      .window = dispatch::window_of_map,
                      .writes_strided = true,
                      .backward = fill_grad,
                      .express = express_fill};
static_assert(well_formed(kFill));

}  // namespace pumice::ops

namespace pumice {

Tensor clone(Tensor x) {
    checked_impl(x, "clone");
    Tensor inputs[] = {std::move(x)};
    return dispatch::call(ops::kClone, inputs);
}

Tensor contiguous(Tensor x) try {
    return checked_impl(x, "contiguous").is_contiguous ? x : clone(std::move(x));

} catch (const Error&) {
    rethrow_under("contiguous");
}

Tensor to(Tensor x, DType dtype) {
    if (checked_impl(x, "to").dtype == dtype) {
        return x;
    }
    ops::check_device_dtype("to", dtype);
    Tensor inputs[] = {std::move(x)};
    return dispatch::call(ops::kToCopy, inputs, ops::ConvertAttrs{.dtype = dtype});
}

Tensor& copy_(Tensor& self, Tensor source) try {
    checked_impl(self, "copy_");
    checked_impl(source, "copy_");
    Tensor inputs[] = {self, std::move(source)};
    ops::make_disjoint("copy_", self, std::span(inputs).subspan(1));
    dispatch::call_in_place(ops::kCopy, inputs);
    return self;

} catch (const Error&) {
    rethrow_under("copy_");
}

Tensor& fill_(Tensor& self, const Scalar& value) try {
    const DType dtype = checked_impl(self, "fill_").dtype;
    ops::check_element_count("fill_", self);
    const std::uint32_t bits = scalar_bits("fill_", value, dtype);
    Tensor inputs[] = {self};
    if (!ops::fits_map(self.sizes(), {}, &self)) {
        // Not copy_, which refuses an expanded self; a fill may write an element again.
        Tensor operands[] = {self, full({}, value, dtype)};
        dispatch::call_in_place(ops::kCopy, operands);
        return self;
    }
    dispatch::call_in_place(
        ops::kFill, inputs, ops::FillAttrs{.bits = {ops::fill_kernel_word(bits, dtype)}});
    return self;

} catch (const Error&) {
    rethrow_under("fill_");
}

Tensor& zero_(Tensor& self) try { return fill_(self, 0); } catch (const Error&) {
    rethrow_under("zero_");
}

}  // namespace pumice
