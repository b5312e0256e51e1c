/* SPDX-License-Identifier: MIT
 *
 * Column sums of x[rows][cols], the gradient of a bias: first partial[slice][col] over slices of
 * rows, then out[col] over the slices.  Both kernels are the same loop: the second sees the partial
 * sums as a matrix of its own.  -DLOCAL: work-group size along columns.  No local memory.
 * Launch: (cols rounded up to LOCAL, slices).  Rows are added in ascending order. */
#include "common.cl"

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void column_sum(__global const float *x, ulong x_offset, __global float *out, ulong out_offset,
                ulong rows, int cols, ulong rows_per_slice)
{
    size_t col = get_global_id(0), slice = get_global_id(1);
    if (col >= (size_t)cols) return;
    size_t first = slice * rows_per_slice, end = min(first + rows_per_slice, (size_t)rows);
    __global const float *at = x + x_offset + col;
    float sum = 0.0f;
    for (size_t row = first; row < end; row++) sum += at[row * cols];
    out[out_offset + slice * cols + col] = sum;
}
