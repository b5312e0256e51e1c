/* SPDX-License-Identifier: MIT
 *
 * CPU family matrix product: C = act(alpha * op(A) op(B) + beta * C + bias), a register tile of MR
 * rows x two vectors (one, where the last columns of C fit it).  A task takes ROWS x GROUP panels of
 * NR = 2 * VW columns.  It copies its panels of B to local memory, [panel][k_block][NR], whole ones
 * whose columns lie together while it multiplies its first rows; A is read in place.
 * Launch: (blocks of rows, groups of panels); one work-item each.
 * Transposes and tails are strides and counts, so that one program (per VW) serves every problem.
 * Sums: k ascending inside a block of k_block, then the blocks in order. */
#include "common.cl"
#include "transpose.cl"

#define NR (2 * VW)
#define HAS_BIAS 1
#define HAS_RELU 2

/* A panel's lines 0 <= i < count: element j lies at from[i * along_k + j * across].  Columns past cols
 * are not defined: their sums are not used. */
void pack_columns(__global const float *restrict from, __local float *restrict to, int count, int cols,
                  ulong across)
{
    int k = 0;
    for (; k + VW <= count; k += VW)
        for (int first = 0; first < cols; first += VW) {
            LH_V lines[VW];
            #pragma unroll
            for (int j = 0; j < VW; j++)
                lines[j] = LH_VLOAD(0, from + min(first + j, cols - 1) * across + k);
            transpose(lines);
            #pragma unroll
            for (int i = 0; i < VW; i++) LH_VSTORE(lines[i], 0, to + (k + i) * NR + first);
        }
    for (; k < count; k++)
        for (int j = 0; j < NR; j++) to[k * NR + j] = from[min(j, cols - 1) * across + k];
}

void pack_lines(__global const float *restrict from, __local float *restrict to, int count, int cols,
                ulong along_k)
{
    for (int k = 0; k < count; k++)
        for (int j = 0; j < NR; j++) to[k * NR + j] = j < cols ? from[k * along_k + j] : 0.0f;
}

typedef struct epilogue {
    float alpha, beta;
    int flags;
} epilogue;

LH_V finish(const epilogue *e, LH_V v, __global const float *c, __global const float *bias)
{
    v *= e->alpha;
    if (e->beta != 0.0f) v = fma((LH_V)(e->beta), LH_VLOAD(0, c), v);
    if (e->flags & HAS_BIAS) v += LH_VLOAD(0, bias);
    return (e->flags & HAS_RELU) ? select(v, (LH_V)(0.0f), v < 0.0f) : v;
}

float finish_one(const epilogue *e, float v, __global const float *c, __global const float *bias)
{
    v *= e->alpha;
    if (e->beta != 0.0f) v = fma(e->beta, *c, v);
    if (e->flags & HAS_BIAS) v += *bias;
    return (e->flags & HAS_RELU) && v < 0.0f ? 0.0f : v;
}

/* Finishes count sums that lie next to each other in C and take neighbouring biases. */
void finish_line(const epilogue *e, __local const float *sums, int count, __global float *c,
                 __global const float *bias)
{
    int i = 0;
    for (; i + VW <= count; i += VW)
        LH_VSTORE(finish(e, LH_VLOAD(0, sums + i), c + i, bias + i), 0, c + i);
    for (; i < count; i++) c[i] = finish_one(e, sums[i], c + i, bias + i);
}

/* One tile: MR rows of op(A), kn lines of a panel, where its sums collect, or C.  What lies ahead of it
 * in A is asked for, TURN rows by turns. */
typedef struct tile {
    __global const float *a, *ahead;
    __local float *panel, *sums;
    size_t a_row, a_k, ahead_row;
    int rows, kn;
    bool add;          /* to sums */
    __global float *c; /* NULL: into sums */
    __global const float *bias;
    size_t ldc;
} tile;

#define TURN 8

/* The products of a tile V vectors wide, LINE(v) of step k; rows past the end repeat the last. */
#define MULTIPLY(V, LINE)                                                                          \
    LH_V sum[MR][V];                                                                               \
    size_t at[MR];                                                                                 \
    __global const float *a = t->a;                                                                \
    _Pragma("unroll") for (int i = 0; i < MR; i++)                                                 \
    {                                                                                              \
        _Pragma("unroll") for (int v = 0; v < V; v++) sum[i][v] = (LH_V)(0.0f);                    \
        at[i] = min(i, t->rows - 1) * t->a_row;                                                    \
    }                                                                                              \
    for (int k = 0; k < t->kn; k++) {                                                              \
        LH_V line[V];                                                                              \
        LH_PREFETCH(t->ahead + (k & (TURN - 1)) * t->ahead_row + (k & -TURN) * t->a_k);            \
        _Pragma("unroll") for (int v = 0; v < V; v++) line[v] = LINE(v);                           \
        _Pragma("unroll") for (int i = 0; i < MR; i++)                                             \
        {                                                                                          \
            LH_V x = (LH_V)(a[at[i]]);                                                             \
            _Pragma("unroll") for (int v = 0; v < V; v++) sum[i][v] = fma(x, line[v], sum[i][v]);  \
        }                                                                                          \
        a += t->a_k;                                                                               \
    }                                                                                              \
    if (t->add)                                                                                    \
        _Pragma("unroll") for (int i = 0; i < MR; i++)                                             \
            _Pragma("unroll") for (int v = 0; v < V; v++)                                          \
                sum[i][v] = LH_VLOAD(v, t->sums + i * NR) + sum[i][v];

#define KEEP(V)                                                                                    \
    _Pragma("unroll") for (int i = 0; i < MR; i++)                                                 \
        _Pragma("unroll") for (int v = 0; v < V; v++) LH_VSTORE(sum[i][v], v, t->sums + i * NR);

#define EACH                                                                                       \
    _Pragma("unroll") for (int i = 0; i < MR; i++)                                                 \
        _Pragma("unroll") for (int v = 0; v < 2; v++)

__attribute__((always_inline))
void put(const tile *t, const epilogue *e, LH_V sum[MR][2])
{
    __global float *c = t->c;
    size_t ldc = t->ldc;
    int flags = e->flags;
    if (!c) {
        KEEP(2)
        return;
    }
    if (e->alpha != 1.0f) EACH sum[i][v] *= e->alpha;
    if (e->beta != 0.0f) EACH sum[i][v] = fma((LH_V)(e->beta), LH_VLOAD(v, c + i * ldc), sum[i][v]);
    if (flags & HAS_BIAS) EACH sum[i][v] += LH_VLOAD(v, t->bias);
    if (flags & HAS_RELU) EACH sum[i][v] = select(sum[i][v], (LH_V)(0.0f), sum[i][v] < 0.0f);
    EACH LH_VSTORE(sum[i][v], v, c + i * ldc);
}

/* C's lines are on their way while the tile is multiplied. */
void fetch(const tile *t)
{
    if (!t->c) return;
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        LH_PREFETCH(t->c + i * t->ldc);
        LH_PREFETCH(t->c + i * t->ldc + VW);
    }
}

#define PANEL(v) LH_VLOAD(v, t->panel + k * NR)

void wide_tile(const tile *t, const epilogue *e)
{
    fetch(t);
    MULTIPLY(2, PANEL)
    put(t, e, sum);
}

void narrow_tile(const tile *t)
{
    MULTIPLY(1, PANEL)
    KEEP(1)
}

/* The panel's first: its lines come from b and are left in local memory. */
LH_V take(__global const float *b, size_t ahead, __local float *panel, int v)
{
    LH_PREFETCH(b + ahead + v * VW);
    LH_V line = LH_VLOAD(v, b);
    LH_VSTORE(line, v, panel);
    return line;
}

#define TAKE(v) take(b + k * b_row, ahead, t->panel + k * NR, v)

void first_tile(const tile *t, const epilogue *e, __global const float *b, size_t b_row,
                size_t ahead)
{
    fetch(t);
    MULTIPLY(2, TAKE)
    put(t, e, sum);
}

/* Sums of rows x cols into C stored [n][m]. */
void finish_turned(const epilogue *e, __local const float *sums, int rows, int cols, __global float *c,
                   size_t ldc, __global const float *bias)
{
    int i = 0;
    for (; i + VW <= rows; i += VW)
        for (int j = 0; j < cols; j += VW) {
            LH_V lines[VW];
            #pragma unroll
            for (int l = 0; l < VW; l++) lines[l] = LH_VLOAD(0, sums + (i + l) * NR + j);
            transpose(lines);
            #pragma unroll
            for (int l = 0; l < VW; l++)
                if (j + l < cols) {
                    __global float *to = c + (j + l) * ldc + i;
                    LH_VSTORE(finish(e, lines[l], to, bias + i), 0, to);
                }
        }
    for (int j = 0; j < cols && i < rows; j++)
        for (int l = i; l < rows; l++) {
            __global float *to = c + j * ldc + l;
            *to = finish_one(e, sums[l * NR + j], to, bias + l);
        }
}

/* What the tiles of a task share. */
typedef struct task {
    __global const float *a, *b, *bias;
    __global float *c;
    __local float *panels, *sums;
    size_t a_row, a_k, b_row, b_col, b_ahead, ldc;
    int n, k_block, panel, count, row, end, block; /* count panels, rows up to end */
    bool keep, to_c;
    epilogue e;
} task;

/* A block's tiles of panel p, k0 <= k < k0 + kn; the panel is filled when the task begins. */
void multiply_block(const task *s, int p, int row, int k0, int kn)
{
    int col = (s->panel + p) * NR, cols = min(NR, s->n - col), end = min(row + s->block, s->end);
    bool whole = cols == NR, direct = whole && s->b_col == 1, first = row == s->row;
    __global const float *line = s->b + col * s->b_col + k0 * s->b_row;
    __global float *c = s->c + row * s->ldc + col;
    tile t = {.a_row = s->a_row, .a_k = s->a_k, .kn = kn, .add = k0 > 0, .ldc = s->ldc,
              .bias = s->bias + col};
    t.ahead_row = s->a_row == 1 ? s->a_k : s->a_row;
    t.a = s->a + row * s->a_row + k0 * s->a_k;
    t.ahead = p + 1 == s->count && end < s->end ? t.a + s->block * s->a_row : t.a;
    t.panel = s->panels + p * s->k_block * NR;
    t.sums = s->sums + (s->keep ? (row - s->row) * NR : 0);
    if (first && !direct) {
        if (s->b_row == 1) pack_columns(line, t.panel, kn, cols, s->b_col);
        else pack_lines(line, t.panel, kn, cols, s->b_row);
    }
    for (; row < end; row += MR) {
        t.rows = end - row;
        t.c = whole && s->to_c && t.rows >= MR ? c : 0;
        if (first && direct) first_tile(&t, &s->e, line, s->b_row, s->b_ahead);
        else if (cols <= VW) narrow_tile(&t);
        else wide_tile(&t, &s->e);
        if (s->to_c && !t.c)
            for (int i = 0; i < min(t.rows, MR); i++)
                finish_line(&s->e, t.sums + i * NR, cols, c + i * s->ldc, t.bias);
        first = false;
        c += MR * s->ldc;
        t.a += MR * s->a_row;
        t.ahead += MR * s->a_row;
        t.sums += s->keep ? MR * NR : 0;
    }
}

/* turned: C is stored [n][m] and bias runs along m; ldc is the distance of its stored rows.  rows and
 * block are multiples of MR: panels take turns in blocks of rows.  keep: sums of all rows are kept, and
 * a group is one panel. */
LH_TASK void matmul_packed(__global const float *restrict a, __global const float *restrict b,
                           __global float *restrict c, __global const float *restrict bias, int m,
                           int n, int k, int k_block, int rows, int block, int group, ulong a_row,
                           ulong a_k, ulong b_row, ulong b_col, int keep, ulong ldc, int turned,
                           float alpha, float beta, int flags, __local float *restrict panels,
                           __local float *restrict sums)
{
    int row = get_global_id(0) * rows, panel = get_global_id(1) * group, col = panel * NR;
    task s = {a, b, bias, c, panels, sums, a_row, a_k, b_row, b_col,
              k > k_block ? 16 * b_row : NR, ldc, n, k_block, panel,
              min(group, (n + NR - 1) / NR - panel), row, min(row + rows, m), block, keep, false,
              {alpha, beta, flags}};
    for (int k0 = 0; k0 < k; k0 += k_block) {
        s.to_c = !turned && k0 + k_block >= k;
        for (int from = row; from < s.end; from += block)
            for (int p = 0; p < s.count; p++) multiply_block(&s, p, from, k0, min(k_block, k - k0));
    }
    if (turned)
        finish_turned(&s.e, sums, s.end - row, min(NR, n - col), c + col * ldc + row, ldc, bias + row);
}
