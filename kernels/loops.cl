/* SPDX-License-Identifier: MIT
 *
 * One work-item counts a long loop whose result cannot be known without running it: kernels/loops.c
 * compares it, because drivers exist that end long loops without a word. */
#pragma OPENCL FP_CONTRACT OFF

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void long_loop(__global uint *value, uint count)
{
    uint v = 1;
    for (uint i = 0; i < count; i++) v = 5u * v + i;
    value[0] = v;
}
