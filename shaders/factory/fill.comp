// SPDX-License-Identifier: Apache-2.0
// Writes one 32-bit word over the whole output, four words an invocation.
//
// Bindings: 0 output, contiguous.
// Push constants: word_count of the output, in words; word: what is written.
// Specialization constants: 0 LOCAL_SIZE  invocations a workgroup.
//@iterations 5
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "grid.glsl"

layout(std430, set = 0, binding = 0) writeonly buffer Result {
    uint result[];
};

layout(std430, set = 0, binding = 0) writeonly buffer WideResult {
    uvec4 wide_result[];
};

layout(push_constant) uniform Push {
    uint word_count;
    uint word;
};

void main() {
    uint first = linear_invocation() * 4u;
    if (first + 4u <= word_count) {
        wide_result[first / 4u] = uvec4(word);
        return;
    }
    for (uint at = first; at < word_count; ++at) {
        result[at] = word;
    }
}
