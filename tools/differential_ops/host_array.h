// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/dtype.h"
#include "pumice/scalar.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

/// A random tester of operators: seeded programs run in every mode, against each other bit for bit
/// and against float64 on the host. Nothing of the engine computes the wanted values.
namespace pumice::differential {

/// A strided array on the host, every dtype's values as float64. Copies and views share storage.
struct HostArray {
    std::shared_ptr<std::vector<double>> storage{};
    Dims sizes{};
    Dims strides{};           ///< in elements
    std::int64_t offset = 0;  ///< in elements
    DType dtype = kFloat32;

    [[nodiscard]] std::int64_t numel() const noexcept { return pumice::numel(sizes); }

    [[nodiscard]] bool is_contiguous() const noexcept;
    /// Whether two indices name one element.
    [[nodiscard]] bool overlaps_itself() const;
    /// The values in row-major order.
    [[nodiscard]] std::vector<double> values() const;
    /// Writes values in row-major order.
    void assign(std::span<const double> values) const;
};

/// A contiguous array with storage of its own.
HostArray make_array(const Dims& sizes, DType dtype, std::vector<double> values);

/// Row-major strides.
Dims row_major(const Dims& sizes);

/// Position in the storage of each element in row-major order, from 0 on.
std::vector<std::int64_t> places(const Dims& sizes, const Dims& strides);

/// What a reference reads: an operand's values in row-major order.
struct Flat {
    Dims sizes{};
    DType dtype = kFloat32;
    std::vector<double> values{};

    [[nodiscard]] std::int64_t numel() const noexcept { return pumice::numel(sizes); }
};

/// The nearest value of a floating dtype, ties to even, past its range an infinity; an integer
/// dtype's by wrapping, bool's by "not 0".
double round_to(DType dtype, double value);

/// Spacing of a floating dtype's values around `value`, not below that of its smallest normal one.
double spacing(DType dtype, double value);

/// The largest finite value of a floating dtype, and its smallest normal one.
double largest(DType dtype);
double smallest_normal(DType dtype);

/// As the operators convert: floating to integer truncates, NaN to 0, past int32 to its ends.
double convert(double value, DType from, DType to);

/// Common dtype by the documents of dtype.h and elementwise.h, written anew.
DType promote(DType a, DType b);
DType common_dtype(std::span<const Flat> operands);
DType common_dtype(const Flat& operand, const Scalar& scalar);

/// 0 for bool, 1 for integers, 2 for floating dtypes.
int category(DType dtype);

/// Shape of a broadcast, or false where there is none.
bool broadcast(const Dims& a, const Dims& b, Dims& result);

/// The values broadcast to `sizes`, in row-major order.
std::vector<double> spread(const Flat& operand, const Dims& sizes);

}  // namespace pumice::differential
