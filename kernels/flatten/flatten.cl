/* SPDX-License-Identifier: MIT
 *
 * Per image a transposition [ROWS][COLUMNS] -> [COLUMNS][ROWS]: forward ROWS = h * w pixels and
 * COLUMNS = c channels, backward the other way round.
 *   flatten_elements: one work-item per output element, work-groups of -DLOCAL
 *   flatten_images:   one work-item per image, tiles of VW x VW (-DIMAGES, -DSTREAM=0|1: past the
 *                     caches; CPU family)
 * No local memory. */
#include "common.cl"
#include "transpose.cl"

#ifdef LOCAL
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void flatten_elements(__global const float *in, __global float *out, ulong count)
{
    size_t i = get_global_id(0);
    if (i >= count) return;
    size_t image = i / (ROWS * COLUMNS), rest = i % (ROWS * COLUMNS);
    out[i] = in[image * (ROWS * COLUMNS) + rest % ROWS * COLUMNS + rest / ROWS];
}
#endif

#ifdef IMAGES
/* Loops over tiles, along the longer side inside: that keeps to few pages.  VW is at most ROWS and
 * COLUMNS; the last tile of a line overlaps the one before. */
#if ROWS > COLUMNS
#define EACH_TILE                                                                                  \
    for (int column = 0; column < COLUMNS; column += VW)                                           \
        for (int row = 0; row < ROWS; row += VW)
#else
#define EACH_TILE                                                                                  \
    for (int row = 0; row < ROWS; row += VW)                                                       \
        for (int column = 0; column < COLUMNS; column += VW)
#endif

LH_TASK void flatten_images(__global const float *restrict in, __global float *restrict out)
{
    in += get_group_id(0) * (size_t)(ROWS * COLUMNS);
    out += get_group_id(0) * (size_t)(ROWS * COLUMNS);
#if STREAM && ROWS % VW == 0
    bool stream = LH_ALIGNED(out);
#else
    bool stream = false;
#endif
    EACH_TILE
    {
        int r = min(row, ROWS - VW), c = min(column, COLUMNS - VW);
        LH_V lines[VW];
        #pragma unroll
        for (int i = 0; i < VW; i++) lines[i] = LH_VLOAD(0, in + (r + i) * COLUMNS + c);
        transpose(lines);
        __global float *to = out + c * ROWS + r;
        if (stream) {
            #pragma unroll
            for (int i = 0; i < VW; i++) LH_VSTREAM(lines[i], 0, to + i * ROWS);
        } else {
            #pragma unroll
            for (int i = 0; i < VW; i++) LH_VSTORE(lines[i], 0, to + i * ROWS);
        }
    }
}
#endif
