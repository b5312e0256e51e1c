/* SPDX-License-Identifier: MIT
 *
 * The tiles that tile.cl may take and the choice between them.  The choice weighs padding, idle
 * compute units and operand reuse; the speed column is an estimate (reuse of a register tile, and
 * how well its work-groups hide latency), to be replaced by measurement where a device is tuned. */
#include "kernels/gemm/tile.h"

#include <stdio.h>

typedef struct row {
    lh_tile tile;
    double speed; /* relative rate of multiply-adds when all units are busy */
} row;

static const row local_table[] = {
    {{128, 128, 16, 8, 8, 256, 1, 0}, 1.00}, {{128, 128, 8, 8, 8, 256, 1, 0}, 0.97},
    {{128, 64, 16, 8, 4, 256, 1, 0}, 0.85},  {{64, 128, 16, 4, 8, 256, 1, 0}, 0.85},
    {{64, 64, 16, 8, 8, 64, 1, 0}, 0.80},    {{64, 64, 16, 4, 4, 256, 1, 0}, 0.65},
    {{64, 64, 8, 8, 8, 64, 1, 0}, 0.77},     {{128, 32, 16, 8, 4, 128, 1, 0}, 0.65},
    {{32, 32, 16, 4, 4, 64, 1, 0}, 0.50},    {{16, 16, 8, 4, 4, 16, 1, 0}, 0.15},
};
static const row subgroup_table[] = {
    {{64, 64, 16, 16, 2, 128, 0, 16}, 1.00},
    {{32, 64, 16, 8, 2, 128, 0, 16}, 0.80},
    {{32, 32, 16, 8, 2, 64, 0, 16}, 0.70},
    {{8, 16, 16, 8, 1, 16, 0, 16}, 0.30},
};
static const struct {
    const row *rows;
    size_t count;
} tables[] = {[LH_TILE_LOCAL] = {local_table, LH_COUNT(local_table)},
              [LH_TILE_SUBGROUP] = {subgroup_table, LH_COUNT(subgroup_table)}};
/* What a second buffer gains: one barrier of two. */
static const double two_buffers_gain = 1.05;

static size_t buffer_bytes(const lh_tile *t)
{
    return (size_t)t->bk * (size_t)(t->bm + t->bn + 8) * sizeof(float);
}

static bool fits(const lh_traits *traits, const lh_tile *t)
{
    size_t threads = (size_t)t->threads;
    if (lh_local_size(traits, threads) != threads) return false;
    return t->subgroup ? traits->subgroup == (unsigned)t->subgroup
                       : buffer_bytes(t) <= traits->local_bytes;
}

static bool twice(const lh_traits *traits, const lh_tile *t)
{
    return !t->subgroup && 2 * buffer_bytes(t) <= traits->local_bytes;
}

const char *lh_tile_declines(const lh_traits *traits, lh_tile_kind kind)
{
    const char *reason = lh_needs_gpu_family(traits);
    if (reason) return reason;
    if (fits(traits, &tables[kind].rows[tables[kind].count - 1].tile)) return NULL;
    return kind == LH_TILE_SUBGROUP ? "needs sub-groups of 16 that a kernel can ask for"
                                    : "needs work-groups of 16 and 1.3 KB of local memory";
}

/* Below MIN_SLICE steps the second stage costs more than the waiting units. */
enum { MIN_SLICE = 256, MAX_SLICES = 128, GROUPS_PER_UNIT = 4 };

static size_t most_slices(size_t k)
{
    size_t most = k / MIN_SLICE;
    return most < 1 ? 1 : most > MAX_SLICES ? MAX_SLICES : most;
}

/* Relative time: rounds of work-groups over the device, each as long as its tile is large. */
static double cost(const lh_traits *traits, const row *r, size_t m, size_t n, size_t k)
{
    const lh_tile *t = &r->tile;
    size_t groups = lh_div_up(m, (size_t)t->bm) * lh_div_up(n, (size_t)t->bn) * most_slices(k);
    double rounds = (double)lh_div_up(groups, traits->compute_units);
    return rounds * t->bm * t->bn / r->speed / (twice(traits, t) ? two_buffers_gain : 1);
}

/* The row with the least cost, or what is asked for. */
static const row *choose_row(lh_exec *e, lh_tile_kind kind, size_t m, size_t n, size_t k)
{
    const lh_traits *traits = lh_device_traits(e->dev);
    const row *rows = tables[kind].rows;
    size_t best = tables[kind].count - 1, count = 0;
    int values[LH_MAX_VALUES];
    for (size_t i = 0; i < tables[kind].count; i++) {
        if (!fits(traits, &rows[i].tile)) continue;
        if (count < LH_MAX_VALUES) values[count++] = (int)i + 1;
        if (cost(traits, &rows[i], m, n, k) < cost(traits, &rows[best], m, n, k)) best = i;
    }
    return &rows[lh_exec_tunable(e, "tile", (int)best + 1, values, count) - 1];
}

lh_tile lh_tile_choose(lh_exec *e, lh_tile_kind kind, size_t m, size_t n, size_t k)
{
    lh_tile tile = choose_row(e, kind, m, n, k)->tile;
    if (twice(lh_device_traits(e->dev), &tile))
        tile.buffers = LH_TUNABLE(e, "buffers", 2, 1, 2);
    return tile;
}

lh_slices lh_tile_slices(const lh_traits *traits, const lh_tile *tile, size_t m, size_t n,
                         size_t k)
{
    size_t groups = lh_div_up(m, (size_t)tile->bm) * lh_div_up(n, (size_t)tile->bn);
    size_t want = lh_div_up((size_t)traits->compute_units * GROUPS_PER_UNIT, groups);
    if (want > most_slices(k)) want = most_slices(k);
    size_t length = lh_round_up(lh_div_up(k, want), (size_t)tile->bk);
    return (lh_slices){(int)lh_div_up(k, length), (int)length};
}

void lh_tile_options(const lh_tile *t, size_t a_fast, size_t b_fast, char *out, size_t size)
{
    int a = !t->subgroup && a_fast % 4 == 0 ? 4 : 1, b = !t->subgroup && b_fast % 4 == 0 ? 4 : 1;
    snprintf(out, size,
             "-DBM=%d -DBN=%d -DBK=%d -DTM=%d -DTN=%d -DBUFFERS=%d -DSUBGROUP=%d -DA_VEC=%d "
             "-DA_TYPE=%s -DB_VEC=%d -DB_TYPE=%s",
             t->bm, t->bn, t->bk, t->tm, t->tn, t->buffers, t->subgroup, a,
             a == 4 ? "float4" : "float", b, b == 4 ? "float4" : "float");
}
