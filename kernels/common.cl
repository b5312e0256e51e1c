/* SPDX-License-Identifier: MIT
 *
 * Included first by every kernel source: contraction rule, vector type of this device's width,
 * Philox.  -DVW=4|8|16 selects the vector; LH_V is float4, float8 or float16.  VW=2 and 1 (plain
 * float) let one source serve channel counts that no wider vector divides. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef __clang__ /* functions are inlined: how they would return vectors does not matter */
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#ifndef VW
#define VW 8
#endif
#define LH_CAT_(a, b) a##b
#define LH_CAT(a, b) LH_CAT_(a, b)
#if VW == 1
#define LH_V float
#define LH_VI int
#define LH_VLOAD(offset, from) ((from)[offset])
#define LH_VSTORE(value, offset, to) ((to)[offset] = (value))
#else
#define LH_V LH_CAT(float, VW)
#define LH_VI LH_CAT(int, VW)
#define LH_VLOAD LH_CAT(vload, VW)
#define LH_VSTORE LH_CAT(vstore, VW)
#endif

/* A task: one work-item in its work-group, with a loop of its own (CPU family). */
#define LH_TASK __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
