// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "autograd/node.h"

#include <memory>
#include <string_view>

namespace pumice::autograd {

/// A tensor kept for a backward formula, with the version it had (G41), or what saved-tensor hooks
/// made of it.
struct SavedTensor {
    /// What a hook gave in the tensor's place, and what it needs to be the tensor again.
    struct Packed;

    SavedTensor() noexcept;
    SavedTensor(const SavedTensor&) = delete;
    SavedTensor& operator=(const SavedTensor&) = delete;
    SavedTensor(SavedTensor&& other) noexcept;
    SavedTensor& operator=(SavedTensor&& other) noexcept;
    ~SavedTensor();

    /// Keeps an operand as it is now. @throws GradModeError (E3) for an inference tensor; what the
    /// pack hook throws
    static SavedTensor of(std::string_view op, const Tensor& tensor);
    /// Keeps a result, as an alias without history. The hooks have not seen it yet.
    static SavedTensor of_output(const Tensor& tensor) noexcept;

    /// Hands what is kept to this flow's pack hook, if there is one.
    void pack();
    /// @throws GradModeError (E9) if it was written since
    void check(std::string_view op) const;
    /// The tensor, with the history that it had. @throws GradModeError as check; ArgumentError for
    /// an unpack hook's tensor of another shape or dtype; what the hook throws
    [[nodiscard]] Tensor unpack(std::string_view op) const;
    void reset() noexcept;

private:
    Tensor tensor_;
    std::uint32_t version_ = 0;
    std::unique_ptr<Packed> packed_;
};

}  // namespace pumice::autograd
