// SPDX-License-Identifier: Apache-2.0
// Which kernels written at run time are kept.
#include "vk/runtime_kernels.h"

#include "vk/device.h"

namespace pumice::vk {

RuntimeKernels::RuntimeKernels(Device& device)
    : device_(device), modules_(device.pipelines().module_folder()) {}

std::shared_ptr<const RuntimeKernel> RuntimeKernels::get(const KernelSource& source) {
    const auto words = [&] {
        const CompileGate::Stay stay(device_.pipelines().gate());
        return modules_.get(source.text);
    }();
    return kernels_.get(Key{words, source}, [&] {
        return std::make_shared<const RuntimeKernel>(device_, source, *words);
    });
}

}  // namespace pumice::vk
