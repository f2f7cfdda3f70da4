// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pumice::differential {

std::uint64_t Random::next() {
    // SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
}

double Random::uniform() {
    return static_cast<double>(next() >> 11U) * 0x1p-53;
}

std::int64_t Random::integer(std::int64_t low, std::int64_t high) {
    const auto count = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>(next() % count);
}

namespace {

double special_value(Random& random, DType dtype) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    if (dtype == kInt32) {
        return random.pick(std::vector<double>{2147483647, -2147483648.0, 65536, -70000, 16777217});
    }
    if (!is_floating_point(dtype)) {
        return random.pick(std::vector<double>{0, 127, 1});
    }
    const double sign = random.chance(0.5) ? 1.0 : -1.0;
    switch (random.integer(0, 7)) {
        case 0: return std::numeric_limits<double>::quiet_NaN();
        case 1: return sign * kInf;
        case 2: return -0.0;
        case 3: return sign * smallest_normal(dtype) * 0.25;
        case 4: return sign * largest(dtype);
        case 5: return sign * std::sqrt(largest(dtype));
        case 6: return sign * smallest_normal(dtype);
        default: return sign * 100.0;
    }
}

double one_value(Random& random, const Input& input) {
    if (input.kind == Kind::kSpecial && random.chance(0.2)) {
        return special_value(random, input.dtype);
    }
    if (input.dtype == kBool) {
        return random.chance(0.5) ? 1.0 : 0.0;
    }
    const bool is_range = input.kind == Kind::kRange;
    const double low = is_range ? input.low : (is_floating_point(input.dtype) ? -2.0 : -9.0);
    const double high = is_range ? input.high : -low + (is_floating_point(input.dtype) ? 0 : 1);
    double value = low + (high - low) * random.uniform();
    if (!is_floating_point(input.dtype)) {
        value = std::floor(value);
    } else if (!is_range && random.chance(0.2)) {
        value = std::nearbyint(value);  // ties and exact zeros
    }
    return input.dtype == kUInt8 ? std::abs(value) : value;
}

}  // namespace

std::vector<double> Input::values_of(std::uint64_t run) const {
    if (!values.empty()) {
        return values;
    }
    Random random(seed + (role == Role::kConstant ? 0 : run * 0x5851f42d4c957f2dU));
    std::vector<double> out(static_cast<std::size_t>(numel(sizes)));
    for (double& value : out) {
        value = round_to(dtype, one_value(random, *this));
    }
    return out;
}

std::string to_text(double value) {
    if (std::isnan(value)) {
        return "NAN";
    }
    if (std::isinf(value)) {
        return value > 0 ? "INFINITY" : "-INFINITY";
    }
    const std::string text = fmt::format("{:.9g}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

namespace {

std::string text_of(const Scalar& scalar) {
    if (scalar.is_bool()) {
        return scalar.toBool() ? "true" : "false";
    }
    return scalar.is_integral() ? std::to_string(scalar.toLong()) : to_text(scalar.toDouble());
}

std::string text_of(const Dims& dims) {
    std::string text = "{";
    for (std::int64_t i = 0; i < dims.count(); ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
    }
    return text + "}";
}

std::string dtype_text(DType dtype) {
    switch (dtype) {
        case kFloat32: return "kFloat32";
        case kFloat16: return "kFloat16";
        case kBFloat16: return "kBFloat16";
        case kInt32: return "kInt32";
        case kInt8: return "kInt8";
        case kUInt8: return "kUInt8";
        default: return "kBool";
    }
}

std::string operand_text(const Step& step, std::size_t index) {
    return index < step.operands.size() ? "v" + std::to_string(step.operands[index]) : "{}";
}

std::string placeholder_text(const Step& step, char mark) {
    switch (mark) {
        case 'd': return text_of(step.dims);
        case 'e': return text_of(step.more_dims);
        case 'T': return dtype_text(step.dtype);
        case 'f': return step.flags[0] ? "true" : "false";
        case 'g': return step.flags[1] ? "true" : "false";
        case '*': break;
        default:
            if (mark >= '0' && mark <= '7') {
                return operand_text(step, static_cast<std::size_t>(mark - '0'));
            }
            if (mark >= 'i' && mark <= 'p') {
                return std::to_string(step.ints[static_cast<std::size_t>(mark - 'i')]);
            }
            return text_of(step.scalars.at(static_cast<std::size_t>(mark - 's')));
    }
    std::string all;
    for (std::size_t i = 0; i < step.operands.size(); ++i) {
        all += (i == 0 ? "" : ", ") + operand_text(step, i);
    }
    return all;
}

std::string step_text(const Step& step) {
    std::string text;
    for (std::size_t i = 0; i < step.row->text.size(); ++i) {
        const char mark = step.row->text[i];
        if (mark == '$') {
            text += placeholder_text(step, step.row->text[++i]);
        } else {
            text += mark;
        }
    }
    return text;
}

std::string values_text(const Input& input) {
    constexpr std::size_t kMostShown = 64;
    const std::vector<double> values = input.values_of(0);
    if (values.size() > 1 && std::all_of(values.begin(), values.end(), [&](double value) {
            return value == values[0];
        })) {
        return fmt::format(
            "full({}, {}, {})", text_of(input.sizes), to_text(values[0]), dtype_text(input.dtype));
    }
    std::string list;
    for (std::size_t i = 0; i < values.size() && values.size() <= kMostShown; ++i) {
        list += (i == 0 ? "" : ", ") + to_text(values[i]);
    }
    if (values.size() > kMostShown) {
        list = fmt::format("{} values from seed {}", values.size(), input.seed);
    }
    return fmt::format(
        "from_values({}, {}, {{{}}})", text_of(input.sizes), dtype_text(input.dtype), list);
}

std::string input_text(const Input& input) {
    constexpr const char* kRoles[] = {"argument", "state", "constant"};
    return fmt::format("{};  // {}{}",
                       values_text(input),
                       kRoles[static_cast<std::size_t>(input.role)],
                       input.is_transposed ? ", dimensions reversed in memory" : "");
}

}  // namespace

std::string to_text(const Program& program) {
    std::string text = fmt::format("// seed {}\n", program.seed);
    for (const Input& input : program.inputs) {
        text += fmt::format("Tensor v{} = {}\n", input.number, input_text(input));
    }
    for (const Step& step : program.steps) {
        if (step.row->makes_result) {
            text += fmt::format("Tensor v{} = ", step.result);
        }
        text += step_text(step) + ";\n";
    }
    text += "return {";
    for (std::size_t i = 0; i < program.results.size(); ++i) {
        text += fmt::format("{}v{}", i == 0 ? "" : ", ", program.results[i]);
    }
    return text + "};\n";
}

}  // namespace pumice::differential
