// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/pumice.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pumice::test {

/// What an operator under test does with its inputs.
using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Deterministic values in [low, high), the same on every run.
std::vector<float> random_values(std::int64_t count,
                                 double low = -1.0,
                                 double high = 1.0,
                                 std::uint64_t seed = 1);

/// A float32 (or other) tensor of such values.
Tensor random_tensor(const Dims& sizes,
                     double low = -1.0,
                     double high = 1.0,
                     std::uint64_t seed = 1,
                     DType dtype = kFloat32);

/// Relative tolerance of one correctly rounded operation of the dtype; never loosened in a case.
double tolerance_of(DType dtype);

/// Fails unless |got - wanted| <= tolerance * max(1, |wanted|) for each element (NaN equals NaN,
/// infinities equal themselves).
void check_close(const Tensor& got, const std::vector<double>& wanted, double tolerance);
void check_close(const Tensor& got, const std::vector<double>& wanted);

/// |got - wanted| in float32 spacings around `wanted`; 0 where both are below the smallest normal
/// float, which devices may flush to zero (Vulkan, shaderDenormFlushToZeroFloat32).
double ulp_error(float got, double wanted);

/// Fails unless both have the same bits.
void check_same_bits(const Tensor& got, const Tensor& wanted);

/// Runs the function eagerly in grad mode, with every floating input requiring grad, under no_grad,
/// twice in inference mode with inputs made there (so that memory is reused), and captured,
/// replayed twice from different memory; all results must have the same bits. Returns the eager
/// result.
Tensor check_modes(const Function& function, const std::vector<Tensor>& inputs);

/// Compares the gradients of sum(function(inputs) * fixed weights) with central differences, in
/// float32 inputs with float64 sums. `step` and `tolerance` as the function's curvature wants.
void check_gradients(const Function& function,
                     const std::vector<Tensor>& inputs,
                     double step = 1e-2,
                     double tolerance = 2e-3);

/// Fails unless the call throws E whose text contains `text`.
template <class E, class F>
void check_throws(F&& call, const std::string& text);

/// Fails the test with a message.
void fail(const std::string& message);

template <class E, class F>
void check_throws(F&& call, const std::string& text) {
    try {
        call();
    } catch (const E& error) {
        if (std::string(error.what()).find(text) == std::string::npos) {
            fail("the error's text is '" + std::string(error.what()) + "', wanted '" + text + "'");
        }
        return;
    } catch (const std::exception& error) {
        fail(std::string("another type was thrown: ") + error.what());
        return;
    }
    fail("nothing was thrown, wanted '" + text + "'");
}

}  // namespace pumice::test
