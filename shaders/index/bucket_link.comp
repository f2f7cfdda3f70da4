// SPDX-License-Identifier: Apache-2.0
// Second pass of a deterministic scatter (bucket_mark): for each entry the next k of its bucket, so
// that buckets are lists in rising order, of the entries of a run. An entry that is its bucket's
// last looks for nothing; the others look forward until they meet the next, so the cost is the sum
// of the gaps.
//
// Bindings: 0 index, int32, contiguous; 1 ends [bucket_count, 2]; 2 next [entries of the index].
// Push constants and specialization constants: as bucket_mark.
//@iterations 1 + end_entry - first_entry
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "grid.glsl"
#include "reads.glsl"

READ_WORDS(0, Index, indices);

READ_WORDS(1, Ends, ends);

layout(std430, set = 0, binding = 2) writeonly buffer Next {
    uint next[];
};

layout(push_constant) uniform Push {
    uint entry_count;
    uint entries;
    uint inner;
    uint extent;
    uint index_offset;
    int ignored;
    uint first_bucket;
    uint bucket_count;
    uint first_entry;
    uint end_entry;
};

void main() {
    uint entry = linear_invocation();
    if (entry >= entry_count) {
        return;
    }
    uint i = entry % inner;
    uint count = end_entry - first_entry;
    uint k = first_entry + (entry / inner) % count;
    uint o = entry / inner / count;
    uint own = (o * entries + k) * inner + i;
    int index = read_int(indices, index_offset + own);
    if (uint(index) >= extent || index == ignored) {
        return;
    }
    uint bucket = (o * extent + uint(index)) * inner + i - first_bucket;
    if (bucket >= bucket_count || read_word(ends, 2u * bucket + 1u) == ~k) {
        return;
    }
    uint at = k + 1u;
    while (at < end_entry &&
           read_int(indices, index_offset + (o * entries + at) * inner + i) != index) {
        ++at;
    }
    next[own] = at;
}
