// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace pumice::differential {

namespace {

constexpr double kUnchecked = std::numeric_limits<double>::infinity();

// A value and the error that it may have.
struct Value {
    double value = 0.0;
    double bound = 0.0;
};

using Group = std::vector<double>;
using Fold = std::function<Value(const Group&, const Step&, DType)>;

// Which dimensions are reduced: `dims` without negative ones, all if there are none.
std::vector<bool> reduced_dims(const Dims& dims, std::int64_t rank) {
    std::vector<bool> is_reduced(static_cast<std::size_t>(rank), dims.empty());
    for (const std::int64_t dim : dims) {
        is_reduced[static_cast<std::size_t>(dim < 0 ? dim + rank : dim)] = true;
    }
    return is_reduced;
}

// The elements that each result sees, in their order.
std::vector<Group> groups_of(const Flat& x, const std::vector<bool>& is_reduced) {
    Dims kept = x.sizes;
    for (std::int64_t i = 0; i < kept.count(); ++i) {
        kept[i] = is_reduced[static_cast<std::size_t>(i)] ? 1 : kept[i];
    }
    Dims strides = row_major(kept);
    for (std::int64_t i = 0; i < kept.count(); ++i) {
        strides[i] = is_reduced[static_cast<std::size_t>(i)] ? 0 : strides[i];
    }
    std::vector<Group> groups(static_cast<std::size_t>(numel(kept)));
    std::size_t next = 0;
    for (const std::int64_t place : places(x.sizes, strides)) {
        groups[static_cast<std::size_t>(place)].push_back(x.values[next++]);
    }
    return groups;
}

Dims result_sizes(const Flat& x, const std::vector<bool>& is_reduced, bool keeps) {
    Dims sizes;
    for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
        if (!is_reduced[static_cast<std::size_t>(i)]) {
            sizes.push_back(x.sizes[i]);
        } else if (keeps) {
            sizes.push_back(1);
        }
    }
    return sizes;
}

Expected reduce(const Flat& x,
                const std::vector<bool>& is_reduced,
                const Step& step,
                DType dtype,
                const Fold& fold) {
    Expected out{result_sizes(x, is_reduced, step.flags[0]), dtype, {}, {}};
    for (const Group& group : groups_of(x, is_reduced)) {
        const Value one = fold(group, step, dtype);
        out.values.push_back(one.value);
        out.bounds.push_back(one.bound);
    }
    return out;
}

double absolute_sum(const Group& group) {
    double sum = 0.0;
    for (const double value : group) {
        sum += std::isfinite(value) ? std::abs(value) : 0.0;
    }
    return sum;
}

// reduce.h promises 1e-6 of the sum of absolute values, whatever the count; past float32's range
// partial sums may overflow.
Value sum_of(const Group& group, DType dtype) {
    const double sum = std::accumulate(group.begin(), group.end(), 0.0);
    if (!is_floating_point(dtype)) {
        return {round_to(dtype, sum), 0.0};
    }
    const double size = absolute_sum(group);
    const double lost = static_cast<double>(group.size()) * smallest_normal(kFloat32);
    return {sum, size > 0.5 * largest(kFloat32) ? kUnchecked : 1e-6 * size + lost};
}

Value mean_of(const Group& group) {
    Value sum = sum_of(group, kFloat32);
    const auto count = static_cast<double>(group.size());
    return {sum.value / count, group.empty() ? 0.0 : sum.bound / count};
}

Value extreme_of(const Group& group, bool is_largest) {
    double best = group.at(0);
    for (const double value : group) {
        if (std::isnan(value)) {
            return {value, 0.0};
        }
        best = is_largest ? std::max(best, value) : std::min(best, value);
    }
    return {best, 0.0};
}

// The bound follows from that of the mean, and a few roundings.
Value variance_of(const Group& group, double correction) {
    const Value mean = mean_of(group);
    const auto count = static_cast<double>(group.size());
    double sum = 0.0;
    double largest_one = 0.0;
    for (const double value : group) {
        sum += (value - mean.value) * (value - mean.value);
        largest_one = std::max(largest_one, std::abs(value));
    }
    const double divisor = std::max(count - correction, 0.0);
    const double value = sum / divisor;
    if (!std::isfinite(value)) {
        return {value, std::isfinite(largest_one) && largest_one > 1e18 ? kUnchecked : 0.0};
    }
    const double shift = mean.bound + largest_one * 0x1p-23;
    const double bound = 4e-6 * value + 2 * shift * shift * count / divisor;
    return {value, largest_one > 1e18 ? kUnchecked : bound + smallest_normal(kFloat32)};
}

Value deviation_of(const Group& group, double correction) {
    const Value variance = variance_of(group, correction);
    const double value = std::sqrt(variance.value);
    const double above = std::sqrt(variance.value + variance.bound);
    const double below = std::sqrt(std::max(variance.value - variance.bound, 0.0));
    return {value,
            std::isfinite(value) && std::isfinite(variance.bound)
                ? std::max(above - value, value - below) + 0x1p-22 * value
                : variance.bound};
}

Value log_sum_exp_of(const Group& group) {
    double most = -std::numeric_limits<double>::infinity();
    for (const double value : group) {
        if (std::isnan(value)) {
            return {value, 0.0};
        }
        most = std::max(most, value);
    }
    if (std::isinf(most)) {
        return {most, 0.0};
    }
    double sum = 0.0;
    for (const double value : group) {
        sum += std::exp(value - most);
    }
    const double result = most + std::log(sum);
    return {result, 4e-6 + 0x1p-22 * std::abs(result)};
}

DType sum_dtype(DType dtype) {
    return is_floating_point(dtype) ? dtype : kInt32;
}

DType same_dtype(DType dtype) {
    return dtype;
}

DType bool_dtype(DType /*dtype*/) {
    return kBool;
}

struct Reduction {
    std::string name;
    std::string text;
    std::function<Tensor(Tensor, const Step&)> call;
    Fold fold;
    DType (*dtype)(DType) = same_dtype;
    const DTypes& (*dtypes)() = floating_dtypes;
    bool refuses_nothing = false;  ///< reductions of no element throw
};

bool reduces_nothing(const HostArray& x, const Dims& dims) {
    const std::vector<bool> is_reduced = reduced_dims(dims, x.sizes.count());
    for (std::int64_t i = 0; i < x.sizes.count(); ++i) {
        if (is_reduced[static_cast<std::size_t>(i)] && x.sizes[i] == 0) {
            return true;
        }
    }
    return false;
}

Row reduction_row(const Reduction& reduction) {
    return {
        .name = reduction.name,
        .text = reduction.text,
        .draw =
            [reduction](Draw& draw, Step& step) {
                step.operands = {draw.any(reduction.dtypes())};
                const HostArray& x = draw.array(step.operands[0]);
                step.dims = draw.some_dims(x.sizes.count());
                step.flags[0] = draw.random.chance(0.5);
                step.ints = {draw.random.integer(0, 2)};
                // Mostly legal ones: the error ends the program.
                return !(reduction.refuses_nothing && reduces_nothing(x, step.dims)) ||
                       draw.random.chance(0.1);
            },
        .call = [reduction](Operands in,
                            const Step& step) { return reduction.call(std::move(in[0]), step); },
        .reference = [reduction](Flats in, const Step& step) -> References {
            return {reduce(in[0],
                           reduced_dims(step.dims, in[0].sizes.count()),
                           step,
                           reduction.dtype(in[0].dtype),
                           reduction.fold)};
        },
        .weight = 1.5};
}

std::vector<Reduction> sums() {
    return {
        {"sum",
         "sum($0, $d, $f)",
         [](Tensor x, const Step& step) { return sum(std::move(x), step.dims, step.flags[0]); },
         [](const Group& group, const Step&, DType dtype) { return sum_of(group, dtype); },
         sum_dtype,
         any_dtype},
        {"mean",
         "mean($0, $d, $f)",
         [](Tensor x, const Step& step) { return mean(std::move(x), step.dims, step.flags[0]); },
         [](const Group& group, const Step&, DType) { return mean_of(group); }},
        {"var",
         "var($0, $d, $i, $f)",
         [](Tensor x, const Step& step) {
             return var(std::move(x), step.dims, step.ints[0], step.flags[0]);
         },
         [](const Group& group, const Step& step, DType) {
             return variance_of(group, static_cast<double>(step.ints[0]));
         }},
        {"std",
         "pumice::std($0, $d, $i, $f)",
         [](Tensor x, const Step& step) {
             return pumice::std(std::move(x), step.dims, step.ints[0], step.flags[0]);
         },
         [](const Group& group, const Step& step, DType) {
             return deviation_of(group, static_cast<double>(step.ints[0]));
         }},
        {"logsumexp",
         "logsumexp($0, $d, $f)",
         [](Tensor x, const Step& step) {
             return logsumexp(std::move(x), step.dims, step.flags[0]);
         },
         [](const Group& group, const Step&, DType) { return log_sum_exp_of(group); }},
    };
}

std::vector<Reduction> choices() {
    const auto truth = [](bool wanted) {
        return [wanted](const Group& group, const Step&, DType) {
            const bool found = std::any_of(
                group.begin(), group.end(), [&](double value) { return (value != 0.0) == wanted; });
            return Value{found == wanted ? 1.0 : 0.0, 0.0};
        };
    };
    return {
        {"amax",
         "amax($0, $d, $f)",
         [](Tensor x, const Step& step) { return amax(std::move(x), step.dims, step.flags[0]); },
         [](const Group& group, const Step&, DType) { return extreme_of(group, true); },
         same_dtype,
         any_dtype,
         true},
        {"amin",
         "amin($0, $d, $f)",
         [](Tensor x, const Step& step) { return amin(std::move(x), step.dims, step.flags[0]); },
         [](const Group& group, const Step&, DType) { return extreme_of(group, false); },
         same_dtype,
         any_dtype,
         true},
        {"any",
         "any($0, $d, $f)",
         [](Tensor x, const Step& step) { return any(std::move(x), step.dims, step.flags[0]); },
         truth(true),
         bool_dtype,
         any_dtype},
        {"all",
         "all($0, $d, $f)",
         [](Tensor x, const Step& step) { return all(std::move(x), step.dims, step.flags[0]); },
         truth(false),
         bool_dtype,
         any_dtype},
    };
}

Value place_of_extreme(const Group& group, bool is_largest) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < group.size(); ++i) {
        const bool is_better = is_largest ? group[i] > group[best] : group[i] < group[best];
        if (!std::isnan(group[best]) && (std::isnan(group[i]) || is_better)) {
            best = i;
        }
    }
    return {static_cast<double>(best), 0.0};
}

// flags[1]: along ints[0], else over all elements.
Row place_row(const char* name,
              bool is_largest,
              Tensor (*call)(Tensor, std::optional<std::int64_t>, bool)) {
    return {.name = name,
            .text = std::string(name) + "($0, $g ? $i : none, $f)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(number_dtypes(), 1)};
                    const HostArray& x = draw.array(step.operands[0]);
                    step.flags = {draw.random.chance(0.5), draw.random.chance(0.7)};
                    step.ints = {draw.dim_of(x.sizes.count())};
                    return !reduces_nothing(x, step.flags[1] ? Dims{step.ints[0]} : Dims{});
                },
            .call =
                [call](Operands in, const Step& step) {
                    return call(std::move(in[0]),
                                step.flags[1] ? std::optional(step.ints[0]) : std::nullopt,
                                step.flags[0]);
                },
            .reference = [is_largest](Flats in, const Step& step) -> References {
                const Dims dims = step.flags[1] ? Dims{step.ints[0]} : Dims{};
                return {reduce(in[0],
                               reduced_dims(dims, in[0].sizes.count()),
                               step,
                               kInt32,
                               [is_largest](const Group& group, const Step&, DType) {
                                   return place_of_extreme(group, is_largest);
                               })};
            }};
}

Expected running_sums(const Flat& x, std::int64_t dim) {
    const std::int64_t rank = x.sizes.count();
    Expected out{x.sizes, sum_dtype(x.dtype), x.values, {}};
    out.bounds.assign(x.values.size(), 0.0);
    if (rank == 0) {
        return out;
    }
    dim = dim < 0 ? dim + rank : dim;
    const std::int64_t stride = row_major(x.sizes)[dim];
    const std::int64_t run = stride * x.sizes[dim];
    std::vector<double> sizes(x.values.size(), 0.0);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
        const bool is_first = static_cast<std::int64_t>(i) % run < stride;
        const std::size_t before = i - static_cast<std::size_t>(stride);
        const double own = std::isfinite(x.values[i]) ? std::abs(x.values[i]) : 0.0;
        sizes[i] = own + (is_first ? 0.0 : sizes[before]);
        out.values[i] += is_first ? 0.0 : out.values[before];
        out.bounds[i] = sizes[i] > 0.5 * largest(kFloat32)
                            ? kUnchecked
                            : 1e-6 * sizes[i] + 1024 * smallest_normal(kFloat32);
    }
    for (std::size_t i = 0; i < x.values.size() && !is_floating_point(out.dtype); ++i) {
        out.values[i] = round_to(out.dtype, out.values[i]);
        out.bounds[i] = 0.0;
    }
    return out;
}

Row cumsum_row() {
    return {.name = "cumsum",
            .text = "cumsum($0, $i)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    step.ints = {draw.dim_of(draw.array(step.operands[0]).sizes.count())};
                    return true;
                },
            .call = [](Operands in,
                       const Step& step) { return cumsum(std::move(in[0]), step.ints[0]); },
            .reference = [](Flats in, const Step& step) -> References {
                return {running_sums(in[0], step.ints[0])};
            },
            .weight = 1.5};
}

// Each element's result: as a reduction over leading dimensions and those that shrink to 1.
Row sum_to_size_row() {
    return {.name = "sum_to_size",
            .text = "sum_to_size($0, $d)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype(), 1)};
                    step.dims = draw.array(step.operands[0]).sizes;
                    const Dims before = step.dims;
                    for (std::int64_t i = 0; i < step.dims.count(); ++i) {
                        step.dims[i] = draw.random.chance(0.5) ? 1 : step.dims[i];
                    }
                    while (!step.dims.empty() && draw.random.chance(0.3)) {
                        step.dims.erase(0);
                    }
                    return step.dims != before;  // else x itself
                },
            .call = [](Operands in,
                       const Step& step) { return sum_to_size(std::move(in[0]), step.dims); },
            .reference = [](Flats in, const Step& step) -> References {
                const std::int64_t lead = in[0].sizes.count() - step.dims.count();
                std::vector<bool> is_reduced;
                for (std::int64_t i = 0; i < in[0].sizes.count(); ++i) {
                    is_reduced.push_back(i < lead || step.dims[i - lead] != in[0].sizes[i]);
                }
                Expected out = reduce(in[0],
                                      is_reduced,
                                      step,
                                      sum_dtype(in[0].dtype),
                                      [](const Group& group, const Step&, DType dtype) {
                                          return sum_of(group, dtype);
                                      });
                out.sizes = step.dims;
                return {std::move(out)};
            }};
}

// The host's answers, as tensors: whether both are equal, and whether they are close.
Row equal_row(const char* name, bool is_close) {
    return {
        .name = name,
        .text = is_close ? "scalar_tensor(allclose($0, $1, 0.1, 0.1, true))"
                         : "scalar_tensor(equal($0, $1))",
        .draw =
            [](Draw& draw, Step& step) {
                const std::size_t a = draw.any(floating_dtypes());
                const DType dtype = draw.array(a).dtype;
                step.operands = {
                    a, draw.random.chance(0.3) ? a : draw.of_shape(draw.array(a).sizes, {dtype})};
                return true;
            },
        .call =
            [is_close](Operands in, const Step&) {
                return scalar_tensor(is_close ? allclose(in[0], in[1], 0.1, 0.1, true)
                                              : equal(in[0], in[1]));
            },
        .reference = [is_close](Flats in, const Step&) -> References {
            bool agrees = in[0].sizes == in[1].sizes;
            for (std::size_t i = 0; i < in[0].values.size() && agrees; ++i) {
                const double a = in[0].values[i];
                const double b = in[1].values[i];
                const bool is_near =
                    std::abs(a - b) <= 0.1 + 0.1 * std::abs(b) || (std::isnan(a) && std::isnan(b));
                agrees = a == b || (is_close && is_near);
            }
            return {{{}, kBool, {agrees ? 1.0 : 0.0}, {}}};
        },
        .reads_host = true,
        .takes_places = true,
        .weight = 0.3};
}

}  // namespace

std::vector<Row> reduce_rows() {
    std::vector<Row> rows;
    for (const auto& family : {sums(), choices()}) {
        for (const Reduction& reduction : family) {
            rows.push_back(reduction_row(reduction));
        }
    }
    rows.push_back(place_row("argmax", true, argmax));
    rows.push_back(place_row("argmin", false, argmin));
    rows.push_back(cumsum_row());
    rows.push_back(sum_to_size_row());
    rows.push_back(equal_row("equal", false));
    rows.push_back(equal_row("allclose", true));
    return rows;
}

}  // namespace pumice::differential
