// SPDX-License-Identifier: Apache-2.0
// volk has no library of its own in Debian: this file is it.
#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#define VOLK_IMPLEMENTATION
#include <volk.h>
