// SPDX-License-Identifier: Apache-2.0
// From GLSL to SPIR-V at run time.
#include "vk/glsl.h"

#include "pumice/error.h"

#include "vk/kernels.h"

#include <glslang/Include/glslang_c_interface.h>
#include <glslang/Public/resource_limits_c.h>
#include <glslang/build_info.h>
#include <memory>
#include <set>

namespace pumice::vk {

namespace {

using ShaderPtr = std::unique_ptr<glslang_shader_t, decltype(&glslang_shader_delete)>;
using ProgramPtr = std::unique_ptr<glslang_program_t, decltype(&glslang_program_delete)>;

constexpr int kMessages = GLSLANG_MSG_SPV_RULES_BIT | GLSLANG_MSG_VULKAN_RULES_BIT;

// `done`: files that stand in the text already, outside of every condition.
void append_expanded(std::string& out,
                     std::string_view text,
                     std::set<std::string_view>& done,
                     bool is_outermost) {
    constexpr std::string_view kInclude = "#include \"";
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end);
        if (!line.starts_with(kInclude)) {
            out += line;
            continue;
        }
        const std::string_view rest = line.substr(kInclude.size());
        const std::string_view name = rest.substr(0, rest.find('"'));
        const std::string_view included = include_text(name);
        if (included.empty()) {
            throw InternalError("glsl", "no file shaders/include/" + std::string(name));
        }
        if (!done.contains(name)) {
            append_expanded(out, included, done, false);
        }
        if (is_outermost) {
            done.insert(name);
        }
    }
}

[[noreturn]] void refuse(const char* messages) {
    throw InternalError("glslang", std::string("a generated kernel does not compile: ") + messages);
}

}  // namespace

std::string expand_includes(std::string_view text) {
    std::string out;
    std::set<std::string_view> done;
    append_expanded(out, text, done, true);
    return out;
}

std::vector<std::uint32_t> compile_glsl(const std::string& text) {
    // The compiler keeps what it works on by thread.
    static const bool kIsReady = glslang_initialize_process() != 0;  // until the process ends
    if (!kIsReady) {
        throw InternalError("glslang", "the compiler cannot be initialised");
    }
    glslang_input_t input{};
    input.language = GLSLANG_SOURCE_GLSL;
    input.stage = GLSLANG_STAGE_COMPUTE;
    input.client = GLSLANG_CLIENT_VULKAN;
    input.client_version = GLSLANG_TARGET_VULKAN_1_2;
    input.target_language = GLSLANG_TARGET_SPV;
    input.target_language_version = GLSLANG_TARGET_SPV_1_5;
    input.code = text.c_str();
    input.default_version = 450;
    input.default_profile = GLSLANG_NO_PROFILE;
    input.messages = static_cast<glslang_messages_t>(kMessages);
    input.resource = glslang_default_resource();
    const ShaderPtr shader(glslang_shader_create(&input), glslang_shader_delete);
    if (glslang_shader_preprocess(shader.get(), &input) == 0 ||
        glslang_shader_parse(shader.get(), &input) == 0) {
        refuse(glslang_shader_get_info_log(shader.get()));
    }
    const ProgramPtr program(glslang_program_create(), glslang_program_delete);
    glslang_program_add_shader(program.get(), shader.get());
    if (glslang_program_link(program.get(), kMessages) == 0) {
        refuse(glslang_program_get_info_log(program.get()));
    }
    glslang_program_SPIRV_generate(program.get(), GLSLANG_STAGE_COMPUTE);
    std::vector<std::uint32_t> words(glslang_program_SPIRV_get_size(program.get()));
    glslang_program_SPIRV_get(program.get(), words.data());
    return words;
}

std::string glsl_compiler_version() {
    return std::to_string(GLSLANG_VERSION_MAJOR) + "." + std::to_string(GLSLANG_VERSION_MINOR) +
           "." + std::to_string(GLSLANG_VERSION_PATCH);
}

}  // namespace pumice::vk
