/* SPDX-License-Identifier: MIT
 *
 * CPU family backend: host side of packed_cpu.cl.  Decides what is packed and which operand takes
 * the rows of the register tile; everything else is strides. */
#include "kernels/gemm/matmul.h"

/* ROW_BLOCK rows of A x K_BLOCK and one panel x K_BLOCK stay in the second-level cache.  Up to
 * DIRECT_ROWS rows a panel is reused too seldom for packing it to pay; the rows of a transposed A are
 * packed for more than FEW_PANELS panels and PACK_PAYS products. */
enum { ROW_BLOCK_RULE = 128, K_BLOCK_RULE = 1024, K_CHUNK = 64, DIRECT_ROWS = 128, FEW_PANELS = 2,
       PACK_PAYS = 1 << 19, A_GROUP = 4, TASKS = 8 };
enum { PACK, MULTIPLY };
enum { PANEL_COLUMNS, TILE_ROWS, ROW_BLOCK, K_BLOCK };

static const char *declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    return lh_needs_cpu_family(traits);
}

/* The product as the kernels see it: A's rows on the tile's rows, C turned when operands swapped. */
typedef struct plan {
    lh_matmul p;
    uint64_t a_row, a_k, b_row, b_col;
    size_t panels, direct_panels;
    size_t a_tiles; /* of A that are packed: all or none */
    bool turned;
} plan;

static plan make_plan(const lh_exec *e, const lh_matmul *p)
{
    plan s = {.p = *p};
    s.a_row = p->trans_a ? 1 : (uint64_t)p->k;
    s.a_k = p->trans_a ? (uint64_t)p->m : 1;
    s.b_row = p->trans_b ? 1 : (uint64_t)p->n;
    s.b_col = p->trans_b ? (uint64_t)p->k : 1;
    if (p->trans_b && p->m < p->n) {
        /* B must be packed (turned) whatever its size; C^T = op(B)^T op(A)^T packs the smaller
         * operand instead and reads this one, often the weights, in place. */
        plan t = s;
        s.p.a = t.p.b, s.p.b = t.p.a, s.p.m = t.p.n, s.p.n = t.p.m;
        s.a_row = t.b_col, s.a_k = t.b_row, s.b_row = t.a_k, s.b_col = t.a_row;
        s.turned = true;
    }
    size_t columns = (size_t)e->number[PANEL_COLUMNS], n = (size_t)s.p.n;
    s.panels = lh_div_up(n, columns);
    s.direct_panels = s.b_col == 1 && s.p.m <= DIRECT_ROWS ? n / columns : 0;
    if (s.a_row == 1 && s.panels > FEW_PANELS && (double)s.p.m * s.p.n * s.p.k > PACK_PAYS)
        s.a_tiles = lh_div_up((size_t)s.p.m, (size_t)e->number[TILE_ROWS]);
    return s;
}

/* Floats of packed panels, behind which the packed rows lie. */
static size_t packed_panels(const lh_exec *e, const plan *s)
{
    return (s->panels - s->direct_panels) * (size_t)s->p.k * (size_t)e->number[PANEL_COLUMNS];
}

static size_t packed_bytes(const lh_exec *e, const lh_matmul *p)
{
    plan s = make_plan(e, p);
    size_t rows = s.a_tiles * (size_t)e->number[TILE_ROWS] * (size_t)s.p.k;
    return (packed_panels(e, &s) + rows) * sizeof(float);
}

/* A smaller batch may take another branch of the plan and need more. */
static size_t workspace(const lh_exec *e, const lh_matmul *largest)
{
    lh_matmul small = *largest;
    size_t most = 0;
    for (small.m = 1; small.m <= largest->m; small.m++) {
        size_t bytes = packed_bytes(e, &small);
        if (bytes > most) most = bytes;
    }
    return most;
}

static lehr_status prepare(lh_exec *e, const lh_matmul *largest)
{
    unsigned width = lh_device_traits(e->dev)->vector_width;
    int vector = width >= 16 ? 16 : width >= 8 ? 8 : 4;
    int rows = vector == 16 ? 8 : 6; /* two-vector rows that 32 or 16 vector registers hold */
    e->number[PANEL_COLUMNS] = 2 * vector;
    e->number[TILE_ROWS] = rows;
    e->number[ROW_BLOCK] = LH_TUNABLE(e, "mb", ROW_BLOCK_RULE, 32, 64, 128, 256) / rows * rows;
    e->number[K_BLOCK] = LH_TUNABLE(e, "kb", K_BLOCK_RULE, 256, 512, 1024, 2048);
    e->workspace = workspace(e, largest);
    static const char *const names[] = {"matmul_pack", "matmul_packed"};
    for (unsigned i = 0; i < LH_COUNT(names); i++) {
        lehr_status st = lh_exec_kernel(
            e, i, "gemm/packed_cpu.cl", names[i],
            "-DVW=%d -DMR=%d -DROW_BLOCK=%d -DK_CHUNK=%d -DA_GROUP=%d", vector, rows,
            (int)e->number[ROW_BLOCK], K_CHUNK, A_GROUP);
        if (st != LEHR_OK) return st;
    }
    return LEHR_OK;
}

static lehr_status pack(lh_exec *e, const plan *s)
{
    size_t groups = lh_div_up(s->a_tiles, A_GROUP), panels = s->panels - s->direct_panels;
    if (groups + panels == 0) return LEHR_OK;
    lehr_status st = lh_kernel_args(e->dev, e->kernels[PACK], "mmmliiiiillll", s->p.a, s->p.b,
                                    s->p.workspace, (uint64_t)packed_panels(e, s), s->p.m, s->p.n,
                                    s->p.k, (int)groups, (int)s->direct_panels, s->a_row, s->a_k,
                                    s->b_row, s->b_col);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[PACK], groups + panels,
                           lh_div_up((size_t)s->p.k, K_CHUNK));
}

/* Panels of one task: as many as leave enough tasks, where their sums never leave the registers. */
static int panels_of_task(const lh_exec *e, const plan *s, size_t row_blocks)
{
    size_t units = lh_device_traits(e->dev)->compute_units, group = 8;
    if (s->p.k > e->number[K_BLOCK]) return 1;
    while (group > 1 && row_blocks * lh_div_up(s->panels, group) < TASKS * units) group /= 2;
    return (int)group;
}

static lehr_status run(lh_exec *e, const lh_matmul *p)
{
    plan s = make_plan(e, p);
    size_t row_blocks = lh_div_up((size_t)s.p.m, (size_t)e->number[ROW_BLOCK]);
    /* Blocks of k of equal length: a short last one would be all overhead. */
    size_t depth = (size_t)s.p.k, k_blocks = lh_div_up(depth, (size_t)e->number[K_BLOCK]);
    int group = panels_of_task(e, &s, row_blocks), k_block = (int)lh_div_up(depth, k_blocks);
    lehr_status st = pack(e, &s);
    if (st != LEHR_OK) return st;
    cl_mem a = s.p.a;
    uint64_t offset = 0, a_tile = s.a_row;
    if (s.a_tiles) {
        a = p->workspace, offset = packed_panels(e, &s), a_tile = depth;
        s.a_row = 1, s.a_k = (uint64_t)e->number[TILE_ROWS];
    }
    st = lh_kernel_args(e->dev, e->kernels[MULTIPLY], "mlmmmmiiiilllliiliffi", a, offset, s.p.b,
                        p->workspace, p->c, p->bias, s.p.m, s.p.n, s.p.k, k_block, a_tile, s.a_row,
                        s.a_k, s.b_row, (int)s.direct_panels, group, (uint64_t)p->n, s.turned,
                        (double)p->alpha, (double)p->beta, lh_matmul_flags(p));
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[MULTIPLY], row_blocks,
                           lh_div_up(s.panels, (size_t)group));
}

const lh_matmul_backend lh_matmul_packed = {declines, prepare, run};
