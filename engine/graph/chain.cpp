// SPDX-License-Identifier: Apache-2.0
// Note [Opaque bits]: compilers of drivers simplify float arithmetic that they can see through:
// lavapipe's takes x * 0 for 0, x / 0 for nothing in particular and x + 0 for x, NaN, infinities
// and -0 or not, whatever `precise` asks for. An eager kernel cannot be simplified so: its numbers
// are push constants, its operands come from memory. Kernels that are written at run time give the
// compiler no more to see: numbers, and what one call of a chain hands to the next, pass through
// opaque_bits(), an exclusive or with a push constant that is 0 (UNKNOWN_ZERO).
#include "graph/chain.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pumice::graph {

namespace {

template <class... Args>
void add(std::string& out, fmt::format_string<Args...> text, Args&&... args) {
    fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
}

std::uint32_t word(std::int64_t value) noexcept {
    return static_cast<std::uint32_t>(value);
}

bool is_made_before(const Chain& chain, std::size_t part, std::uint32_t value) {
    const auto before = chain.parts.first(part);
    return std::any_of(before.begin(), before.end(), [value](const Node& each) {
        return each.outputs[0].value == value;
    });
}

// The bits of the element of operand `at` of a binding.
std::string load(std::uint32_t binding, DType dtype, bool is_texels) {
    const auto code = static_cast<std::uint32_t>(dtype);
    const bool is_word = itemsize(dtype) == sizeof(std::uint32_t);
    const std::string at = is_word ? fmt::format("at{}", binding)
                                   : fmt::format("word_index(at{}, {}u)", binding, code);
    const std::string word = is_texels ? fmt::format("read_word(x{}_words, {})", binding, at)
                                       : fmt::format("x{}_words[{}]", binding, at);
    return is_word ? word : fmt::format("extract_bits({}, at{}, {}u)", word, binding, code);
}

// Name of a part's operand: an earlier part's result, the carried element or one that was loaded.
std::string name_of_operand(const Chain& chain,
                            std::span<const std::uint32_t> bindings,
                            const TensorRef& ref,
                            std::size_t part) {
    if (!ref.is_defined()) {
        return {};
    }
    for (std::size_t i = 0; i < part; ++i) {
        if (chain.parts[i].outputs[0].value == ref.value) {
            return fmt::format("v{}", i);
        }
    }
    if (ref.value == chain.carried) {
        return "carried";
    }
    const auto found = std::find(chain.operands.begin(), chain.operands.end(), ref);
    return fmt::format("x{}", bindings[static_cast<std::size_t>(found - chain.operands.begin())]);
}

}  // namespace

Chain make_chain(std::span<const Node> parts, const TensorRef& result, std::uint32_t carried) {
    Chain chain{.parts = parts, .result = result, .operands = {}, .carried = carried};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        for (const TensorRef& input : parts[i].inputs) {
            const bool is_known = !input.is_defined() || input.value == carried ||
                                  is_made_before(chain, i, input.value) ||
                                  std::find(chain.operands.begin(), chain.operands.end(), input) !=
                                      chain.operands.end();
            if (!is_known) {
                chain.operands.push_back(input);
            }
        }
    }
    return chain;
}

ChainWalk walk_of(const Graph& graph, const Chain& chain) {
    std::vector<Tensor> tensors = {make_tensor(graph, chain.result)};
    tensors.reserve(chain.operands.size() + 1);
    for (const TensorRef& operand : chain.operands) {
        tensors.push_back(make_tensor(graph, operand));
    }
    std::vector<const TensorImpl*> impls;
    impls.reserve(tensors.size());
    for (const Tensor& tensor : tensors) {
        impls.push_back(&impl_of(tensor));
    }
    return ops::collapse<kMostBindings>(chain.result.sizes, impls);
}

Slot slot_of(const Graph& graph, const TensorRef& ref) {
    const dispatch::BoundRange bound = dispatch::bind(make_tensor(graph, ref));
    const vk::Binding& all = graph.values[ref.value].storage->allocation().range;
    return {.value = ref.value,
            .offset_bytes = bound.binding.offset_bytes - all.offset_bytes,
            .size_bytes = bound.binding.size_bytes};
}

void ChainWriter::add_constant(const std::string& name, std::uint32_t value) {
    add(constants_, "layout(constant_id = {}) const uint {} = 0u;\n", spec_.size(), name);
    spec_.push_back(value);
}

void ChainWriter::add_sizes(std::string_view name, const ChainWalk& walk, std::size_t count) {
    for (std::size_t dim = 0; dim < count; ++dim) {
        const std::uint32_t size = std::max(word(walk.sizes[dim]), 1U);
        const ops::Divisor divisor = ops::divisor_of(size);
        add_constant(fmt::format("{}_SIZE_{}", name, dim), size);
        add_constant(fmt::format("{}_MAGIC_{}", name, dim), divisor.magic);
        add_constant(fmt::format("{}_SHIFT_{}", name, dim), divisor.shift);
    }
}

void ChainWriter::write_loads(const Chain& chain,
                              const ChainWalk& walk,
                              std::span<const std::uint32_t> bindings,
                              std::string& out) {
    constexpr std::string_view kAxes = "xyzw";
    for (std::size_t i = 0; i < chain.operands.size(); ++i) {
        const std::uint32_t binding = bindings[i];
        const bool is_texels = (texel_mask_ >> binding & 1U) != 0;
        if (is_texels) {
            add(buffers_, "READ_WORDS({0}, X{0}, x{0}_words);\n", binding);
        } else {
            add(buffers_,
                "layout(std430, set = 0, binding = {0}) readonly buffer X{0} {{ uint "
                "x{0}_words[]; }};\n",
                binding);
        }
        const Tensor operand = make_tensor(graph_, chain.operands[i]);
        add_constant(fmt::format("OFFSET_{}", binding), dispatch::bound_offset(operand, caps_));
        add(out, "    uint at{0} = OFFSET_{0}", binding);
        for (std::int64_t dim = 0; dim < walk.dim_count; ++dim) {
            const auto axis = static_cast<std::size_t>(dim);
            add_constant(fmt::format("STRIDE_{}_{}", binding, dim),
                         word(walk.strides[i + 1][axis]));
            add(out, " + index.{} * STRIDE_{}_{}", kAxes[axis], binding, dim);
        }
        add(out,
            ";\n    uint x{} = {};\n",
            binding,
            load(binding, impl_of(operand).dtype, is_texels));
    }
}

std::string ChainWriter::body(const Chain& chain,
                              const ChainWalk& walk,
                              std::span<const std::uint32_t> bindings) {
    std::string out;
    write_loads(chain, walk, bindings, out);
    for (std::size_t i = 0; i < chain.parts.size(); ++i) {
        const Node& part = chain.parts[i];
        std::vector<std::string> names;
        for (const TensorRef& input : part.inputs) {
            names.push_back(name_of_operand(chain, bindings, input, i));
        }
        const NodeCall call(graph_, part);
        element_.operands = names;
        add(out,
            "    uint v{} = opaque_bits({});  // {}\n",
            i,
            part.def->express(call.call(), call.outputs()[0], element_),
            part.def->name);
    }
    add(out, "    return v{};\n", chain.parts.size() - 1);
    return out;
}

std::string ChainWriter::declarations() {
    for (std::size_t i = 0; i < element_.parameters.size(); ++i) {
        add_constant(fmt::format("P{}", i), element_.parameters[i]);
    }
    std::string text;
    for (const std::string& macro : element_.macros) {
        add(text, "#define {} 1\n", macro);
    }
    for (const char* file : {"reads", "dtype", "math", "unary", "binary", "convert"}) {
        add(text, "#include \"{}.glsl\"\n", file);
    }
    text += "uint opaque_bits(uint bits) {\n    return bits ^ UNKNOWN_ZERO;\n}\n";
    for (const auto& [name, function] : element_.functions) {
        text += function;
    }
    return text + buffers_ + constants_;
}

}  // namespace pumice::graph
