// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/autograd.h"
#include "pumice/device.h"
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/memory.h"
#include "pumice/ops.h"
#include "pumice/random.h"
#include "pumice/tensor.h"
