/* SPDX-License-Identifier: MIT
 *
 * GPU family: the inside of a tiled matrix product, for whoever can say what A[m][k] and B[k][n] are.
 * The including source defines, before this file,
 *   typedef struct { ... } source;
 *   A_TYPE load_a(const source *s, int m, int k);   0 for m past the end; k is in range
 *   B_TYPE load_b(const source *s, int k, int n);   0 for n past the end; k is in range
 *   A_K_FAST, B_K_FAST: 1 where neighbours in memory differ in k, 0 where they differ in m or n
 * -DA_TYPE=float|float4 -DA_VEC=1|4 and the same for B: 4 loads four neighbours at once, where the
 * number of elements in that direction is a multiple of four.
 * A work-group of THREADS = (BM / TM) * (BN / TN) work-items makes a BM x BN tile of C.  A work-item
 * owns TM x TN of it, in chunks of four rows and four columns (TILE_ROW, TILE_COL), so that it reads
 * local memory by float4 and neighbours read neighbouring ones.  Per BK steps of k both operands pass
 * through local memory, the next step's global loads under way meanwhile; lines are padded by four
 * against bank conflicts.  With -DBUFFERS=2 the next step is stored beside the current one, so that one
 * barrier a step is enough; with 1 it takes two.
 * Local memory: BUFFERS * BK * (BM + BN + 8) floats.  Sums: k ascending.
 * The kernel begins with TILE_KERNEL void and declares TILE_MEMORY; with -DSUBGROUP=16 subgroup.cl takes
 * this file's place. */
#if SUBGROUP
#include "gemm/subgroup.cl"
#else
#define TILE_KERNEL __kernel __attribute__((reqd_work_group_size(THREADS, 1, 1)))
#define TILE_MEMORY __local float4 memory[TILE_FLOAT4S];
#define WM (BM / TM)
#define WN (BN / TN)
#define THREADS (WM * WN)
#define A_LOADS (BM * BK / (THREADS * A_VEC))
#define B_LOADS (BN * BK / (THREADS * B_VEC))
#define A_LINE (BM + 4)
#define B_LINE (BN + 4)
#define BUFFER (BK * (A_LINE + B_LINE))
#define TILE_FLOAT4S (BUFFERS * BUFFER / 4)

/* Row i < TM and column j < TN of this work-item, within the tile. */
#define TILE_ROW(i) (((i) / 4 * WM + (int)get_local_id(0) / WN) * 4 + (i) % 4)
#define TILE_COL(j) (((j) / 4 * WN + (int)get_local_id(0) % WN) * 4 + (j) % 4)

/* The i-th load of work-item id in a block of `edge` x BK: position along the fast direction, whose
 * length is `fast`, and along the other. */
#define FAST_AT(id, fast, vec) ((id) % ((fast) / (vec)) * (vec))
#define SLOW_AT(id, fast, vec, i) ((id) / ((fast) / (vec)) + (i) * (THREADS / ((fast) / (vec))))
#if A_K_FAST
#define A_M(id, i) SLOW_AT(id, BK, A_VEC, i)
#define A_K(id, i) FAST_AT(id, BK, A_VEC)
#else
#define A_M(id, i) FAST_AT(id, BM, A_VEC)
#define A_K(id, i) SLOW_AT(id, BM, A_VEC, i)
#endif
#if B_K_FAST
#define B_N(id, i) SLOW_AT(id, BK, B_VEC, i)
#define B_K(id, i) FAST_AT(id, BK, B_VEC)
#else
#define B_N(id, i) FAST_AT(id, BN, B_VEC)
#define B_K(id, i) SLOW_AT(id, BN, B_VEC, i)
#endif

/* Into local memory, whose lines are steps of k: across the lines or along one. */
void place_across(__local float *to, int line, float4 v)
{
    to[0] = v.x;
    to[line] = v.y;
    to[2 * line] = v.z;
    to[3 * line] = v.w;
}

#if A_VEC == 4 && A_K_FAST
#define PLACE_A(to, v) place_across(to, A_LINE, v)
#else
#define PLACE_A(to, v) *(__local A_TYPE *)(to) = (v)
#endif
#if B_VEC == 4 && B_K_FAST
#define PLACE_B(to, v) place_across(to, B_LINE, v)
#else
#define PLACE_B(to, v) *(__local B_TYPE *)(to) = (v)
#endif

void tile_fetch(const source *s, int row0, int col0, int k0, int k1, A_TYPE *next_a, B_TYPE *next_b)
{
    int id = get_local_id(0);
    LH_UNROLL
    for (int i = 0; i < A_LOADS; i++) {
        int k = k0 + A_K(id, i);
        next_a[i] = k < k1 ? load_a(s, row0 + A_M(id, i), k) : (A_TYPE)(0.0f);
    }
    LH_UNROLL
    for (int i = 0; i < B_LOADS; i++) {
        int k = k0 + B_K(id, i);
        next_b[i] = k < k1 ? load_b(s, k, col0 + B_N(id, i)) : (B_TYPE)(0.0f);
    }
}

/* Four numbers of local memory per chunk of four, the chunks `step` apart. */
#define TILE_READ(to, count, from, step)                                                           \
    LH_UNROLL for (int chunk = 0; chunk < (count) / 4; chunk++)                                    \
    {                                                                                              \
        float4 v = *(__local const float4 *)((from) + chunk * (step));                             \
        (to)[4 * chunk] = v.x;                                                                     \
        (to)[4 * chunk + 1] = v.y;                                                                 \
        (to)[4 * chunk + 2] = v.z;                                                                 \
        (to)[4 * chunk + 3] = v.w;                                                                 \
    }

void tile_place(__local float *buffer, const A_TYPE *next_a, const B_TYPE *next_b)
{
    int id = get_local_id(0);
    LH_UNROLL
    for (int i = 0; i < A_LOADS; i++)
        PLACE_A(buffer + A_K(id, i) * A_LINE + A_M(id, i), next_a[i]);
    buffer += BK * A_LINE;
    LH_UNROLL
    for (int i = 0; i < B_LOADS; i++)
        PLACE_B(buffer + B_K(id, i) * B_LINE + B_N(id, i), next_b[i]);
}

/* sum += the product of one buffer's BK steps. */
void tile_step(__local const float *buffer, float sum[TM][TN])
{
    __local const float *a = buffer + TILE_ROW(0), *b = buffer + BK * A_LINE + TILE_COL(0);
    LH_UNROLL_4
    for (int k = 0; k < BK; k++, a += A_LINE, b += B_LINE) {
        float x[TM], y[TN];
        TILE_READ(x, TM, a, 4 * WM)
        TILE_READ(y, TN, b, 4 * WN)
        LH_UNROLL
        for (int i = 0; i < TM; i++)
            LH_UNROLL
            for (int j = 0; j < TN; j++) sum[i][j] = fma(x[i], y[j], sum[i][j]);
    }
}

/* sum[i][j] = sum over k0 <= k < k1 of A[row0 + TILE_ROW(i)][k] * B[k][col0 + TILE_COL(j)].  The whole
 * work-group calls it with the same numbers. */
void tile_multiply(const source *s, int row0, int col0, int k0, int k1, __local float4 *memory,
                   float sum[TM][TN])
{
    __local float *now = (__local float *)memory;
    A_TYPE next_a[A_LOADS];
    B_TYPE next_b[B_LOADS];
    LH_UNROLL
    for (int i = 0; i < TM; i++)
        LH_UNROLL
        for (int j = 0; j < TN; j++) sum[i][j] = 0.0f;
    if (k0 >= k1) return;
    tile_fetch(s, row0, col0, k0, k1, next_a, next_b);
#if BUFFERS == 2
    __local float *other = now + BUFFER;
    tile_place(now, next_a, next_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int at = k0 + BK; at < k1; at += BK) {
        tile_fetch(s, row0, col0, at, k1, next_a, next_b);
        tile_step(now, sum);
        tile_place(other, next_a, next_b); /* its last readers passed the previous barrier */
        barrier(CLK_LOCAL_MEM_FENCE);
        __local float *swap = now;
        now = other;
        other = swap;
    }
    tile_step(now, sum);
#else
    for (int at = k0; at < k1; at += BK) {
        tile_place(now, next_a, next_b);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (at + BK < k1) tile_fetch(s, row0, col0, at + BK, k1, next_a, next_b);
        tile_step(now, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#endif
}
#endif
