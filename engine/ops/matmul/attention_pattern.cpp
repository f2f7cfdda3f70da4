// SPDX-License-Identifier: Apache-2.0
// The calls that together are an attention: matmul of query and turned key, times a number, plus a
// mask (both may be absent), softmax over the keys, matmul with value. As one operator nothing of
// the scores' size is in memory.
#include "dispatch/pattern.h"
#include "ops/all_ops.h"
#include "ops/elementwise/binary.h"
#include "ops/matmul/attention.h"
#include "ops/norm/softmax.h"

#include <array>
#include <utility>

namespace pumice::ops {

namespace {

using dispatch::OutputMeta;
using dispatch::PatternCall;
using dispatch::PatternNode;

// The tensors that the calls take; the key as matmul takes it: [..., E, S].
enum Taken : std::uint8_t { kQuery, kKey, kValue, kMask };

constexpr PatternNode kProduct{
    .def = &kMatmul, .operands = {{{.number = kQuery}, {.number = kKey}}}, .operand_count = 2};
constexpr std::array kProducts = {&kProduct};

double number_of(const PatternCall& call) noexcept {
    return call.attrs_as<BinaryAttrs>().scalar;
}

AttentionAttrs& attention(void* attrs) noexcept {
    return *static_cast<AttentionAttrs*>(attrs);
}

constexpr PatternNode kScaled{.def = &kMulScalar,
                              .operands = {{{.made_by = kProducts}}},
                              .operand_count = 1,
                              .take = [](const PatternCall& call, void* attrs) noexcept {
                                  attention(attrs).scale = static_cast<float>(number_of(call));
                              }};
constexpr PatternNode kDivided{.def = &kDivScalar,
                               .operands = {{{.made_by = kProducts}}},
                               .operand_count = 1,
                               .take = [](const PatternCall& call, void* attrs) noexcept {
                                   attention(attrs).scale =
                                       static_cast<float>(1.0 / number_of(call));
                               }};
constexpr std::array kScores = {&kProduct, &kScaled, &kDivided};

// Whether a tensor broadcasts to these sizes.
bool fits(const Dims& mask, const Dims& sizes) noexcept {
    const std::int64_t missing = sizes.count() - mask.count();
    bool is_fit = missing >= 0;
    for (std::int64_t d = 0; is_fit && d < mask.count(); ++d) {
        is_fit = mask[d] == 1 || mask[d] == sizes[missing + d];
    }
    return is_fit;
}

// A sum that leaves the scores' shape and dtype as they are, the mask being operand number `kAt`.
template <std::size_t kAt>
bool masks_scores(const PatternCall& call) noexcept {
    const OutputMeta& scores = call.inputs[1 - kAt];
    return call.attrs_as<BinaryAttrs>().alpha == 1.0 && scores.sizes == call.result.sizes &&
           call.inputs[kAt].dtype == scores.dtype &&
           fits(call.inputs[kAt].sizes, call.result.sizes);
}

constexpr PatternNode kMaskedScores{.def = &kAdd,
                                    .operands = {{{.made_by = kScores}, {.number = kMask}}},
                                    .operand_count = 2,
                                    .accepts = masks_scores<1>};
constexpr PatternNode kMaskAndScores{.def = &kAdd,
                                     .operands = {{{.number = kMask}, {.made_by = kScores}}},
                                     .operand_count = 2,
                                     .accepts = masks_scores<0>};
constexpr std::array kAllScores = {&kProduct, &kScaled, &kDivided, &kMaskedScores, &kMaskAndScores};

constexpr PatternNode kWeights{.def = &kSoftmax,
                               .operands = {{{.made_by = kAllScores}}},
                               .operand_count = 1,
                               .accepts = [](const PatternCall& call) noexcept {
                                   const std::int64_t dim = call.attrs_as<SoftmaxAttrs>().dim;
                                   return dim == -1 || dim == call.inputs[0].sizes.count() - 1;
                               }};
constexpr std::array kAllWeights = {&kWeights};

constexpr PatternNode kResult{.def = &kMatmul,
                              .operands = {{{.made_by = kAllWeights}, {.number = kValue}}},
                              .operand_count = 2};

OutputMeta turned(OutputMeta key) {
    const std::int64_t last = key.sizes.count() - 1;
    if (last > 0) {
        std::swap(key.sizes[last], key.sizes[last - 1]);
        std::swap(key.strides[last], key.strides[last - 1]);
    }
    return key;
}

// Of ranks whose matrices and batches the kernels walk without a copy, and of one real dtype.
bool are_attended(std::span<const OutputMeta> inputs) noexcept {
    bool are_fit = is_floating_point(inputs[kQuery].dtype);
    for (const Taken each : {kQuery, kKey, kValue}) {
        const std::int64_t rank = inputs[each].sizes.count();
        are_fit = are_fit && rank >= 2 && rank <= kMaxAttentionBatchRank + 2 &&
                  inputs[each].dtype == inputs[kQuery].dtype;
    }
    return are_fit;
}

constexpr AttentionAttrs kPlain{};

}  // namespace

constexpr dispatch::Pattern kAttentionPattern{.last = &kResult,
                                              .inputs = {{{.number = kQuery},
                                                          {.number = kKey, .view = turned},
                                                          {.number = kValue},
                                                          {.number = kMask}}},
                                              .input_count = 4,
                                              .attrs = kPlain,
                                              .accepts = are_attended};

}  // namespace pumice::ops
