// SPDX-License-Identifier: Apache-2.0
// First pass of a deterministic scatter: which entries are the first and the last of each bucket.
// The index, seen as [outer, K, inner], sends entry (o, k, i) to bucket (o * extent + index) *
// inner
// + i, if that is among those of this run. Minima of integers do not depend on the order of
// invocations.
//
// Bindings: 0 index, int32, contiguous; 1 ends [bucket_count, 2], all ones at first: the smallest k
// of the bucket, and the complement of its largest; 2 reports.
// Push constants: entry_count of this run, [outer, first_entry to end_entry, inner]; entries (K)
// and inner in elements; extent of the indexed dimension;
//   index_offset of the first entry in its binding; ignored: an index value that is passed over
//   (as are those outside [0, extent)); first_bucket and bucket_count of this run; first_entry and
//   end_entry, the k of this run; user: whom to report those outside for (report.glsl); padding:
//   one of those that is not reported, or 0.
// Specialization constants: 0 LOCAL_SIZE  invocations a workgroup.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#define REPORT_BINDING 2
#include "grid.glsl"
#include "reads.glsl"
#include "report.glsl"

READ_WORDS(0, Index, indices);

layout(std430, set = 0, binding = 1) buffer Ends {
    uint ends[];
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
    uint user;
    int padding;
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
        if (uint(index) >= extent && (padding == 0 || index != padding)) {
            report_index(user, index, extent);
        }
        return;
    }
    uint bucket = (o * extent + uint(index)) * inner + i - first_bucket;
    if (bucket >= bucket_count) {  // those before the first wrap
        return;
    }
    atomicMin(ends[2u * bucket], k);
    atomicMin(ends[2u * bucket + 1u], ~k);
}
