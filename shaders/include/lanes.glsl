// SPDX-License-Identifier: Apache-2.0
// LANES neighbouring invocations of a workgroup share one item and merge what they found by a tree
// in shared memory, in a fixed order. LANES is a power of two that divides LOCAL_SIZE; 1 costs
// neither barriers nor shared memory. The including kernel declares both before it includes this.
//@iterations merge_lanes(lanes) = lanes > 1 ? 11 : 0
#ifndef PUMICE_LANES_GLSL
#define PUMICE_LANES_GLSL

#include "reduce.glsl"

shared uvec4 lane_partials[LANES == 1u ? 1u : LOCAL_SIZE];

uint lane_index() {
    return gl_LocalInvocationID.x % LANES;
}

uint item_index() {
    return linear_group() * (LOCAL_SIZE / LANES) + gl_LocalInvocationID.x / LANES;
}

// The merged Partial, for every lane. Every invocation of the workgroup must come here.
Partial merge_lanes(Partial p) {
    if (LANES == 1u) {
        return p;
    }
    uint own = gl_LocalInvocationID.x;
    uint lane = lane_index();
    lane_partials[own] = pack_partial(p);
    for (uint half_count = LANES / 2u; half_count > 0u; half_count /= 2u) {
        barrier();
        if (lane < half_count) {
            p = merge(p, unpack_partial(lane_partials[own + half_count]));
            lane_partials[own] = pack_partial(p);
        }
    }
    barrier();
    p = unpack_partial(lane_partials[own - lane]);
    barrier();
    return p;
}

// The sums over the lanes, for every lane. Every invocation of the workgroup must come here.
vec2 add_lanes(vec2 sums) {
    if (LANES == 1u) {
        return sums;
    }
    uint own = gl_LocalInvocationID.x;
    uint lane = lane_index();
    lane_partials[own].xy = floatBitsToUint(sums);
    for (uint half_count = LANES / 2u; half_count > 0u; half_count /= 2u) {
        barrier();
        if (lane < half_count) {
            sums += uintBitsToFloat(lane_partials[own + half_count].xy);
            lane_partials[own].xy = floatBitsToUint(sums);
        }
    }
    barrier();
    sums = uintBitsToFloat(lane_partials[own - lane].xy);
    barrier();
    return sums;
}

#endif
