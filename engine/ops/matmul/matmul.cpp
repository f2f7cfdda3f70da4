// SPDX-License-Identifier: Apache-2.0
// matmul and its kin: broadcasting of batches, vectors as matrices, gradients.
#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/linalg.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/product.h"
#include "ops/all_ops.h"
#include "ops/elementwise/mapped.h"
#include "tensor/storage.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

ShapeError mismatch(const char* wanted, const Tensor& a, const Tensor& b) {
    return ShapeError("matmul",
                      fmt::format("{}; got a {} and b {}", wanted, describe(a), describe(b)));
}

// Sizes as matrices: a vector is one row of a, one column of b.
Dims as_matrix_a(const Dims& sizes) {
    return sizes.count() == 1 ? Dims{1, sizes[0]} : sizes;
}

Dims as_matrix_b(const Dims& sizes) {
    return sizes.count() == 1 ? Dims{sizes[0], 1} : sizes;
}

// Broadcast leading dimensions of two matrix shapes; empty `fits` where they don't.
struct Batch {
    Dims sizes;
    bool fits = true;
};

Batch broadcast_batch(const Dims& a, const Dims& b) {
    Batch batch;
    const std::int64_t count = std::max(a.count(), b.count()) - 2;
    for (std::int64_t d = 0; d < count; ++d) {
        const std::int64_t in_a = d - (count - (a.count() - 2));
        const std::int64_t in_b = d - (count - (b.count() - 2));
        const std::int64_t from_a = in_a < 0 ? 1 : a[in_a];
        const std::int64_t from_b = in_b < 0 ? 1 : b[in_b];
        batch.fits = batch.fits && (from_a == from_b || from_a == 1 || from_b == 1);
        batch.sizes.push_back(from_a == 1 ? from_b : from_a);
    }
    return batch;
}

Dims with_matrix(Dims batch, std::int64_t rows, std::int64_t cols) {
    batch.push_back(rows);
    batch.push_back(cols);
    return batch;
}

void infer_matmul(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const Tensor& a = call.inputs[0];
    const Tensor& b = call.inputs[1];
    const TensorImpl& a_impl = checked_impl(a, "matmul");
    const TensorImpl& b_impl = checked_impl(b, "matmul");
    if (a_impl.dtype != b_impl.dtype ||
        !(is_floating_point(a_impl.dtype) || a_impl.dtype == kInt32)) {
        throw DTypeError("matmul",
                         fmt::format("a and b must have one dtype, floating or int32; got a {} and "
                                     "b {}",
                                     describe(a),
                                     describe(b)));
    }
    if (a_impl.sizes.empty() || b_impl.sizes.empty()) {
        throw mismatch("a and b need at least one dimension", a, b);
    }
    const Dims a_sizes = as_matrix_a(a_impl.sizes);
    const Dims b_sizes = as_matrix_b(b_impl.sizes);
    const std::int64_t b_rows = b_sizes[b_sizes.count() - 2];
    if (a_sizes.back() != b_rows) {
        throw mismatch("a's columns must be as many as b's rows", a, b);
    }
    Batch batch = broadcast_batch(a_sizes, b_sizes);
    if (!batch.fits) {
        throw mismatch("leading dimensions must broadcast", a, b);
    }
    if (a_impl.sizes.count() > 1) {
        batch.sizes.push_back(a_sizes[a_sizes.count() - 2]);
    }
    if (b_impl.sizes.count() > 1) {
        batch.sizes.push_back(b_sizes.back());
    }
    inferred.push_back(dispatch::contiguous_meta(batch.sizes, a_impl.dtype));
}

// A vector operand as a matrix: a dimension that is not there has no stride.
MatrixView view_operand(std::size_t index,
                        const Tensor& tensor,
                        const Dims& batch_sizes,
                        const vk::Capabilities& caps) {
    const TensorImpl& impl = impl_of(tensor);
    if (impl.sizes.count() > 1) {
        return view_matrix(dispatch::input(index), tensor, batch_sizes, caps);
    }
    const std::int64_t stride = impl.strides[0];
    return {.operand = dispatch::input(index),
            .offset = dispatch::bound_offset(tensor, caps),
            .row_stride = index == 0 ? 0 : stride,
            .col_stride = index == 0 ? stride : 0,
            .batch_strides = Dims::filled(batch_sizes.count(), 0)};
}

// The result as [batch, rows, cols], whichever of these it has.
MatrixView view_result(const Tensor& c,
                       const dispatch::OpCall& call,
                       std::int64_t batch_rank,
                       const vk::Capabilities& caps) {
    const TensorImpl& impl = impl_of(c);
    MatrixView matrix{.operand = dispatch::output(),
                      .offset = dispatch::bound_offset(c, caps),
                      .batch_strides = {}};
    std::int64_t d = 0;
    while (d < batch_rank) {
        matrix.batch_strides.push_back(impl.strides[d++]);
    }
    matrix.row_stride = impl_of(call.inputs[0]).sizes.count() > 1 ? impl.strides[d++] : 0;
    matrix.col_stride = impl_of(call.inputs[1]).sizes.count() > 1 ? impl.strides[d] : 0;
    return matrix;
}

void select_matmul(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    const Dims a_sizes = as_matrix_a(impl_of(call.inputs[0]).sizes);
    const Dims b_sizes = as_matrix_b(impl_of(call.inputs[1]).sizes);
    const Dims batch_sizes = broadcast_batch(a_sizes, b_sizes).sizes;
    append_product({.dtype = impl_of(call.inputs[0]).dtype,
                    .rows = a_sizes[a_sizes.count() - 2],
                    .cols = b_sizes.back(),
                    .depth = a_sizes.back(),
                    .batch_sizes = batch_sizes,
                    .a = view_operand(0, call.inputs[0], batch_sizes, caps),
                    .b = view_operand(1, call.inputs[1], batch_sizes, caps),
                    .c = view_result(outputs[0], call, batch_sizes.count(), caps),
                    .c_is_contiguous = impl_of(outputs[0]).is_contiguous,
                    .bias = {}},
                   caps,
                   program);
}

// The output's dimensions: those of the batch, then a's rows and b's columns if they have any.
std::int64_t window_of_matmul(const dispatch::OpCall& call,
                              std::size_t input,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept {
    const bool has_rows = impl_of(call.inputs[0]).sizes.count() > 1;
    const bool has_cols = impl_of(call.inputs[1]).sizes.count() > 1;
    const Dims& sizes = impl_of(call.inputs[input]).sizes;
    const std::int64_t from_end = output_rank - dim;
    if (has_cols && from_end == 1) {
        return input == 1 ? sizes.count() - 1 : dispatch::kWhole;
    }
    if (has_rows && from_end == (has_cols ? 2 : 1)) {
        return input == 0 ? sizes.count() - 2 : dispatch::kWhole;
    }
    const std::int64_t matrix_dims = (has_rows ? 1 : 0) + (has_cols ? 1 : 0);
    const std::int64_t own = sizes.count() - 2 - (from_end - matrix_dims);
    return own < 0 || sizes[own] == 1 ? dispatch::kWhole : own;
}

// Whether a matrix is too large to be bound and its depth is the outermost dimension in memory, so
// that a cut along the output leaves its range as it is.
bool wants_depth_cut(const Tensor& matrix, std::int64_t depth_dim) {
    const TensorImpl& impl = impl_of(matrix);
    const vk::Capabilities& caps = vk::device().capabilities();
    if (impl.storage->allocation().range.size_bytes <= caps.max_storage_range_bytes) [[likely]] {
        return false;
    }
    const auto stride = impl.strides[depth_dim];
    const bool is_outermost = std::all_of(impl.strides.begin(),
                                          impl.strides.end(),
                                          [stride](std::int64_t each) { return each <= stride; });
    const auto elements = static_cast<std::uint64_t>(hull_elements(impl.sizes, impl.strides));
    return is_outermost && impl.sizes[depth_dim] > 1 &&
           elements * static_cast<std::uint64_t>(itemsize(impl.dtype)) >
               dispatch::bindable_bytes(caps);
}

bool wants_depth_cut(const Tensor& a, const Tensor& b) {
    const std::int64_t a_rank = checked_impl(a, "matmul").sizes.count();
    const std::int64_t b_rank = checked_impl(b, "matmul").sizes.count();
    return a_rank > 0 && b_rank > 0 &&
           impl_of(a).sizes.back() == impl_of(b).sizes[std::max<std::int64_t>(b_rank - 2, 0)] &&
           (wants_depth_cut(a, a_rank - 1) ||
            wants_depth_cut(b, std::max<std::int64_t>(b_rank - 2, 0)));
}

// a b = a[:, :h] b[:h] + a[:, h:] b[h:]
Tensor matmul_by_depth(const Tensor& a, const Tensor& b) {
    const std::int64_t depth = a.size(-1);
    const std::int64_t b_dim = std::max<std::int64_t>(b.dim() - 2, 0);
    const auto part = [&](std::int64_t start, std::int64_t end) {
        return matmul(slice(a, -1, start, end), slice(b, b_dim, start, end));
    };
    return add(part(0, depth / 2), part(depth / 2, depth));
}

// da = dc b^T.
Tensor gradient_of_a(const dispatch::BackwardCall& call, const Tensor& dc, const Tensor& b) {
    const Dims& sizes = call.input_sizes(0);
    const Tensor da = matmul(dc, transpose(b, -2, -1));
    return view(sum_to_size(da, as_matrix_a(sizes)), sizes);
}

// db = a^T dc. One b for a batch of a: the batch's rows are rows of one long product, so that no
// gradient a batch is kept.
Tensor gradient_of_b(const dispatch::BackwardCall& call, const Tensor& a, const Tensor& dc) {
    const Dims& sizes = call.input_sizes(1);
    const Dims matrix = as_matrix_b(sizes);
    if (matrix.count() == 2 && dc.dim() > 2) {
        const std::int64_t row_count = numel(dc.sizes()) / std::max<std::int64_t>(dc.size(-1), 1);
        const Tensor long_a = reshape(a, {row_count, matrix[0]});
        const Tensor long_dc = reshape(dc, {row_count, matrix[1]});
        return view(matmul(transpose(long_a, 0, 1), long_dc), sizes);
    }
    const Tensor db = matmul(transpose(a, -2, -1), dc);
    return view(sum_to_size(db, matrix), sizes);
}

void backward_matmul(dispatch::BackwardCall& call) {
    Tensor dc = call.grad();
    if (call.input_sizes(1).count() == 1) {
        dc = unsqueeze(dc, -1);
    }
    if (call.input_sizes(0).count() == 1) {
        dc = unsqueeze(dc, -2);
    }
    if (call.needs(0)) {
        const Tensor b = call.input(1);
        call.set(0, gradient_of_a(call, dc, b.dim() == 1 ? unsqueeze(b, 1) : b));
    }
    if (call.needs(1)) {
        const Tensor a = call.input(0);
        call.set(1, gradient_of_b(call, a.dim() == 1 ? unsqueeze(a, 0) : a, dc));
    }
}

// More batch dimensions than the kernels walk: both operands are copied to one shape, whose batch
// is one dimension.
void limit_batch_rank(Tensor& a, Tensor& b) {
    const std::int64_t most = kMaxBatchRank + 2;
    if (!a.defined() || !b.defined() || (a.dim() <= most && b.dim() <= most) || a.dim() < 2 ||
        b.dim() < 2) {
        return;
    }
    const Batch batch = broadcast_batch(a.sizes(), b.sizes());
    if (batch.fits) {
        a = expand(a, with_matrix(batch.sizes, a.size(-2), a.size(-1))).contiguous();
        b = expand(b, with_matrix(batch.sizes, b.size(-2), b.size(-1))).contiguous();
    }
}

}  // namespace

constexpr dispatch::OpDef kMatmul{
    .name = "matmul",
    .inputs = {{{"a", dispatch::Grad::kFormula}, {"b", dispatch::Grad::kFormula}}},
    .infer = infer_matmul,
    .select = select_matmul,
    .window = window_of_matmul,
    .writes_strided = true,
    .saved = {.inputs = 0b11, .input_is_for = {0b10, 0b01}},
    .backward = backward_matmul,
};
static_assert(well_formed(kMatmul));

}  // namespace pumice::ops

namespace pumice {

Tensor matmul(Tensor a, Tensor b) try {
    ops::limit_batch_rank(a, b);
    if (ops::wants_depth_cut(a, b)) [[unlikely]] {
        return ops::matmul_by_depth(a, b);
    }
    Tensor inputs[] = {std::move(a), std::move(b)};
    return dispatch::call(ops::kMatmul, inputs);

} catch (const Error&) {
    rethrow_under("matmul");
}

Tensor& matmul_out(Tensor& out, Tensor a, Tensor b) try {
    for (const Tensor* operand : {&out, &a, &b}) {
        checked_impl(*operand, "matmul_out");
    }
    ops::limit_batch_rank(a, b);
    if (out.dim() > ops::kMaxBatchRank + 2 && !out.is_contiguous()) {
        throw UnsupportedError(
            "matmul_out",
            fmt::format("a strided out may have at most {} dimensions; got out {}",
                        ops::kMaxBatchRank + 2,
                        describe(out)));
    }
    Tensor inputs[] = {std::move(a), std::move(b)};
    // A workgroup reads rows and columns that others may have written.
    ops::make_separate("matmul_out", out, inputs);
    dispatch::call_out(ops::kMatmul, out, inputs);
    return out;

} catch (const Error&) {
    rethrow_under("matmul_out");
}

}  // namespace pumice
