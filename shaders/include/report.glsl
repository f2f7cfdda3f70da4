// SPDX-License-Identifier: Apache-2.0
// How a kernel tells the host of an index outside its extent. The queue binds a slot that no other
// dispatch on its way has (vk/reports.h); the first report in it stays. Define REPORT_BINDING, the
// last one, before.
#ifndef PUMICE_REPORT_GLSL
#define PUMICE_REPORT_GLSL

layout(std430, set = 0, binding = REPORT_BINDING) buffer Reports {
    uint report_words[];
};

// `user` is an IndexUser (engine/base/index_user.h); 0 tells nobody.
void report_index(uint user, int index, uint extent) {
    if (user != 0u && atomicCompSwap(report_words[0], 0u, user) == 0u) {
        report_words[1] = uint(index);
        report_words[2] = extent;
    }
}

#endif
