/* SPDX-License-Identifier: MIT
 *
 * Host side of column_sum.cl: how rows are cut into slices (from the shape alone, so that the sum
 * does not depend on the device) and the one or two launches. */
#include "kernels/gemm/matmul.h"

enum { MIN_ROWS = 256, MAX_SLICES = 256, LOCAL = 64 };

static size_t rows_per_slice(size_t rows)
{
    size_t even = lh_div_up(rows, MAX_SLICES);
    return even > MIN_ROWS ? even : MIN_ROWS;
}

size_t lh_column_sum_workspace(size_t rows, int cols)
{
    size_t slices = lh_div_up(rows, rows_per_slice(rows));
    return slices > 1 ? slices * (size_t)cols * sizeof(float) : 0;
}

lehr_status lh_column_sum_prepare(lh_exec *e, unsigned index)
{
    int local = (int)lh_local_size(lh_device_traits(e->dev), LOCAL);
    for (unsigned i = index; i < index + 2; i++) {
        lehr_status st = lh_exec_kernel(e, i, "gemm/column_sum.cl", "column_sum", "-DLOCAL=%d",
                                        local);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

static lehr_status stage(lh_exec *e, cl_kernel kernel, cl_mem x, uint64_t x_offset, cl_mem out,
                         uint64_t out_offset, size_t rows, int cols, size_t per_slice)
{
    size_t local_x = lh_local_size(lh_device_traits(e->dev), LOCAL);
    const size_t global[2] = {lh_round_up((size_t)cols, local_x), lh_div_up(rows, per_slice)};
    const size_t local[2] = {local_x, 1};
    lehr_status st = lh_kernel_args(e->dev, kernel, "mlmllil", x, x_offset, out, out_offset,
                                    (uint64_t)rows, cols, (uint64_t)per_slice);
    return st != LEHR_OK ? st : lh_launch(e->dev, kernel, 2, global, local);
}

lehr_status lh_column_sum_run(lh_exec *e, unsigned index, cl_mem x, size_t rows, int cols,
                              cl_mem out, cl_mem workspace, size_t offset)
{
    size_t per_slice = rows_per_slice(rows), slices = lh_div_up(rows, per_slice);
    uint64_t at = offset / sizeof(float);
    if (slices == 1)
        return stage(e, e->kernels[index], x, 0, out, 0, rows, cols, rows);
    lehr_status st = stage(e, e->kernels[index], x, 0, workspace, at, rows, cols, per_slice);
    if (st != LEHR_OK) return st;
    return stage(e, e->kernels[index + 1], workspace, at, out, 0, slices, cols, slices);
}
