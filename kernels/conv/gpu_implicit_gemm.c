/* SPDX-License-Identifier: MIT
 *
 * GPU family: host side of the implicit GEMM convolutions (gpu_forward.cl, gpu_data.cl,
 * gpu_filter.cl), by local memory or by sub-groups: tile and slices from the traits, the packed filter
 * or the partial sums in the workspace.  The batch is a launch argument. */
#include <stdio.h>

#include "kernels/conv/statistics.h"
#include "kernels/conv/variants.h"
#include "kernels/gemm/matmul.h"
#include "kernels/gemm/tile.h"

enum { MAIN, SECOND, BIAS_SUM }; /* SECOND: packing the filter, or combining the slices */
enum { TILE_M, TILE_N, THREADS, LOCAL, SLICE, SUM_OFFSET };

/* Pixels are counted by int, tiles may reach past the end. */
static const char *declines(const lh_conv_problem *p, const lh_traits *traits, size_t pixels,
                            lh_tile_kind kind)
{
    const char *reason = lh_tile_declines(traits, kind);
    if (reason) return reason;
    if (p->n * (double)pixels > 2e9) return "the batch has more than 2e9 pixels";
    return NULL;
}

static size_t output_pixels(const lh_conv_problem *p) { return (size_t)p->p * (size_t)p->q; }

/* Pixels of the largest phase of backward data. */
static size_t phase_pixels(const lh_conv_problem *p)
{
    return lh_div_up((size_t)p->h, (size_t)p->stride_h) *
           lh_div_up((size_t)p->w, (size_t)p->stride_w);
}

static size_t taps(const lh_conv_problem *p) { return (size_t)p->r * (size_t)p->s * (size_t)p->c; }

static void use_tile(lh_exec *e, const lh_tile *tile)
{
    e->number[TILE_M] = tile->bm;
    e->number[TILE_N] = tile->bn;
    e->number[THREADS] = tile->threads;
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 256);
}

static lehr_status build(lh_exec *e, unsigned index, const char *path, const char *kernel,
                         const lh_tile *tile, int a_fast, int b_fast, const char *more)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    char options[LH_TILE_OPTIONS];
    lh_tile_options(tile, (size_t)a_fast, (size_t)b_fast, options, sizeof options);
    return lh_exec_kernel(e, index, path, kernel,
                          "%s -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DR=%d -DS=%d -DSH=%d "
                          "-DSW=%d -DPT=%d -DPL=%d -DLOCAL=%d%s",
                          options, p->c, p->h, p->w, p->k, p->p, p->q, p->r, p->s, p->stride_h,
                          p->stride_w, p->pad_top, p->pad_left, (int)e->number[LOCAL], more);
}

static lehr_status build_pack(lh_exec *e, int for_data)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    e->workspace = lh_conv_w_count(p) * sizeof(float);
    return lh_exec_kernel(e, SECOND, "conv/gpu_pack.cl", "pack_filter",
                          "-DC=%d -DK=%d -DR=%d -DS=%d -DLOCAL=%d -DFOR_DATA=%d", p->c, p->k, p->r,
                          p->s, (int)e->number[LOCAL], for_data);
}

static lehr_status pack(lh_exec *e, cl_mem w, cl_mem packed)
{
    lehr_status st = lh_kernel_args(e->dev, e->kernels[SECOND], "mm", w, packed);
    if (st != LEHR_OK) return st;
    return lh_launch_1d(e->dev, e->kernels[SECOND], lh_conv_w_count(lh_exec_problem(e)),
                        (size_t)e->number[LOCAL]);
}

static lehr_status launch(lh_exec *e, size_t m, size_t n, size_t depth)
{
    size_t threads = (size_t)e->number[THREADS];
    const size_t local[3] = {threads, 1, 1};
    const size_t global[3] = {lh_div_up(m, (size_t)e->number[TILE_M]) * threads,
                              lh_div_up(n, (size_t)e->number[TILE_N]), depth};
    return lh_launch(e->dev, e->kernels[MAIN], 3, global, local);
}

/* ---- forward ---- */

const char *lh_conv_forward_gpu_implicit_gemm_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, output_pixels(problem), LH_TILE_LOCAL);
}

const char *lh_conv_forward_gpu_subgroup_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, output_pixels(problem), LH_TILE_SUBGROUP);
}

static lehr_status prepare_forward(lh_exec *e, lh_tile_kind kind)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_tile tile = lh_tile_choose(e, kind, (size_t)p->n * output_pixels(p),
                                  (size_t)p->k, 0);
    bool stats = p->stats && kind == LH_TILE_LOCAL;
    char more[64];
    snprintf(more, sizeof more, " -DBIAS=%d -DRELU=%d -DSTATS=%d", p->bias, p->act == LH_ACT_RELU, stats);
    if (stats) e->number[LH_STATS_PER] = tile.bm;
    use_tile(e, &tile);
    lehr_status st = build_pack(e, 0);
    return st != LEHR_OK ? st
                         : build(e, MAIN, "conv/gpu_forward.cl", "conv_forward", &tile, p->c,
                                 p->k, more);
}

lehr_status lh_conv_forward_gpu_implicit_gemm_prepare(lh_exec *e)
{
    return prepare_forward(e, LH_TILE_LOCAL);
}

lehr_status lh_conv_forward_gpu_subgroup_prepare(lh_exec *e)
{
    return prepare_forward(e, LH_TILE_SUBGROUP);
}

lehr_status lh_conv_forward_gpu_implicit_gemm_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t rows = (size_t)a->n * output_pixels(p);
    lehr_status st = pack(e, a->buf[LH_CONVF_W], a->workspace);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[MAIN], "mmmmiml", a->buf[LH_CONVF_X], a->workspace,
                            a->buf[LH_CONVF_BIAS], a->buf[LH_CONVF_Y], (int)rows, a->workspace,
                            (uint64_t)e->number[LH_STATS_AT]);
    return st != LEHR_OK ? st : launch(e, rows, (size_t)p->k, 1);
}

lehr_status lh_conv_forward_gpu_subgroup_run(lh_exec *e, const lh_args *a)
{
    return lh_conv_forward_gpu_implicit_gemm_run(e, a);
}

/* ---- backward data ---- */

const char *lh_conv_data_gpu_implicit_gemm_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, phase_pixels(problem), LH_TILE_LOCAL);
}

const char *lh_conv_data_gpu_subgroup_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, phase_pixels(problem), LH_TILE_SUBGROUP);
}

static lehr_status prepare_data(lh_exec *e, lh_tile_kind kind)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_tile tile = lh_tile_choose(e, kind, (size_t)p->n * phase_pixels(p),
                                  (size_t)p->c, 0);
    use_tile(e, &tile);
    lehr_status st = build_pack(e, 1);
    return st != LEHR_OK ? st
                         : build(e, MAIN, "conv/gpu_data.cl", "conv_backward_data", &tile, p->k,
                                 p->c, "");
}

lehr_status lh_conv_data_gpu_implicit_gemm_prepare(lh_exec *e)
{
    return prepare_data(e, LH_TILE_LOCAL);
}

lehr_status lh_conv_data_gpu_subgroup_prepare(lh_exec *e)
{
    return prepare_data(e, LH_TILE_SUBGROUP);
}

lehr_status lh_conv_data_gpu_implicit_gemm_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t rows = (size_t)a->n * phase_pixels(p);
    lehr_status st = pack(e, a->buf[LH_CONVD_W], a->workspace);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[MAIN], "mmmi", a->buf[LH_CONVD_DY], a->workspace,
                            a->buf[LH_CONVD_DX], (int)rows);
    if (st != LEHR_OK) return st;
    return launch(e, rows, (size_t)p->c, (size_t)p->stride_h * (size_t)p->stride_w);
}

lehr_status lh_conv_data_gpu_subgroup_run(lh_exec *e, const lh_args *a)
{
    return lh_conv_data_gpu_implicit_gemm_run(e, a);
}

/* ---- backward filter ---- */

lehr_status lh_gpu_combine_prepare(lh_exec *e, unsigned index)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    return lh_exec_kernel(e, index, "conv/gpu_combine.cl", "combine",
                          "-DC=%d -DK=%d -DR=%d -DS=%d -DLOCAL=%d", p->c, p->k, p->r, p->s,
                          (int)lh_local_size(lh_device_traits(e->dev), 256));
}

lehr_status lh_gpu_combine_run(lh_exec *e, unsigned index, const lh_args *a, size_t slices)
{
    lehr_status st = lh_kernel_args(e->dev, e->kernels[index], "mmi", a->workspace,
                                    a->buf[LH_CONVW_DW], (int)slices);
    return st != LEHR_OK ? st
                         : lh_launch_1d(e->dev, e->kernels[index],
                                        lh_conv_w_count(lh_exec_problem(e)),
                                        lh_local_size(lh_device_traits(e->dev), 256));
}

const char *lh_conv_filter_gpu_implicit_gemm_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, output_pixels(problem), LH_TILE_LOCAL);
}

const char *lh_conv_filter_gpu_subgroup_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, output_pixels(problem), LH_TILE_SUBGROUP);
}

static lehr_status prepare_filter(lh_exec *e, lh_tile_kind kind)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    const lh_traits *traits = lh_device_traits(e->dev);
    size_t rows = (size_t)p->n * output_pixels(p), k = (size_t)p->k;
    lh_tile tile = lh_tile_choose(e, kind, k, taps(p), rows);
    lh_slices slices = lh_tile_slices(traits, &tile, k, taps(p), rows);
    use_tile(e, &tile);
    e->number[SLICE] = slices.length;
    e->number[SUM_OFFSET] = (int64_t)((size_t)slices.count * lh_conv_w_count(p) * sizeof(float));
    e->workspace = (size_t)e->number[SUM_OFFSET];
    lehr_status st = build(e, MAIN, "conv/gpu_filter.cl", "conv_backward_filter", &tile, p->k,
                           p->c, "");
    if (st == LEHR_OK) st = lh_gpu_combine_prepare(e, SECOND);
    if (st != LEHR_OK || !p->bias) return st;
    e->workspace += lh_column_sum_workspace(rows, p->k);
    return lh_column_sum_prepare(e, BIAS_SUM);
}

lehr_status lh_conv_filter_gpu_implicit_gemm_prepare(lh_exec *e)
{
    return prepare_filter(e, LH_TILE_LOCAL);
}

lehr_status lh_conv_filter_gpu_subgroup_prepare(lh_exec *e)
{
    return prepare_filter(e, LH_TILE_SUBGROUP);
}

lehr_status lh_conv_filter_gpu_implicit_gemm_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t rows = (size_t)a->n * output_pixels(p);
    size_t slices = lh_div_up(rows, (size_t)e->number[SLICE]);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[MAIN], "mmmii", a->buf[LH_CONVW_X],
                                    a->buf[LH_CONVW_DY], a->workspace, (int)rows,
                                    (int)e->number[SLICE]);
    if (st == LEHR_OK) st = launch(e, (size_t)p->k, taps(p), slices);
    if (st == LEHR_OK) st = lh_gpu_combine_run(e, SECOND, a, slices);
    if (st != LEHR_OK || !p->bias) return st;
    return lh_column_sum_run(e, BIAS_SUM, a->buf[LH_CONVW_DY], rows, p->k, a->buf[LH_CONVW_DBIAS],
                             a->workspace, (size_t)e->number[SUM_OFFSET]);
}

lehr_status lh_conv_filter_gpu_subgroup_run(lh_exec *e, const lh_args *a)
{
    return lh_conv_filter_gpu_implicit_gemm_run(e, a);
}
