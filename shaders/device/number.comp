// SPDX-License-Identifier: Apache-2.0
// Writes a number that is compiled in, and a sum with it: a kernel that no cache of a driver has,
// with what makes a compiler use all of its parts: a loop, operands in memory, floats, a branch
// (vk/first_kernel.h).
//
// Bindings: 0 words to add; 1 output, one word.
// Push constants: word_count of binding 0.
// Specialization constants: 0 LOCAL_SIZE  invocations a workgroup; 1 NUMBER.
//@iterations 1 + ceil(word_count / LOCAL_SIZE)
#version 450

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint NUMBER = 0u;

layout(std430, set = 0, binding = 0) readonly buffer Words {
    uint words[];
};

layout(std430, set = 0, binding = 1) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint word_count;
};

void main() {
    float total = 0.0;
    for (uint at = gl_LocalInvocationID.x; at < word_count; at += gl_WorkGroupSize.x) {
        float value = uintBitsToFloat(words[at]);
        total = value > total ? total * 0.75 + exp(value) : total - value * 1.25;
    }
    result[0] = NUMBER ^ floatBitsToUint(total);
}
