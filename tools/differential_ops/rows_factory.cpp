// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

Expected filled(const Dims& sizes, DType dtype, double value) {
    return {sizes,
            dtype,
            std::vector<double>(static_cast<std::size_t>(numel(sizes)), round_to(dtype, value)),
            {}};
}

Row filled_row(const char* name,
               const char* text,
               std::function<Tensor(const Step&)> call,
               double value) {
    return {.name = name,
            .text = text,
            .draw =
                [](Draw& draw, Step& step) {
                    step.dims = draw.shape(0, 4);
                    step.dtype = draw.dtype_of(any_dtype());
                    return true;
                },
            .call = [call](Operands, const Step& step) { return call(step); },
            .reference = [value](Flats, const Step& step) -> References {
                return {filled(step.dims, step.dtype, value)};
            },
            .weight = 0.5};
}

Row full_row() {
    return {.name = "full",
            .text = "full($d, $s, $T)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.dims = draw.shape(0, 4);
                    step.dtype = draw.dtype_of(any_dtype());
                    step.scalars = {is_floating_point(step.dtype)
                                        ? draw.scalar(step.dtype)
                                        : Scalar(draw.random.integer(0, 1))};
                    return true;
                },
            .call = [](Operands,
                       const Step& step) { return full(step.dims, step.scalars[0], step.dtype); },
            .reference = [](Flats, const Step& step) -> References {
                return {filled(step.dims, step.dtype, step.scalars[0].toDouble())};
            },
            .weight = 0.5};
}

Row scalar_tensor_row() {
    Row row = full_row();
    row.name = "scalar_tensor";
    row.text = "scalar_tensor($s, $T)";
    const auto draw_full = row.draw;
    row.draw = [draw_full](Draw& draw, Step& step) {
        const bool is_drawn = draw_full(draw, step);
        step.dims = {};
        return is_drawn;
    };
    row.call = [](Operands, const Step& step) {
        return scalar_tensor(step.scalars[0], step.dtype);
    };
    return row;
}

Row full_like_row() {
    return {.name = "full_like",
            .text = "full_like($0, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    step.ints = {draw.random.integer(0, 1)};
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return step.ints[0] == 0 ? zeros_like(in[0]) : full_like(in[0], 1);
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {filled(in[0].sizes, in[0].dtype, static_cast<double>(step.ints[0]))};
            },
            .weight = 0.5};
}

Row arange_row() {
    return {.name = "arange",
            .text = "arange($i, $j, $k, $T)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::int64_t start = draw.random.integer(-5, 5);
                    step.ints = {start, start + draw.extent(), draw.random.integer(1, 3)};
                    step.dtype = draw.dtype_of({kFloat32, kFloat16, kInt32, kInt32});
                    return true;
                },
            .call =
                [](Operands, const Step& step) {
                    return arange(step.ints[0], step.ints[1], step.ints[2], step.dtype);
                },
            .reference = [](Flats, const Step& step) -> References {
                Expected out{{}, step.dtype, {}, {}};
                for (std::int64_t i = step.ints[0]; i < step.ints[1]; i += step.ints[2]) {
                    out.values.push_back(static_cast<double>(i));
                }
                out.sizes = {static_cast<std::int64_t>(out.values.size())};
                return {std::move(out)};
            },
            .weight = 0.5};
}

// Numbers that the generator gives: the range is checked, and that the modes draw the same.
Row random_row(const char* name,
               const char* text,
               DTypes dtypes,
               std::function<Tensor(const Step&)> call,
               double middle,
               double reach) {
    return {.name = name,
            .text = text,
            .draw =
                [dtypes](Draw& draw, Step& step) {
                    step.dims = draw.shape(0, 4);
                    step.dtype = draw.dtype_of(dtypes);
                    return true;
                },
            .call = [call](Operands, const Step& step) { return call(step); },
            .reference = [middle, reach](Flats, const Step& step) -> References {
                Expected out = filled(step.dims, step.dtype, middle);
                out.bounds.assign(out.values.size(), reach);
                return {std::move(out)};
            },
            .weight = 0.4};
}

}  // namespace

std::vector<Row> factory_rows() {
    return {filled_row(
                "zeros",
                "zeros($d, $T)",
                [](const Step& step) { return zeros(step.dims, step.dtype); },
                0.0),
            filled_row(
                "ones",
                "ones($d, $T)",
                [](const Step& step) { return ones(step.dims, step.dtype); },
                1.0),
            full_row(),
            scalar_tensor_row(),
            full_like_row(),
            arange_row(),
            random_row(
                "rand",
                "rand($d, $T)",
                floating_dtypes(),
                [](const Step& step) { return rand(step.dims, step.dtype); },
                0.5,
                0.5),
            random_row(
                "randn",
                "randn($d, $T)",
                floating_dtypes(),
                [](const Step& step) { return randn(step.dims, step.dtype); },
                0.0,
                5.8),
            random_row(
                "randint",
                "randint(-3, 12, $d)",
                {kInt32},
                [](const Step& step) { return randint(-3, 12, step.dims); },
                4,
                7)};
}

}  // namespace pumice::differential
