// SPDX-License-Identifier: Apache-2.0
// Every row of pumice/ops/unary.inc as functions, and what each of them computes: what tests of
// elementwise operators, of modes and of fusion, and tools/differential_ops, walk.
#pragma once

#include "pumice/ops.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pumice::test {

struct UnaryFunction {
    std::string_view name;
    Tensor (*call)(Tensor);
    std::string_view in_place_name;
    Tensor& (*write)(Tensor&);
    std::string_view out_name;
    Tensor& (*write_out)(Tensor&, Tensor);
    Tensor (Tensor::*method)() const;
    Tensor& (Tensor::*in_place_method)();
};

inline constexpr UnaryFunction kUnaryFunctions[] = {
#define PUMICE_UNARY(name, record) \
    {#name, name, #name "_", name##_, #name "_out", name##_out, &Tensor::name, &Tensor::name##_},
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY
};

inline bool takes_bool(const UnaryFunction& function) {
    try {
        function.call(ones({1}, kBool));
        return true;
    } catch (const DTypeError&) {
        return false;
    }
}

struct UnaryCase {
    std::string_view name;
    double (*reference)(double);
    double low;  ///< range of random values, within which it is smooth
    double high;
    double most_ulp;           ///< at any float32
    bool keeps_dtype = false;  ///< of integers too
};

// clang-format off
inline constexpr UnaryCase kUnaryCases[] = {
    {"neg", [](double x) { return -x; }, -3, 3, 0, true},
    {"abs", [](double x) { return std::abs(x); }, 0.2, 3, 0, true},
    {"sign", [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : 0.0); }, 0.2, 3, 0, true},
    {"square", [](double x) { return x * x; }, -3, 3, 0.5, true},
    {"relu", [](double x) { return x > 0 || std::isnan(x) ? x : 0.0; }, 0.1, 3, 0, true},
    {"floor", [](double x) { return std::floor(x); }, 1.1, 1.9, 0, true},
    {"ceil", [](double x) { return std::ceil(x); }, 1.1, 1.9, 0, true},
    {"round", [](double x) { return std::nearbyint(x); }, 0.6, 1.4, 0, true},
    {"trunc", [](double x) { return std::trunc(x); }, 1.1, 1.9, 0, true},
    {"frac", [](double x) { return x - std::trunc(x); }, 1.1, 1.9, 0},
    {"sqrt", [](double x) { return std::sqrt(x); }, 0.2, 3, 1},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 0.2, 3, 2},
    {"reciprocal", [](double x) { return 1 / x; }, 0.5, 3, 1},
    {"exp", [](double x) { return std::exp(x); }, -3, 2, 2},
    {"log", [](double x) { return std::log(x); }, 0.3, 3, 2},
    {"log1p", [](double x) { return std::log1p(x); }, -0.5, 3, 2},
    {"sin", [](double x) { return std::sin(x); }, -5, 5, 2.1},
    {"cos", [](double x) { return std::cos(x); }, -5, 5, 2.1},
    {"asin", [](double x) { return std::asin(x); }, -0.9, 0.9, 2},
    {"acos", [](double x) { return std::acos(x); }, -0.9, 0.9, 2},
    {"atan", [](double x) { return std::atan(x); }, -5, 5, 2},
    {"tanh", [](double x) { return std::tanh(x); }, -2, 2, 2},
    {"sinh", [](double x) { return std::sinh(x); }, -2, 2, 2},
    {"cosh", [](double x) { return std::cosh(x); }, -2, 2, 2},
    {"asinh", [](double x) { return std::asinh(x); }, -3, 3, 2},
    {"erf", [](double x) { return std::erf(x); }, -2, 2, 2},
    {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, -4, 4, 3},
    {"silu", [](double x) { return x / (1 + std::exp(-x)); }, -4, 4, 4},
};

// clang-format on

/// The case of a function. @throws std::out_of_range without one
inline const UnaryCase& unary_case(std::string_view name) {
    for (const UnaryCase& each : kUnaryCases) {
        if (each.name == name) {
            return each;
        }
    }
    throw std::out_of_range("no case for " + std::string(name));
}

}  // namespace pumice::test
