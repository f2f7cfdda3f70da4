// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dtype.h"

#include "vk/kernels.h"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pumice::dispatch {

/// What an operator is told when it writes itself as GLSL (OpDef::express), and what it adds. All
/// calls of one kernel share it.
struct Element {
    /// Names of the inputs' elements at the index: their bits, right-aligned in a uint.
    std::span<const std::string> operands;
    /// Specialization constants so far; see `parameter`.
    std::vector<std::uint32_t> parameters;
    /// Macros to define before shaders/include/unary.glsl and binary.glsl are included.
    std::set<std::string, std::less<>> macros;
    /// Functions to define after these, by name.
    std::map<std::string, std::string, std::less<>> functions;

    /// An expression with these bits, a constant of the call: kernels of calls that differ in their
    /// numbers only have one text. See Note [Opaque bits].
    std::string parameter(std::uint32_t bits) {
        parameters.push_back(bits);
        return "opaque_bits(P" + std::to_string(parameters.size() - 1) + ")";
    }

    /// Makes a function of a formula, of floats or ints, and returns its name. The last part of the
    /// name of the kernel that the build puts the formula into says which group it is of.
    std::string function_of(std::string_view kernel_name,
                            std::uint32_t op,
                            std::string_view parameter_names,
                            const vk::Formula& formula,
                            bool is_real);
};

/// GLSL: bits of an element of the dtype as a float or an int, and the other way round.
std::string decoded(const std::string& bits, DType dtype, bool is_real);
std::string encoded(const std::string& value, DType dtype, bool is_real);

}  // namespace pumice::dispatch
