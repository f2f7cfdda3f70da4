// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/observer.h"

namespace pumice::autograd {

/// The observer that records nodes. Made known to dispatch by the first tensor that requires grad.
class Tape final : public dispatch::Observer {
public:
    /// @throws GradModeError (E3, E6, E8)
    void prepare(const dispatch::OpCall& call,
                 const dispatch::CallTraits& traits,
                 const dispatch::Decision& decision) override;
    /// Throws what a saved-tensor hook throws.
    void commit(const dispatch::OpCall& call,
                const dispatch::CallTraits& traits,
                const dispatch::Decision& decision,
                std::span<const Tensor> outputs) override;
    void abandon() noexcept override;
};

/// Subscribes the process's tape; later calls do nothing.
void start_tape() noexcept;

}  // namespace pumice::autograd
