// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Tensors, operators and autograd in one include. Modules, optimizers, files and data have their
/// own: pumice/nn/*.h, pumice/optim.h, pumice/io.h, pumice/data.h.

/// @namespace pumice
/// A tensor engine on Vulkan compute.

#include "pumice/autograd.h"
#include "pumice/device.h"
#include "pumice/error.h"
#include "pumice/export.h"
#include "pumice/grad_mode.h"
#include "pumice/memory.h"
#include "pumice/ops.h"
#include "pumice/parallel.h"
#include "pumice/random.h"
#include "pumice/task.h"
#include "pumice/tensor.h"
#include "pumice/warning.h"
