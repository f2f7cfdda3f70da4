// SPDX-License-Identifier: Apache-2.0
// Start values of parameters.
#include "pumice/nn/init.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pumice::nn::init {

namespace {

// Copies what `values` gives into the tensor, untracked.
template <class F>
Tensor fill_with(Tensor tensor, F&& values) {
    no_grad([&] { copy_(tensor, values()); });
    return tensor;
}

void check_defined(const char* function, const Tensor& tensor) {
    if (!tensor.defined()) {
        throw ArgumentError(function, "got an undefined tensor, wanted one to write into");
    }
}

void check_finite(const char* function, const char* what, double value) {
    if (!std::isfinite(value)) {
        throw ArgumentError(function, fmt::format("{} must be finite; got {}", what, value));
    }
}

void check_deviation(const char* function, const char* what, double value) {
    if (!(std::isfinite(value) && value >= 0.0)) {
        throw ArgumentError(function,
                            fmt::format("{} must be finite and >= 0; got {}", what, value));
    }
}

Tensor uniform_of_deviation(Tensor tensor, double deviation) {
    const double bound = std::sqrt(3.0) * deviation;
    return uniform_(std::move(tensor), -bound, bound);
}

// An extent of 0 has no values to write, and a fan of 1 gives them a finite deviation.
double positive(std::int64_t fan) {
    return static_cast<double>(std::max<std::int64_t>(fan, 1));
}

double xavier_deviation(const char* function, const Tensor& tensor, double gain) {
    check_deviation(function, "gain", gain);
    const auto [fan_in, fan_out] = _calculate_fan_in_and_fan_out(tensor);
    return gain * std::sqrt(2.0 / positive(fan_in + fan_out));
}

double kaiming_deviation(const char* function,
                         const Tensor& tensor,
                         double a,
                         FanModeType mode,
                         NonlinearityType nonlinearity) {
    check_finite(function, "a", a);
    const auto [fan_in, fan_out] = _calculate_fan_in_and_fan_out(tensor);
    const std::int64_t fan = mode == FanModeType::kFanIn ? fan_in : fan_out;
    return calculate_gain(nonlinearity, a) / std::sqrt(positive(fan));
}

}  // namespace

double calculate_gain(NonlinearityType nonlinearity, double param) {
    switch (nonlinearity) {
        case NonlinearityType::kTanh: return 5.0 / 3.0;
        case NonlinearityType::kReLU: return std::sqrt(2.0);
        case NonlinearityType::kLeakyReLU: return std::sqrt(2.0 / (1.0 + param * param));
        default: return 1.0;
    }
}

std::tuple<std::int64_t, std::int64_t> _calculate_fan_in_and_fan_out(const Tensor& tensor) {
    check_defined("_calculate_fan_in_and_fan_out", tensor);
    if (tensor.dim() < 2) {
        throw ShapeError("_calculate_fan_in_and_fan_out",
                         fmt::format("wanted at least two dimensions, [out, in, ...]; got {}",
                                     to_string(tensor.sizes())));
    }
    std::int64_t field = 1;
    for (std::int64_t dim = 2; dim < tensor.dim(); ++dim) {
        field *= tensor.size(dim);
    }
    return {tensor.size(1) * field, tensor.size(0) * field};
}

Tensor constant_(Tensor tensor, const Scalar& value) {
    check_defined("constant_", tensor);
    no_grad([&] { fill_(tensor, value); });
    return tensor;
}

Tensor zeros_(Tensor tensor) {
    return constant_(std::move(tensor), 0);
}

Tensor ones_(Tensor tensor) {
    return constant_(std::move(tensor), 1);
}

Tensor eye_(Tensor matrix) {
    check_defined("eye_", matrix);
    if (matrix.dim() != 2) {
        throw ShapeError("eye_", fmt::format("wanted a matrix; got {}", to_string(matrix.sizes())));
    }
    return fill_with(
        matrix, [&] { return eq(unsqueeze(arange(matrix.size(0)), 1), arange(matrix.size(1))); });
}

Tensor uniform_(Tensor tensor, double low, double high) {
    check_defined("uniform_", tensor);
    if (!(std::isfinite(low) && std::isfinite(high) && low <= high)) {
        throw ArgumentError(
            "uniform_", fmt::format("wanted low <= high, both finite; got {} and {}", low, high));
    }
    return fill_with(
        tensor, [&] { return add(mul(rand(tensor.sizes(), tensor.dtype()), high - low), low); });
}

Tensor normal_(Tensor tensor, double mean, double std) {
    check_defined("normal_", tensor);
    check_finite("normal_", "mean", mean);
    check_deviation("normal_", "std", std);
    return fill_with(tensor,
                     [&] { return add(mul(randn(tensor.sizes(), tensor.dtype()), std), mean); });
}

Tensor xavier_uniform_(Tensor tensor, double gain) {
    const double deviation = xavier_deviation("xavier_uniform_", tensor, gain);
    return uniform_of_deviation(std::move(tensor), deviation);
}

Tensor xavier_normal_(Tensor tensor, double gain) {
    const double deviation = xavier_deviation("xavier_normal_", tensor, gain);
    return normal_(std::move(tensor), 0.0, deviation);
}

Tensor kaiming_uniform_(Tensor tensor, double a, FanModeType mode, NonlinearityType nonlinearity) {
    const double deviation = kaiming_deviation("kaiming_uniform_", tensor, a, mode, nonlinearity);
    return uniform_of_deviation(std::move(tensor), deviation);
}

Tensor kaiming_normal_(Tensor tensor, double a, FanModeType mode, NonlinearityType nonlinearity) {
    const double deviation = kaiming_deviation("kaiming_normal_", tensor, a, mode, nonlinearity);
    return normal_(std::move(tensor), 0.0, deviation);
}

}  // namespace pumice::nn::init
