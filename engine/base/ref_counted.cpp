// SPDX-License-Identifier: Apache-2.0
#include "pumice/intrusive_ptr.h"

namespace pumice {

void RefCounted::destroy() const noexcept {
    delete this;
}

}  // namespace pumice
