/* SPDX-License-Identifier: MIT
 *
 * Mean and variance of y [pixels][C] per channel from parts of `per` pixels: part [parts][2][C] holds
 * each part's mean and sum of squared deviations from it, so |mean| >> sd costs no digits.
 *   statistics_pass    the parts, where no convolution made them.  Group (tile, part) of -DLC channels x
 *                      -DLP lanes: lane l takes pixels l, l + LP, …; then a halving tree
 *   statistics_merge   stats [2][C] = mean, biased variance.  Group (tile): lane l takes parts l,
 *                      l + LP, …; the same tree
 * -DC.  Local memory: LC * LP floats. */
#include "common.cl"
#include "sum_lanes.cl"
#include "slot_statistics.cl"

#define GROUP __kernel __attribute__((reqd_work_group_size(LC, LP, 1)))

GROUP void statistics_pass(__global const float *y, __global float *part, ulong at, uint pixels, uint per)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    uint slot = (uint)get_group_id(1), first = slot * per, last = min(first + per, pixels);
    float2 found = slot_statistics(y, c, first, last, scratch);
    if (get_local_id(1) != 0 || get_global_id(0) >= C) return;
    part += at + (size_t)slot * 2 * C + c;
    part[0] = found.x;
    part[C] = found.y;
}

GROUP void statistics_merge(__global const float *part, ulong at, uint pixels, uint per,
                            __global float *stats)
{
    __local float scratch[LC * LP];
    int c = min((int)get_global_id(0), C - 1);
    uint parts = (pixels + per - 1) / per, lane = (uint)get_local_id(1);
    part += at + c;
    float first = part[0], sum = 0.0f, squares = 0.0f;
    #pragma unroll 4
    for (uint k = lane; k < parts; k += LP)
        sum = fma((float)min(per, pixels - k * per), part[(size_t)k * 2 * C] - first, sum);
    float offset = sum_lanes(sum, scratch) / (float)pixels;
    #pragma unroll 4
    for (uint k = lane; k < parts; k += LP) {
        float count = (float)min(per, pixels - k * per);
        float d = part[(size_t)k * 2 * C] - first - offset;
        squares += fma(count * d, d, part[((size_t)k * 2 + 1) * C]);
    }
    squares = sum_lanes(squares, scratch);
    if (lane != 0 || get_global_id(0) >= C) return;
    stats[c] = first + offset;
    stats[C + c] = squares / (float)pixels;
}
