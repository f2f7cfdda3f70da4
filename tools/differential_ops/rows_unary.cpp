// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "rows.h"
#include "support/unary_cases.h"

#include <cmath>
#include <limits>
#include <utility>

namespace pumice::differential {

std::vector<double> ulps(const std::vector<double>& values, double count) {
    std::vector<double> out;
    out.reserve(values.size());
    for (const double value : values) {
        out.push_back(std::isfinite(value) ? count * spacing(kFloat32, value) : 0.0);
    }
    return out;
}

double as_operand(double value, DType common) {
    return is_floating_point(common) ? round_to(common, value) : value;
}

double as_number(const Scalar& number, DType common) {
    return as_operand(number.toDouble(), is_floating_point(common) ? kFloat32 : common);
}

double wrapped_product(double a, double b) {
    const auto product = static_cast<std::uint64_t>(static_cast<std::int64_t>(a)) *
                         static_cast<std::uint64_t>(static_cast<std::int64_t>(b));
    return static_cast<double>(static_cast<std::int32_t>(static_cast<std::uint32_t>(product)));
}

DType floating(DType dtype) {
    return is_floating_point(dtype) ? dtype : kFloat32;
}

namespace {

double gelu_of(double x) {
    return x * 0.5 * std::erfc(-x * M_SQRT1_2);
}

double gelu_tanh_of(double x) {
    return 0.5 * x * (1.0 + std::tanh(std::sqrt(M_2_PI) * (x + 0.044715 * x * x * x)));
}

const std::vector<Unary>& unaries() {
    using Result = Unary::Result;
    static const std::vector<Unary> kUnaries = [] {
        std::vector<Unary> all{
            {"isnan", isnan, [](double x) { return std::isnan(x) ? 1.0 : 0.0; }, 0, Result::kBool},
            {"isfinite",
             isfinite,
             [](double x) { return std::isfinite(x) ? 1.0 : 0.0; },
             0,
             Result::kBool},
            {"logical_not",
             logical_not,
             [](double x) { return x == 0.0 ? 1.0 : 0.0; },
             0,
             Result::kBool},
        };
        for (const test::UnaryFunction& each : test::kUnaryFunctions) {
            const test::UnaryCase& what = test::unary_case(each.name);
            all.push_back({.name = std::string(each.name),
                           .call = each.call,
                           .formula = what.reference,
                           .ulps = what.most_ulp,
                           .result = what.keeps_dtype ? Result::kSame : Result::kFloating,
                           .dtypes = test::takes_bool(each) ? any_dtype : number_dtypes});
        }
        return all;
    }();
    return kUnaries;
}

double integer_value(const Unary& unary, double x) {
    return unary.name == "square" ? wrapped_product(x, x) : unary.formula(x);
}

// Formulas whose value near zero is a difference: an error relative to the operand.
Row smooth_row(const char* name,
               const char* text,
               std::function<Tensor(Tensor)> call,
               double (*formula)(double)) {
    return {.name = name,
            .text = text,
            .draw =
                [](Draw& draw, Step& step) {
                    step.operands = {draw.any(any_dtype())};
                    return true;
                },
            .call = [call](Operands in, const Step&) { return call(std::move(in[0])); },
            .reference = [formula](Flats in, const Step&) -> References {
                Expected out{in[0].sizes, floating(in[0].dtype), {}, {}};
                for (const double x : in[0].values) {
                    const double operand = as_operand(x, kFloat32);
                    const double value = formula(operand);
                    const double size = std::isfinite(operand) ? std::abs(operand) : 0.0;
                    out.values.push_back(
                        std::isinf(operand) ? (operand > 0 ? operand : std::nan("")) : value);
                    // -infinity times 0: what it gives is left open.
                    out.bounds.push_back(std::isinf(operand) && operand < 0
                                             ? std::numeric_limits<double>::infinity()
                                             : 4 * spacing(kFloat32, value) + size * 0x1p-22);
                }
                return {std::move(out)};
            }};
}

double softplus_of(double x) {
    return x > 20.0 ? x : std::log1p(std::exp(x));
}

}  // namespace

const Unary& unary_of(const std::string& name) {
    for (const Unary& unary : unaries()) {
        if (unary.name == name) {
            return unary;
        }
    }
    throw std::out_of_range(name);
}

Expected apply(const Unary& unary, const Flat& x) {
    Expected out{.sizes = x.sizes, .dtype = x.dtype, .values = {}, .bounds = {}};
    if (unary.result != Unary::Result::kSame) {
        out.dtype = unary.result == Unary::Result::kBool ? kBool : floating(x.dtype);
    }
    const bool is_integer = !is_floating_point(out.dtype) && unary.result == Unary::Result::kSame;
    for (const double value : x.values) {
        out.values.push_back(is_integer ? round_to(out.dtype, integer_value(unary, value))
                                        : unary.formula(unary.result == Unary::Result::kBool
                                                            ? value
                                                            : as_operand(value, out.dtype)));
    }
    if (is_floating_point(out.dtype)) {
        out.bounds = ulps(out.values, unary.ulps);
    }
    return out;
}

std::vector<Row> unary_rows() {
    std::vector<Row> rows;
    for (const Unary& unary : unaries()) {
        if (unary.name == "silu") {  // its limit at -infinity is left open
            rows.push_back(smooth_row("silu", "silu($0)", unary.call, unary.formula));
            continue;
        }
        rows.push_back(
            {.name = unary.name,
             .text = unary.name + "($0)",
             .draw =
                 [&unary](Draw& draw, Step& step) {
                     step.operands = {draw.any(unary.dtypes())};
                     return true;
                 },
             .call = [&unary](Operands in, const Step&) { return unary.call(std::move(in[0])); },
             .reference = [&unary](Flats in, const Step&) -> References {
                 return {apply(unary, in[0])};
             }});
    }
    rows.push_back(smooth_row(
        "gelu", "gelu($0)", [](Tensor x) { return gelu(std::move(x)); }, gelu_of));
    rows.push_back(smooth_row(
        "gelu_tanh",
        "gelu($0, \"tanh\")",
        [](Tensor x) { return gelu(std::move(x), "tanh"); },
        gelu_tanh_of));
    rows.push_back(smooth_row(
        "softplus", "softplus($0)", [](Tensor x) { return softplus(std::move(x)); }, softplus_of));
    return rows;
}

}  // namespace pumice::differential
