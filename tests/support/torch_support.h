// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/function.h"
#include "pumice/pumice.h"
#include "pumice/warning.h"

#include "tensor/tensor_impl.h"

#include <string>
#include <vector>

namespace pumice::test {

/// Fails unless the tensor is a view made in this way.
void check_creation(const Tensor& view, CreationMeta wanted);

/// Fails unless both have the same shape and all elements are close.
void check_variables(const Tensor& got, const Tensor& wanted);

/// a + factor * b + a * b, which saves a and b as tensors and the factor as data.
struct ScaledSum : autograd::Function<ScaledSum> {
    static Tensor forward(autograd::AutogradContext* context,
                          const Tensor& a,
                          int factor,
                          const Tensor& b);
    static autograd::variable_list backward(autograd::AutogradContext* context,
                                            const autograd::variable_list& gradients);
};

/// Hears every warning of its lifetime.
class WarningCapture final : public WarningHandler {
public:
    WarningCapture() : before_(WarningUtils::get_warning_handler()) {
        WarningUtils::set_warning_handler(this);
    }

    WarningCapture(const WarningCapture&) = delete;
    WarningCapture& operator=(const WarningCapture&) = delete;
    WarningCapture(WarningCapture&&) = delete;
    WarningCapture& operator=(WarningCapture&&) = delete;

    ~WarningCapture() override { WarningUtils::set_warning_handler(before_); }

    void process(const Warning& warning) override { messages_.push_back(warning.msg()); }

    [[nodiscard]] const std::vector<std::string>& messages() const { return messages_; }

    /// All of them, one a line.
    [[nodiscard]] std::string str() const;

private:
    WarningHandler* before_;
    std::vector<std::string> messages_;
};

}  // namespace pumice::test
