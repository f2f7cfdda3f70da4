// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/inline_vector.h"
#include "dispatch/program.h"
#include "tensor/tensor_impl.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace pumice::dispatch {

/// Whether a gradient flows to an input. There is no third case.
enum class Grad : std::uint8_t { kNever, kFormula };

struct InputDef {
    std::string_view name;
    Grad grad = Grad::kNever;
};

inline constexpr std::size_t kMaxInputs = 8;

/// What the tape keeps for the backward formula, as bits over inputs and outputs.
struct SavedSet {
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
    /// For a saved input: the inputs whose gradients read it, as bits; 0 stands for all. `mul`
    /// saves a only for the gradient of b.
    std::array<std::uint8_t, kMaxInputs> input_is_for{};
};

/// Attributes of a call: a trivially copyable struct of the operator's own.
struct AttrsRef {
    const void* data = nullptr;
    std::uint32_t size_bytes = 0;

    constexpr AttrsRef() = default;
    template <class A>

    requires(!std::is_same_v<A, AttrsRef>) explicit(false) constexpr AttrsRef(
        const A& attrs) noexcept
        : data(&attrs), size_bytes(sizeof(A)) {
        static_assert(std::is_trivially_copyable_v<A> && sizeof(A) <= 192);
    }
};

struct OpDef;
struct Element;
struct Pattern;

/// One call as infer, select and the observers see it.
struct OpCall {
    const OpDef& def;
    std::span<const Tensor> inputs;  ///< an optional input may be undefined
    AttrsRef attrs;

    template <class A>
    [[nodiscard]] const A& attrs_as() const noexcept {
        return *static_cast<const A*>(attrs.data);
    }
};

/// Geometry of an output. For views, strides and offset (in elements) within the base's storage.
struct OutputMeta {
    Dims sizes;
    Dims strides;
    std::int64_t offset = 0;
    DType dtype = kFloat32;
};

using Inferred = InlineVector<OutputMeta, 3>;

/// A contiguous output.
inline OutputMeta contiguous_meta(const Dims& sizes, DType dtype) noexcept {
    return {.sizes = sizes, .strides = contiguous_strides(sizes), .offset = 0, .dtype = dtype};
}

/// What a backward formula sees of its forward call.
class BackwardCall {
public:
    virtual ~BackwardCall() = default;
    /// A saved input or output. @throws GradModeError (E9) if it was modified since
    [[nodiscard]] virtual Tensor input(std::size_t index) const = 0;
    [[nodiscard]] virtual Tensor output(std::size_t index) const = 0;
    /// What the operator's `mask` made of the operands when the call was recorded.
    [[nodiscard]] virtual Tensor mask() const = 0;
    /// Shape and dtype of an input, saved or not.
    [[nodiscard]] virtual const Dims& input_sizes(std::size_t index) const = 0;
    [[nodiscard]] virtual DType input_dtype(std::size_t index) const = 0;
    [[nodiscard]] virtual std::size_t input_count() const = 0;
    /// Gradient of an output; undefined where nothing flowed in (it counts as zeros).
    [[nodiscard]] virtual const Tensor& grad(std::size_t index = 0) const = 0;
    /// Whether anybody wants the gradient of that input.
    [[nodiscard]] virtual bool needs(std::size_t index) const = 0;
    /// Hands over the gradient of an input, of the input's shape and dtype.
    virtual void set(std::size_t index, Tensor gradient) = 0;
    [[nodiscard]] virtual const void* attrs() const = 0;

    template <class A>
    [[nodiscard]] const A& attrs_as() const noexcept {
        return *static_cast<const A*>(attrs());
    }
};

using InferFn = void (*)(const OpCall& call, Inferred& inferred);
using SelectFn = void (*)(const OpCall& call,
                          std::span<const Tensor> outputs,
                          const vk::Capabilities& caps,
                          Program& program);
using BackwardFn = void (*)(BackwardCall& call);
/// All that the backward formula asks of the operands, much smaller than they are; see
/// ops/elementwise/packed_mask.h. Runs before the call, when it is recorded.
using MaskFn = Tensor (*)(const OpCall& call);
/// GLSL for the bits, right-aligned, of one element of the output, with the functions of
/// shaders/include that the operator's own kernel uses, so that the bits are the same. Pure.
using ExpressFn = std::string (*)(const OpCall& call, const Tensor& output, Element& element);

/// How a call follows when it is cut along dimension `dim` of its first output: the dimension of
/// that input to cut with it, or one of these; other outputs are cut along `dim` too. See Note
/// [Windows].
inline constexpr std::int64_t kWhole = -1;  ///< the input is read whole by every part
inline constexpr std::int64_t kUncut = -2;  ///< the call cannot be cut there
using WindowFn = std::int64_t (*)(const OpCall& call,
                                  std::size_t input,
                                  std::int64_t output_rank,
                                  std::int64_t dim) noexcept;

/// Everything the engine knows about one operator; written once, in its file in ops/.
struct OpDef {
    std::string_view name;
    std::string_view public_name{};  ///< of the function that users call; empty: `name` is it
    std::array<InputDef, kMaxInputs> inputs{};
    bool is_variadic = false;           ///< any number of inputs, all described by inputs[0]
    bool is_view = false;               ///< the output aliases inputs[0]; no select
    bool is_multi_output_view = false;  ///< one of several views made by one call (split, chunk)
    InferFn infer = nullptr;
    SelectFn select = nullptr;
    WindowFn window = nullptr;    ///< null: the call is cut by select or not at all
    bool writes_strided = false;  ///< select takes outputs of any strides and offset
    SavedSet saved{};
    MaskFn mask = nullptr;    ///< kept for the backward formula besides what `saved` names
    std::uint32_t lends = 0;  ///< inputs read only at the index that is written (G69)
    BackwardFn backward = nullptr;
    ExpressFn express = nullptr;  ///< of a map over elements that may be part of a fused kernel
    /// Calls that a capture makes one of this operator; see dispatch/pattern.h.
    const Pattern* pattern = nullptr;

    /// What errors are told under; see base/naming.h for the functions made of several operators.
    [[nodiscard]] constexpr std::string_view where() const noexcept {
        return public_name.empty() ? name : public_name;
    }

    [[nodiscard]] constexpr Grad grad_of(std::size_t index) const noexcept {
        return inputs[is_variadic ? 0 : index].grad;
    }
};

/// For static_assert beside each OpDef: a formula has its backward, a backward its formula; views
/// run no kernel, everything else does.
constexpr bool well_formed(const OpDef& def) noexcept {
    bool has_formula = false;
    for (const InputDef& input : def.inputs) {
        has_formula = has_formula || input.grad == Grad::kFormula;
    }
    return !def.name.empty() && def.infer != nullptr && has_formula == (def.backward != nullptr) &&
           (def.is_view == (def.select == nullptr));
}

}  // namespace pumice::dispatch
