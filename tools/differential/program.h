// SPDX-License-Identifier: Apache-2.0
// Random autograd programs as plain data, and what running one gave. Standard library only, and
// C++17, because LibTorch's side reads it too.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace differential {

/// One row an instruction: its name as the text shows it.
enum class Op : std::uint8_t {
    kLeaf,  ///< a new tensor of shape `numbers`; tracked if `value` is 1
    // Views of operand 0.
    kSelect,
    kSlice,
    kTranspose,
    kReshape,
    kExpand,
    kUnsqueeze,
    kUnfold,
    kSplit,
    kDetach,
    kData,
    kTensorData,
    // Writes into operand 0.
    kAddInPlace,
    kSubInPlace,
    kMulInPlace,
    kAddScalarInPlace,
    kMulScalarInPlace,
    kTanhInPlace,
    kReluInPlace,
    kSigmoidInPlace,
    kZeroInPlace,
    kFillInPlace,
    kCopyInPlace,
    kIndexPut,
    kAssign,
    kAssignScalar,
    kAddOut,
    // New tensors.
    kAdd,
    kSub,
    kMul,
    kAddScalar,
    kMulScalar,
    kTanh,
    kRelu,
    kSigmoid,
    kSquare,
    kClone,
    kSum,
    kSumDim,
    kMean,
    kSoftmax,
    kMatmul,
    kCat,
    // Custom functions and checkpoint.
    kCube,
    kScaleDirty,
    kReturnView,
    kReturnOwnView,
    kReturnInput,
    kTwoOutputs,
    kCheckpoint,
    // Flags and walks.
    kDetachInPlace,
    kRequiresGrad,
    kRetainGrad,
    kHook,
    kBackward,
    kGrad,
    kDrop,
};

/// The mode that one instruction runs in.
enum class Mode : std::uint8_t { kGrad, kNoGrad, kInference };

/// One instruction: tensors are slots that are written once.
struct Instruction {
    Op op = Op::kLeaf;
    Mode mode = Mode::kGrad;
    std::vector<int> results;
    std::vector<int> operands;
    std::vector<std::int64_t> numbers;
    double value = 0;
};

struct Program {
    std::vector<Instruction> steps;
    int slot_count = 0;
};

/// What can be seen of one tensor at the program's end.
struct TensorState {
    int slot = 0;
    std::vector<std::int64_t> sizes;
    std::vector<float> values;
    bool requires_grad = false;
    bool is_leaf = false;
    bool is_inference = false;
    bool is_view = false;
    std::int64_t version = -1;  ///< none on inference tensors
    bool has_grad = false;
    std::vector<float> grad;
};

/// What a program did, up to its end or its first error.
struct Outcome {
    std::vector<TensorState> tensors;            ///< the defined ones, by slot
    std::map<int, std::vector<float>> hook_log;  ///< by instruction: all gradients that it saw
    std::map<int, bool> walk_tracked;  ///< by slot: whether grad()'s result was tracked at first
    int failed_at = -1;                ///< the instruction that threw, or -1
    std::string error;                 ///< its text
};

/// The operators whose operand 0 is written.
bool writes(Op op) noexcept;
/// The operators that make a view of operand 0.
bool views(Op op) noexcept;

/// The program as C++ reads, a line an instruction.
std::string to_text(const Program& program);
std::string to_text(const Instruction& step);

}  // namespace differential
