// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Pumice under LibTorch's names: a program for LibTorch's C++ front end includes this file instead
/// of torch/torch.h and compiles, as long as it uses what Pumice has (docs/libtorch.md). The
/// namespaces torch, at and c10 consist of using-directives, so that a name is the same thing in
/// each of them; torch::nn is pumice::nn.

#include "pumice/anomaly.h"
#include "pumice/checkpoint.h"
#include "pumice/export.h"
#include "pumice/function.h"
#include "pumice/gradcheck.h"
#include "pumice/io.h"
#include "pumice/nn/activations.h"
#include "pumice/nn/attention.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/conv.h"
#include "pumice/nn/functional.h"
#include "pumice/nn/init.h"
#include "pumice/nn/layers.h"
#include "pumice/nn/normalization.h"
#include "pumice/nn/utils.h"
#include "pumice/pumice.h"
#include "pumice/saved_tensor_hooks.h"
#include "pumice/torch/dispatch.h"
#include "pumice/torch/optim.h"
#include "pumice/torch/serialize.h"

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

/// Where tensors live, made of one of the names below.
using Device = DeviceType;
/// A shape.
using IntArrayRef = Dims;

inline constexpr DeviceType kCPU = DeviceType::kDefault;   ///< the process's device
inline constexpr DeviceType kCUDA = DeviceType::kDefault;  ///< the process's device
inline constexpr DType kFloat = kFloat32;                  ///< LibTorch's name
inline constexpr DType kHalf = kFloat16;                   ///< LibTorch's name
inline constexpr DType kInt = kInt32;                      ///< LibTorch's name
inline constexpr DType kChar = kInt8;                      ///< LibTorch's name
inline constexpr DType kByte = kUInt8;                     ///< LibTorch's name
inline constexpr DType kLong = kInt32;      ///< there is no int64: a request for it gives int32
inline constexpr DType kInt64 = kInt32;     ///< likewise
inline constexpr DType kDouble = kFloat64;  ///< no tensor has it: UnsupportedError

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
    return TensorOptions().requires_grad(requires_grad);
}

/// Options on the only device.
constexpr TensorOptions device(DeviceType device) {
    return {device};
}

inline constexpr Reduction kNone = Reduction::kNone;  ///< a loss for each element
inline constexpr Reduction kMean = Reduction::kMean;  ///< their mean
inline constexpr Reduction kSum = Reduction::kSum;    ///< their sum

// kLinear, kConv1D, ..., kSigmoid, kTanh, kReLU, kLeakyReLU and kFanIn, kFanOut of nn::init.
using enum nn::init::NonlinearityType;
using enum nn::init::FanModeType;

/// matmul of two matrices. @throws ShapeError, DTypeError as matmul
inline Tensor mm(const Tensor& a, const Tensor& b) {
    return matmul(a, b);
}

/// amax over all dimensions.
inline Tensor max(const Tensor& x) {
    return amax(x);
}

/// amin over all dimensions.
inline Tensor min(const Tensor& x) {
    return amin(x);
}

/// nn::functional::nll_loss with its first options.
inline Tensor nll_loss(const Tensor& input, const Tensor& target) {
    return nn::functional::nll_loss(input, target);
}

/// Of CUDA.
namespace cuda {

/// False: there is Pumice's device, whichever name is asked for.
inline bool is_available() noexcept {
    return false;
}

}  // namespace cuda

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

/// Defines Name as the owner of a NameImpl.
#define TORCH_MODULE(Name) TORCH_MODULE_IMPL(Name, Name##Impl)
// NOLINTBEGIN(bugprone-macro-parentheses): they stand for classes
/// Defines Name as the owner of an Impl.
#define TORCH_MODULE_IMPL(Name, Impl)                      \
    class Name : public torch::nn::ModuleHolder<Impl> {    \
    public:                                                \
        using torch::nn::ModuleHolder<Impl>::ModuleHolder; \
    }
// NOLINTEND(bugprone-macro-parentheses)
