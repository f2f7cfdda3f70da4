// SPDX-License-Identifier: Apache-2.0
#include "draw.h"

#include "pumice/error.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace pumice::differential {

const DTypes& any_dtype() {
    static const DTypes kDTypes{kFloat32,
                                kFloat32,
                                kFloat32,
                                kFloat32,
                                kFloat16,
                                kBFloat16,
                                kInt32,
                                kInt32,
                                kInt8,
                                kUInt8,
                                kBool};
    return kDTypes;
}

const DTypes& floating_dtypes() {
    static const DTypes kDTypes{kFloat32, kFloat32, kFloat32, kFloat16, kBFloat16};
    return kDTypes;
}

const DTypes& number_dtypes() {
    static const DTypes kDTypes{
        kFloat32, kFloat32, kFloat32, kFloat16, kBFloat16, kInt32, kInt32, kInt8, kUInt8};
    return kDTypes;
}

Draw::Draw(std::uint64_t seed, const DrawOptions& options) : random(seed), options_(options) {
    program.seed = seed;
    special_share_ = random.chance(0.4) ? 0.5 : 0.0;
}

std::int64_t Draw::extent() {
    static const std::vector<std::int64_t> kExtents{
        0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 7, 8, 13, 16, 17, 31, 32, 33, 64, 65, 127, 257};
    return random.pick(kExtents);
}

Dims Draw::shape(std::int64_t least_rank, std::int64_t most_rank) {
    static const std::vector<Dims> kLarge{{70000},
                                          {1, 70000},
                                          {3, 50257},
                                          {70000, 3},
                                          {65537},
                                          {131071, 2},
                                          {2, 1, 70000},
                                          {1000003},
                                          {1, 1000000},
                                          {50257, 5},
                                          {8, 50257},
                                          {1, 3, 262147},
                                          {2, 2, 270, 271},
                                          {65536},
                                          {65535, 2},
                                          {2, 65536, 2},
                                          {1, 32000}};
    if (options_.is_large && !has_large_) {
        const Dims large = random.pick(kLarge);
        if (large.count() >= least_rank && large.count() <= most_rank) {
            has_large_ = true;
            return large;
        }
    }
    constexpr std::int64_t kMostElements = 4096;
    const std::int64_t rank = random.integer(least_rank, std::min(most_rank, least_rank + 3));
    Dims sizes;
    std::int64_t count = 1;
    for (std::int64_t i = 0; i < rank; ++i) {
        std::int64_t one = extent();
        if (one == 0 && !random.chance(0.3)) {
            one = 1;
        }
        one = one * count > kMostElements ? 2 : one;
        count *= std::max<std::int64_t>(one, 1);
        sizes.push_back(one);
    }
    return sizes;
}

Dims Draw::some_dims(std::int64_t rank) {
    Dims dims;
    for (std::int64_t i = 0; i < rank; ++i) {
        if (random.chance(0.5)) {
            dims.push_back(random.chance(0.3) ? i - rank : i);
        }
    }
    return dims;
}

std::int64_t Draw::dim_of(std::int64_t rank) {
    const std::int64_t dim = rank == 0 ? 0 : random.integer(0, rank - 1);
    return random.chance(0.3) ? dim - std::max<std::int64_t>(rank, 1) : dim;
}

Scalar Draw::scalar(DType for_dtype) {
    static const std::vector<Scalar> kIntegers{0, 1, 2, 3, -1, -2, 7, 100};
    static const std::vector<Scalar> kReals{0.5, 1.0, 2.0, -1.0, -2.5, 0.1, 3.0, 1e-3, 100.0};
    static const std::vector<Scalar> kSpecial{0.0,
                                              -0.0,
                                              0,
                                              std::numeric_limits<double>::infinity(),
                                              -std::numeric_limits<double>::infinity(),
                                              std::numeric_limits<double>::quiet_NaN()};
    if (is_floating_point(for_dtype) && random.chance(0.25) && !leaves_out("scalars")) {
        return random.pick(kSpecial);
    }
    const bool is_integer = !is_floating_point(for_dtype) ? random.chance(0.8) : random.chance(0.3);
    const Scalar chosen = random.pick(is_integer ? kIntegers : kReals);
    return leaves_out("scalars") && chosen.toDouble() == 0.0 ? Scalar(1) : chosen;
}

std::size_t Draw::add_input(Input input) {
    input.number = program.value_count++;
    input.seed = random.next();
    if (input.kind == Kind::kOrdinary && random.chance(special_share_)) {
        input.kind = Kind::kSpecial;
    }
    const double role = random.uniform();
    input.role = role < 0.7 ? Input::Role::kArgument
                            : (role < 0.9 ? Input::Role::kState : Input::Role::kConstant);
    const auto arguments =
        std::count_if(program.inputs.begin(), program.inputs.end(), [](const Input& other) {
            return other.role == Input::Role::kArgument;
        });
    if (input.role == Input::Role::kArgument && arguments >= 8) {
        input.role = Input::Role::kState;
    }
    input.is_transposed = input.role != Input::Role::kConstant && input.sizes.count() > 1 &&
                          random.chance(0.15) &&
                          !(input.role == Input::Role::kArgument && leaves_out("strided"));
    machine_.add(input);
    numbers_.push_back(input.number);
    program.inputs.push_back(std::move(input));
    return program.inputs.back().number;
}

std::size_t Draw::in_range(const Dims& sizes, DType dtype, double low, double high) {
    return add_input(
        {.dtype = dtype, .sizes = sizes, .kind = Kind::kRange, .low = low, .high = high});
}

std::size_t Draw::run_view(const char* row,
                           std::size_t operand,
                           const std::function<void(Step&)>& fill) {
    Step step{.row = &row_of(row)};
    step.operands = {operand};
    fill(step);
    step.result = program.value_count++;
    machine_.run(step);
    numbers_.push_back(step.result);
    program.steps.push_back(std::move(step));
    return program.steps.back().result;
}

std::size_t Draw::fresh(const Dims& sizes, DType dtype) {
    const double form = random.uniform();
    const std::int64_t rank = sizes.count();
    if (rank == 0 || form > 0.3 || numel(sizes) == 0) {
        return add_input({.dtype = dtype, .sizes = sizes});
    }
    const std::int64_t dim = random.integer(0, rank - 1);
    Dims inner = sizes;
    if (form < 0.1) {
        const std::int64_t other = random.integer(0, rank - 1);
        std::swap(inner[dim], inner[other]);
        return run_view("transpose", add_input({.dtype = dtype, .sizes = inner}), [&](Step& step) {
            step.ints = {dim, other};
        });
    }
    if (form < 0.22) {
        const std::int64_t start = random.integer(0, 2);
        const std::int64_t stride = random.integer(1, 3);
        const std::int64_t end = start + (sizes[dim] - 1) * stride + 1;
        inner[dim] = end + random.integer(0, 2);
        return run_view("slice", add_input({.dtype = dtype, .sizes = inner}), [&](Step& step) {
            step.ints = {dim, start, end, stride};
        });
    }
    inner[dim] = 1;
    return run_view("expand", add_input({.dtype = dtype, .sizes = inner}), [&](Step& step) {
        step.dims = sizes;
    });
}

std::size_t Draw::any(const DTypes& dtypes,
                      std::int64_t least_rank,
                      std::int64_t most_rank,
                      const std::function<bool(const HostArray&)>& fits) {
    std::vector<std::size_t> fitting;
    for (const std::size_t number : numbers_) {
        const HostArray& one = array(number);
        if (std::count(dtypes.begin(), dtypes.end(), one.dtype) > 0 &&
            one.sizes.count() >= least_rank && one.sizes.count() <= most_rank &&
            (!fits || fits(one))) {
            fitting.push_back(number);
        }
    }
    if (!fitting.empty() && random.chance(0.75)) {
        // Newer ones are likelier, so that programs are chains.
        return random.chance(0.6) ? fitting.back() : random.pick(fitting);
    }
    constexpr int kTries = 20;
    for (int i = 0; i < kTries; ++i) {
        const Dims sizes = shape(least_rank, most_rank);
        const HostArray one{
            .storage = nullptr, .sizes = sizes, .strides = row_major(sizes), .dtype = dtypes[0]};
        if (!fits || fits(one)) {
            return fresh(sizes, dtype_of(dtypes));
        }
    }
    return fitting.empty()
               ? fresh(Dims::filled(std::max<std::int64_t>(least_rank, 1), 4), dtype_of(dtypes))
               : random.pick(fitting);
}

std::size_t Draw::of_shape(const Dims& sizes, const DTypes& dtypes) {
    std::vector<std::size_t> fitting;
    for (const std::size_t number : numbers_) {
        if (array(number).sizes == sizes &&
            std::count(dtypes.begin(), dtypes.end(), array(number).dtype) > 0) {
            fitting.push_back(number);
        }
    }
    return !fitting.empty() && random.chance(0.6) ? random.pick(fitting)
                                                  : fresh(sizes, dtype_of(dtypes));
}

std::size_t Draw::beside(std::size_t other, const DTypes& dtypes, bool into) {
    Dims sizes = array(other).sizes;
    if (random.chance(0.25)) {
        for (std::int64_t& extent : std::span(&sizes[0], sizes.size())) {
            extent = random.chance(0.5) ? 1 : extent;
        }
    }
    while (!sizes.empty() && random.chance(0.12)) {
        sizes.erase(0);
    }
    if (!into && sizes.count() < 5 && random.chance(0.05) && numel(sizes) < 1000) {
        sizes.insert(0, random.integer(1, 3));
    }
    return of_shape(sizes, dtypes);
}

bool Draw::is_argument(std::size_t number) const {
    return std::any_of(program.inputs.begin(), program.inputs.end(), [&](const Input& input) {
        return input.role == Input::Role::kArgument &&
               array(input.number).storage == array(number).storage;
    });
}

bool Draw::may_write(std::size_t number) const {
    const bool is_constant =
        std::any_of(program.inputs.begin(), program.inputs.end(), [&](const Input& input) {
            return input.role == Input::Role::kConstant &&
                   array(input.number).storage == array(number).storage;
        });
    return !is_argument(number) && !(is_constant && leaves_out("constants")) &&
           !array(number).overlaps_itself();
}

std::size_t Draw::target(const DTypes& dtypes) {
    std::vector<std::size_t> fitting;
    for (const std::size_t number : numbers_) {
        if (std::count(dtypes.begin(), dtypes.end(), array(number).dtype) > 0 &&
            may_write(number)) {
            fitting.push_back(number);
        }
    }
    return fitting.empty() ? program.value_count
                           : (random.chance(0.5) ? fitting.back() : random.pick(fitting));
}

std::size_t Draw::writable(const Dims& sizes, DType dtype) {
    std::vector<std::size_t> fitting;
    for (const std::size_t number : numbers_) {
        if (array(number).sizes == sizes && array(number).dtype == dtype && may_write(number)) {
            fitting.push_back(number);
        }
    }
    if (!fitting.empty() && random.chance(0.7)) {
        return random.pick(fitting);
    }
    const std::size_t number = add_input({.dtype = dtype, .sizes = sizes});
    program.inputs.back().role = Input::Role::kState;
    return number;
}

// Now and then another operand than fits, for the errors.
void Draw::disturb(Step& step) {
    if (step.row->takes_places || step.operands.empty() || !random.chance(0.02)) {
        return;
    }
    const auto index = static_cast<std::size_t>(
        random.integer(0, static_cast<std::int64_t>(step.operands.size()) - 1));
    const auto& writes = step.row->writes;
    const std::size_t other = random.pick(numbers_);
    if (std::count(writes.begin(), writes.end(), index) == 0 && array(other).numel() < 10000 &&
        !step.row->view) {
        step.operands[index] = other;
    }
}

bool Draw::draw_step() {
    double total = 0.0;
    for (const Row& row : table()) {
        total += row.weight;
    }
    double at = random.uniform() * total;
    const Row* chosen = &table().back();
    for (const Row& row : table()) {
        at -= row.weight;
        if (at < 0) {
            chosen = &row;
            break;
        }
    }
    Step step{.row = chosen};
    if (leaves_out(chosen->name) || !chosen->draw(*this, step)) {
        return false;
    }
    disturb(step);
    if (chosen->makes_result) {
        step.result = program.value_count++;
    }
    program.steps.push_back(step);
    machine_.run(step);
    if (chosen->makes_result) {
        numbers_.push_back(step.result);
    }
    return true;
}

// What nothing reads, and some of the others.
void Draw::choose_results() {
    std::vector<bool> is_read(program.value_count, false);
    for (const Step& step : program.steps) {
        for (const std::size_t operand : step.operands) {
            is_read[operand] = true;
        }
    }
    for (const Step& step : program.steps) {
        if (step.row->makes_result && (!is_read[step.result] || random.chance(0.25))) {
            program.results.push_back(step.result);
        }
    }
    std::erase_if(program.inputs, [&](const Input& input) { return !is_read[input.number]; });
}

void Draw::draw_program() {
    const auto count =
        static_cast<std::size_t>(random.integer(1, static_cast<std::int64_t>(options_.most_steps)));
    int tries = 200;
    try {
        while (program.steps.size() < count && tries-- > 0) {
            draw_step();
        }
    } catch (const Error& error) {
        check_legal(error);
    }
    choose_results();
    machine_.check_state();
}

const Row& row_of(const std::string& name) {
    for (const Row& row : table()) {
        if (row.name == name) {
            return row;
        }
    }
    throw std::out_of_range("no row " + name);
}

}  // namespace pumice::differential
