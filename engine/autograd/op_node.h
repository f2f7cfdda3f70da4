// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "autograd/node.h"
#include "autograd/saved_tensor.h"
#include "base/pooled.h"
#include "dispatch/op_def.h"

#include <array>
#include <cstddef>
#include <memory>

namespace pumice::autograd {

/// For a node whose saved tensors were freed. @throws GradModeError
[[noreturn]] void throw_second_walk(std::string_view op);

/// The node of one recorded operator call.
class OpNode final : public GraphNode, public Pooled<OpNode> {
public:
    /// Copies attributes and input geometry, saves inputs and the mask made of them.
    /// @throws GradModeError (E3) for an inference tensor that the formula saves
    OpNode(const dispatch::OpCall& call, bool is_in_place);

    void apply(std::span<Tensor> gradients,
               const std::vector<bool>& wanted,
               std::span<Tensor> input_gradients) override;
    void check_saved(const std::vector<bool>& wanted) const override;
    void release_saved() noexcept override;
    std::string name() const override;

    std::size_t output_count() const noexcept override { return output_count_; }

    /// Saves the outputs that the formula reads and remembers their count.
    void save_outputs(std::span<const Tensor> outputs) noexcept;
    /// Hands the saved outputs to the pack hook. Throws what that throws.
    void pack_outputs();

private:
    friend class OpBackwardCall;
    static constexpr std::size_t kInlineInputs = 3;

    struct InputRecord {
        Dims sizes;
        DType dtype = kFloat32;
        SavedTensor saved;
    };

    bool formula_reads(std::size_t input) const noexcept;
    template <class IsWanted>
    bool is_read_for(std::size_t input, IsWanted&& is_wanted) const noexcept;
    void check_not_released() const;

    const dispatch::OpDef& def_;
    FixedArray<InputRecord, kInlineInputs> inputs_;
    SavedTensor mask_;
    std::array<SavedTensor, 3> saved_outputs_;
    std::size_t output_count_ = 1;
    bool is_released_ = false;
    alignas(16) std::array<std::byte, 192> attrs_{};
};

}  // namespace pumice::autograd
