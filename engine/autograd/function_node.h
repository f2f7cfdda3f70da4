// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/function.h"

#include "autograd/op_node.h"

#include <mutex>

namespace pumice::autograd::detail {

/// The node of one recorded call of a custom Function.
class FunctionNode final : public GraphNode {
public:
    FunctionNode(std::string name,
                 BackwardFunction backward,
                 FunctionOperands operands,
                 const std::vector<Edge>& edges,
                 std::unique_ptr<AutogradContext> context);

    void apply(std::span<Tensor> gradients,
               const std::vector<bool>& wanted,
               std::span<Tensor> input_gradients) override;
    void check_saved(const std::vector<bool>& wanted) const override;
    void release_saved() noexcept override;

    bool takes_undefined() const noexcept override { return true; }

    std::string name() const override { return name_; }

    std::size_t output_count() const noexcept override { return outputs_.size(); }

    /// Notes the outputs, and keeps what forward asked for.
    /// @throws GradModeError (E3)
    void save(const variable_list& outputs);
    /// @throws GradModeError (E9), or if it was freed
    variable_list unpack();

private:
    struct Meta {
        Dims sizes;
        DType dtype = kFloat32;
        bool is_defined = false;
    };

    struct Saved {
        SavedTensor tensor;
        std::int64_t output = -1;  ///< which output it is, or none
    };

    void check_not_released() const;
    Tensor checked_gradient(Tensor gradient, std::size_t operand) const;
    variable_list to_tensors(variable_list gradients) const;

    std::string name_;
    BackwardFunction backward_;
    std::vector<bool> is_tensor_;
    std::vector<Meta> inputs_;
    std::vector<Meta> outputs_;
    std::vector<Saved> saved_;
    std::unique_ptr<AutogradContext> context_;
    std::recursive_mutex mutex_;  ///< one backward at a time has the context
    bool is_released_ = false;
};

}  // namespace pumice::autograd::detail
