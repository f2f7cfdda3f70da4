// SPDX-License-Identifier: Apache-2.0
#include "differential/program.h"

#include <cstdio>

namespace differential {

namespace {

// How an operator is written: `@0` and `@1` stand for operands, `%0` ... for numbers, `%*` for all
// of them and `$` for the value.
const char* pattern_of(Op op) noexcept {
    switch (op) {
        case Op::kLeaf: return "leaf({%*}, $)";
        case Op::kSelect: return "@0.select(%0, %1)";
        case Op::kSlice: return "@0.slice(%0, %1, %2, %3)";
        case Op::kTranspose: return "@0.transpose(%0, %1)";
        case Op::kReshape: return "@0.reshape({%*})";
        case Op::kExpand: return "@0.expand({%*})";
        case Op::kUnsqueeze: return "@0.unsqueeze(%0)";
        case Op::kUnfold: return "@0.unfold(%0, %1, %2)";
        case Op::kSplit: return "@0.split_with_sizes({%1, %2}, %0)";
        case Op::kDetach: return "@0.detach()";
        case Op::kData: return "@0.data()";
        case Op::kTensorData: return "@0.tensor_data()";
        case Op::kAddInPlace: return "@0.add_(@1)";
        case Op::kSubInPlace: return "@0.sub_(@1)";
        case Op::kMulInPlace: return "@0.mul_(@1)";
        case Op::kAddScalarInPlace: return "@0.add_($)";
        case Op::kMulScalarInPlace: return "@0.mul_($)";
        case Op::kTanhInPlace: return "tanh_(@0)";
        case Op::kReluInPlace: return "relu_(@0)";
        case Op::kSigmoidInPlace: return "sigmoid_(@0)";
        case Op::kZeroInPlace: return "@0.zero_()";
        case Op::kFillInPlace: return "@0.fill_($)";
        case Op::kCopyInPlace: return "@0.copy_(@1)";
        case Op::kIndexPut: return "@0.index_put_({Slice(%0, %1)}, @1)";
        case Op::kAssign: return "@0.select(%0, %1) = @1";
        case Op::kAssignScalar: return "@0[%0] = $";
        case Op::kAddOut: return "add_out(@0, @1, @2)";
        case Op::kAdd: return "@0 + @1";
        case Op::kSub: return "@0 - @1";
        case Op::kMul: return "@0 * @1";
        case Op::kAddScalar: return "@0 + $";
        case Op::kMulScalar: return "@0 * $";
        case Op::kTanh: return "tanh(@0)";
        case Op::kRelu: return "relu(@0)";
        case Op::kSigmoid: return "sigmoid(@0)";
        case Op::kSquare: return "square(@0)";
        case Op::kClone: return "@0.clone()";
        case Op::kSum: return "@0.sum()";
        case Op::kSumDim: return "@0.sum({%0})";
        case Op::kMean: return "@0.mean()";
        case Op::kSoftmax: return "@0.softmax(%0)";
        case Op::kMatmul: return "matmul(@0, @1)";
        case Op::kCat: return "cat({@0, @1}, %0)";
        case Op::kCube: return "Cube::apply(@0)";
        case Op::kScaleDirty: return "ScaleDirty::apply(@0)";
        case Op::kReturnView: return "ReturnView::apply(@0)";
        case Op::kReturnOwnView: return "ReturnOwnView::apply(@0)";
        case Op::kReturnInput: return "ReturnInput::apply(@0)";
        case Op::kTwoOutputs: return "TwoOutputs::apply(@0)";
        case Op::kCheckpoint: return "checkpoint(segment<%0>, {@0})";
        case Op::kDetachInPlace: return "@0.detach_()";
        case Op::kRequiresGrad: return "@0.requires_grad_(%0)";
        case Op::kRetainGrad: return "@0.retain_grad()";
        case Op::kHook: return "@0.register_hook(hook<%0>)";
        case Op::kBackward: return "@0.backward(ones_like(@0), /*retain=*/%0)";
        case Op::kGrad: return "grad({@0}, {@1}, {ones_like(@0)}, true, /*create=*/%0, true)[0]";
        case Op::kDrop: return "@0.reset()";
    }
    return "";
}

std::string name_of(int slot) {
    return "t" + std::to_string(slot);
}

std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

std::string joined(const std::vector<std::int64_t>& numbers) {
    std::string text;
    for (const std::int64_t number : numbers) {
        text += (text.empty() ? "" : ", ") + std::to_string(number);
    }
    return text;
}

std::string filled(const char* pattern, const Instruction& step) {
    std::string text;
    for (const char* at = pattern; *at != '\0'; ++at) {
        const auto place = [&at] { return static_cast<std::size_t>(*++at - '0'); };
        if (*at == '@') {
            text += name_of(step.operands.at(place()));
        } else if (*at == '%' && at[1] == '*') {
            text += joined(step.numbers);
            ++at;
        } else if (*at == '%') {
            text += std::to_string(step.numbers.at(place()));
        } else if (*at == '$') {
            text += short_number(step.value);
        } else {
            text += *at;
        }
    }
    return text;
}

}  // namespace

bool writes(Op op) noexcept {
    return (op >= Op::kAddInPlace && op <= Op::kAddOut) || op == Op::kScaleDirty;
}

bool views(Op op) noexcept {
    return op >= Op::kSelect && op <= Op::kTensorData;
}

std::string to_text(const Instruction& step) {
    std::string text;
    for (const int result : step.results) {
        text += (text.empty() ? "" : ", ") + name_of(result);
    }
    if (step.results.size() > 1) {
        text = "auto [" + text + "] = ";
    } else if (!text.empty()) {
        text = "Tensor " + text + " = ";
    }
    text += filled(pattern_of(step.op), step) + ";";
    if (step.mode == Mode::kNoGrad) {
        text += "  // no_grad";
    } else if (step.mode == Mode::kInference) {
        text += "  // inference mode";
    }
    return text;
}

std::string to_text(const Program& program) {
    std::string text;
    for (const Instruction& step : program.steps) {
        text += "    " + to_text(step) + "\n";
    }
    return text;
}

}  // namespace differential
