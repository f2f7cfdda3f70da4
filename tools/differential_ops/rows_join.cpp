// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <utility>

namespace pumice::differential {

namespace {

std::int64_t wrapped(std::int64_t dim, std::int64_t rank) {
    return dim < 0 ? dim + rank : dim;
}

DType promoted(Flats in) {
    DType dtype = in[0].dtype;
    for (const Flat& one : in) {
        dtype = promote(dtype, one.dtype);
    }
    return dtype;
}

// Operands one behind another along `dim`; all have their sizes but along it.
Expected joined(const std::vector<Flat>& in, std::int64_t dim, DType dtype) {
    Expected out{in[0].sizes, dtype, {}, {}};
    out.sizes[dim] = 0;
    std::int64_t outer = 1;
    for (std::int64_t i = 0; i < dim; ++i) {
        outer *= out.sizes[i];
    }
    for (const Flat& one : in) {
        out.sizes[dim] += one.sizes[dim];
    }
    for (std::int64_t o = 0; o < outer; ++o) {
        for (const Flat& one : in) {
            const std::int64_t run = one.numel() / std::max<std::int64_t>(outer, 1);
            for (std::int64_t i = 0; i < run; ++i) {
                out.values.push_back(
                    as_operand(one.values[static_cast<std::size_t>(o * run + i)], out.dtype));
            }
        }
    }
    return out;
}

Row cat_row() {
    return {.name = "cat",
            .text = "cat({$*}, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t first = draw.any(any_dtype(), 1, 4);
                    const Dims sizes = draw.array(first).sizes;
                    step.operands = {first};
                    step.ints = {draw.dim_of(sizes.count())};
                    const std::int64_t dim = wrapped(step.ints[0], sizes.count());
                    const std::int64_t count = draw.random.chance(0.1) ? draw.random.integer(6, 14)
                                                                       : draw.random.integer(1, 4);
                    for (std::int64_t i = 1; i < count; ++i) {
                        Dims other = sizes;
                        other[dim] =
                            draw.random.chance(0.4) ? sizes[dim] : draw.random.integer(0, 5);
                        const DTypes same{draw.array(first).dtype};
                        step.operands.push_back(
                            draw.of_shape(other, draw.random.chance(0.8) ? same : any_dtype()));
                    }
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return cat(std::vector<Tensor>(in.begin(), in.end()), step.ints[0]);
                },
            .reference = [](Flats in, const Step& step) -> References {
                // As LibTorch, which leaves out [0] beside operands of more dimensions.
                std::vector<Flat> shaped(in.begin(), in.end());
                std::erase_if(shaped, [](const Flat& one) { return one.sizes == Dims{0}; });
                const std::vector<Flat> kept =
                    shaped.empty() ? std::vector<Flat>{in[0]} : std::move(shaped);
                return {joined(kept, wrapped(step.ints[0], kept[0].sizes.count()), promoted(in))};
            },
            .weight = 3};
}

Row stack_row() {
    return {.name = "stack",
            .text = "stack({$*}, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t first = draw.any(any_dtype(), 0, 4);
                    const Dims sizes = draw.array(first).sizes;
                    step.operands = {first};
                    step.ints = {draw.random.integer(-sizes.count() - 1, sizes.count())};
                    for (std::int64_t i = draw.random.integer(0, 3); i > 0; --i) {
                        step.operands.push_back(draw.of_shape(sizes, {draw.array(first).dtype}));
                    }
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return stack(std::vector<Tensor>(in.begin(), in.end()), step.ints[0]);
                },
            .reference = [](Flats in, const Step& step) -> References {
                const std::int64_t dim = wrapped(step.ints[0], in[0].sizes.count() + 1);
                std::vector<Flat> raised(in.begin(), in.end());
                for (Flat& one : raised) {
                    one.sizes.insert(dim, 1);
                }
                return {joined(raised, dim, promoted(in))};
            }};
}

// Where each element of the result comes from: a position in x along each dimension, or outside.
template <class F>
Expected moved(const Flat& x, const Dims& sizes, double outside, F&& source_of) {
    Expected out{sizes, x.dtype, {}, {}};
    const Dims strides = row_major(sizes);
    const Dims own = row_major(x.sizes);
    for (std::int64_t i = 0; i < numel(sizes); ++i) {
        std::int64_t place = 0;
        bool is_inside = true;
        for (std::int64_t dim = 0; dim < sizes.count(); ++dim) {
            const std::int64_t at = source_of(dim, i / strides[dim] % sizes[dim]);
            is_inside = is_inside && at >= 0 && at < x.sizes[dim];
            place += at * own[dim];
        }
        out.values.push_back(is_inside ? x.values[static_cast<std::size_t>(place)] : outside);
    }
    return out;
}

// dims: (before, after) pairs from the last dimension on.
Row pad_row() {
    return {
        .name = "pad",
        .text = "pad($0, $d, $s)",
        .draw =
            [](Draw& draw, Step& step) {
                step.operands = {draw.any(any_dtype(), 1, 4)};
                const HostArray& x = draw.array(step.operands[0]);
                const std::int64_t count = draw.random.integer(1, x.sizes.count());
                for (std::int64_t i = 0; i < count; ++i) {
                    const std::int64_t extent = x.sizes[x.sizes.count() - 1 - i];
                    const std::int64_t before = draw.random.integer(extent > 1 ? -1 : 0, 2);
                    step.dims.push_back(before);
                    step.dims.push_back(draw.random.integer(extent + before > 0 ? -1 : 0, 2));
                }
                step.scalars = {is_floating_point(x.dtype) ? draw.scalar(x.dtype)
                                                           : Scalar(draw.random.integer(0, 1))};
                return true;
            },
        .call = [](Operands in,
                   const Step& step) { return pad(std::move(in[0]), step.dims, step.scalars[0]); },
        .reference = [](Flats in, const Step& step) -> References {
            Dims sizes = in[0].sizes;
            Dims before = Dims::filled(sizes.count(), 0);
            for (std::int64_t i = 0; i < step.dims.count() / 2; ++i) {
                const std::int64_t dim = sizes.count() - 1 - i;
                before[dim] = step.dims[2 * i];
                sizes[dim] += step.dims[2 * i] + step.dims[2 * i + 1];
            }
            const double value = round_to(in[0].dtype, step.scalars[0].toDouble());
            return {moved(in[0], sizes, value, [&](std::int64_t dim, std::int64_t at) {
                return at - before[dim];
            })};
        },
        .weight = 2};
}

Row repeat_row() {
    return {
        .name = "repeat",
        .text = "repeat($0, $d)",
        .draw =
            [](Draw& draw, Step& step) {
                step.operands = {draw.any(any_dtype(), 0, 4)};
                const HostArray& x = draw.array(step.operands[0]);
                const std::int64_t rank = x.sizes.count() + (draw.random.chance(0.2) ? 1 : 0);
                for (std::int64_t i = 0; i < rank; ++i) {
                    step.dims.push_back(draw.random.chance(0.1) ? 0 : draw.random.integer(1, 3));
                }
                return x.numel() < 50000;
            },
        .call = [](Operands in, const Step& step) { return repeat(in[0], step.dims); },
        .reference = [](Flats in, const Step& step) -> References {
            Flat x = in[0];
            while (x.sizes.count() < step.dims.count()) {
                x.sizes.insert(0, 1);
            }
            Dims sizes = x.sizes;
            for (std::int64_t i = 0; i < sizes.count(); ++i) {
                sizes[i] *= step.dims[i];
            }
            return {moved(x, sizes, 0.0, [&](std::int64_t dim, std::int64_t at) {
                return at % x.sizes[dim];
            })};
        }};
}

Row triangle_row(const char* name, bool is_lower, Tensor (*call)(Tensor, std::int64_t)) {
    return {.name = name,
            .text = std::string(name) + "($0, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype(), 2, 5)};
                    step.ints = {draw.random.integer(-4, 4)};
                    return true;
                },
            .call = [call](Operands in,
                           const Step& step) { return call(std::move(in[0]), step.ints[0]); },
            .reference = [is_lower](Flats in, const Step& step) -> References {
                Expected out{in[0].sizes, in[0].dtype, in[0].values, {}};
                const std::int64_t cols = out.sizes.back();
                const std::int64_t rows = out.sizes[out.sizes.count() - 2];
                for (std::int64_t i = 0; i < in[0].numel(); ++i) {
                    const std::int64_t distance = i % cols - i / cols % rows;
                    const bool stays =
                        is_lower ? distance <= step.ints[0] : distance >= step.ints[0];
                    double& value = out.values[static_cast<std::size_t>(i)];
                    value = stays ? value : 0.0;
                }
                return {std::move(out)};
            }};
}

}  // namespace

std::vector<Row> join_rows() {
    return {cat_row(),
            stack_row(),
            pad_row(),
            repeat_row(),
            triangle_row("tril", true, tril),
            triangle_row("triu", false, triu)};
}

}  // namespace pumice::differential
