// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10: four random words from a 128-bit counter and a 64-bit key, the same on every
// device. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#ifndef PUMICE_PHILOX_GLSL
#define PUMICE_PHILOX_GLSL

uvec4 philox_round(uvec4 counter, uvec2 key) {
    uint high0;
    uint low0;
    uint high1;
    uint low1;
    umulExtended(0xd2511f53u, counter.x, high0, low0);
    umulExtended(0xcd9e8d57u, counter.z, high1, low1);
    return uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
}

uvec4 philox(uvec4 counter, uvec2 key) {
    for (uint i = 0u; i < 10u; ++i) {
        counter = philox_round(counter, key);
        key += uvec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

// Block `index` after the generator's offset; seed and offset have their low word first. Element e
// of a tensor takes word e % 4 of block e / 4.
uvec4 random_block(uvec2 seed, uvec2 offset, uint index) {
    uint carry;
    uint low = uaddCarry(offset.x, index, carry);
    return philox(uvec4(low, offset.y + carry, 0u, 0u), seed);
}

// The same of a draw. In a captured function its state counts from that of the replay, which the
// including kernel's build variant reads (//@variant GENERATOR = host device, and
// GENERATOR_BINDING).
#ifdef GENERATOR_DEVICE
layout(std430, set = 0, binding = GENERATOR_BINDING) readonly buffer Generator {
    uvec2 replay_seed;
    uvec2 replay_offset;
};

uvec4 drawn_block(uvec2 seed, uvec2 offset, uint index) {
    uint carry;
    uint low = uaddCarry(replay_offset.x, offset.x, carry);
    return random_block(replay_seed, uvec2(low, replay_offset.y + offset.y + carry), index);
}
#else
uvec4 drawn_block(uvec2 seed, uvec2 offset, uint index) {
    return random_block(seed, offset, index);
}
#endif

// Uniform in [0, 1): the upper 24 bits, exact in float32.
float uniform_float(uint bits) {
    return float(bits >> 8u) * 5.9604644775390625e-8;
}

#endif
