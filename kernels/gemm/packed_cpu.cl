/* SPDX-License-Identifier: MIT
 *
 * CPU family matrix product: C = act(alpha * op(A) op(B) + beta * C + bias), a register tile of MR
 * rows x two vectors, A read in place, B packed to panels of NR = 2 * VW columns:
 * packed[panel][k][NR], columns past the end zero.  Panels below direct_panels are read in place.
 * Launch: matmul_pack (panels, chunks of K_CHUNK); matmul_packed (blocks of ROW_BLOCK rows, panels);
 * one work-item each, no local memory.
 * Transposes and tails are strides and counts, so that one program (per VW) serves every problem.
 * Sums: k ascending inside a block of K_BLOCK, then the blocks in order. */
#include "common.cl"

#define NR (2 * VW)
#define HAS_BIAS 1
#define HAS_RELU 2

LH_TASK void matmul_pack(__global const float *restrict b, __global float *restrict packed, int n,
                         int k, int first_panel, ulong b_row, ulong b_col)
{
    int panel = get_global_id(0), col = (first_panel + panel) * NR, cols = min(n - col, NR);
    int k0 = get_global_id(1) * K_CHUNK, k1 = min(k0 + K_CHUNK, k);
    __global const float *from = b + col * b_col;
    __global float *to = packed + (size_t)panel * k * NR;
    if (cols == NR && b_col == 1) {
        for (int i = k0; i < k1; i++) {
            LH_VSTORE(LH_VLOAD(0, from + i * b_row), 0, to + (size_t)i * NR);
            LH_VSTORE(LH_VLOAD(1, from + i * b_row), 1, to + (size_t)i * NR);
        }
        return;
    }
    for (int i = k0; i < k1; i++)
        for (int j = 0; j < NR; j++)
            to[(size_t)i * NR + j] = j < cols ? from[i * b_row + j * b_col] : 0.0f;
}

typedef struct epilogue {
    float alpha, beta;
    int flags;
} epilogue;

/* Finishes count sums that lie next to each other in C and take neighbouring biases. */
void finish_line(const epilogue *e, const float *sums, int count, __global float *c,
                 __global const float *bias)
{
    int i = 0;
    for (; i + VW <= count; i += VW) {
        LH_V v = e->alpha * LH_VLOAD(0, sums + i);
        if (e->beta != 0.0f) v = fma((LH_V)(e->beta), LH_VLOAD(0, c + i), v);
        if (e->flags & HAS_BIAS) v += LH_VLOAD(0, bias + i);
        if (e->flags & HAS_RELU) v = v < 0.0f ? (LH_V)(0.0f) : v;
        LH_VSTORE(v, 0, c + i);
    }
    for (; i < count; i++) {
        float v = e->alpha * sums[i];
        if (e->beta != 0.0f) v = fma(e->beta, c[i], v);
        if (e->flags & HAS_BIAS) v += bias[i];
        c[i] = (e->flags & HAS_RELU) && v < 0.0f ? 0.0f : v;
    }
}

/* sums[MR][NR] (+)= rows of op(A) times kn rows of a panel; rows past the end repeat the last. */
void tile(__global const float *restrict a, size_t a_row, size_t a_k, int rows,
          __global const float *restrict b, size_t b_row, int kn, bool add, float *sums)
{
    LH_V sum[MR][2];
    size_t at[MR];
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        sum[i][0] = sum[i][1] = (LH_V)(0.0f);
        at[i] = min(i, rows - 1) * a_row;
    }
    for (int k = 0; k < kn; k++) {
        LH_V b0 = LH_VLOAD(0, b), b1 = LH_VLOAD(1, b);
        #pragma unroll
        for (int i = 0; i < MR; i++) {
            LH_V x = (LH_V)(a[at[i]]);
            sum[i][0] = fma(x, b0, sum[i][0]);
            sum[i][1] = fma(x, b1, sum[i][1]);
        }
        a += a_k;
        b += b_row;
    }
    #pragma unroll
    for (int i = 0; i < MR; i++) {
        float *to = sums + i * NR;
        LH_VSTORE(add ? LH_VLOAD(0, to) + sum[i][0] : sum[i][0], 0, to);
        LH_VSTORE(add ? LH_VLOAD(1, to) + sum[i][1] : sum[i][1], 1, to);
    }
}

/* turned: C is stored [n][m] and bias runs along m; ldc is the distance of its stored rows. */
LH_TASK void matmul_packed(__global const float *restrict a, __global const float *restrict b,
                           __global const float *restrict packed, __global float *restrict c,
                           __global const float *restrict bias, int m, int n, int k, ulong a_row,
                           ulong a_k, ulong b_row, int direct_panels, ulong ldc, int turned,
                           float alpha, float beta, int flags)
{
    float sums[ROW_BLOCK * NR];
    int row0 = get_global_id(0) * ROW_BLOCK, rows = min(ROW_BLOCK, m - row0);
    int panel = get_global_id(1), col = panel * NR, cols = min(NR, n - col);
    bool direct = panel < direct_panels;
    size_t step = direct ? b_row : NR;
    __global const float *from = direct ? b + col : packed + (size_t)(panel - direct_panels) * k * NR;
    for (int k0 = 0; k0 < k; k0 += K_BLOCK)
        for (int row = 0; row < rows; row += MR)
            tile(a + (row0 + row) * a_row + k0 * a_k, a_row, a_k, rows - row, from + k0 * step, step,
                 min(K_BLOCK, k - k0), k0 > 0, sums + row * NR);
    const epilogue e = {alpha, beta, flags};
    if (!turned) {
        for (int i = 0; i < rows; i++)
            finish_line(&e, sums + i * NR, cols, c + (row0 + i) * ldc + col, bias + col);
        return;
    }
    for (int j = 0; j < cols; j++) {
        float line[ROW_BLOCK];
        for (int i = 0; i < rows; i++) line[i] = sums[i * NR + j];
        finish_line(&e, line, rows, c + (col + j) * ldc + row0, bias + row0);
    }
}
