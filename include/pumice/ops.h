// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/indexing.h"
#include "pumice/ops/conv.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/factory.h"
#include "pumice/ops/index.h"
#include "pumice/ops/linalg.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"
