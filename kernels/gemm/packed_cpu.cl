/* SPDX-License-Identifier: MIT
 *
 * CPU family matrix product: C = act(alpha * op(A) op(B) + beta * C + bias), a register tile of MR
 * rows x two vectors (one, where the last columns of C fit it).  B is packed to panels of
 * NR = 2 * VW columns, packed[panel][k][NR], columns past the end zero; panels below direct_panels
 * are read in place.  A is read in place, or packed by MR rows in the same way.
 * Launch: matmul_pack (groups of A_GROUP of A's tiles, then panels; chunks of K_CHUNK); matmul_packed
 * (blocks of ROW_BLOCK rows, groups of panels); one work-item each, no local memory.
 * Transposes and tails are strides and counts, so that one program (per VW) serves every problem.
 * Sums: k ascending inside a block of k_block, then the blocks in order. */
#include "common.cl"
#include "transpose.cl"

#define NR (2 * VW)
#define HAS_BIAS 1
#define HAS_RELU 2

/* to[i][width] = lines k0 <= i < k1 of a panel: element j lies at from[i * along_k + j * across]. */
void pack_any(__global const float *restrict from, __global float *restrict to, int k0, int k1,
              int width, int cols, ulong along_k, ulong across)
{
    for (int i = k0; i < k1; i++)
        for (int j = 0; j < width; j++)
            to[(size_t)i * width + j] = j < cols ? from[i * along_k + j * across] : 0.0f;
}

/* The same for a whole panel whose lines lie together, and for one whose columns do. */
void pack_lines(__global const float *restrict from, __global float *restrict to, int k0, int k1,
                ulong along_k)
{
    for (int i = k0; i < k1; i++) {
        LH_VSTORE(LH_VLOAD(0, from + i * along_k), 0, to + (size_t)i * NR);
        LH_VSTORE(LH_VLOAD(1, from + i * along_k), 1, to + (size_t)i * NR);
    }
}

void pack_columns(__global const float *restrict from, __global float *restrict to, int k0, int k1,
                  ulong across)
{
    for (; k0 + VW <= k1; k0 += VW)
        for (int first = 0; first < NR; first += VW) {
            LH_V lines[VW];
            #pragma unroll
            for (int j = 0; j < VW; j++) lines[j] = LH_VLOAD(0, from + (first + j) * across + k0);
            transpose(lines);
            #pragma unroll
            for (int i = 0; i < VW; i++) LH_VSTORE(lines[i], 0, to + (size_t)(k0 + i) * NR + first);
        }
    pack_any(from, to, k0, k1, NR, NR, 1, across);
}

LH_TASK void matmul_pack(__global const float *restrict a, __global const float *restrict b,
                         __global float *restrict packed, ulong packed_a, int m, int n, int k,
                         int a_groups, int first_panel, ulong a_row, ulong a_k, ulong b_row,
                         ulong b_col)
{
    int task = get_global_id(0), k0 = get_global_id(1) * K_CHUNK, k1 = min(k0 + K_CHUNK, k);
    if (task < a_groups) {
        int end = min((task + 1) * A_GROUP * MR, m);
        for (int row = task * A_GROUP * MR; row < end; row += MR) {
            __global float *to = packed + packed_a + (size_t)row * k;
            if (end - row >= MR) pack_any(a + row * a_row, to, k0, k1, MR, MR, a_k, a_row);
            else pack_any(a + row * a_row, to, k0, k1, MR, end - row, a_k, a_row);
        }
        return;
    }
    int panel = task - a_groups, col = (first_panel + panel) * NR, cols = min(n - col, NR);
    __global const float *from = b + col * b_col;
    __global float *to = packed + (size_t)panel * k * NR;
    if (cols == NR && b_col == 1) pack_lines(from, to, k0, k1, b_row);
    else if (cols == NR && b_row == 1) pack_columns(from, to, k0, k1, b_col);
    else pack_any(from, to, k0, k1, NR, cols, b_row, b_col);
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

/* Finishes count sums that lie next to each other in C and take neighbouring biases. */
void finish_line(const epilogue *e, const float *sums, int count, __global float *c,
                 __global const float *bias)
{
    int i = 0;
    for (; i + VW <= count; i += VW)
        LH_VSTORE(finish(e, LH_VLOAD(0, sums + i), c + i, bias + i), 0, c + i);
    for (; i < count; i++) {
        float v = e->alpha * sums[i];
        if (e->beta != 0.0f) v = fma(e->beta, c[i], v);
        if (e->flags & HAS_BIAS) v += bias[i];
        c[i] = (e->flags & HAS_RELU) && v < 0.0f ? 0.0f : v;
    }
}

/* The tile's operands: MR rows of op(A), kn lines of a panel, and where its sums collect. */
typedef struct operands {
    __global const float *a, *b;
    size_t a_row, a_k, b_row;
    int rows, kn;
    bool add; /* to sums */
    float *sums;
} operands;

/* The products of a tile V vectors wide; rows past the end repeat the last. */
#define MULTIPLY(V)                                                                                \
    LH_V sum[MR][V];                                                                               \
    size_t at[MR];                                                                                 \
    __global const float *a = o->a, *b = o->b;                                                     \
    _Pragma("unroll") for (int i = 0; i < MR; i++)                                                 \
    {                                                                                              \
        _Pragma("unroll") for (int v = 0; v < V; v++) sum[i][v] = (LH_V)(0.0f);                    \
        at[i] = min(i, o->rows - 1) * o->a_row;                                                    \
    }                                                                                              \
    for (int k = 0; k < o->kn; k++) {                                                              \
        LH_V line[V];                                                                              \
        _Pragma("unroll") for (int v = 0; v < V; v++) line[v] = LH_VLOAD(v, b);                    \
        _Pragma("unroll") for (int i = 0; i < MR; i++)                                             \
        {                                                                                          \
            LH_V x = (LH_V)(a[at[i]]);                                                             \
            _Pragma("unroll") for (int v = 0; v < V; v++) sum[i][v] = fma(x, line[v], sum[i][v]);  \
        }                                                                                          \
        a += o->a_k;                                                                               \
        b += o->b_row;                                                                             \
    }                                                                                              \
    if (o->add)                                                                                    \
        _Pragma("unroll") for (int i = 0; i < MR; i++)                                             \
            _Pragma("unroll") for (int v = 0; v < V; v++)                                          \
                sum[i][v] = LH_VLOAD(v, o->sums + i * NR) + sum[i][v];

/* Into sums. */
void tile(const operands *o)
{
    MULTIPLY(2)
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        LH_VSTORE(sum[i][0], 0, o->sums + i * NR);
        LH_VSTORE(sum[i][1], 1, o->sums + i * NR);
    }
}

void narrow_tile(const operands *o)
{
    MULTIPLY(1)
    #pragma unroll
    for (int i = 0; i < MR; i++) LH_VSTORE(sum[i][0], 0, o->sums + i * NR);
}

/* The last block of k of a whole tile: into C, whose lines are fetched meanwhile. */
void last_tile(const operands *o, const epilogue *e, __global float *c, size_t ldc,
               __global const float *bias)
{
    const epilogue last = *e;
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        LH_PREFETCH(c + i * ldc);
        LH_PREFETCH(c + i * ldc + VW);
    }
    MULTIPLY(2)
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        LH_VSTORE(finish(&last, sum[i][0], c, bias), 0, c);
        LH_VSTORE(finish(&last, sum[i][1], c + VW, bias + VW), 1, c);
        c += ldc;
    }
}

/* Sums of rows x cols into C stored [n][m]. */
void finish_turned(const epilogue *e, const float *sums, int rows, int cols, __global float *c,
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
    for (int j = 0; j < cols && i < rows; j++) {
        float line[VW];
        for (int l = i; l < rows; l++) line[l - i] = sums[l * NR + j];
        finish_line(e, line, rows - i, c + j * ldc + i, bias + i);
    }
}

/* turned: C is stored [n][m] and bias runs along m; ldc is the distance of its stored rows.
 * a_tile: distance of two rows of A in different tiles. */
LH_TASK void matmul_packed(__global const float *restrict a, ulong a_offset,
                           __global const float *restrict b, __global const float *restrict packed,
                           __global float *restrict c, __global const float *restrict bias, int m,
                           int n, int k, int k_block, ulong a_tile, ulong a_row, ulong a_k,
                           ulong b_row, int direct_panels, int group, ulong ldc, int turned, float alpha,
                           float beta, int flags)
{
    float sums[ROW_BLOCK * NR];
    const epilogue e = {alpha, beta, flags};
    int row0 = get_global_id(0) * ROW_BLOCK, rows = min(ROW_BLOCK, m - row0);
    int panel = get_global_id(1) * group, end = min(panel + group, (n + NR - 1) / NR);
    for (; panel < end; panel++) {
        int col = panel * NR, cols = min(NR, n - col);
        bool direct = panel < direct_panels, whole = cols == NR && !turned;
        operands o = {.a_row = a_row, .a_k = a_k, .b_row = direct ? b_row : NR};
        __global const float *from =
            direct ? b + col : packed + (size_t)(panel - direct_panels) * k * NR;
        for (int k0 = 0; k0 < k; k0 += k_block) {
            o.b = from + k0 * o.b_row;
            o.kn = min(k_block, k - k0);
            o.add = k0 > 0;
            for (int row = 0; row < rows; row += MR) {
                o.a = a + a_offset + (row0 + row) * a_tile + k0 * a_k;
                o.rows = rows - row;
                o.sums = sums + row * NR;
                if (whole && o.rows >= MR && k0 + k_block >= k)
                    last_tile(&o, &e, c + (row0 + row) * ldc + col, ldc, bias + col);
                else if (cols <= VW) narrow_tile(&o);
                else tile(&o);
            }
        }
        if (turned) finish_turned(&e, sums, rows, cols, c + col * ldc + row0, ldc, bias + row0);
        else
            for (int i = whole ? rows / MR * MR : 0; i < rows; i++)
                finish_line(&e, sums + i * NR, cols, c + (row0 + i) * ldc + col, bias + col);
    }
}
