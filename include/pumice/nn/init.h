// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <cstdint>
#include <tuple>

/// First values of parameters, as torch::nn::init: each function writes into the tensor, untracked
/// and in its dtype, and returns it. All throw ArgumentError for an undefined tensor and
/// GradModeError (E2) for an inference tensor outside of inference mode; the random ones throw
/// DTypeError for a dtype that is not floating, and take numbers as rand and randn do.
namespace PUMICE_API pumice {
namespace nn {
namespace init {

/// What follows a layer, or the layer that follows, for calculate_gain.
enum class NonlinearityType : std::uint8_t {
    kLinear,
    kConv1D,
    kConv2D,
    kConv3D,
    kConvTranspose1D,
    kConvTranspose2D,
    kConvTranspose3D,
    kSigmoid,
    kTanh,
    kReLU,
    kLeakyReLU,
};

/// Whose variance is kept: that of the values, forward, or that of the gradients, backward.
enum class FanModeType : std::uint8_t { kFanIn, kFanOut };

/// What the deviation of weights is multiplied by: 1 for kLinear, convolutions and kSigmoid, 5/3
/// for kTanh, sqrt(2) for kReLU, sqrt(2 / (1 + param^2)) for kLeakyReLU of that negative slope.
double calculate_gain(NonlinearityType nonlinearity, double param = 0.01);

/// Inputs of each output, and outputs of each input, of a weight [out, in, ...]: in and out, times
/// the product of the extents behind. @throws ShapeError below two dimensions
std::tuple<std::int64_t, std::int64_t> _calculate_fan_in_and_fan_out(const Tensor& tensor);

/// `value` everywhere, any dtype. @throws DTypeError if the dtype cannot hold it
Tensor constant_(Tensor tensor, const Scalar& value);
/// 0 everywhere.
Tensor zeros_(Tensor tensor);
/// 1 everywhere.
Tensor ones_(Tensor tensor);
/// 1 where row and column are the same, 0 elsewhere. matrix: [rows, columns], any dtype.
/// @throws ShapeError for another rank
Tensor eye_(Tensor matrix);

/// Uniform in [low, high); where the dtype is coarse, rounding may give high itself. @throws
/// ArgumentError unless low <= high, both finite
Tensor uniform_(Tensor tensor, double low = 0.0, double high = 1.0);
/// Normal. @throws ArgumentError unless both are finite and std is not negative
Tensor normal_(Tensor tensor, double mean = 0.0, double std = 1.0);

/// Mean 0 and deviation gain * sqrt(2 / (fan_in + fan_out)), uniform or normal.
/// Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
/// networks", 2010, equation 16. @throws ShapeError below two dimensions; ArgumentError unless
/// gain is finite and not negative
/// @{
Tensor xavier_uniform_(Tensor tensor, double gain = 1.0);
Tensor xavier_normal_(Tensor tensor, double gain = 1.0);
/// @}

/// Mean 0 and deviation calculate_gain(nonlinearity, a) / sqrt(fan), uniform or normal.
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015, equations 10, 14 and 15.
/// @throws ShapeError below two dimensions; ArgumentError for an `a` that is not finite
/// @{
Tensor kaiming_uniform_(Tensor tensor,
                        double a = 0.0,
                        FanModeType mode = FanModeType::kFanIn,
                        NonlinearityType nonlinearity = NonlinearityType::kLeakyReLU);
Tensor kaiming_normal_(Tensor tensor,
                       double a = 0.0,
                       FanModeType mode = FanModeType::kFanIn,
                       NonlinearityType nonlinearity = NonlinearityType::kLeakyReLU);
/// @}

}  // namespace init
}  // namespace nn
}  // namespace pumice
