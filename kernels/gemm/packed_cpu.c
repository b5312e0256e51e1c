/* SPDX-License-Identifier: MIT
 *
 * CPU family backend: host side of packed_cpu.cl.  Decides which operand takes the rows of the register
 * tile, what a task is and how long its blocks of k are; everything else is strides. */
#include "kernels/gemm/matmul.h"

/* A task's panels and sums stay in the second-level cache; rows of A come past them, asked for in time.
 * Sums of all rows of a task are kept where k takes several blocks or C is turned.  Few long tasks: a
 * panel is copied once for each range of rows. */
enum { CACHE_WISH = 640 * 1024, PANELS_WISH = 256 * 1024, FIRST_CACHE = 24 * 1024,
       LEAST_LOCAL = 16 * 1024, K_BLOCK_RULE = 2048, ROWS_RULE = 512, LONG = 1024, SHORT = 128,
       BLOCK_ROWS = 32, TASKS = 2 };
enum { MULTIPLY };
enum { PANEL_COLUMNS, TILE_ROWS, K_BLOCK, SUM_ROWS };

static const char *declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    if (traits->local_bytes < LEAST_LOCAL) return "less than 16 KiB of local memory";
    return lh_needs_cpu_family(traits);
}

/* The product as the kernel sees it: A's rows on the tile's rows, C turned when operands swapped. */
typedef struct plan {
    lh_matmul p;
    uint64_t a_row, a_k, b_row, b_col;
    size_t panels, ranges, group; /* a task: one of so many ranges of rows, so many panels */
    int k_block;
    bool turned, keep;
} plan;

static void orient(plan *s, const lh_matmul *p)
{
    s->p = *p;
    s->a_row = p->trans_a ? 1 : (uint64_t)p->k;
    s->a_k = p->trans_a ? (uint64_t)p->m : 1;
    s->b_row = p->trans_b ? 1 : (uint64_t)p->n;
    s->b_col = p->trans_b ? (uint64_t)p->k : 1;
    if (!p->trans_b || p->m >= p->n) return;
    /* B must be packed (turned) whatever its size; C^T = op(B)^T op(A)^T packs the smaller operand
     * instead and reads this one, often the weights, in place. */
    plan t = *s;
    s->p.a = t.p.b, s->p.b = t.p.a, s->p.m = t.p.n, s->p.n = t.p.m;
    s->a_row = t.b_col, s->a_k = t.b_row, s->b_row = t.a_k, s->b_col = t.a_row;
    s->turned = true;
}

/* Enough tasks, the same number for each unit unless there are many: long ranges are cut first, then
 * groups, then short ranges. */
static void divide(const lh_exec *e, plan *s)
{
    size_t units = lh_device_traits(e->dev)->compute_units, want = TASKS * units;
    while (true) {
        size_t tasks = s->ranges * lh_div_up(s->panels, s->group);
        size_t rows = lh_div_up((size_t)s->p.m, s->ranges);
        if (tasks >= want && (tasks % units == 0 || tasks >= 8 * want)) return;
        if (rows >= LONG) s->ranges *= 2;
        else if (s->group > 1) s->group = lh_div_up(s->group, 2);
        else if (rows >= SHORT) s->ranges *= 2;
        else return;
    }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Floats of local memory for sums and for panels. */
static size_t local_floats(const lh_exec *e)
{
    size_t bytes = lh_device_traits(e->dev)->local_bytes;
    return least(bytes, CACHE_WISH) / sizeof(float);
}

/* Rows of a task are a multiple of this: whole tiles, and whole vectors where C is turned. */
static size_t unit_rows(const lh_exec *e, const plan *s)
{
    size_t tile = (size_t)e->number[TILE_ROWS], rows = tile;
    while (s->turned && rows % ((size_t)e->number[PANEL_COLUMNS] / 2)) rows += tile;
    return rows;
}

static plan make_plan(const lh_exec *e, const lh_matmul *p)
{
    plan s = {.group = 1, .ranges = 1};
    size_t columns = (size_t)e->number[PANEL_COLUMNS], local = local_floats(e) / columns;
    orient(&s, p);
    /* Blocks of k of equal length: a short last one would be all overhead. */
    size_t k = (size_t)s.p.k, blocks = lh_div_up(k, least(local * 3 / 4, (size_t)e->number[K_BLOCK]));
    s.k_block = (int)lh_div_up(k, blocks);
    s.keep = s.turned || blocks > 1;
    s.panels = lh_div_up((size_t)s.p.n, columns);
    if (s.keep) {
        size_t unit = unit_rows(e, &s), rows = least(local / 4, (size_t)e->number[SUM_ROWS]);
        s.ranges = lh_div_up((size_t)s.p.m, rows / unit * unit);
    } else {
        size_t lines = least(local * 3 / 4, PANELS_WISH / sizeof(float) / columns);
        s.group = least(s.panels, lines / (size_t)s.k_block);
        if (s.group < 1) s.group = 1;
    }
    divide(e, &s);
    return s;
}

static size_t rows_of(const lh_exec *e, const plan *s)
{
    return lh_round_up(lh_div_up((size_t)s->p.m, s->ranges), unit_rows(e, s));
}

/* Rows after which the next panel takes its turn: many where a panel fits the first-level cache. */
static size_t block_of(const lh_exec *e, const plan *s)
{
    size_t tile = (size_t)e->number[TILE_ROWS];
    size_t bytes = (size_t)s->k_block * (size_t)e->number[PANEL_COLUMNS] * sizeof(float);
    size_t rows = bytes <= FIRST_CACHE ? BLOCK_ROWS : tile;
    return lh_round_up(rows, tile);
}

static lehr_status prepare(lh_exec *e, const lh_matmul *largest)
{
    (void)largest; /* of no consequence: no workspace, one kernel for all shapes */
    unsigned width = lh_device_traits(e->dev)->vector_width;
    int vector = width >= 16 ? 16 : width >= 8 ? 8 : 4;
    int rows = vector == 16 ? 8 : 6; /* two-vector rows that 32 or 16 vector registers hold */
    e->number[PANEL_COLUMNS] = 2 * vector;
    e->number[TILE_ROWS] = rows;
    e->number[K_BLOCK] = LH_TUNABLE(e, "kb", K_BLOCK_RULE, 256, 512, 1024, 2048);
    e->number[SUM_ROWS] = LH_TUNABLE(e, "rows", ROWS_RULE, 64, 128, 256, 512);
    return lh_exec_kernel(e, MULTIPLY, "gemm/packed_cpu.cl", "matmul_packed", "-DVW=%d -DMR=%d", vector,
                          rows);
}

static lehr_status run(lh_exec *e, const lh_matmul *p)
{
    plan s = make_plan(e, p);
    size_t rows = rows_of(e, &s), columns = (size_t)e->number[PANEL_COLUMNS];
    size_t sums = (s.keep ? rows : (size_t)e->number[TILE_ROWS]) * columns;
    size_t panels = s.group * (size_t)s.k_block * columns;
    lehr_status st = lh_kernel_args(
        e->dev, e->kernels[MULTIPLY], "mmmmiiiiiiilllliliffiLL", s.p.a, s.p.b, p->c, p->bias, s.p.m,
        s.p.n, s.p.k, s.k_block, (int)rows, (int)block_of(e, &s), (int)s.group, s.a_row, s.a_k,
        s.b_row, s.b_col, s.keep, (uint64_t)p->n, s.turned, (double)p->alpha, (double)p->beta,
        lh_matmul_flags(p), panels * sizeof(float), sums * sizeof(float));
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[MULTIPLY], lh_div_up((size_t)s.p.m, rows),
                           lh_div_up(s.panels, s.group));
}

const lh_matmul_backend lh_matmul_packed = {declines, prepare, run};
