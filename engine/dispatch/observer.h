// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/random.h"

#include "dispatch/decide.h"
#include "dispatch/op_def.h"

#include <functional>
#include <span>

namespace pumice::dispatch {

/// Somebody who follows operator calls: the tape, a capture.
///
/// For one call, `prepare` runs before anything is allocated or recorded and may throw; then either
/// `commit` runs once, after the call's commands were appended, or `abandon`, when the call threw.
/// What `commit` throws is a user's hook's: the call is done by then.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    Observer(Observer&&) = delete;
    Observer& operator=(Observer&&) = delete;
    virtual ~Observer() = default;

    virtual void prepare(const OpCall& call,
                         const CallTraits& traits,
                         const Decision& decision) = 0;
    virtual void commit(const OpCall& call,
                        const CallTraits& traits,
                        const Decision& decision,
                        std::span<const Tensor> outputs) = 0;
    virtual void abandon() noexcept = 0;
};

/// Takes operator calls instead of the device: a capture. What it is given it keeps as geometry;
/// the outputs' storages are placeholders (`Storage::is_placed`), written in place or not.
class Capturer {
public:
    Capturer() = default;
    Capturer(const Capturer&) = delete;
    Capturer& operator=(const Capturer&) = delete;
    Capturer(Capturer&&) = delete;
    Capturer& operator=(Capturer&&) = delete;
    virtual ~Capturer() = default;

    /// Before anything is allocated for the call. @throws GradModeError (G75)
    virtual void check(const OpCall& call) = 0;
    virtual void append(const OpCall& call, std::span<const Tensor> outputs) = 0;

    /// Before the tensor's `grad` is set to another one.
    virtual void note_grad_set(const Tensor& tensor) = 0;

    /// The generator that the function draws from; see Note [Captured generator].
    virtual GeneratorState& generator() noexcept = 0;
    /// Where replays write the program's generator's state: int32 [4], seed and offset, low words
    /// first. Made by the first call. @throws OutOfMemoryError
    virtual Tensor generator_tensor() = 0;
    /// See pumice::host_call and host_number.
    virtual void add_call(std::function<void()> call, std::function<bool()> is_current) = 0;
    virtual Tensor add_number(std::function<double()> read) = 0;
};

/// The observer of calls that record a node: the tape. Set once, when the first tensor that
/// requires grad is made; null before, when nothing can record.
void set_tape(Observer* tape) noexcept;
Observer* tape() noexcept;

}  // namespace pumice::dispatch
