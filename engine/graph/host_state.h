// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/random.h"
#include "pumice/tensor.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace pumice::graph {

/// What the host gives the replays of one captured function: its calls there, the numbers that they
/// leave, and the generator's state. The tensors are external values of the graph, which replays
/// write in stream order, so that several may be on their way.
class HostState {
public:
    HostState();
    HostState(const HostState&) = delete;
    HostState& operator=(const HostState&) = delete;
    HostState(HostState&&) = delete;
    HostState& operator=(HostState&&) = delete;
    ~HostState() = default;

    /// While the function is captured; see pumice::host_call and host_number.
    void add_call(std::function<void()> call, std::function<bool()> is_current);
    Tensor add_number(std::function<double()> read);

    /// The generator as the function has left it, and the tensor that its draws read; see Note
    /// [Captured generator].
    GeneratorState& generator() noexcept { return generator_; }

    Tensor generator_tensor();

    /// Whether all calls find the plan up to date.
    [[nodiscard]] bool is_current() const;
    /// Before each replay: makes the calls, then writes the tensors and moves the generator on.
    /// @throws what the calls throw, with nothing written; OutOfMemoryError, DeviceError
    void feed();

private:
    struct Call {
        std::function<void()> call;
        std::function<bool()> is_current;  // may be empty
    };

    // Numbers lie together, so that a replay uploads them at once.
    struct Page {
        Tensor tensor;
        std::vector<float> values;
    };

    std::vector<Call> calls_;
    std::vector<Page> pages_;
    Tensor generator_tensor_;
    GeneratorState generator_;
};

}  // namespace pumice::graph
