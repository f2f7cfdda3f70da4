// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

namespace {

double integer_power(double base, double exponent) {
    if (exponent < 0) {
        const bool is_odd = std::fmod(exponent, 2.0) != 0.0;
        return base == 1 ? 1 : (base == -1 ? (is_odd ? -1 : 1) : 0);
    }
    double result = 1;
    double factor = base;
    for (auto left = static_cast<std::uint64_t>(exponent); left > 0; left >>= 1U) {
        result = (left & 1U) != 0 ? wrapped_product(result, factor) : result;
        factor = wrapped_product(factor, factor);
    }
    return result;
}

double power(double a, double b, DType common) {
    return is_floating_point(common) ? std::pow(a, b) : integer_power(a, b);
}

double sum_of(double a, double b, DType common) {
    return common == kBool ? std::max(a, b) : a + b;
}

double product_of(double a, double b, DType common) {
    return is_floating_point(common) ? a * b : wrapped_product(a, b);
}

template <class Compare>
Binary comparison(const char* name, Tensor (*call)(Tensor, Tensor), Compare compare) {
    return {name,
            call,
            [compare](double a, double b, DType /*common*/) { return compare(a, b) ? 1.0 : 0.0; },
            0,
            any_dtype,
            Binary::Result::kBool};
}

template <class Truth>
Binary logic(const char* name, Tensor (*call)(Tensor, Tensor), Truth truth) {
    return comparison(
        name, call, [truth](double a, double b) { return truth(a != 0.0, b != 0.0); });
}

double larger(double a, double b, DType /*common*/) {
    return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
}

double smaller(double a, double b, DType /*common*/) {
    return std::isnan(a) || std::isnan(b) ? std::nan("") : std::min(a, b);
}

const std::vector<Binary>& binaries() {
    static const std::vector<Binary> kBinaries{
        {"add", [](Tensor a, Tensor b) { return add(std::move(a), std::move(b)); }, sum_of, 0},
        {"sub",
         [](Tensor a, Tensor b) { return sub(std::move(a), std::move(b)); },
         [](double a, double b, DType) { return a - b; },
         0,
         number_dtypes},
        {"mul", [](Tensor a, Tensor b) { return mul(std::move(a), std::move(b)); }, product_of, 0},
        {"div",
         [](Tensor a, Tensor b) { return div(std::move(a), std::move(b)); },
         [](double a, double b, DType) { return a / b; },
         2.5,
         any_dtype,
         Binary::Result::kFloating},
        {"pow", [](Tensor a, Tensor b) { return pow(std::move(a), std::move(b)); }, power, 8},
        {"maximum",
         [](Tensor a, Tensor b) { return maximum(std::move(a), std::move(b)); },
         larger,
         0},
        {"minimum",
         [](Tensor a, Tensor b) { return minimum(std::move(a), std::move(b)); },
         smaller,
         0},
        comparison(
            "eq",
            [](Tensor a, Tensor b) { return eq(std::move(a), std::move(b)); },
            [](double a, double b) { return a == b; }),
        comparison(
            "ne",
            [](Tensor a, Tensor b) { return ne(std::move(a), std::move(b)); },
            [](double a, double b) { return a != b; }),
        comparison(
            "lt",
            [](Tensor a, Tensor b) { return lt(std::move(a), std::move(b)); },
            [](double a, double b) { return a < b; }),
        comparison(
            "le",
            [](Tensor a, Tensor b) { return le(std::move(a), std::move(b)); },
            [](double a, double b) { return a <= b; }),
        comparison(
            "gt",
            [](Tensor a, Tensor b) { return gt(std::move(a), std::move(b)); },
            [](double a, double b) { return a > b; }),
        comparison(
            "ge",
            [](Tensor a, Tensor b) { return ge(std::move(a), std::move(b)); },
            [](double a, double b) { return a >= b; }),
        logic("logical_and", logical_and, [](bool a, bool b) { return a && b; }),
        logic("logical_or", logical_or, [](bool a, bool b) { return a || b; }),
        logic("logical_xor", logical_xor, [](bool a, bool b) { return a != b; }),
    };
    return kBinaries;
}

bool is_logic(const Binary& binary) {
    return binary.name.rfind("logical", 0) == 0;
}

DType result_dtype(const Binary& binary, DType common) {
    switch (binary.result) {
        case Binary::Result::kBool: return kBool;
        case Binary::Result::kFloating: return floating(common);
        default: return common;
    }
}

// What is computed in: floating for div.
DType computed_dtype(const Binary& binary, DType common) {
    return binary.result == Binary::Result::kFloating ? floating(common) : common;
}

Row plain_row(const Binary& binary) {
    return {
        .name = binary.name,
        .text = binary.name + "($0, $1)",
        .draw =
            [&binary](Draw& draw, Step& step) {
                const std::size_t a = draw.any(binary.dtypes());
                const std::size_t b = draw.beside(a, binary.dtypes());
                step.operands = draw.random.chance(0.5) ? std::vector{a, b} : std::vector{b, a};
                return true;
            },
        .call = [&binary](Operands in,
                          const Step&) { return binary.call(std::move(in[0]), std::move(in[1])); },
        .reference = [&binary](Flats in, const Step&) -> References {
            return {apply(binary, in[0], in[1])};
        },
        .weight = 1.5};
}

using ScalarCall = Tensor (*)(Tensor, const Scalar&);

// `of` computes with the number as the second operand.
Row scalar_row(const char* name, const Binary& of, ScalarCall call, bool is_reversed = false) {
    return {.name = name,
            .text = std::string(is_reversed ? "rsub" : of.name) + "($0, $s)",
            .draw =
                [&of](Draw& draw, Step& step) {
                    step.operands = {draw.any(of.dtypes())};
                    const DType dtype = draw.array(step.operands[0]).dtype;
                    step.scalars = {draw.scalar(dtype)};
                    return of.name != "pow" || is_floating_point(dtype) ||
                           step.scalars[0].toDouble() >= 0;
                },
            .call = [call](Operands in,
                           const Step& step) { return call(std::move(in[0]), step.scalars[0]); },
            .reference = [&of, is_reversed](Flats in, const Step& step) -> References {
                const DType common = common_dtype(in[0], step.scalars[0]);
                Expected out{in[0].sizes, result_dtype(of, common), {}, {}};
                const DType computed = computed_dtype(of, common);
                const double number = as_number(step.scalars[0], computed);
                for (const double value : in[0].values) {
                    const double x = as_operand(value, computed);
                    const double result = is_reversed ? of.formula(number, x, computed)
                                                      : of.formula(x, number, computed);
                    out.values.push_back(
                        is_floating_point(out.dtype) ? result : round_to(out.dtype, result));
                }
                if (is_floating_point(out.dtype)) {
                    out.bounds = ulps(out.values, of.ulps);
                }
                return {std::move(out)};
            }};
}

// a + alpha * b, whose product may be rounded before the sum.
Row alpha_row(const char* name, Tensor (*call)(Tensor, Tensor, const Scalar&), double sign) {
    return {.name = std::string(name) + "_alpha",
            .text = std::string(name) + "($0, $1, $s)",
            .draw =
                [](Draw& draw, Step& step) {
                    const std::size_t a = draw.any(number_dtypes());
                    step.operands = {a, draw.beside(a, number_dtypes())};
                    const bool is_floating = is_floating_point(draw.array(a).dtype);
                    step.scalars = {is_floating ? draw.scalar(kFloat32)
                                                : Scalar(draw.random.integer(-3, 3))};
                    return true;
                },
            .call =
                [call](Operands in, const Step& step) {
                    return call(std::move(in[0]), std::move(in[1]), step.scalars[0]);
                },
            .reference = [sign](Flats in, const Step& step) -> References {
                const DType common = common_dtype(in);
                const double alpha = as_number(step.scalars[0], common);
                Expected out{{}, common, {}, {}};
                broadcast(in[0].sizes, in[1].sizes, out.sizes);
                const std::vector<double> a = spread(in[0], out.sizes);
                const std::vector<double> b = spread(in[1], out.sizes);
                for (std::size_t i = 0; i < a.size(); ++i) {
                    const double term = alpha * as_operand(b[i], common);
                    const double value = as_operand(a[i], common) + sign * term;
                    if (is_floating_point(common)) {
                        out.values.push_back(value);
                        // The product alone may pass the range, or be flushed.
                        const double lost =
                            std::max(std::abs(term) * 0x1p-23, std::min(std::abs(term), 0x1p-126));
                        out.bounds.push_back(std::abs(term) > largest(kFloat32) && alpha != 1
                                                 ? std::numeric_limits<double>::infinity()
                                                 : lost);
                    } else {
                        out.values.push_back(round_to(common, value));
                    }
                }
                return {std::move(out)};
            }};
}

}  // namespace

const Binary& binary_of(const std::string& name) {
    for (const Binary& binary : binaries()) {
        if (binary.name == name) {
            return binary;
        }
    }
    throw std::out_of_range(name);
}

Expected apply(const Binary& binary, const Flat& a, const Flat& b) {
    const Flat both[] = {a, b};
    const DType common = common_dtype(both);
    Expected out{{}, result_dtype(binary, common), {}, {}};
    broadcast(a.sizes, b.sizes, out.sizes);
    const std::vector<double> left = spread(a, out.sizes);
    const std::vector<double> right = spread(b, out.sizes);
    const DType computed = computed_dtype(binary, common);
    for (std::size_t i = 0; i < left.size(); ++i) {
        const double value = is_logic(binary) ? binary.formula(left[i], right[i], common)
                                              : binary.formula(as_operand(left[i], computed),
                                                               as_operand(right[i], computed),
                                                               computed);
        out.values.push_back(is_floating_point(out.dtype) ? value : round_to(out.dtype, value));
    }
    if (is_floating_point(out.dtype)) {
        out.bounds = ulps(out.values, binary.ulps);
    }
    return out;
}

std::vector<Row> binary_rows() {
    std::vector<Row> rows;
    for (const Binary& binary : binaries()) {
        rows.push_back(plain_row(binary));
    }
    rows.push_back(scalar_row("add_scalar", binary_of("add"), add));
    rows.push_back(scalar_row("sub_scalar", binary_of("sub"), sub));
    rows.push_back(scalar_row("rsub_scalar", binary_of("sub"), rsub, true));
    rows.push_back(scalar_row("mul_scalar", binary_of("mul"), mul));
    rows.push_back(scalar_row("div_scalar", binary_of("div"), div));
    rows.push_back(scalar_row("pow_scalar", binary_of("pow"), pow));
    rows.push_back(scalar_row("eq_scalar", binary_of("eq"), eq));
    rows.push_back(scalar_row("ne_scalar", binary_of("ne"), ne));
    rows.push_back(scalar_row("lt_scalar", binary_of("lt"), lt));
    rows.push_back(scalar_row("le_scalar", binary_of("le"), le));
    rows.push_back(scalar_row("gt_scalar", binary_of("gt"), gt));
    rows.push_back(scalar_row("ge_scalar", binary_of("ge"), ge));
    rows.push_back(alpha_row("add", add, 1.0));
    rows.push_back(alpha_row("sub", sub, -1.0));
    return rows;
}

}  // namespace pumice::differential
