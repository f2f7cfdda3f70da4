// SPDX-License-Identifier: Apache-2.0
// Workgroup counts past the device's x limit are folded into y; see dispatch::fold_groups.
#ifndef PUMICE_GRID_GLSL
#define PUMICE_GRID_GLSL

// Linear workgroup number. Groups past the wanted count exist: the kernel bounds-checks.
uint linear_group() {
    return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
}

// Linear invocation number over all workgroups. A macro, because glslang takes gl_WorkGroupSize for
// 1 in a function that stands before the kernel's layout(local_size_x_id).
#define linear_invocation() (linear_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x)

#endif
