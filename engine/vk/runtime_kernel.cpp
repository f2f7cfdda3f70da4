// SPDX-License-Identifier: Apache-2.0
// A kernel written at run time: module, layout and pipeline.
#include "vk/runtime_kernel.h"

#include "vk/device.h"

namespace pumice::vk {

RuntimeKernel::RuntimeKernel(Device& device,
                             const KernelInterface& source,
                             const std::vector<std::uint32_t>& words)
    : device_(device),
      name_(source.name),
      info_{.name = name_.c_str(),
            .code = words.data(),
            .word_count = static_cast<std::uint32_t>(words.size()),
            .binding_count = source.binding_count,
            .written_mask = source.written_mask,
            .read_mask = source.read_mask,
            .push_size_bytes = source.push_size_bytes,
            .spec_count = static_cast<std::uint8_t>(source.spec.size()),
            .features = 0,
            .texel_mask = source.texel_mask},
      pipeline_(device.pipelines().make_own(info_, source.spec)) {
    info_.code = nullptr;  // the words are the store's
    info_.word_count = 0;
}

RuntimeKernel::~RuntimeKernel() {
    device_.table().vkDestroyPipeline(device_.handles().device, pipeline_.handle, nullptr);
}

}  // namespace pumice::vk
