// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "draw.h"
#include "program.h"

#include <functional>
#include <string>
#include <vector>

namespace pumice::differential {

/// The table by families; see Row.
/// @{
std::vector<Row> unary_rows();
std::vector<Row> binary_rows();
std::vector<Row> select_rows();
std::vector<Row> in_place_rows();
std::vector<Row> factory_rows();
std::vector<Row> reduce_rows();
std::vector<Row> product_rows();
std::vector<Row> spatial_rows();
std::vector<Row> norm_rows();
std::vector<Row> loss_rows();
std::vector<Row> index_rows();
std::vector<Row> join_rows();
std::vector<Row> view_rows();
/// @}

using References = std::vector<Expected>;

/// `count` spacings of float32 around each value.
std::vector<double> ulps(const std::vector<double>& values, double count);

/// A tensor's value in the common dtype.
double as_operand(double value, DType common);
/// A host number as operators of a common dtype read it: in float32 where that is floating.
double as_number(const Scalar& number, DType common);

/// The product in int32, wrapped.
double wrapped_product(double a, double b);

/// The dtype itself if floating, else float32.
DType floating(DType dtype);

/// a operator b in a common dtype, before the result is rounded.
using BinaryFormula = std::function<double(double a, double b, DType common)>;

/// The plain binary operators, which have forms in place.
struct Binary {
    std::string name;
    Tensor (*call)(Tensor, Tensor);
    BinaryFormula formula;
    double ulps = 1.0;
    const DTypes& (*dtypes)() = any_dtype;
    enum class Result : std::uint8_t { kCommon, kFloating, kBool } result = Result::kCommon;
};

/// add, sub, mul, div and so on, by name.
const Binary& binary_of(const std::string& name);

/// The functions of one operand.
struct Unary {
    std::string name;
    Tensor (*call)(Tensor);
    double (*formula)(double);
    double ulps = 1.0;
    enum class Result : std::uint8_t { kSame, kFloating, kBool } result = Result::kFloating;
    const DTypes& (*dtypes)() = any_dtype;
};

const Unary& unary_of(const std::string& name);

/// The values of a function of one operand.
Expected apply(const Unary& unary, const Flat& x);
/// The values of a function of two, broadcast.
Expected apply(const Binary& binary, const Flat& a, const Flat& b);

}  // namespace pumice::differential
