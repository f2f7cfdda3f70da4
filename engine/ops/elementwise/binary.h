// SPDX-License-Identifier: Apache-2.0
// What the rows of elementwise operators of two operands are made of.
#pragma once

#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "dispatch/windows.h"
#include "ops/elementwise/mapped.h"
#include "vk/kernels/elementwise_binary.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace pumice::ops {

struct BinaryAttrs {
    DType common = kFloat32;  ///< dtype both operands are brought to
    DType result = kFloat32;
    MapParams bits{};  ///< scalar operand and alpha, as the common dtype's kernel reads them
    double scalar = 0.0;
    double alpha = 1.0;
};

inline void infer_pair(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    inferred.push_back(
        dispatch::contiguous_meta(broadcast_sizes(call), call.attrs_as<BinaryAttrs>().result));
}

inline void infer_with_scalar(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    inferred.push_back(dispatch::contiguous_meta(impl_of(call.inputs[0]).sizes,
                                                 call.attrs_as<BinaryAttrs>().result));
}

// The kernel is the build variant that holds the formula.
template <vk::BinaryOp kOp, bool kIsScalar, vk::KernelId kKernel>
void select_binary(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    constexpr std::size_t kOther = kIsScalar ? 0 : 1;
    const auto& attrs = call.attrs_as<BinaryAttrs>();
    const std::array<const TensorImpl*, 3> operands = {
        &impl_of(outputs[0]), &impl_of(call.inputs[0]), &impl_of(call.inputs[kOther])};
    const std::array<dispatch::Operand, 3> bindings = {
        dispatch::input(0), dispatch::input(kOther), dispatch::output()};
    add_map_step(
        {.kernel = kKernel, .operands = operands, .bindings = bindings, .params = attrs.bits},
        vk::ElementwiseBinarySpec{.map_frame = {},
                                  .a_dtype = operands[1]->dtype,
                                  .b_dtype = operands[2]->dtype,
                                  .common_dtype = attrs.common,
                                  .op = static_cast<std::uint32_t>(kOp),
                                  .b_is_number = kIsScalar},
        caps,
        program);
}

// An operand's element in the common dtype.
inline std::string express_operand(const std::string& bits, DType dtype, DType common) {
    if (dtype == common || !is_floating_point(common)) {
        return dispatch::decoded(bits, dtype, is_floating_point(common));
    }
    return fmt::format("real_operand({}, 0u, {}u, {}u)",
                       bits,
                       static_cast<std::uint32_t>(dtype),
                       static_cast<std::uint32_t>(common));
}

template <vk::BinaryOp kOp, bool kIsScalar, vk::KernelId kKernel>
std::string express_binary(const dispatch::OpCall& call,
                           const Tensor& output,
                           dispatch::Element& element) {
    const auto& attrs = call.attrs_as<BinaryAttrs>();
    const bool is_real = is_floating_point(attrs.common);
    const auto operand = [&](std::size_t i) {
        return express_operand(element.operands[i], impl_of(call.inputs[i]).dtype, attrs.common);
    };
    const auto number = [&](std::uint32_t bits) {
        return dispatch::decoded(element.parameter(bits), is_real ? kFloat32 : kInt32, is_real);
    };
    const std::string function = element.function_of(vk::kernel_info(kKernel).name,
                                                     static_cast<std::uint32_t>(kOp),
                                                     "a b p1",
                                                     vk::formula_of(kOp),
                                                     is_real);
    const std::string a = operand(0);
    const std::string b = kIsScalar ? number(attrs.bits[0]) : operand(1);
    return dispatch::encoded(fmt::format("{}({}, {}, {})", function, a, b, number(attrs.bits[1])),
                             impl_of(output).dtype,
                             is_real);
}

/// Two tensors. What `saved` keeps, and what for, comes from the gradient.
template <vk::BinaryOp kOp, vk::KernelId kKernel = vk::KernelId::kElementwiseBinarySimple>
constexpr dispatch::OpDef pair(std::string_view name,
                               const dispatch::SavedSet& saved,
                               dispatch::BackwardFn backward) {
    const dispatch::Grad grad =
        backward == nullptr ? dispatch::Grad::kNever : dispatch::Grad::kFormula;
    return {.name = name,
            .inputs = {{{"a", grad}, {"b", grad}}},
            .infer = infer_pair,
            .select = select_binary<kOp, false, kKernel>,
            .window = dispatch::window_of_map,
            .writes_strided = true,
            .saved = saved,
            .lends = 0b11,
            .backward = backward,
            .express = express_binary<kOp, false, kKernel>};
}

inline constexpr std::string_view kScalarSuffix = "_scalar";

/// A tensor and a number; the public function has the name without "_scalar".
template <vk::BinaryOp kOp, vk::KernelId kKernel = vk::KernelId::kElementwiseBinarySimple>
constexpr dispatch::OpDef with_scalar(std::string_view name,
                                      const dispatch::SavedSet& saved,
                                      dispatch::BackwardFn backward) {
    return {.name = name,
            .public_name = name.substr(0, name.size() - kScalarSuffix.size()),
            .inputs = {{{"a",
                         backward == nullptr ? dispatch::Grad::kNever : dispatch::Grad::kFormula}}},
            .infer = infer_with_scalar,
            .select = select_binary<kOp, true, kKernel>,
            .window = dispatch::window_of_map,
            .writes_strided = true,
            .saved = saved,
            .lends = 1,
            .backward = backward,
            .express = express_binary<kOp, true, kKernel>};
}

/// Each operand is saved for the other's gradient.
inline constexpr dispatch::SavedSet kSavedCross = {.inputs = 0b11, .input_is_for = {0b10, 0b01}};
inline constexpr dispatch::SavedSet kSavedBoth = {.inputs = 0b11};
/// The first operand is read for the second's gradient alone, the second for both.
inline constexpr dispatch::SavedSet kSavedSecondForBoth = {.inputs = 0b11,
                                                           .input_is_for = {0b10, 0b11}};
inline constexpr dispatch::SavedSet kSavedFirst = {.inputs = 0b01};

/// Hands over the gradient of an operand that was broadcast.
inline void give(dispatch::BackwardCall& call, std::size_t input, Tensor gradient) {
    call.set(input, sum_to_size(std::move(gradient), call.input_sizes(input)));
}

}  // namespace pumice::ops
