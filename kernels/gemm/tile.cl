/* SPDX-License-Identifier: MIT
 *
 * GPU family: the inside of a tiled matrix product, for whoever can say what A[m][k] and B[k][n] are.
 * The including source defines, before this file,
 *   typedef struct { ... } source;
 *   float load_a(const source *s, int m, int k);   0 for m past the end; k is in range
 *   float load_b(const source *s, int k, int n);   0 for n past the end; k is in range
 *   A_K_FAST, B_K_FAST: 1 where neighbours in memory differ in k, 0 where they differ in m or n
 * A work-group of THREADS = (BM / TM) * (BN / TN) work-items makes a BM x BN tile of C, each work-item
 * TM x TN of it, strided so that neighbours read and write neighbouring addresses.  Per BK steps of k
 * both operands pass through local memory, lines padded by one against bank conflicts; the next step's
 * global loads are under way meanwhile.  Local memory: BK * (BM + BN + 2) floats.
 * Needs BM, BN and BK to divide THREADS or the other way round.  Sums: k ascending. */
#define WM (BM / TM)
#define WN (BN / TN)
#define THREADS (WM * WN)
#define A_LOADS (BM * BK / THREADS)
#define B_LOADS (BN * BK / THREADS)
#define A_LINE (BM + 1)
#define B_LINE (BN + 1)
#define TILE_FLOATS (BK * (A_LINE + B_LINE))

/* Position of a work-item's i-th element within an edge x BK block. */
#define SLOW(id, edge, i) ((id) / (edge) + (i) * (THREADS / (edge)))
#if A_K_FAST
#define A_M(id, i) SLOW(id, BK, i)
#define A_K(id, i) ((id) % BK)
#else
#define A_M(id, i) ((id) % BM)
#define A_K(id, i) SLOW(id, BM, i)
#endif
#if B_K_FAST
#define B_N(id, i) SLOW(id, BK, i)
#define B_K(id, i) ((id) % BK)
#else
#define B_N(id, i) ((id) % BN)
#define B_K(id, i) SLOW(id, BN, i)
#endif

void tile_fetch(const source *s, int row0, int col0, int k0, int k1, int id, float *next_a,
                float *next_b)
{
    #pragma unroll
    for (int i = 0; i < A_LOADS; i++) {
        int k = k0 + A_K(id, i);
        next_a[i] = k < k1 ? load_a(s, row0 + A_M(id, i), k) : 0.0f;
    }
    #pragma unroll
    for (int i = 0; i < B_LOADS; i++) {
        int k = k0 + B_K(id, i);
        next_b[i] = k < k1 ? load_b(s, k, col0 + B_N(id, i)) : 0.0f;
    }
}

/* sum[i][j] = sum over k0 <= k < k1 of A[row0 + ty + i * WM][k] * B[k][col0 + tx + j * WN].  The whole
 * work-group calls it with the same k0 < k1. */
void tile_multiply(const source *s, int row0, int col0, int k0, int k1, __local float *memory,
                   float sum[TM][TN])
{
    int id = get_local_id(0), tx = id % WN, ty = id / WN;
    __local float *a = memory, *b = memory + BK * A_LINE;
    float next_a[A_LOADS], next_b[B_LOADS];
    #pragma unroll
    for (int i = 0; i < TM; i++)
        #pragma unroll
        for (int j = 0; j < TN; j++) sum[i][j] = 0.0f;
    tile_fetch(s, row0, col0, k0, k1, id, next_a, next_b);
    for (int at = k0; at < k1; at += BK) {
        #pragma unroll
        for (int i = 0; i < A_LOADS; i++) a[A_K(id, i) * A_LINE + A_M(id, i)] = next_a[i];
        #pragma unroll
        for (int i = 0; i < B_LOADS; i++) b[B_K(id, i) * B_LINE + B_N(id, i)] = next_b[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (at + BK < k1) tile_fetch(s, row0, col0, at + BK, k1, id, next_a, next_b);
        #pragma unroll
        for (int k = 0; k < BK; k++) {
            float x[TM], y[TN];
            #pragma unroll
            for (int i = 0; i < TM; i++) x[i] = a[k * A_LINE + ty + i * WM];
            #pragma unroll
            for (int j = 0; j < TN; j++) y[j] = b[k * B_LINE + tx + j * WN];
            #pragma unroll
            for (int i = 0; i < TM; i++)
                #pragma unroll
                for (int j = 0; j < TN; j++) sum[i][j] = fma(x[i], y[j], sum[i][j]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
