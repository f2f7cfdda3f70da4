// SPDX-License-Identifier: Apache-2.0
// Kernels with text of their own, compiled at once on several threads.
#include "graph/runtime_kernels.h"

#include "base/at_once.h"
#include "vk/device.h"
#include "vk/queue.h"

#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

namespace pumice::graph {

std::vector<std::shared_ptr<const vk::RuntimeKernel>> make_runtime_kernels(
    std::vector<KernelCall>& calls) {
    using Kernel = std::shared_ptr<const vk::RuntimeKernel>;
    std::vector<std::shared_ptr<const vk::KernelSource>> sources;
    std::map<std::pair<std::string_view, std::vector<std::uint32_t>>, std::size_t> number_of;
    std::vector<std::size_t> numbers(calls.size());  // of the sources
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].source) {
            const auto [at, is_new] = number_of.try_emplace(
                {calls[i].source->text, calls[i].source->spec}, sources.size());
            if (is_new) {
                sources.push_back(calls[i].source);
            }
            numbers[i] = at->second;
        }
    }
    vk::Queue& queue = vk::device().queue();
    std::vector<Kernel> made(sources.size());
    do_at_once(made.size(), [&](std::size_t i) { made[i] = queue.make_kernel(*sources[i]); });
    std::vector<Kernel> kernels(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].source) {
            kernels[i] = made[numbers[i]];
            calls[i].source = sources[numbers[i]];  // a text is long: one copy of each
            calls[i].label = calls[i].source->name;
        }
    }
    return kernels;
}

}  // namespace pumice::graph
