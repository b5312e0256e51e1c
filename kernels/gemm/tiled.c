/* SPDX-License-Identifier: MIT
 *
 * GPU family backends: host side of tiled.cl, by local memory or by sub-groups.  A small C with a long
 * k is cut into slices of k whose partial products a second kernel adds in order. */
#include "kernels/gemm/matmul.h"
#include "kernels/gemm/tile.h"

enum { MULTIPLY, COMBINE };
enum { TILE_M, TILE_N, THREADS, SLICE, LOCAL };

static const char *declines_tiled(const void *problem, const lh_traits *traits)
{
    (void)problem;
    return lh_tile_declines(traits, LH_TILE_LOCAL);
}

static const char *declines_subgroup(const void *problem, const lh_traits *traits)
{
    (void)problem;
    return lh_tile_declines(traits, LH_TILE_SUBGROUP);
}

static lehr_status prepare(lh_exec *e, const lh_matmul *p, lh_tile_kind kind)
{
    const lh_traits *traits = lh_device_traits(e->dev);
    size_t m = (size_t)p->m, n = (size_t)p->n;
    lh_tile tile = lh_tile_choose(e, kind, m, n, (size_t)p->k);
    lh_slices slices = lh_tile_slices(traits, &tile, m, n, (size_t)p->k);
    char options[LH_TILE_OPTIONS];
    lh_tile_options(&tile, p->trans_a ? m : (size_t)p->k, p->trans_b ? (size_t)p->k : n, options,
                    sizeof options);
    e->number[TILE_M] = tile.bm;
    e->number[TILE_N] = tile.bn;
    e->number[THREADS] = tile.threads;
    e->number[SLICE] = slices.length;
    e->number[LOCAL] = (int64_t)lh_local_size(traits, 256);
    e->workspace = slices.count > 1 ? (size_t)slices.count * m * n * sizeof(float) : 0;
    static const char *const names[] = {"matmul_tiled", "matmul_combine"};
    for (unsigned i = 0; i < LH_COUNT(names); i++) {
        lehr_status st = lh_exec_kernel(e, i, "gemm/tiled.cl", names[i],
                                        "%s -DTRANS_A=%d -DTRANS_B=%d -DLOCAL=%d", options,
                                        p->trans_a, p->trans_b, (int)e->number[LOCAL]);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

static lehr_status prepare_tiled(lh_exec *e, const lh_matmul *p)
{
    return prepare(e, p, LH_TILE_LOCAL);
}

static lehr_status prepare_subgroup(lh_exec *e, const lh_matmul *p)
{
    return prepare(e, p, LH_TILE_SUBGROUP);
}

static lehr_status multiply(lh_exec *e, const lh_matmul *p, cl_mem c, size_t slices, float alpha,
                            float beta, int flags)
{
    lehr_status st = lh_kernel_args(e->dev, e->kernels[MULTIPLY], "mmmmiiiiffi", p->a, p->b, c,
                                    p->bias, p->m, p->n, p->k, (int)e->number[SLICE], (double)alpha,
                                    (double)beta, flags);
    size_t threads = (size_t)e->number[THREADS];
    const size_t local[3] = {threads, 1, 1};
    const size_t global[3] = {lh_div_up((size_t)p->m, (size_t)e->number[TILE_M]) * threads,
                              lh_div_up((size_t)p->n, (size_t)e->number[TILE_N]), slices};
    return st != LEHR_OK ? st : lh_launch(e->dev, e->kernels[MULTIPLY], 3, global, local);
}

static lehr_status run(lh_exec *e, const lh_matmul *p)
{
    size_t slices = lh_div_up((size_t)p->k, (size_t)e->number[SLICE]);
    if (slices == 1) return multiply(e, p, p->c, 1, p->alpha, p->beta, lh_matmul_flags(p));
    lehr_status st = multiply(e, p, p->workspace, slices, 1, 0, 0);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[COMBINE], "mmmiiiffi", p->workspace, p->c, p->bias,
                            p->m, p->n, (int)slices, (double)p->alpha, (double)p->beta,
                            lh_matmul_flags(p));
    if (st != LEHR_OK) return st;
    return lh_launch_1d(e->dev, e->kernels[COMBINE], (size_t)p->m * (size_t)p->n,
                        (size_t)e->number[LOCAL]);
}

const lh_matmul_backend lh_matmul_tiled = {declines_tiled, prepare_tiled, run};
const lh_matmul_backend lh_matmul_subgroup = {declines_subgroup, prepare_subgroup, run};
