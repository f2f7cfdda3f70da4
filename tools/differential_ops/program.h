// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/scalar.h"
#include "pumice/tensor.h"

#include "host_array.h"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace pumice::differential {

/// What an input's values are drawn from.
enum class Kind : std::uint8_t {
    kOrdinary,  ///< [-2, 2], or integers in [-9, 9]
    kSpecial,   ///< the same with NaN, infinities, -0, subnormal and large values among them
    kRange,     ///< [low, high): indices, labels, probabilities, variances
};

/// A tensor that a program starts with.
struct Input {
    enum class Role : std::uint8_t {
        kArgument,  ///< fresh values at each replay
        kState,     ///< outlives the program, which may write it; changed between replays
        kConstant,  ///< uploaded within the program
    };
    std::size_t number = 0;  ///< of the value
    Role role = Role::kArgument;
    bool is_transposed = false;  ///< dimensions lie in memory in reversed order
    DType dtype = kFloat32;
    Dims sizes{};
    Kind kind = Kind::kOrdinary;
    double low = 0.0;
    double high = 0.0;
    std::uint64_t seed = 0;
    std::vector<double>
        values{};  ///< the same in every run; empty: drawn from the seed and the run

    /// The values of a run, which counts from 0.
    [[nodiscard]] std::vector<double> values_of(std::uint64_t run) const;
};

struct Row;

/// One call of an operator. `operands` are numbers of values; what the attributes mean is the
/// row's.
struct Step {
    const Row* row = nullptr;
    std::size_t result = 0;  ///< number of the value, if the row makes one
    std::vector<std::size_t> operands{};
    Dims dims{};
    Dims more_dims{};
    std::array<std::int64_t, 8> ints{};
    std::vector<Scalar> scalars{};
    DType dtype = kFloat32;
    std::array<bool, 2> flags{};
};

/// What the arithmetic of an operator gives; an error of up to `bounds` is allowed before the
/// result is rounded to its dtype, and any value where the bound is not finite.
struct Expected {
    Dims sizes{};
    DType dtype = kFloat32;
    std::vector<double> values{};
    std::vector<double> bounds{};  ///< empty: all 0
};

using Operands = std::span<Tensor>;
using Flats = std::span<const Flat>;

class Draw;

/// All that the tester knows of an operator.
struct Row {
    std::string name{};
    /// A line of C++: $0 to $7 are operands, $d and $e dims, $i to $p integers, $s to $u scalars,
    /// $T the dtype, $f and $g flags, $* all operands.
    std::string text{};
    /// Chooses operands and attributes; false: not now.
    std::function<bool(Draw&, Step&)> draw{};
    /// Calls the operator. A row that writes in place only gives an undefined tensor.
    std::function<Tensor(Operands, const Step&)> call{};
    /// The result, if the row makes one, then each operand that it writes, as its new values.
    std::function<std::vector<Expected>(Flats, const Step&)> reference{};
    /// Of views instead of `reference`.
    std::function<HostArray(const HostArray&, const Step&)> view{};
    std::vector<std::size_t> writes{};  ///< operands
    bool makes_result = true;
    bool reads_host = false;  ///< cannot be captured
    bool is_out_form = false;
    bool refuses_parts = false;
    bool takes_places = false;  ///< operands that another one's shape must bound
    double weight = 1.0;
};

/// All rows.
const std::vector<Row>& table();

/// Inputs, calls, and the values that the function returns.
struct Program {
    std::uint64_t seed = 0;
    std::vector<Input> inputs{};
    std::vector<Step> steps{};
    std::vector<std::size_t> results{};
    std::size_t value_count = 0;  ///< numbers of values are below it
};

/// C++-like text.
std::string to_text(const Program& program);
/// A number as C++ has it.
std::string to_text(double value);

/// A small generator with the same numbers everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next();
    /// In [0, 1).
    double uniform();
    /// In [low, high].
    std::int64_t integer(std::int64_t low, std::int64_t high);

    bool chance(double probability) { return uniform() < probability; }

    template <class T>
    const T& pick(const std::vector<T>& values) {
        return values[static_cast<std::size_t>(
            integer(0, static_cast<std::int64_t>(values.size()) - 1))];
    }

private:
    std::uint64_t state_;
};

}  // namespace pumice::differential
