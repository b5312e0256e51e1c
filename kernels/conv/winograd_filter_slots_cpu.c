/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_filter_slots_cpu.cl: for channel counts whose sums fit into the second-level
 * cache beside the transforms of a group of tiles. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { SLOTS_KERNEL, WEIGHTS };                                /* exec->kernels */
enum { TILES, BLOCK, PART, V_BYTES, Z_BYTES, SLOTS, BIAS_AT }; /* exec->number */
/* Independent of the number of threads, so that the bits are.  A slot's sums are written once for two
 * groups or more, but some slots there must be. */
enum { MOST_SLOTS = 16, FEW_SLOTS = 4 };
/* Bytes of the transforms, and of them with the sums: within a second-level cache of 1 MiB. */
enum { LOCAL_WISH = 450 * 1024, CACHE_WISH = 940 * 1024, LEAST_TILES = 16, MOST_TILES = 64 };
enum { MOST_SUMS = 4096, MOST_PART_SUMS = 2048 }; /* C K; C PART */

static size_t plane_bytes(int tiles, int channels)
{
    return 36 * ((size_t)tiles * (size_t)channels + 16) * sizeof(float);
}

static size_t count_slots(size_t groups)
{
    size_t slots = groups / 2 > FEW_SLOTS ? groups / 2 : FEW_SLOTS;
    if (slots > groups) slots = groups;
    return slots < MOST_SLOTS ? slots : MOST_SLOTS;
}

/* Output channels of a task: each part transforms x again, so there are two at most. */
static int part_of(const lh_conv_problem *p, const lh_traits *t)
{
    int width = (int)t->vector_width;
    return p->c * p->k > MOST_PART_SUMS && p->k % (4 * width) == 0 ? p->k / 2 : p->k;
}

static size_t sums_bytes(const lh_conv_problem *p, int part)
{
    return 36 * sizeof(float) * (size_t)p->c * (size_t)part;
}

/* Tiles of a group, 0 when not even the least number fits. */
static int count_tiles(const lh_conv_problem *p, const lh_traits *t)
{
    int part = part_of(p, t);
    size_t limit = t->local_bytes < LOCAL_WISH ? t->local_bytes : LOCAL_WISH;
    for (int tiles = MOST_TILES; tiles >= LEAST_TILES; tiles -= 8) {
        size_t bytes = plane_bytes(tiles, p->c) + plane_bytes(tiles, part);
        if (bytes <= limit && bytes + sums_bytes(p, part) <= CACHE_WISH) return tiles;
    }
    return 0;
}

static size_t tiles_of(const lh_conv_problem *p, int n)
{
    return (size_t)n * lh_div_up((size_t)p->p, 4) * lh_div_up((size_t)p->q, 4);
}

const char *lh_conv_filter_winograd4_slots_cpu_declines(const void *problem, const lh_traits *traits)
{
    const lh_conv_problem *p = problem;
    const char *reason = lh_conv_winograd_refused(p, traits);
    if (reason) return reason;
    if (lh_conv_winograd_mostly_empty(p->p, p->q)) return "4x4 tiles would be mostly empty";
    if (p->c < 16 || p->k < 16) return "for 16 channels and more";
    /* 64 x 64: as fast as winograd4_cpu on a quiet machine, faster when others use the memory. */
    if (p->c * p->k > MOST_SUMS) return "with more channels the sums leave the cache";
    return count_tiles(p, traits) ? NULL : "a group of tiles does not fit into the cache";
}

lehr_status lh_conv_filter_winograd4_slots_cpu_prepare(lh_exec *e)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    const lh_traits *t = lh_device_traits(e->dev);
    int width = (int)t->vector_width, vectors = p->k % (2 * width) == 0 ? 2 : 1;
    int tiles = count_tiles(p, t);
    size_t groups = lh_div_up(tiles_of(p, p->n), (size_t)tiles);
    e->number[TILES] = tiles;
    e->number[BLOCK] = vectors * width;
    e->number[PART] = part_of(p, t);
    e->number[V_BYTES] = (int64_t)plane_bytes(tiles, p->c);
    e->number[Z_BYTES] = (int64_t)plane_bytes(tiles, (int)e->number[PART]);
    e->number[SLOTS] = (int64_t)count_slots(groups);
    e->number[BIAS_AT] = e->number[SLOTS] * 36 * p->c * p->k;
    e->workspace = (size_t)(e->number[BIAS_AT] + e->number[SLOTS] * p->k) * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d "
             "-DPART=%d -DTILES=%d -DTILES_H=%d -DTILES_W=%d -DBIAS=%d",
             width, vectors, width >= 16 ? 8 : 4, p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top,
             p->pad_left, (int)e->number[PART], tiles, (p->p + 3) / 4, (p->q + 3) / 4, p->bias);
    static const char file[] = "conv/winograd_filter_slots_cpu.cl";
    lehr_status st = lh_exec_kernel(e, SLOTS_KERNEL, file, "winograd_slots", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, WEIGHTS, file, "winograd_weights", "%s", options);
}

lehr_status lh_conv_filter_winograd4_slots_cpu_run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    size_t tiles = tiles_of(p, a->n), groups = lh_div_up(tiles, (size_t)e->number[TILES]);
    size_t slots = count_slots(groups);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[SLOTS_KERNEL], "mmmliLL",
                                    a->buf[LH_CONVW_X], a->buf[LH_CONVW_DY], a->workspace,
                                    (uint64_t)e->number[BIAS_AT], (int)tiles,
                                    (size_t)e->number[V_BYTES], (size_t)e->number[Z_BYTES]);
    if (st == LEHR_OK) st = lh_launch_tasks(e->dev, e->kernels[SLOTS_KERNEL], slots,
                                                (size_t)(p->k / e->number[PART]));
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[WEIGHTS], "mmmlili", a->workspace,
                            a->buf[LH_CONVW_DW], p->bias ? a->buf[LH_CONVW_DBIAS] : NULL,
                            (uint64_t)0, (int)slots, (uint64_t)e->number[BIAS_AT], (int)slots);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[WEIGHTS], (size_t)(p->k / e->number[BLOCK]),
                           (size_t)p->c);
}
