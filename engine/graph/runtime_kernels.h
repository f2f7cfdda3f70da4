// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/lowering.h"

#include <memory>
#include <vector>

namespace pumice::graph {

/// The kernels of the calls that have a source, by call, null for the others. Several are compiled
/// at once. Calls of one structure and geometry (the layers of a model) share a kernel, and one
/// source from here on. @throws what vk::Queue::make_kernel throws
std::vector<std::shared_ptr<const vk::RuntimeKernel>> make_runtime_kernels(
    std::vector<KernelCall>& calls);

}  // namespace pumice::graph
