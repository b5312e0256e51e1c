/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_filter_cpu.cl, for tiles of 4x4 and of 2x2: how many tiles a group has, how
 * many slots add them up, and how many tasks share a slot's points. */
#include "kernels/conv/variants.h"

#include <stdio.h>

enum { SUMS, WEIGHTS };                                          /* exec->kernels */
enum { TILE, TILES, BLOCK, SLOTS, BIAS_AT, ZEROS_AT, V_BYTES, Z_BYTES };   /* exec->number */
enum { LEAST_TILES = 32, MOST_TILES = 128 };                     /* of a group */
/* Bytes of a group's x, dy and row of transforms: within a second-level cache of 1 MiB. */
enum { CACHE_WISH = 720 * 1024 };
/* Slots are independent of the number of threads, so that the bits are.  All slots' sums should fit
 * into the last cache, and a slot have groups enough to be worth its sums. */
enum { MOST_SLOTS = 16, LEAST_SLOTS = 4, SLOT_GROUPS = 16, SUMS_WISH = 10 * 1024 * 1024 };

static int tile_rows(const lh_traits *t) { return t->vector_width >= 16 ? 8 : 4; }

static size_t plane_bytes(int tile, int tiles, int channels)
{
    return (size_t)(2 * (tile + 2)) * lh_conv_winograd_plane(tiles, channels) * sizeof(float);
}

/* Floats of a task's zeros, which its windows read outside the image. */
static int zeros(const lh_conv_problem *p, int tile)
{
    return (tile + 2) * (p->c > p->k ? p->c : p->k);
}

/* 0 when not even a few fit into local memory. */
static int group_tiles(const lh_conv_problem *p, const lh_traits *t, int tile)
{
    int channels = p->c + p->k;
    int tiles = CACHE_WISH / ((tile * tile + 2 * (tile + 2)) * channels * (int)sizeof(float)) / 32 * 32;
    if (tiles > MOST_TILES) tiles = MOST_TILES;
    if (tiles < LEAST_TILES) tiles = LEAST_TILES;
    while (tiles && plane_bytes(tile, tiles, p->c) + plane_bytes(tile, tiles, p->k) > t->local_bytes)
        tiles -= 8;
    return tiles;
}

static int choose_tiles(lh_exec *e, const lh_conv_problem *p, int tile)
{
    const lh_traits *t = lh_device_traits(e->dev);
    int values[4];
    size_t count = 0;
    for (int tiles = LEAST_TILES; tiles <= 2 * MOST_TILES; tiles *= 2)
        if (plane_bytes(tile, tiles, p->c) + plane_bytes(tile, tiles, p->k) <= t->local_bytes)
            values[count++] = tiles;
    return lh_exec_tunable(e, "tiles", group_tiles(p, t, tile), values, count);
}

static size_t count_slots(const lh_conv_problem *p, int tile, size_t groups)
{
    size_t sums = (size_t)((tile + 2) * (tile + 2)) * (size_t)p->c * (size_t)p->k * sizeof(float);
    size_t slots = MOST_SLOTS;
    while (slots > LEAST_SLOTS && slots * SLOT_GROUPS > groups) slots /= 2;
    while (slots > 1 && slots * sums > SUMS_WISH) slots /= 2;
    return slots < groups ? slots : groups;
}

/* Tasks that share a slot: one, one a pair of rows of points, or one a row, so that all threads have
 * work; the summation order is the same for any. */
static size_t count_parts(size_t slots, int tile, const lh_traits *t)
{
    size_t pairs = (size_t)tile / 2 + 1, wish = 2 * (size_t)t->compute_units;
    return slots >= wish ? 1 : slots * pairs >= wish ? pairs : 2 * pairs;
}

static const char *declines(const lh_conv_problem *p, const lh_traits *t, int tile)
{
    const char *reason = lh_conv_winograd_refused(p, t, tile, 1);
    if (reason) return reason;
    if (lh_conv_winograd_mostly_empty(p->p, p->q, tile)) return "tiles would be mostly empty";
    if (tile == 4 && lh_conv_winograd_few(p, p->p, p->q, 1)) return "too few tiles for these filters";
    if (p->c % tile_rows(t)) return "channels are not a multiple of the register tile";
    return group_tiles(p, t, tile) ? NULL : "a group of tiles exceeds local memory";
}

static lehr_status prepare(lh_exec *e, int tile)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    const lh_traits *t = lh_device_traits(e->dev);
    int width = (int)t->vector_width, vectors = p->k % (2 * width) == 0 ? 2 : 1;
    int tiles = choose_tiles(e, p, tile), square = (tile + 2) * (tile + 2);
    size_t all = lh_conv_winograd_tiles(p->n, p->p, p->q, tile);
    int64_t slots = (int64_t)count_slots(p, tile, lh_div_up(all, (size_t)tiles));
    e->number[TILE] = tile;
    e->number[TILES] = tiles;
    e->number[BLOCK] = vectors * width;
    e->number[SLOTS] = slots;
    e->number[BIAS_AT] = slots * square * p->c * p->k;
    e->number[V_BYTES] = (int64_t)plane_bytes(tile, tiles, p->c);
    e->number[Z_BYTES] = (int64_t)plane_bytes(tile, tiles, p->k);
    e->number[ZEROS_AT] = e->number[BIAS_AT] + slots * p->k;
    e->workspace =
        (size_t)(e->number[ZEROS_AT] + slots * (tile + 2) * zeros(p, tile)) * sizeof(float);
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d "
             "-DTILE=%d -DTILES=%d -DTILES_H=%d -DTILES_W=%d -DBIAS=%d",
             width, vectors, tile_rows(t), p->c, p->h, p->w, p->k, p->p, p->q, p->pad_top,
             p->pad_left, tile, tiles, (p->p + tile - 1) / tile, (p->q + tile - 1) / tile, p->bias);
    static const char file[] = "conv/winograd_filter_cpu.cl";
    lehr_status st = lh_exec_kernel(e, SUMS, file, "winograd_sums", "%s", options);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, WEIGHTS, file, "winograd_weights", "%s", options);
}

static lehr_status run(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    int tile = (int)e->number[TILE];
    size_t tiles = lh_conv_winograd_tiles(a->n, p->p, p->q, tile);
    size_t groups = lh_div_up(tiles, (size_t)e->number[TILES]);
    size_t slots = count_slots(p, tile, groups);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[SUMS], "mmmlliLL", a->buf[LH_CONVW_X],
                                    a->buf[LH_CONVW_DY], a->workspace,
                                    (uint64_t)e->number[BIAS_AT],
                                    (uint64_t)e->number[ZEROS_AT], (int)tiles,
                                    (size_t)e->number[V_BYTES], (size_t)e->number[Z_BYTES]);
    if (st == LEHR_OK)
        st = lh_launch_tasks(e->dev, e->kernels[SUMS],
                             count_parts(slots, tile, lh_device_traits(e->dev)), slots);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[WEIGHTS], "mmmli", a->workspace,
                            a->buf[LH_CONVW_DW], p->bias ? a->buf[LH_CONVW_DBIAS] : NULL,
                            (uint64_t)e->number[BIAS_AT], (int)slots);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[WEIGHTS], (size_t)(p->k / e->number[BLOCK]),
                           (size_t)(p->c / tile_rows(lh_device_traits(e->dev))));
}

const char *lh_conv_filter_winograd4_cpu_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, 4);
}

lehr_status lh_conv_filter_winograd4_cpu_prepare(lh_exec *e) { return prepare(e, 4); }

lehr_status lh_conv_filter_winograd4_cpu_run(lh_exec *e, const lh_args *a) { return run(e, a); }

const char *lh_conv_filter_winograd2_cpu_declines(const void *problem, const lh_traits *traits)
{
    return declines(problem, traits, 2);
}

lehr_status lh_conv_filter_winograd2_cpu_prepare(lh_exec *e) { return prepare(e, 2); }

lehr_status lh_conv_filter_winograd2_cpu_run(lh_exec *e, const lh_args *a) { return run(e, a); }
