// SPDX-License-Identifier: Apache-2.0
// A module for one set of constants, by SPIRV-Tools.
#include "vk/specialize.h"

#include "pumice/error.h"

#include <spirv-tools/optimizer.hpp>
#include <string>
#include <unordered_map>

namespace pumice::vk {

namespace {

// SPIR-V, section 3: an instruction's first word has its length above its number. The words of
// OpLoopMerge are itself, merge block, continue block, loop control.
void forbid_unrolling(std::vector<std::uint32_t>& words) noexcept {
    constexpr std::size_t kHeaderWords = 5;
    constexpr std::uint32_t kLoopMerge = 246;
    constexpr std::uint32_t kUnroll = 1;
    constexpr std::uint32_t kDontUnroll = 2;
    for (std::size_t at = kHeaderWords; at < words.size() && words[at] >> 16U != 0;
         at += words[at] >> 16U) {
        if ((words[at] & 0xffffU) == kLoopMerge) {
            words[at + 3] = (words[at + 3] & ~kUnroll) | kDontUnroll;
        }
    }
}

}  // namespace

std::vector<std::uint32_t> specialize(std::span<const std::uint32_t> words,
                                      std::span<const std::uint32_t> spec,
                                      Unrolling unrolling) {
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> values;
    for (std::uint32_t id = 0; id < spec.size(); ++id) {
        values[id] = {spec[id]};
    }
    std::string messages;
    spvtools::Optimizer optimizer(SPV_ENV_VULKAN_1_2);
    optimizer.SetMessageConsumer([&messages](spv_message_level_t /*level*/,
                                             const char* /*source*/,
                                             const spv_position_t& /*position*/,
                                             const char* message) {
        messages += message;
        messages += "; ";
    });
    optimizer.RegisterPass(spvtools::CreateSetSpecConstantDefaultValuePass(values))
        .RegisterPass(spvtools::CreateFreezeSpecConstantValuePass())
        .RegisterPass(spvtools::CreateFoldSpecConstantOpAndCompositePass());
    spvtools::OptimizerOptions options;
    options.set_run_validator(false);  // the module was validated when it was built
    std::vector<std::uint32_t> made;
    if (!optimizer.Run(words.data(), words.size(), &made, options)) {
        throw InternalError("specialize", messages);
    }
    if (unrolling == Unrolling::kNever) {
        forbid_unrolling(made);
    }
    return made;
}

}  // namespace pumice::vk
