// SPDX-License-Identifier: Apache-2.0
// Patterns of calls: data beside the operator that can stand for them all, which a capture looks
// for (graph/recognise.h) without knowing any operator.
#pragma once

#include "dispatch/op_def.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace pumice::dispatch {

/// A captured call as a pattern looks at it: geometry and attributes, no memory.
struct PatternCall {
    std::span<const OutputMeta> inputs;  ///< an absent one has no dimensions
    OutputMeta result;
    const void* attrs = nullptr;

    template <class A>
    [[nodiscard]] const A& attrs_as() const noexcept {
        return *static_cast<const A*>(attrs);
    }
};

struct PatternNode;

/// What an operand of a call in a pattern must be.
struct PatternOperand {
    /// The result of one of these calls, the first that matches; if there are none, any tensor.
    std::span<const PatternNode* const> made_by{};
    std::uint8_t number = 0;  ///< of such a tensor: the number that the pattern knows it by
};

/// One call in a pattern.
struct PatternNode {
    const OpDef* def = nullptr;
    std::array<PatternOperand, 2> operands{};
    std::size_t operand_count = 0;  ///< further ones of the operator must be absent
    bool (*accepts)(const PatternCall& call) noexcept = nullptr;  ///< null: any call
    /// Writes what the call says into the attributes of the operator that stands for the pattern.
    void (*take)(const PatternCall& call, void* attrs) noexcept = nullptr;
};

/// An operand of the operator that stands for the pattern; absent if the calls do not have it.
struct PatternInput {
    std::uint8_t number = 0;
    OutputMeta (*view)(OutputMeta operand) = nullptr;  ///< null: the tensor as it is
};

inline constexpr std::size_t kMaxPatternOperands = 8;

/// Calls whose last one's result the operator with this pattern gives too, as its first one. The
/// tensors between them are read by nobody else.
struct Pattern {
    const PatternNode* last = nullptr;
    std::array<PatternInput, kMaxInputs> inputs{};
    std::size_t input_count = 0;
    AttrsRef attrs;  ///< of the operator, before the calls' `take`
    /// Whether the operator takes these inputs, so that its infer does not throw.
    bool (*accepts)(std::span<const OutputMeta> inputs) noexcept = nullptr;
};

}  // namespace pumice::dispatch
