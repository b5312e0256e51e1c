/* SPDX-License-Identifier: MIT
 *
 * Per image a transposition [ROWS][COLUMNS] -> [COLUMNS][ROWS]: forward ROWS = h * w pixels and
 * COLUMNS = c channels, backward the other way round.
 *   flatten_elements: one work-item per output element, work-groups of -DLOCAL
 *   flatten_images:   one work-item per image, 16 x 16 tiles (-DIMAGES; CPU family)
 * No local memory. */
#include "common.cl"

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
#define TILE 16

LH_TASK void flatten_images(__global const float *restrict in, __global float *restrict out)
{
    in += get_group_id(0) * (size_t)(ROWS * COLUMNS);
    out += get_group_id(0) * (size_t)(ROWS * COLUMNS);
    for (int r0 = 0; r0 < ROWS; r0 += TILE)
        for (int c0 = 0; c0 < COLUMNS; c0 += TILE)
            for (int c = c0; c < min(c0 + TILE, COLUMNS); c++)
                for (int r = r0; r < min(r0 + TILE, ROWS); r++)
                    out[c * ROWS + r] = in[r * COLUMNS + c];
}
#endif
