// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

Row where_row() {
    return {.name = "where",
            .text = "where($0, $1, $2)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t a = draw.any(any_dtype());
                    step.operands = {draw.beside(a, {kBool, kBool, kUInt8}),
                                     a,
                                     draw.beside(a, any_dtype(), true)};
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    return where(std::move(in[0]), std::move(in[1]), std::move(in[2]));
                },
            .reference = [](Flats in, const Step&) -> References {
                Expected out{{}, common_dtype(in.subspan(1)), {}, {}};
                Dims both;
                broadcast(in[1].sizes, in[2].sizes, both);
                broadcast(in[0].sizes, both, out.sizes);
                const std::vector<double> condition = spread(in[0], out.sizes);
                const std::vector<double> a = spread(in[1], out.sizes);
                const std::vector<double> b = spread(in[2], out.sizes);
                for (std::size_t i = 0; i < a.size(); ++i) {
                    const double value = as_operand(condition[i] != 0 ? a[i] : b[i], out.dtype);
                    out.values.push_back(round_to(out.dtype, value));
                }
                return {std::move(out)};
            },
            .weight = 2};
}

Row masked_fill_row() {
    return {.name = "masked_fill",
            .text = "masked_fill($0, $1, $s)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t x = draw.any(any_dtype());
                    step.operands = {x, draw.beside(x, {kBool})};
                    const DType dtype = draw.array(x).dtype;
                    step.scalars = {is_floating_point(dtype) ? draw.scalar(dtype)
                                                             : Scalar(draw.random.integer(0, 1))};
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    return masked_fill(std::move(in[0]), std::move(in[1]), step.scalars[0]);
                },
            .reference = [](Flats in, const Step& step) -> References {
                Expected out{{}, in[0].dtype, {}, {}};
                broadcast(in[0].sizes, in[1].sizes, out.sizes);
                const std::vector<double> x = spread(in[0], out.sizes);
                const std::vector<double> mask = spread(in[1], out.sizes);
                for (std::size_t i = 0; i < x.size(); ++i) {
                    out.values.push_back(
                        mask[i] != 0 ? round_to(out.dtype, step.scalars[0].toDouble()) : x[i]);
                }
                return {std::move(out)};
            }};
}

// scalars: the bounds; flags: which are there.
bool draw_bounds(Draw& draw, Step& step, DType dtype) {
    step.flags = {draw.random.chance(0.8), draw.random.chance(0.7)};
    step.flags[0] = step.flags[0] || !step.flags[1];
    step.scalars = {draw.scalar(dtype), draw.scalar(dtype)};
    const bool is_integer = !is_floating_point(dtype);
    for (Scalar& scalar : step.scalars) {
        if (std::isnan(scalar.toDouble()) || (is_integer && scalar.toDouble() < 0)) {
            scalar = Scalar(1);
        }
    }
    return true;
}

std::optional<Scalar> bound(const Step& step, std::size_t which) {
    return step.flags[which] ? std::optional(step.scalars[which]) : std::nullopt;
}

Expected clamped(const Flat& x, const Step& step) {
    Expected out{x.sizes, x.dtype, {}, {}};
    for (std::size_t i = 0; i < 2; ++i) {
        if (step.flags[i] && step.scalars[i].is_floating_point()) {
            out.dtype = floating(x.dtype);
        }
    }
    for (const double value : x.values) {
        double result = as_operand(value, out.dtype);
        if (step.flags[0] && !std::isnan(result)) {
            result = std::max(result, as_number(step.scalars[0], out.dtype));
        }
        if (step.flags[1] && !std::isnan(result)) {
            result = std::min(result, as_number(step.scalars[1], out.dtype));
        }
        out.values.push_back(is_floating_point(out.dtype) ? result : round_to(out.dtype, result));
    }
    return out;
}

Row clamp_row() {
    return {.name = "clamp",
            .text = "clamp($0, $f ? $s : none, $g ? $t : none)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(number_dtypes())};
                    return draw_bounds(draw, step, draw.array(step.operands[0]).dtype);
                },
            .call =
                [](Operands in, const Step& step) {
                    return clamp(std::move(in[0]), bound(step, 0), bound(step, 1));
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {clamped(in[0], step)};
            }};
}

Row nan_to_num_row() {
    return {.name = "nan_to_num",
            .text = "nan_to_num($0)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    return true;
                },
            .call = [](Operands in, const Step&) { return nan_to_num(std::move(in[0])); },
            .reference = [](Flats in, const Step&) -> References {
                Expected out{in[0].sizes, in[0].dtype, in[0].values, {}};
                for (double& value : out.values) {
                    value = std::isnan(value) ? 0.0 : value;
                    value = std::isinf(value) ? std::copysign(largest(out.dtype), value) : value;
                }
                return {std::move(out)};
            }};
}

Expected converted(const Flat& x, DType dtype) {
    Expected out{x.sizes, dtype, {}, {}};
    for (const double value : x.values) {
        const double from = is_floating_point(dtype) ? as_operand(value, kFloat32) : value;
        out.values.push_back(convert(from, x.dtype, dtype));
    }
    return out;
}

Row to_row() {
    return {.name = "to",
            .text = "to($0, $T)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    step.dtype = draw.dtype_of(any_dtype());
                    return step.dtype != draw.array(step.operands[0]).dtype;
                },
            .call = [](Operands in, const Step& step) { return to(std::move(in[0]), step.dtype); },
            .reference = [](Flats in, const Step& step) -> References {
                return {converted(in[0], step.dtype)};
            },
            .weight = 3};
}

Row clone_row() {
    return {.name = "clone",
            .text = "clone($0)",
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    return true;
                },
            .call = [](Operands in, const Step&) { return clone(std::move(in[0])); },
            .reference = [](Flats in, const Step&) -> References {
                return {{in[0].sizes, in[0].dtype, in[0].values, {}}};
            },
            .weight = 2};
}

}  // namespace

std::vector<Row> select_rows() {
    return {where_row(), masked_fill_row(), clamp_row(), nan_to_num_row(), to_row(), clone_row()};
}

namespace {

// What an in-place form leaves: the result in self's dtype.
Expected cast_to(Expected result, DType dtype) {
    if (result.dtype == dtype) {
        return result;
    }
    for (std::size_t i = 0; i < result.values.size(); ++i) {
        if (!is_floating_point(dtype)) {
            result.values[i] = round_to(dtype, result.values[i]);
        } else if (std::isfinite(result.values[i])) {
            // Rounded to the common dtype first.
            if (result.bounds.empty()) {
                result.bounds.assign(result.values.size(), 0.0);
            }
            result.bounds[i] += 0.5 * spacing(result.dtype, result.values[i]);
        }
    }
    result.dtype = dtype;
    return result;
}

DTypes not_above(const DTypes& dtypes, DType self) {
    DTypes fitting;
    std::copy_if(dtypes.begin(), dtypes.end(), std::back_inserter(fitting), [&](DType dtype) {
        return category(dtype) <= category(self);
    });
    return fitting;
}

using InPlaceBinary = Tensor& (*)(Tensor&, Tensor);
using InPlaceScalar = Tensor& (*)(Tensor&, const Scalar&);
using InPlaceUnary = Tensor& (*)(Tensor&);

const DTypes& result_dtypes(Binary::Result result) {
    return result == Binary::Result::kFloating ? floating_dtypes() : number_dtypes();
}

Row binary_in_place(const char* of, InPlaceBinary call) {
    const Binary& binary = binary_of(of);
    return {.name = std::string(of) + "_",
            .text = std::string(of) + "_($0, $1)",
            .draw =
                [&binary](Draw& draw, Step& step) {
                    const std::size_t self = draw.target(result_dtypes(binary.result));
                    if (self >= draw.program.value_count) {
                        return false;
                    }
                    const DTypes dtypes = not_above(number_dtypes(), draw.array(self).dtype);
                    step.operands = {self, draw.beside(self, dtypes, true)};
                    return true;
                },
            .call =
                [call](Operands in, const Step&) {
                    call(in[0], std::move(in[1]));
                    return Tensor();
                },
            .reference = [&binary](Flats in, const Step&) -> References {
                return {cast_to(apply(binary, in[0], in[1]), in[0].dtype)};
            },
            .writes = {0},
            .makes_result = false,
            .weight = 2};
}

Row scalar_in_place(const char* of, InPlaceScalar call) {
    const Binary& binary = binary_of(of);
    return {.name = std::string(of) + "_scalar_",
            .text = std::string(of) + "_($0, $s)",
            .draw =
                [&binary](Draw& draw, Step& step) {
                    const std::size_t self = draw.target(result_dtypes(binary.result));
                    if (self >= draw.program.value_count) {
                        return false;
                    }
                    step.operands = {self};
                    const DType dtype = draw.array(self).dtype;
                    step.scalars = {is_floating_point(dtype) ? draw.scalar(dtype)
                                                             : Scalar(draw.random.integer(0, 3))};
                    return true;
                },
            .call =
                [call](Operands in, const Step& step) {
                    call(in[0], step.scalars[0]);
                    return Tensor();
                },
            .reference = [&binary](Flats in, const Step& step) -> References {
                const DType common = common_dtype(in[0], step.scalars[0]);
                const double number = as_number(step.scalars[0], common);
                Expected out{in[0].sizes, in[0].dtype, {}, {}};
                for (const double value : in[0].values) {
                    const double result = binary.formula(as_operand(value, common), number, common);
                    out.values.push_back(
                        is_floating_point(out.dtype) ? result : round_to(out.dtype, result));
                }
                if (is_floating_point(out.dtype)) {
                    out.bounds = ulps(out.values, binary.ulps);
                }
                return {std::move(out)};
            },
            .writes = {0},
            .makes_result = false,
            .weight = 1.5};
}

Row unary_in_place(const char* of, InPlaceUnary call) {
    const Unary& unary = unary_of(of);
    return {.name = std::string(of) + "_",
            .text = std::string(of) + "_($0)",
            .draw =
                [&unary](Draw& draw, Step& step) {
                    const bool keeps = unary.result == Unary::Result::kSame;
                    const std::size_t self =
                        draw.target(keeps ? number_dtypes() : floating_dtypes());
                    step.operands = {self};
                    return self < draw.program.value_count;
                },
            .call =
                [call](Operands in, const Step&) {
                    call(in[0]);
                    return Tensor();
                },
            .reference = [&unary](Flats in, const Step&) -> References {
                return {apply(unary, in[0])};
            },
            .writes = {0},
            .makes_result = false};
}

Row clamp_in_place() {
    Row row = clamp_row();
    row.name = "clamp_";
    row.text = "clamp_($0, $f ? $s : none, $g ? $t : none)";
    row.draw = [](Draw& draw, Step& step) {
        const std::size_t self = draw.target(floating_dtypes());
        step.operands = {self};
        return self < draw.program.value_count && draw_bounds(draw, step, draw.array(self).dtype);
    };
    row.call = [](Operands in, const Step& step) {
        clamp_(in[0], bound(step, 0), bound(step, 1));
        return Tensor();
    };
    row.writes = {0};
    row.makes_result = false;
    return row;
}

Row copy_row() {
    return {.name = "copy_",
            .text = "copy_($0, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t self = draw.target(any_dtype());
                    if (self >= draw.program.value_count) {
                        return false;
                    }
                    step.operands = {self, draw.beside(self, any_dtype(), true)};
                    return true;
                },
            .call =
                [](Operands in, const Step&) {
                    copy_(in[0], std::move(in[1]));
                    return Tensor();
                },
            .reference = [](Flats in, const Step&) -> References {
                const Flat source{in[0].sizes, in[1].dtype, spread(in[1], in[0].sizes)};
                return {converted(source, in[0].dtype)};
            },
            .writes = {0},
            .makes_result = false,
            .weight = 3};
}

Row fill_row() {
    return {.name = "fill_",
            .text = "fill_($0, $s)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t self = draw.target(any_dtype());
                    if (self >= draw.program.value_count) {
                        return false;
                    }
                    step.operands = {self};
                    const DType dtype = draw.array(self).dtype;
                    step.scalars = {is_floating_point(dtype) ? draw.scalar(dtype)
                                                             : Scalar(draw.random.integer(0, 1))};
                    return true;
                },
            .call =
                [](Operands in, const Step& step) {
                    fill_(in[0], step.scalars[0]);
                    return Tensor();
                },
            .reference = [](Flats in, const Step& step) -> References {
                return {{in[0].sizes,
                         in[0].dtype,
                         std::vector<double>(in[0].values.size(), step.scalars[0].toDouble()),
                         {}}};
            },
            .writes = {0},
            .makes_result = false};
}

using OutBinary = Tensor& (*)(Tensor&, Tensor, Tensor);
using OutUnary = Tensor& (*)(Tensor&, Tensor);

Row binary_out(const char* of, OutBinary call) {
    const Binary& binary = binary_of(of);
    return {.name = std::string(of) + "_out",
            .text = std::string(of) + "_out($0, $1, $2)",
            .draw =
                [&binary](Draw& draw, Step& step) {
                    const std::size_t a = draw.any(floating_dtypes(), 0, 4);
                    const DType dtype = draw.array(a).dtype;
                    const std::size_t b = draw.beside(a, {dtype}, true);
                    const Flat both[] = {{draw.array(a).sizes, dtype, {}},
                                         {draw.array(b).sizes, dtype, {}}};
                    step.operands = {draw.writable(draw.array(a).sizes, common_dtype(both)), a, b};
                    return true;
                },
            .call =
                [call](Operands in, const Step&) {
                    call(in[0], std::move(in[1]), std::move(in[2]));
                    return Tensor();
                },
            .reference = [&binary](Flats in, const Step&) -> References {
                return {apply(binary, in[1], in[2])};
            },
            .writes = {0},
            .makes_result = false,
            .is_out_form = true};
}

Row unary_out(const char* of, OutUnary call) {
    const Unary& unary = unary_of(of);
    return {.name = std::string(of) + "_out",
            .text = std::string(of) + "_out($0, $1)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t x = draw.any(any_dtype(), 0, 4);
                    step.operands = {
                        draw.writable(draw.array(x).sizes, floating(draw.array(x).dtype)), x};
                    return true;
                },
            .call =
                [call](Operands in, const Step&) {
                    call(in[0], std::move(in[1]));
                    return Tensor();
                },
            .reference = [&unary](Flats in, const Step&) -> References {
                return {apply(unary, in[1])};
            },
            .writes = {0},
            .makes_result = false,
            .is_out_form = true};
}

}  // namespace

std::vector<Row> in_place_rows() {
    return {
        binary_in_place("add",
                        [](Tensor& a, Tensor b) -> Tensor& { return add_(a, std::move(b)); }),
        binary_in_place("sub",
                        [](Tensor& a, Tensor b) -> Tensor& { return sub_(a, std::move(b)); }),
        binary_in_place("mul", mul_),
        binary_in_place("div", div_),
        scalar_in_place("add", add_),
        scalar_in_place("sub", sub_),
        scalar_in_place("mul", mul_),
        scalar_in_place("div", div_),
        scalar_in_place("pow", pow_),
        unary_in_place("neg", neg_),
        unary_in_place("abs", abs_),
        unary_in_place("square", square_),
        unary_in_place("sqrt", sqrt_),
        unary_in_place("rsqrt", rsqrt_),
        unary_in_place("exp", exp_),
        unary_in_place("log", log_),
        unary_in_place("tanh", tanh_),
        unary_in_place("sigmoid", sigmoid_),
        unary_in_place("relu", relu_),
        clamp_in_place(),
        copy_row(),
        fill_row(),
        binary_out("add",
                   [](Tensor& out, Tensor a, Tensor b) -> Tensor& {
                       return add_out(out, std::move(a), std::move(b));
                   }),
        binary_out("sub",
                   [](Tensor& out, Tensor a, Tensor b) -> Tensor& {
                       return sub_out(out, std::move(a), std::move(b));
                   }),
        binary_out("mul", mul_out),
        binary_out("div", div_out),
        unary_out("exp", exp_out),
        unary_out("log", log_out),
        unary_out("sqrt", sqrt_out),
        unary_out("tanh", tanh_out),
        unary_out("sigmoid", sigmoid_out),
    };
}

}  // namespace pumice::differential
