/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_cpu.cl, for tiles of 4x4 (forward also with stride 2) and of 2x2: when the transform
 * pays, how many tiles a task takes so that its windows fit into local memory and the cache behind it. */
#include "kernels/conv/filters.h"
#include "kernels/conv/pooled.h"
#include "kernels/conv/variants.h"

#include <stdio.h>
#include <string.h>

enum { FILTER, CONV };          /* exec->kernels */
enum { TILE, TILES, BLOCK, V_BYTES, M_BYTES }; /* exec->number */
enum { CACHE_WISH = 600 * 1024 }; /* bytes of v and m: within a second-level cache of 1 MiB */
/* Tiles of a batch for which more than a few filters are transformed for tiles of 4x4; with stride 2 also
 * outputs of a tile, on average, since it costs 81 multiplications. */
enum { LEAST_TILES = 8, FEW_FILTERS = 1024 };
enum { LEAST_STRIDED_TILES = 32, FEW_STRIDED_FILTERS = 256, LEAST_STRIDED = 12 };

static int tile_rows(const lh_traits *t) { return t->vector_width >= 16 ? 8 : 6; }

static int block_of(const lh_winograd_pass *c, const lh_traits *t)
{
    int width = (int)t->vector_width;
    return c->k % (2 * width) == 0 ? 2 * width : width;
}

size_t lh_conv_winograd_tiles(int n, int rows, int cols, int tile)
{
    return (size_t)n * lh_div_up((size_t)rows, (size_t)tile) * lh_div_up((size_t)cols, (size_t)tile);
}

size_t lh_conv_winograd_plane(int tiles, int channels)
{
    return (size_t)tiles * (size_t)channels + 16;
}

/* Small images, more outputs than one tile has, all of them within the whole convolution of one. */
static bool spread(const lh_winograd_pass *c, int tile)
{
    return c->stride == 1 && c->h <= tile && c->w <= tile && (c->p > tile || c->q > tile) &&
           c->pad_top <= 2 && c->pad_left <= 2 && c->p <= tile + c->pad_top && c->q <= tile + c->pad_left;
}

/* Rows and columns that tiles cover: of the outputs, or of the inputs. */
static int rows_of(const lh_winograd_pass *c, int tile) { return spread(c, tile) ? c->h : c->p; }
static int cols_of(const lh_winograd_pass *c, int tile) { return spread(c, tile) ? c->w : c->q; }

/* Pooling takes the outputs of whole windows only: no others are made. */
static bool pools(const lh_conv_problem *p, int tile)
{
    lh_winograd_pass all = lh_winograd_forward(p), c = all;
    c.p -= c.p % 2;
    c.q -= c.q % 2;
    return p->pool && p->stride_h == 1 && !spread(&all, tile) && !spread(&c, tile);
}

static lh_winograd_pass forward_pass(const lh_conv_problem *p, int tile)
{
    lh_winograd_pass c = lh_winograd_forward(p);
    if (!pools(p, tile)) return c;
    c.p -= c.p % 2;
    c.q -= c.q % 2;
    return c;
}

/* Products of a tile in one dimension: with stride 2 as many as inputs, winograd_stride2.cl. */
static int side(const lh_winograd_pass *c, int tile)
{
    return c->stride == 2 ? 2 * tile + 1 : tile + 2;
}

/* Of the planes of side x side products or points. */
static size_t plane_bytes(int side, int tiles, int channels)
{
    return (size_t)(side * side) * lh_conv_winograd_plane(tiles, channels) * sizeof(float);
}

static size_t local_bytes(const lh_winograd_pass *c, int tile, int tiles, int block)
{
    return plane_bytes(side(c, tile), tiles, c->c) + plane_bytes(side(c, tile), tiles, block);
}

/* Four register tiles (eight of the small ones), half as many, … one.  With stride 2 there are so many
 * products that one is enough, until the filters do not stay in the second cache. */
static int count_tiles(const lh_winograd_pass *c, int n, const lh_traits *t, int tile)
{
    size_t all = lh_conv_winograd_tiles(n, rows_of(c, tile), cols_of(c, tile), tile);
    int rows = tile_rows(t), tiles = (tile == 4 ? 4 : 8) * rows;
    if (c->stride == 2) tiles = c->c < 64 ? rows : 2 * rows;
    size_t limit = t->local_bytes < CACHE_WISH ? t->local_bytes : CACHE_WISH;
    while (tiles > rows && ((size_t)tiles / 2 >= all ||
                            local_bytes(c, tile, tiles, block_of(c, t)) > limit))
        tiles /= 2;
    return tiles;
}

const char *lh_conv_winograd_refused(const lh_conv_problem *p, const lh_traits *t, int tile,
                                     int stride)
{
    const char *wish = lh_getenv("LEHR_WINOGRAD"), *reason = lh_needs_cpu_family(t);
    if (wish && strcmp(wish, "0") == 0) return "LEHR_WINOGRAD=0";
    if (wish && strcmp(wish, "2") == 0 && tile != 2) return "LEHR_WINOGRAD=2";
    if (reason) return reason;
    if (p->r != 3 || p->s != 3) return "for 3x3 filters";
    if (p->stride_h != stride || p->stride_w != stride) return "not for this stride";
    if (p->c % (int)t->vector_width || p->k % (int)t->vector_width)
        return "channels are not a multiple of the vector width";
    return NULL;
}

static bool fewer_outputs(int rows, int cols, int tile, size_t least)
{
    return (size_t)(rows * cols) < least * lh_conv_winograd_tiles(1, rows, cols, tile);
}

/* A tile costs 36 (16) multiplications where direct has 9 per output, and the transforms come on
 * top. */
bool lh_conv_winograd_mostly_empty(int rows, int cols, int tile)
{
    return fewer_outputs(rows, cols, tile, tile == 4 ? 6 : 3);
}

bool lh_conv_winograd_few(const lh_conv_problem *p, int rows, int cols, int stride)
{
    size_t least = stride == 2 ? LEAST_STRIDED_TILES : LEAST_TILES;
    return p->c * p->k > (stride == 2 ? FEW_STRIDED_FILTERS : FEW_FILTERS) &&
           lh_conv_winograd_tiles(p->n, rows, cols, 4) < least;
}

static const char *declines(const lh_conv_problem *p, const lh_winograd_pass *c,
                            const lh_traits *t, int tile, int stride)
{
    const char *reason = lh_conv_winograd_refused(p, t, tile, stride);
    if (reason) return reason;
    int rows = rows_of(c, tile), cols = cols_of(c, tile);
    if (stride == 2 ? fewer_outputs(rows, cols, tile, LEAST_STRIDED)
                    : lh_conv_winograd_mostly_empty(rows, cols, tile))
        return "tiles would be mostly empty";
    if (tile == 4 && lh_conv_winograd_few(p, rows, cols, stride))
        return "too few tiles to transform the filters for";
    if (local_bytes(c, tile, tile_rows(t), block_of(c, t)) > t->local_bytes)
        return "the windows exceed local memory";
    return NULL;
}

/* One to eight register tiles, as far as local memory goes. */
static int choose_tiles(lh_exec *e, const lh_winograd_pass *c, int tile)
{
    const lh_traits *t = lh_device_traits(e->dev);
    const lh_conv_problem *p = lh_exec_problem(e);
    int values[4], rows = tile_rows(t);
    size_t count = 0;
    for (int tiles = rows; tiles <= 8 * rows; tiles *= 2)
        if (local_bytes(c, tile, tiles, block_of(c, t)) <= t->local_bytes) values[count++] = tiles;
    return lh_exec_tunable(e, "tiles", count_tiles(c, p->n, t, tile), values, count);
}

/* The transformed filters, and a row of zeros. */
static size_t filter_bytes(const lh_exec *e, const lh_winograd_pass *c)
{
    int tile = (int)e->number[TILE], block = (int)e->number[BLOCK];
    return (size_t)(c->k / block) * plane_bytes(tile + 2, block, c->c) +
           (size_t)((tile + 2) * c->c) * sizeof(float);
}

static lh_filter_row filter_row(const lh_exec *e, const lh_winograd_pass *c)
{
    int tile = (int)e->number[TILE], block = (int)e->number[BLOCK];
    return (lh_filter_row){tile, c->c, c->k, block, c->out_step, c->in_step,
                           spread(c, tile) ? !c->flip : c->flip, filter_bytes(e, c)};
}

bool lh_conv_winograd_filters(const lh_exec *e, lh_filter_row *row)
{
    bool forward = e->op == &lh_conv_forward;
    if (strcmp(e->variant->name, "winograd4_cpu") != 0) return false;
    if (!forward && e->op != &lh_conv_backward_data) return false;
    lh_winograd_pass c = forward ? forward_pass(lh_exec_problem(e), (int)e->number[TILE])
                                 : lh_winograd_data(lh_exec_problem(e));
    *row = filter_row(e, &c);
    return true;
}

static lehr_status prepare(lh_exec *e, const lh_winograd_pass *c, int tile, const lh_conv_problem *forward)
{
    const lh_traits *t = lh_device_traits(e->dev);
    int tiles = choose_tiles(e, c, tile), block = block_of(c, t), width = (int)t->vector_width;
    e->number[TILE] = tile;
    e->number[TILES] = tiles;
    e->number[BLOCK] = block;
    e->number[V_BYTES] = (int64_t)plane_bytes(side(c, tile), tiles, c->c);
    e->number[M_BYTES] = (int64_t)plane_bytes(side(c, tile), tiles, block);
    e->workspace = filter_bytes(e, c);
    bool pooled = forward && pools(forward, tile);
    e->number[LH_CONV_POOLS] = pooled;
    char options[400];
    snprintf(options, sizeof options,
             "-DVW=%d -DNV=%d -DROWS=%d -DC=%d -DH=%d -DW=%d -DK=%d -DP=%d -DQ=%d -DPT=%d -DPL=%d "
             "-DTILE=%d -DTILES=%d -DTILES_H=%d -DTILES_W=%d -DRELU=%d -DSPREAD=%d -DSTRIDE=%d "
             "-DPOOL=%d -DWHERE=%d",
             width, block / width, tile_rows(t), c->c, c->h, c->w, c->k, c->p, c->q, c->pad_top,
             c->pad_left, tile, tiles, (rows_of(c, tile) + tile - 1) / tile,
             (cols_of(c, tile) + tile - 1) / tile, forward && forward->act == LH_ACT_RELU,
             spread(c, tile), c->stride, pooled, pooled && forward->where);
    lehr_status st =
        lh_exec_kernel(e, FILTER, LH_FILTERS_PATH, "winograd_filter", LH_FILTERS_OPTIONS, width, tile,
                       c->stride);
    if (st != LEHR_OK) return st;
    return lh_exec_kernel(e, CONV, "conv/winograd_cpu.cl", "winograd_conv", "%s", options);
}

/* Tasks that share a group's blocks of output channels, each with transforms of its own: one, unless
 * there are fewer groups than threads have use for. */
static size_t count_shares(size_t groups, size_t blocks, const lh_traits *t)
{
    size_t wish = 2 * (size_t)t->compute_units;
    size_t shares = groups < wish ? lh_div_up(wish, groups) : 1;
    return shares < blocks ? shares : blocks;
}

static lehr_status transform(lh_exec *e, const lh_winograd_pass *c, cl_mem w, cl_mem u)
{
    lh_filter_row r = filter_row(e, c);
    lehr_status st = lh_kernel_args(e->dev, e->kernels[FILTER], "mmiiiiii", w, u, r.channels, r.outputs,
                                    r.width, r.out_step, r.in_step, r.flip);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[FILTER], (size_t)(r.outputs / r.width),
                           (size_t)r.channels / lh_device_traits(e->dev)->vector_width);
}

static lehr_status run(lh_exec *e, const lh_winograd_pass *c, const lh_args *a, cl_mem in, cl_mem w,
                       cl_mem bias, cl_mem out, cl_mem where)
{
    int tile = (int)e->number[TILE];
    size_t tiles = lh_conv_winograd_tiles(a->n, rows_of(c, tile), cols_of(c, tile), tile);
    lehr_status st = a->filters ? LEHR_OK : transform(e, c, w, a->workspace);
    if (st == LEHR_OK)
        st = lh_kernel_args(e->dev, e->kernels[CONV], "mmmmmiLL", in,
                            a->filters ? a->filters : a->workspace, bias, out, where, (int)tiles,
                            (size_t)e->number[V_BYTES], (size_t)e->number[M_BYTES]);
    if (st != LEHR_OK) return st;
    size_t groups = lh_div_up(tiles, (size_t)e->number[TILES]);
    return lh_launch_tasks(e->dev, e->kernels[CONV], groups,
                           count_shares(groups, (size_t)(c->k / e->number[BLOCK]),
                                        lh_device_traits(e->dev)));
}

static lehr_status run_forward(lh_exec *e, const lh_args *a)
{
    const lh_conv_problem *p = lh_exec_problem(e);
    lh_winograd_pass c = forward_pass(p, (int)e->number[TILE]);
    return run(e, &c, a, a->buf[LH_CONVF_X], a->buf[LH_CONVF_W],
               p->bias ? a->buf[LH_CONVF_BIAS] : NULL, a->buf[LH_CONVF_Y], a->buf[LH_CONVF_WHERE]);
}

static lehr_status run_data(lh_exec *e, const lh_args *a)
{
    lh_winograd_pass c = lh_winograd_data(lh_exec_problem(e));
    return run(e, &c, a, a->buf[LH_CONVD_DY], a->buf[LH_CONVD_W], NULL, a->buf[LH_CONVD_DX], NULL);
}

/* A row of forward, "4" or "4_stride2", and of backward data, for tiles of that size. */
#define FORWARD(name, tile, stride)                                                                \
    const char *lh_conv_forward_winograd##name##_cpu_declines(const void *problem,                 \
                                                              const lh_traits *traits)             \
    {                                                                                              \
        lh_winograd_pass c = forward_pass(problem, tile);                                          \
        return declines(problem, &c, traits, tile, stride);                                        \
    }                                                                                              \
    lehr_status lh_conv_forward_winograd##name##_cpu_prepare(lh_exec *e)                           \
    {                                                                                              \
        const lh_conv_problem *p = lh_exec_problem(e);                                             \
        lh_winograd_pass c = forward_pass(p, tile);                                                \
        return prepare(e, &c, tile, p);                                                            \
    }                                                                                              \
    lehr_status lh_conv_forward_winograd##name##_cpu_run(lh_exec *e, const lh_args *a)             \
    {                                                                                              \
        return run_forward(e, a);                                                                  \
    }
#define DATA(tile)                                                                                 \
    const char *lh_conv_data_winograd##tile##_cpu_declines(const void *problem,                    \
                                                           const lh_traits *traits)                \
    {                                                                                              \
        lh_winograd_pass c = lh_winograd_data(problem);                                            \
        return declines(problem, &c, traits, tile, 1);                                             \
    }                                                                                              \
    lehr_status lh_conv_data_winograd##tile##_cpu_prepare(lh_exec *e)                              \
    {                                                                                              \
        lh_winograd_pass c = lh_winograd_data(lh_exec_problem(e));                                 \
        return prepare(e, &c, tile, NULL);                                                         \
    }                                                                                              \
    lehr_status lh_conv_data_winograd##tile##_cpu_run(lh_exec *e, const lh_args *a)                \
    {                                                                                              \
        return run_data(e, a);                                                                     \
    }
FORWARD(4, 4, 1)
FORWARD(4_stride2, 4, 2)
FORWARD(2, 2, 1)
DATA(4)
DATA(2)
