// SPDX-License-Identifier: Apache-2.0
// where: condition ? a : b, broadcast over all three.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "ops/elementwise/gradients.h"
#include "ops/elementwise/mapped.h"
#include "tensor/promote.h"
#include "vk/kernels/elementwise_where.h"

#include <fmt/format.h>

#include <array>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::OpCall;
using dispatch::OpDef;

namespace {

void infer(const OpCall& call, dispatch::Inferred& inferred) {
    const DType condition = impl_of(call.inputs[0]).dtype;
    if (condition != kBool && condition != kUInt8) {
        throw DTypeError(
            call.def.where(),
            fmt::format("condition must be bool or uint8; got {}", to_string(condition)));
    }
    inferred.push_back(dispatch::contiguous_meta(broadcast_sizes(call),
                                                 result_type(call.inputs[1], call.inputs[2])));
}

void select(const OpCall& call,
            std::span<const Tensor> outputs,
            const vk::Capabilities& caps,
            dispatch::Program& program) {
    const std::array<const TensorImpl*, 4> operands = {&impl_of(outputs[0]),
                                                       &impl_of(call.inputs[0]),
                                                       &impl_of(call.inputs[1]),
                                                       &impl_of(call.inputs[2])};
    const std::array<dispatch::Operand, 4> bindings = {
        dispatch::input(0), dispatch::input(1), dispatch::input(2), dispatch::output()};
    add_map_step(
        {.kernel = vk::KernelId::kElementwiseWhere, .operands = operands, .bindings = bindings},
        vk::ElementwiseWhereSpec{.map_frame = {},
                                 .condition_dtype = operands[1]->dtype,
                                 .a_dtype = operands[2]->dtype,
                                 .b_dtype = operands[3]->dtype},
        caps,
        program);
}

std::string express(const OpCall& call, const Tensor& output, dispatch::Element& element) {
    const auto dtype_of = [](const Tensor& tensor) {
        return static_cast<std::uint32_t>(impl_of(tensor).dtype);
    };
    const auto converted = [&](std::size_t input) {
        return fmt::format("convert_bits({}, 0u, {}u, {}u)",
                           element.operands[input],
                           dtype_of(call.inputs[input]),
                           dtype_of(output));
    };
    return fmt::format("decode_int({}, 0u, {}u) != 0 ? {} : {}",
                       element.operands[0],
                       dtype_of(call.inputs[0]),
                       converted(1),
                       converted(2));
}

// The gradient goes to the operand that was taken.
void backward(BackwardCall& call) {
    const Tensor condition = call.input(0);
    if (call.needs(1)) {
        call.set(1, sum_to_size(keep_where(call.grad(), condition), call.input_sizes(1)));
    }
    if (call.needs(2)) {
        call.set(2,
                 sum_to_size(keep_where(call.grad(), logical_not(condition)), call.input_sizes(2)));
    }
}

}  // namespace

constexpr OpDef kWhere{
    .name = "where",
    .inputs = {{{"condition", Grad::kNever}, {"a", Grad::kFormula}, {"b", Grad::kFormula}}},
    .infer = infer,
    .select = select,
    .window = dispatch::window_of_map,
    .writes_strided = true,
    .saved = {.inputs = 0b001},
    .lends = 0b110,
    .backward = backward,
    .express = express};
static_assert(well_formed(kWhere));

}  // namespace pumice::ops

namespace pumice {

Tensor where(Tensor condition, Tensor a, Tensor b) try {
    for (const Tensor* operand : {&condition, &a, &b}) {
        checked_impl(*operand, "where");
    }
    Tensor inputs[] = {std::move(condition), std::move(a), std::move(b)};
    ops::make_mappable(inputs, nullptr);
    return dispatch::call(ops::kWhere, inputs);

} catch (const Error&) {
    rethrow_under("where");
}

Tensor masked_fill(Tensor x, Tensor mask, const Scalar& value) try {
    const DType dtype = checked_impl(x, "masked_fill").dtype;
    if (checked_impl(mask, "masked_fill").dtype != kBool) {
        throw DTypeError("masked_fill",
                         fmt::format("the mask must be bool; got mask {}", describe(mask)));
    }
    return where(std::move(mask), scalar_tensor(value, dtype), std::move(x));

} catch (const Error&) {
    rethrow_under("masked_fill");
}

}  // namespace pumice
