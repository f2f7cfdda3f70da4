// SPDX-License-Identifier: Apache-2.0
// linear: x * weight^T + bias as one product.
#include "pumice/error.h"
#include "pumice/ops/linalg.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "geometry/product.h"
#include "ops/all_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

void check_dtypes(const dispatch::OpCall& call) {
    const Tensor& x = call.inputs[0];
    const Tensor& weight = call.inputs[1];
    const Tensor& bias = call.inputs[2];
    const DType dtype = impl_of(x).dtype;
    const bool is_one =
        impl_of(weight).dtype == dtype && (!bias.defined() || impl_of(bias).dtype == dtype);
    if (!is_one || !(is_floating_point(dtype) || dtype == kInt32)) {
        throw DTypeError("linear",
                         fmt::format("x, weight and bias must have one dtype, floating or int32; "
                                     "got {}",
                                     dispatch::describe_inputs(call)));
    }
}

void infer_linear(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const Tensor& x = call.inputs[0];
    const Tensor& weight = call.inputs[1];
    const Tensor& bias = call.inputs[2];
    const TensorImpl& x_impl = checked_impl(x, "linear");
    const TensorImpl& weight_impl = checked_impl(weight, "linear");
    check_dtypes(call);
    const bool fits = !x_impl.sizes.empty() && weight_impl.sizes.count() == 2 &&
                      x_impl.sizes.back() == weight_impl.sizes[1];
    if (!fits) {
        throw ShapeError("linear",
                         fmt::format("x must be [..., I] and weight [O, I]; got x {} and weight {}",
                                     describe(x),
                                     describe(weight)));
    }
    const std::int64_t features = weight_impl.sizes[0];
    if (bias.defined() && impl_of(bias).sizes != Dims{features}) {
        throw ShapeError(
            "linear",
            fmt::format("bias must be [O] for weight [O, I]; got bias {} and weight {}",
                        describe(bias),
                        describe(weight)));
    }
    Dims sizes = x_impl.sizes;
    sizes[sizes.count() - 1] = features;
    inferred.push_back(dispatch::contiguous_meta(sizes, x_impl.dtype));
}

// The last two dimensions of x or y; a vector is one row.
MatrixView view_rows(dispatch::Operand operand,
                     const Tensor& tensor,
                     const Dims& batch_sizes,
                     const vk::Capabilities& caps) {
    const TensorImpl& impl = impl_of(tensor);
    if (impl.sizes.count() > 1) {
        return view_matrix(operand, tensor, batch_sizes, caps);
    }
    return {.operand = operand,
            .offset = dispatch::bound_offset(tensor, caps),
            .row_stride = 0,
            .col_stride = impl.strides[0],
            .batch_strides = {}};
}

void select_linear(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    const Dims& sizes = impl_of(call.inputs[0]).sizes;
    const Tensor& bias = call.inputs[2];
    Dims batch_sizes;
    for (std::int64_t d = 0; d + 2 < sizes.count(); ++d) {
        batch_sizes.push_back(sizes[d]);
    }
    MatrixView weight = view_matrix(dispatch::input(1), call.inputs[1], batch_sizes, caps);
    std::swap(weight.row_stride, weight.col_stride);
    const bool has_bias = bias.defined();
    append_product(
        {.dtype = impl_of(call.inputs[0]).dtype,
         .rows = sizes.count() > 1 ? sizes[sizes.count() - 2] : 1,
         .cols = impl_of(call.inputs[1]).sizes[0],
         .depth = sizes.back(),
         .batch_sizes = batch_sizes,
         .a = view_rows(dispatch::input(0), call.inputs[0], batch_sizes, caps),
         .b = weight,
         .c = view_rows(dispatch::output(), outputs[0], batch_sizes, caps),
         .c_is_contiguous = impl_of(outputs[0]).is_contiguous,
         .has_bias = has_bias,
         .bias = dispatch::input(2),
         .bias_offset = has_bias ? dispatch::bound_offset(bias, caps) : 0,
         .bias_stride = has_bias ? static_cast<std::uint32_t>(impl_of(bias).strides[0]) : 0},
        caps,
        program);
}

std::int64_t window_of_linear(const dispatch::OpCall& /*call*/,
                              std::size_t input,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept {
    const bool is_column = dim == output_rank - 1;
    if (input == 0) {
        return is_column ? dispatch::kWhole : dim;
    }
    return is_column ? 0 : dispatch::kWhole;
}

void backward_linear(dispatch::BackwardCall& call) {
    const Dims& x_sizes = call.input_sizes(0);
    const Dims& weight_sizes = call.input_sizes(1);
    const Tensor& dy = call.grad();
    std::int64_t row_count = 1;
    for (std::int64_t d = 0; d + 1 < x_sizes.count(); ++d) {
        row_count *= x_sizes[d];
    }
    if (call.needs(0)) {
        call.set(0, matmul(dy, call.input(1)));
    }
    if (!call.needs(1) && !call.needs(2)) {
        return;
    }
    const Tensor rows = reshape(dy, {row_count, weight_sizes[0]});
    if (call.needs(1)) {
        const Tensor x_rows = reshape(call.input(0), {row_count, weight_sizes[1]});
        call.set(1, matmul(transpose(rows, 0, 1), x_rows));
    }
    if (call.needs(2)) {
        call.set(2, sum(rows, {0}));
    }
}

}  // namespace

constexpr dispatch::OpDef kLinear{
    .name = "linear",
    .inputs = {{{"x", dispatch::Grad::kFormula},
                {"weight", dispatch::Grad::kFormula},
                {"bias", dispatch::Grad::kFormula}}},
    .infer = infer_linear,
    .select = select_linear,
    .window = window_of_linear,
    .writes_strided = true,
    .saved = {.inputs = 0b011, .input_is_for = {0b010, 0b001}},
    .backward = backward_linear,
};
static_assert(well_formed(kLinear));

}  // namespace pumice::ops

namespace pumice {

Tensor linear(Tensor x, Tensor weight, Tensor bias) try {
    if (x.defined() && x.dim() > ops::kMaxBatchRank + 2) {
        x = x.contiguous();
    }
    Tensor inputs[] = {std::move(x), std::move(weight), std::move(bias)};
    return dispatch::call(ops::kLinear, inputs);

} catch (const Error&) {
    rethrow_under("linear");
}

}  // namespace pumice
