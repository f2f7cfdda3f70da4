// SPDX-License-Identifier: Apache-2.0
#include "pumice/indexing.h"
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

constexpr double kUnchecked = std::numeric_limits<double>::infinity();

std::int64_t wrapped(std::int64_t dim, std::int64_t rank) {
    return dim < 0 ? dim + rank : dim;
}

std::int64_t index_at(const Flat& index, std::int64_t i) {
    return static_cast<std::int64_t>(index.values[static_cast<std::size_t>(i)]);
}

// An array seen as [outer, extent, inner] around one dimension.
struct Around {
    std::int64_t outer = 1;
    std::int64_t extent = 1;
    std::int64_t inner = 1;

    Around(const Dims& sizes, std::int64_t dim) : extent(sizes[dim]) {
        for (std::int64_t i = 0; i < dim; ++i) {
            outer *= sizes[i];
        }
        for (std::int64_t i = dim + 1; i < sizes.count(); ++i) {
            inner *= sizes[i];
        }
    }

    [[nodiscard]] std::size_t place(std::int64_t o, std::int64_t at, std::int64_t i) const {
        return static_cast<std::size_t>((o * extent + at) * inner + i);
    }
};

Row embedding_row() {
    return {.name = "embedding",
            .text = "embedding($0, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t weight = draw.any(any_dtype(), 2, 2);
                    const Dims sizes = draw.array(weight).sizes;
                    if (sizes.count() != 2 || sizes[0] == 0 || sizes[1] > 1000) {
                        return false;
                    }
                    step.operands = {
                        weight,
                        draw.in_range(draw.shape(0, 3), kInt32, 0, static_cast<double>(sizes[0]))};
                    return draw.array(step.operands[1]).numel() < 2000000 / (sizes[1] + 1);
                },
            .call = [](Operands in,
                       const Step&) { return embedding(std::move(in[0]), std::move(in[1])); },
            .reference = [](Flats in, const Step&) -> References {
                Expected out{in[1].sizes, in[0].dtype, {}, {}};
                out.sizes.push_back(in[0].sizes[1]);
                for (std::int64_t i = 0; i < in[1].numel(); ++i) {
                    for (std::int64_t col = 0; col < in[0].sizes[1]; ++col) {
                        out.values.push_back(in[0].values[static_cast<std::size_t>(
                            index_at(in[1], i) * in[0].sizes[1] + col)]);
                    }
                }
                return {std::move(out)};
            },
            .weight = 2};
}

// Something with an extent along a dimension, ints[0], of which there are indices.
bool draw_indexed(Draw& draw, Step& step, const DTypes& dtypes) {
    step.operands = {draw.any(dtypes, 1, 4)};
    const Dims& sizes = draw.array(step.operands[0]).sizes;
    step.ints = {draw.dim_of(sizes.count())};
    return sizes[wrapped(step.ints[0], sizes.count())] > 0;
}

std::int64_t some_extent(Draw& draw) {
    return std::min<std::int64_t>(draw.extent(), 40);
}

Row index_select_row() {
    return {.name = "index_select",
            .text = "index_select($0, $i, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    if (!draw_indexed(draw, step, any_dtype())) {
                        return false;
                    }
                    const Dims& sizes = draw.array(step.operands[0]).sizes;
                    const std::int64_t dim = wrapped(step.ints[0], sizes.count());
                    const auto extent = static_cast<double>(sizes[dim]);
                    step.operands.push_back(draw.in_range({some_extent(draw)}, kInt32, 0, extent));
                    return draw.array(step.operands[0]).numel() < 100000;
                },
            .call =
                [](Operands in, const Step& step) {
                    return index_select(std::move(in[0]), step.ints[0], std::move(in[1]));
                },
            .reference = [](Flats in, const Step& step) -> References {
                const std::int64_t dim = wrapped(step.ints[0], in[0].sizes.count());
                const Around x(in[0].sizes, dim);
                Expected out{in[0].sizes, in[0].dtype, {}, {}};
                out.sizes[dim] = in[1].numel();
                for (std::int64_t o = 0; o < x.outer; ++o) {
                    for (std::int64_t k = 0; k < in[1].numel(); ++k) {
                        for (std::int64_t i = 0; i < x.inner; ++i) {
                            out.values.push_back(in[0].values[x.place(o, index_at(in[1], k), i)]);
                        }
                    }
                }
                return {std::move(out)};
            },
            .weight = 2};
}

// Shape of an index no longer than x but along dim.
Dims index_sizes(Draw& draw, const Dims& sizes, std::int64_t dim) {
    Dims out = sizes;
    for (std::int64_t i = 0; i < out.count(); ++i) {
        if (i == dim) {
            out[i] = out[i] > 1000 ? 3 : some_extent(draw);
        } else if (out[i] > 1 && draw.random.chance(0.2)) {
            out[i] = draw.random.integer(1, out[i]);
        }
    }
    return out;
}

// The place in an array with other sizes of the element that an index entry names.
template <class F>
void for_each_entry(const Flat& index, const Dims& sizes, std::int64_t dim, F&& visit) {
    Dims strides = row_major(sizes);
    const std::int64_t along = strides[dim];
    strides[dim] = 0;
    std::int64_t entry = 0;
    for (const std::int64_t place : places(index.sizes, strides)) {
        visit(static_cast<std::size_t>(place + index_at(index, entry) * along), entry);
        ++entry;
    }
}

Row gather_row() {
    return {.name = "gather",
            .text = "gather($0, $i, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    if (!draw_indexed(draw, step, any_dtype())) {
                        return false;
                    }
                    const Dims sizes = draw.array(step.operands[0]).sizes;
                    const std::int64_t dim = wrapped(step.ints[0], sizes.count());
                    step.operands.push_back(draw.in_range(
                        index_sizes(draw, sizes, dim), kInt32, 0, static_cast<double>(sizes[dim])));
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return gather(std::move(in[0]), step.ints[0], std::move(in[1]));
                },
            .reference = [](Flats in, const Step& step) -> References {
                Expected out{in[1].sizes, in[0].dtype, {}, {}};
                const std::int64_t dim = wrapped(step.ints[0], in[0].sizes.count());
                for_each_entry(in[1], in[0].sizes, dim, [&](std::size_t place, std::int64_t) {
                    out.values.push_back(in[0].values[place]);
                });
                return {std::move(out)};
            },
            .weight = 2};
}

// Sums where several values meet; float32 inside, whose error grows with their count.
class Sums {
public:
    explicit Sums(const Flat& x)
        : out_{x.sizes, x.dtype, x.values, std::vector<double>(x.values.size(), 0.0)},
          sizes_(x.values.size(), 0.0),
          counts_(x.values.size(), 0.0) {
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            sizes_[i] = std::isfinite(x.values[i]) ? std::abs(x.values[i]) : 0.0;
        }
    }

    void add(std::size_t place, double value) {
        out_.values[place] += value;
        sizes_[place] += std::isfinite(value) ? std::abs(value) : 0.0;
        counts_[place] += 1.0;
    }

    Expected take() {
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            if (!is_floating_point(out_.dtype)) {
                out_.values[i] = round_to(out_.dtype, out_.values[i]);
            } else if (counts_[i] > 0) {
                out_.bounds[i] = sizes_[i] > 0.5 * largest(kFloat32)
                                     ? kUnchecked
                                     : counts_[i] * (0x1p-24 * sizes_[i] + 0x1p-126);
            }
        }
        return std::move(out_);
    }

private:
    Expected out_;
    std::vector<double> sizes_;
    std::vector<double> counts_;
};

Row scatter_add_row() {
    return {.name = "scatter_add",
            .text = "scatter_add($0, $i, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    if (!draw_indexed(draw, step, number_dtypes())) {
                        return false;
                    }
                    const Dims sizes = draw.array(step.operands[0]).sizes;
                    const DType dtype = draw.array(step.operands[0]).dtype;
                    const std::int64_t dim = wrapped(step.ints[0], sizes.count());
                    const Dims index = index_sizes(draw, sizes, dim);
                    step.operands.push_back(
                        draw.in_range(index, kInt32, 0, static_cast<double>(sizes[dim])));
                    step.operands.push_back(draw.of_shape(index, {dtype}));
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return scatter_add(
                        std::move(in[0]), step.ints[0], std::move(in[1]), std::move(in[2]));
                },
            .reference = [](Flats in, const Step& step) -> References {
                Sums sums(in[0]);
                const std::int64_t dim = wrapped(step.ints[0], in[0].sizes.count());
                for_each_entry(in[1], in[0].sizes, dim, [&](std::size_t place, std::int64_t i) {
                    sums.add(place, in[2].values[static_cast<std::size_t>(i)]);
                });
                return {sums.take()};
            },
            .weight = 2};
}

// Calls with the place in x and in the source of each element of the rows named.
template <class F>
void for_each_row(Flats in, const Step& step, F&& visit) {
    const std::int64_t dim = wrapped(step.ints[0], in[0].sizes.count());
    const Around x(in[0].sizes, dim);
    const Around source(in[2].sizes, dim);
    for (std::int64_t k = 0; k < in[1].numel(); ++k) {
        for (std::int64_t o = 0; o < x.outer; ++o) {
            for (std::int64_t i = 0; i < x.inner; ++i) {
                visit(x.place(o, index_at(in[1], k), i), source.place(o, k, i));
            }
        }
    }
}

Row rows_row(const char* name,
             Tensor (*call)(Tensor, std::int64_t, Tensor, Tensor),
             Expected (*reference)(Flats, const Step&)) {
    return {.name = name,
            .text = std::string(name) + "($0, $i, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    if (!draw_indexed(draw, step, number_dtypes())) {
                        return false;
                    }
                    Dims sizes = draw.array(step.operands[0]).sizes;
                    const DType dtype = draw.array(step.operands[0]).dtype;
                    const std::int64_t dim = wrapped(step.ints[0], sizes.count());
                    const auto extent = static_cast<double>(sizes[dim]);
                    sizes[dim] = numel(sizes) > 100000 ? 2 : some_extent(draw);
                    step.operands.push_back(draw.in_range({sizes[dim]}, kInt32, 0, extent));
                    step.operands.push_back(draw.of_shape(sizes, {dtype}));
                    return true;
                },
            .call =
                [call](Operands in, const Step& step) {
                    return call(std::move(in[0]), step.ints[0], std::move(in[1]), std::move(in[2]));
                },
            .reference = [reference](Flats in, const Step& step) -> References {
                return {reference(in, step)};
            },
            .weight = 2};
}

Expected with_rows_added(Flats in, const Step& step) {
    Sums sums(in[0]);
    for_each_row(in, step, [&](std::size_t place, std::size_t from) {
        sums.add(place, in[2].values[from]);
    });
    return sums.take();
}

Expected with_rows_copied(Flats in, const Step& step) {
    Expected out{in[0].sizes, in[0].dtype, in[0].values, {}};
    for_each_row(in, step, [&](std::size_t place, std::size_t from) {
        out.values[place] = in[2].values[from];
    });
    return out;
}

Row masked_select_row() {
    return {.name = "masked_select",
            .text = "masked_select($0, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t x = draw.any(any_dtype());
                    step.operands = {x, draw.beside(x, {kBool})};
                    return true;
                },
            .call = [](Operands in, const Step&) { return masked_select(in[0], in[1]); },
            .reference = [](Flats in, const Step&) -> References {
                Dims sizes;
                broadcast(in[0].sizes, in[1].sizes, sizes);
                const std::vector<double> x = spread(in[0], sizes);
                const std::vector<double> mask = spread(in[1], sizes);
                Expected out{{}, in[0].dtype, {}, {}};
                for (std::size_t i = 0; i < x.size(); ++i) {
                    if (mask[i] != 0) {
                        out.values.push_back(x[i]);
                    }
                }
                out.sizes = {static_cast<std::int64_t>(out.values.size())};
                return {std::move(out)};
            },
            .reads_host = true,
            .weight = 0.4};
}

Row nonzero_row() {
    return {.name = "nonzero",
            .text = "nonzero($0)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype(), 1)};
                    return true;
                },
            .call = [](Operands in, const Step&) { return nonzero(in[0]); },
            .reference = [](Flats in, const Step&) -> References {
                Expected out{{}, kInt32, {}, {}};
                const Dims strides = row_major(in[0].sizes);
                std::int64_t count = 0;
                for (std::size_t i = 0; i < in[0].values.size(); ++i) {
                    if (in[0].values[i] == 0) {
                        continue;
                    }
                    ++count;
                    for (std::int64_t dim = 0; dim < strides.count(); ++dim) {
                        out.values.push_back(static_cast<double>(static_cast<std::int64_t>(i) /
                                                                 strides[dim] % in[0].sizes[dim]));
                    }
                }
                out.sizes = {count, in[0].sizes.count()};
                return {std::move(out)};
            },
            .reads_host = true,
            .weight = 0.4};
}

// x.index({Slice(), index}): along the second dimension; negative ones count from the end.
Row index_row() {
    return {.name = "index",
            .text = "$0.index({Slice(), $1})",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype(), 2, 4)};
                    const Dims sizes = draw.array(step.operands[0]).sizes;
                    if (sizes.count() < 2 || sizes[1] == 0 || numel(sizes) > 100000) {
                        return false;
                    }
                    const auto extent = static_cast<double>(sizes[1]);
                    step.operands.push_back(
                        draw.in_range({some_extent(draw)}, kInt32, -extent, extent));
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    return in[0].index({indexing::Slice(), in[1]});
                },
            .reference = [](Flats in, const Step&) -> References {
                const Around x(in[0].sizes, 1);
                Expected out{in[0].sizes, in[0].dtype, {}, {}};
                out.sizes[1] = in[1].numel();
                for (std::int64_t o = 0; o < x.outer; ++o) {
                    for (std::int64_t k = 0; k < in[1].numel(); ++k) {
                        for (std::int64_t i = 0; i < x.inner; ++i) {
                            const std::int64_t at = wrapped(index_at(in[1], k), x.extent);
                            out.values.push_back(in[0].values[x.place(o, at, i)]);
                        }
                    }
                }
                return {std::move(out)};
            }};
}

// self.index_put_({index}, values, flags[0]): rows along the first dimension.
Row index_put_row() {
    return {.name = "index_put_",
            .text = "$0.index_put_({$1}, $2, $f)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t self = draw.target(number_dtypes());
                    if (self >= draw.program.value_count || draw.array(self).sizes.empty() ||
                        draw.array(self).sizes[0] == 0 || draw.array(self).numel() > 100000) {
                        return false;
                    }
                    Dims sizes = draw.array(self).sizes;
                    const auto extent = static_cast<double>(sizes[0]);
                    const DType dtype = draw.array(self).dtype;
                    sizes[0] = some_extent(draw);
                    step.operands = {self,
                                     draw.in_range({sizes[0]}, kInt32, -extent, extent),
                                     draw.of_shape(sizes, {dtype})};
                    step.flags[0] = draw.random.chance(0.4);
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    in[0].index_put_({in[1]}, in[2], step.flags[0]);
                    return Tensor();
                },
            .reference = [](Flats in, const Step& step) -> References {
                Flat index = in[1];
                for (double& one : index.values) {
                    one = one < 0 ? one + static_cast<double>(in[0].sizes[0]) : one;
                }
                const Flat operands[] = {in[0], index, in[2]};
                Step along = step;
                along.ints = {0};
                return {step.flags[0] ? with_rows_added(operands, along)
                                      : with_rows_copied(operands, along)};
            },
            .writes = {0},
            .makes_result = false};
}

}  // namespace

std::vector<Row> index_rows() {
    std::vector<Row> rows{embedding_row(),
                          index_select_row(),
                          gather_row(),
                          scatter_add_row(),
                          rows_row("index_add", index_add, with_rows_added),
                          rows_row("index_copy", index_copy, with_rows_copied),
                          masked_select_row(),
                          nonzero_row(),
                          index_row(),
                          index_put_row()};
    for (Row& row : rows) {
        row.takes_places = true;
    }
    return rows;
}

}  // namespace pumice::differential
