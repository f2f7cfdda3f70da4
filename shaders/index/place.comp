// SPDX-License-Identifier: Apache-2.0
// Places of int32 indices: the index itself, or counted from the end where it is negative and
// COUNTS_BACK is set; -1 for one outside its extent, which is reported.
//
// Bindings: 0 index, int32, strided; 1 places, int32, contiguous; 2 reports.
// Push constants (elements unless said otherwise):
//   sizes, strides  of the index, outermost first
//   rank            dimensions in use, 1 to 8
//   element_count   of the places
//   index_offset    of the first element in its binding
//   extent          of [0, extent)
//   user            whom to report for (report.glsl)
// Specialization constants:
//   0 LOCAL_SIZE   invocations a workgroup
//   1 COUNTS_BACK  whether -1 is the last place, default false
//@iterations 9
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#define REPORT_BINDING 2
#include "grid.glsl"
#include "report.glsl"

layout(constant_id = 1) const bool COUNTS_BACK = false;

#include "reads.glsl"

READ_WORDS(0, Index, indices);

layout(std430, set = 0, binding = 1) writeonly buffer Places {
    int places[];
};

layout(push_constant) uniform Push {
    uint sizes[8];
    uint strides[8];
    uint rank;
    uint element_count;
    uint index_offset;
    uint extent;
    uint user;
};

void main() {
    uint element = linear_invocation();
    if (element >= element_count) {
        return;
    }
    uint at = index_offset;
    uint left = element;
    for (uint d = rank; d-- > 0u;) {
        uint outer = left / sizes[d];
        at += (left - outer * sizes[d]) * strides[d];
        left = outer;
    }
    int index = read_int(indices, at);
    int place = COUNTS_BACK && index < 0 ? index + int(extent) : index;
    if (uint(place) >= extent) {
        report_index(user, index, extent);
        place = -1;
    }
    places[element] = place;
}
