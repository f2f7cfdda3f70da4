// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "machine.h"
#include "program.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace pumice::differential {

/// What to draw.
struct DrawOptions {
    std::set<std::string> left_out;  ///< rows, and the kinds that --leave-out names
    bool is_large = false;           ///< extents past 65,535 now and then
    std::size_t most_steps = 8;
};

using DTypes = std::vector<DType>;

/// The dtypes of a class, likelier ones more than once.
const DTypes& any_dtype();
const DTypes& floating_dtypes();
const DTypes& number_dtypes();  ///< without bool

/// Draws a program while it runs, so that operands fit.
class Draw {
public:
    Draw(std::uint64_t seed, const DrawOptions& options);

    /// Draws and runs a whole program; one that an operator refused ends with that call.
    /// @throws Finding
    void draw_program();

    Random random;
    Program program;

    /// An operand: a value that is there, or a fresh one.
    std::size_t any(const DTypes& dtypes,
                    std::int64_t least_rank = 0,
                    std::int64_t most_rank = 5,
                    const std::function<bool(const HostArray&)>& fits = {});
    /// A value of exactly this shape.
    std::size_t of_shape(const Dims& sizes, const DTypes& dtypes);
    /// A value that broadcasts with this one; with `into` to its shape.
    std::size_t beside(std::size_t other, const DTypes& dtypes, bool into = false);
    /// Numbers in [low, high): indices, labels, probabilities.
    std::size_t in_range(const Dims& sizes, DType dtype, double low, double high);
    /// Something that may be written in place, or a number past all values: not now.
    std::size_t target(const DTypes& dtypes);
    /// Something of this shape and dtype that may be written: one that is there, or a state.
    std::size_t writable(const Dims& sizes, DType dtype);
    /// A fresh value, contiguous or not.
    std::size_t fresh(const Dims& sizes, DType dtype);

    [[nodiscard]] const HostArray& array(std::size_t number) const {
        return machine_.array(number);
    }

    [[nodiscard]] Dims shape(std::int64_t least_rank, std::int64_t most_rank);
    [[nodiscard]] std::int64_t extent();
    /// Some dimensions of a rank, maybe none, negative ones too.
    [[nodiscard]] Dims some_dims(std::int64_t rank);
    /// A dimension of a rank, maybe counted from the back.
    [[nodiscard]] std::int64_t dim_of(std::int64_t rank);
    /// A number, of the special ones too.
    [[nodiscard]] Scalar scalar(DType for_dtype);

    [[nodiscard]] DType dtype_of(const DTypes& dtypes) { return random.pick(dtypes); }

    [[nodiscard]] bool leaves_out(const std::string& name) const {
        return options_.left_out.count(name) != 0;
    }

private:
    std::size_t add_input(Input input);
    std::size_t run_view(const char* row,
                         std::size_t operand,
                         const std::function<void(Step&)>& fill);
    [[nodiscard]] bool is_argument(std::size_t number) const;
    [[nodiscard]] bool may_write(std::size_t number) const;
    void disturb(Step& step);
    bool draw_step();
    void choose_results();

    DrawOptions options_;
    Machine machine_;
    bool has_large_ = false;
    double special_share_ = 0.0;
    std::vector<std::size_t> roots_;    ///< of each value: the value that it is a view of
    std::vector<std::size_t> numbers_;  ///< of all values
};

/// A row by name. @throws std::out_of_range
const Row& row_of(const std::string& name);

}  // namespace pumice::differential
