// SPDX-License-Identifier: Apache-2.0
// Tensors of one value or none: empty, zeros, ones, full, their _like forms, scalar_tensor.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "tensor/scalar_bits.h"
#include "vk/kernels/factory_fill.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace pumice::ops {

using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

struct FullAttrs {
    Dims sizes;
    std::uint32_t bits = 0;  ///< of one element
    DType dtype = kFloat32;
};

void infer_full(const OpCall& call, Inferred& inferred) {
    const auto& attrs = call.attrs_as<FullAttrs>();
    check_new_sizes("full", attrs.sizes);
    inferred.emplace_back(dispatch::contiguous_meta(attrs.sizes, attrs.dtype));
}

void select_full(const OpCall& call,
                 std::span<const Tensor> outputs,
                 const vk::Capabilities& caps,
                 Program& program) {
    constexpr std::uint64_t kWordsPerInvocation = 4;
    const auto& attrs = call.attrs_as<FullAttrs>();
    const TensorImpl& out = impl_of(outputs[0]);
    dispatch::for_each_run(out.numel, out.dtype, caps, [&](const dispatch::Run& run) {
        const std::uint64_t words = word_count(run.count, attrs.dtype);
        Step& step = program.steps.emplace_back();
        const std::uint32_t local_size =
            launch_flat(step, (words + kWordsPerInvocation - 1) / kWordsPerInvocation, caps);
        step.bindings.push_back(dispatch::window_of(dispatch::output(), run.first, run.count));
        step.set(vk::FactoryFillSpec{.local_size = local_size},
                 {.word_count = static_cast<std::uint32_t>(words),
                  .word = fill_word(attrs.bits, attrs.dtype)});
    });
}

}  // namespace

constexpr OpDef kFull{.name = "full", .infer = infer_full, .select = select_full};
static_assert(well_formed(kFull));

}  // namespace pumice::ops

namespace pumice {

Tensor empty(const Dims& sizes, const TensorOptions& options) try {
    ops::check_new_sizes("empty", sizes);
    ops::check_device_dtype("empty", options.dtype());
    Tensor made = dispatch::make_tensor(sizes, options.dtype());
    if (options.requires_grad()) {
        made.set_requires_grad(true);
    }
    return made;

} catch (const Error&) {
    rethrow_under("empty");
}

Tensor full(const Dims& sizes, const Scalar& value, const TensorOptions& options) {
    ops::check_device_dtype("full", options.dtype());
    const ops::FullAttrs attrs{.sizes = sizes,
                               .bits = scalar_bits("full", value, options.dtype()),
                               .dtype = options.dtype()};
    return ops::make(ops::kFull, attrs, options.requires_grad());
}

Tensor full(const Dims& sizes, const Scalar& value) {
    return full(sizes, value, value.dtype());
}

Tensor zeros(const Dims& sizes, const TensorOptions& options) try {
    return full(sizes, 0, options);

} catch (const Error&) {
    rethrow_under("zeros");
}

Tensor ones(const Dims& sizes, const TensorOptions& options) try {
    return full(sizes, 1, options);

} catch (const Error&) {
    rethrow_under("ones");
}

Tensor empty_like(const Tensor& x) try {
    const TensorImpl& impl = checked_impl(x, "empty_like");
    return empty(impl.sizes, impl.dtype);

} catch (const Error&) {
    rethrow_under("empty_like");
}

Tensor zeros_like(const Tensor& x) try { return full_like(x, 0); } catch (const Error&) {
    rethrow_under("zeros_like");
}

Tensor ones_like(const Tensor& x) try { return full_like(x, 1); } catch (const Error&) {
    rethrow_under("ones_like");
}

Tensor full_like(const Tensor& x, const Scalar& value) try {
    const TensorImpl& impl = checked_impl(x, "full_like");
    return full(impl.sizes, value, impl.dtype);

} catch (const Error&) {
    rethrow_under("full_like");
}

Tensor scalar_tensor(const Scalar& value) try { return full({}, value); } catch (const Error&) {
    rethrow_under("scalar_tensor");
}

Tensor scalar_tensor(const Scalar& value, const TensorOptions& options) try {
    return full({}, value, options);

} catch (const Error&) {
    rethrow_under("scalar_tensor");
}

}  // namespace pumice
