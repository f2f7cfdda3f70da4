// SPDX-License-Identifier: Apache-2.0
// GLSL of one element, as fused kernels put it together.
#include "dispatch/element.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace pumice::dispatch {

namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char letter) {
        return static_cast<char>(std::toupper(letter));
    });
    return out;
}

// "x p0 p1" -> "float x, float p0, float p1".
std::string declared(std::string_view names, std::string_view type) {
    std::string out;
    while (!names.empty()) {
        const std::string_view name = names.substr(0, names.find(' '));
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", type, name);
        names.remove_prefix(std::min(name.size() + 1, names.size()));
    }
    return out;
}

}  // namespace

std::string Element::function_of(std::string_view kernel_name,
                                 std::uint32_t op,
                                 std::string_view parameter_names,
                                 const vk::Formula& formula,
                                 bool is_real) {
    const std::size_t group = kernel_name.rfind('_');
    macros.insert("FORMULA" + upper(kernel_name.substr(group)));
    const std::string_view family = kernel_name.substr(0, group);
    const std::string_view type = is_real ? "float" : "int";
    // An operator without an integer formula gives its operand back, as its kernel does.
    const std::string_view integer = formula.integer.empty()
                                         ? parameter_names.substr(0, parameter_names.find(' '))
                                         : formula.integer;
    std::string name = fmt::format("{}_{}_{}", family, op, type);
    // As in shaders/include: nothing is contracted or reordered.
    functions.emplace(name,
                      fmt::format("{0} {1}({2}) {{\n    {3} {0} y = {4};\n    return y;\n}}\n",
                                  type,
                                  name,
                                  declared(parameter_names, type),
                                  is_real ? "precise" : "",
                                  is_real ? formula.real : integer));
    return name;
}

std::string decoded(const std::string& bits, DType dtype, bool is_real) {
    if (is_real) {
        return dtype == kFloat32
                   ? fmt::format("uintBitsToFloat({})", bits)
                   : fmt::format(
                         "decode_float({}, 0u, {}u)", bits, static_cast<std::uint32_t>(dtype));
    }
    return dtype == kInt32
               ? fmt::format("int({})", bits)
               : fmt::format("decode_int({}, 0u, {}u)", bits, static_cast<std::uint32_t>(dtype));
}

std::string encoded(const std::string& value, DType dtype, bool is_real) {
    if (is_real) {
        return dtype == kFloat32
                   ? fmt::format("floatBitsToUint({})", value)
                   : fmt::format("encode_float({}, {}u)", value, static_cast<std::uint32_t>(dtype));
    }
    return dtype == kInt32
               ? fmt::format("uint({})", value)
               : fmt::format("encode_int({}, {}u)", value, static_cast<std::uint32_t>(dtype));
}

}  // namespace pumice::dispatch
