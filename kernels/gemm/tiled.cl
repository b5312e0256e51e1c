/* SPDX-License-Identifier: MIT
 *
 * GPU family matrix product: C = act(alpha * op(A) op(B) + beta * C + bias) by tile.cl.
 * -DTRANS_A -DTRANS_B (0|1) and the tile's options.
 * Launch: (row tiles * THREADS, column tiles, slices of k); slice z writes the m * n numbers at
 * c + z * m * n.  With more than one slice c is the workspace, alpha 1, beta and flags 0, and
 * matmul_combine (1-D, one work-item per element) adds the slices in order and finishes. */
#include "common.cl"

#define HAS_BIAS 1
#define HAS_RELU 2

typedef struct source {
    __global const float *a, *b;
    int m, n, k;
} source;

#if TRANS_A
#define A_K_FAST 0
#define AT_A(m, k) ((size_t)(k) * s->m + (m))
#else
#define A_K_FAST 1
#define AT_A(m, k) ((size_t)(m) * s->k + (k))
#endif
#if TRANS_B
#define B_K_FAST 1
#define AT_B(k, n) ((size_t)(n) * s->k + (k))
#else
#define B_K_FAST 0
#define AT_B(k, n) ((size_t)(k) * s->n + (n))
#endif

A_TYPE load_a(const source *s, int m, int k)
{
    return m < s->m ? *(__global const A_TYPE *)(s->a + AT_A(m, k)) : (A_TYPE)(0.0f);
}

B_TYPE load_b(const source *s, int k, int n)
{
    return n < s->n ? *(__global const B_TYPE *)(s->b + AT_B(k, n)) : (B_TYPE)(0.0f);
}

#include "gemm/tile.cl"

float finish(float sum, __global const float *c, __global const float *bias, float alpha, float beta,
             int flags)
{
    float v = alpha * sum;
    if (beta != 0.0f) v = fma(beta, *c, v);
    if (flags & HAS_BIAS) v += *bias;
    return (flags & HAS_RELU) && v < 0.0f ? 0.0f : v;
}

TILE_KERNEL void matmul_tiled(__global const float *a, __global const float *b, __global float *c,
                  __global const float *bias, int m, int n, int k, int k_slice, float alpha,
                  float beta, int flags)
{
    TILE_MEMORY
    const source s = {a, b, m, n, k};
    float sum[TM][TN];
    int row0 = get_group_id(0) * BM, col0 = get_group_id(1) * BN, k0 = get_group_id(2) * k_slice;
    tile_multiply(&s, row0, col0, k0, min(k0 + k_slice, k), memory, sum);
    c += get_group_id(2) * (size_t)m * n;
    LH_UNROLL
    for (int i = 0; i < TM; i++)
        LH_UNROLL
        for (int j = 0; j < TN; j++) {
            int y = row0 + TILE_ROW(i), x = col0 + TILE_COL(j);
            __global float *at = c + (size_t)y * n + x;
            if (y < m && x < n) *at = finish(sum[i][j], at, bias + x, alpha, beta, flags);
        }
}

__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void matmul_combine(__global const float *partial, __global float *c, __global const float *bias,
                    int m, int n, int slices, float alpha, float beta, int flags)
{
    size_t at = get_global_id(0), count = (size_t)m * n;
    if (at >= count) return;
    float sum = 0.0f;
    for (int z = 0; z < slices; z++) sum += partial[z * count + at];
    c[at] = finish(sum, c + at, bias + at % n, alpha, beta, flags);
}
