// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Pumice under LibTorch's names: a program for LibTorch's C++ front end includes this file instead
/// of torch/torch.h and compiles, as far as it keeps to what Pumice has. The namespaces torch, at
/// and c10 are made of using-directives, so that all their spellings name one entity.

#include "pumice/anomaly.h"
#include "pumice/checkpoint.h"
#include "pumice/function.h"
#include "pumice/gradcheck.h"
#include "pumice/pumice.h"
#include "pumice/saved_tensor_hooks.h"

#include <optional>
#include <string>
#include <vector>

namespace c10 {

using namespace pumice;
using std::nullopt;
using std::nullopt_t;
using std::optional;

}  // namespace c10

namespace at {

using namespace pumice;
using std::nullopt;
using std::nullopt_t;
using std::optional;

/// A tensor, here without a difference.
using TensorBase = Tensor;
/// Tensors in order.
using TensorList = std::vector<Tensor>;

inline constexpr DeviceType kCPU = DeviceType::kDefault;   ///< the process's device
inline constexpr DeviceType kCUDA = DeviceType::kDefault;  ///< the process's device
inline constexpr DType kFloat = kFloat32;
inline constexpr DType kHalf = kFloat16;
inline constexpr DType kInt = kInt32;
inline constexpr DType kChar = kInt8;
inline constexpr DType kByte = kUInt8;

/// Of at's own.
namespace native {

using namespace pumice;

/// Whether the one value is not zero.
inline bool is_nonzero(const Tensor& x) {
    return x.item().toBool();
}

}  // namespace native

}  // namespace at

namespace torch {

using namespace pumice;
using namespace at;
using std::nullopt;
using std::nullopt_t;
using std::optional;

/// Options of this dtype.
constexpr TensorOptions dtype(DType dtype) {
    return {dtype};
}

/// Options that are tracked, or not.
constexpr TensorOptions requires_grad(bool requires_grad = true) {
    return {kFloat32, requires_grad};
}

/// Options on the only device.
constexpr TensorOptions device(DeviceType device) {
    return {device};
}

/// Autograd's names, and not the engine's other ones: programs say `using namespace` of it.
namespace autograd {

using namespace pumice::autograd;
using pumice::AutoGradMode;
using pumice::GradMode;
using pumice::InferenceMode;
using pumice::NoGradGuard;
using pumice::Tensor;

/// The data as a new leaf that shares it.
inline Variable make_variable(const Tensor& data, bool requires_grad = false) {
    Tensor made = data.detach();
    return made.set_requires_grad(requires_grad);
}

}  // namespace autograd

}  // namespace torch
