/* SPDX-License-Identifier: MIT
 *
 * GPU family: sums over the LP lanes of a work-group of LC channels by LP lanes, in a fixed order. */
/* The sum over lanes, in every lane.  All work-items of the group must call it. */
float sum_lanes(float value, __local float *scratch)
{
    int c = (int)get_local_id(0), l = (int)get_local_id(1);
    barrier(CLK_LOCAL_MEM_FENCE);
    scratch[l * LC + c] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int width = LP / 2; width > 0; width /= 2) {
        if (l < width) scratch[l * LC + c] += scratch[(l + width) * LC + c];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return scratch[c];
}
