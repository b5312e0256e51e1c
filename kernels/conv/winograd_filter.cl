/* SPDX-License-Identifier: MIT
 *
 * What the Winograd F(3x3, 4x4) kernels of the backward filter share: the transform of a tile of dy
 * (into V_SPACE, planes Z_STEP apart) and the way back from sums to weights. */

/* Transforms VW channels of a 4x4 tile of dy, of which rows x cols exist. */
void transform_gradient(__global const float *restrict dy, int rows, int cols,
                        V_SPACE float *restrict z)
{
    LH_V t[24];
    for (int j = 0; j < 4; j++, dy += K) {
        DECLARE_6(r)
#define GET(i)                                                                                     \
    LH_V g##i = (LH_V)0.0f;                                                                        \
    if (j < cols && i < rows) g##i = LH_VLOAD(0, dy + i * Q * K);
        GET(0) GET(1) GET(2) GET(3)
#undef GET
        TRANSFORM_GRADIENT(g, r)
        t[j] = r0;
        t[4 + j] = r1;
        t[8 + j] = r2;
        t[12 + j] = r3;
        t[16 + j] = r4;
        t[20 + j] = r5;
    }
    for (int i = 0; i < 24; i += 4, z += 6 * (size_t)Z_STEP) {
        LH_V g0 = t[i], g1 = t[i + 1], g2 = t[i + 2], g3 = t[i + 3];
        DECLARE_6(r)
        TRANSFORM_GRADIENT(g, r)
        LH_VSTORE(r0, 0, z);
        LH_VSTORE(r1, 0, z + Z_STEP);
        LH_VSTORE(r2, 0, z + 2 * Z_STEP);
        LH_VSTORE(r3, 0, z + 3 * Z_STEP);
        LH_VSTORE(r4, 0, z + 4 * Z_STEP);
        LH_VSTORE(r5, 0, z + 5 * Z_STEP);
    }
}

/* The vectors at from in all parts, added in order. */
LH_V sum_parts(__global const float *restrict from, int parts)
{
    LH_V sum = LH_VLOAD(0, from);
    for (int i = 1; i < parts; i++) sum += LH_VLOAD(0, from + (size_t)i * 36 * C * K);
    return sum;
}

/* Over (block, c): the sums of `parts` parts back to 3x3 weights; c = 0 also adds up the bias slots. */
LH_TASK void winograd_weights(__global const float *restrict work, __global float *restrict dw,
                              __global float *restrict dbias, ulong sums_at, int parts,
                              ulong bias_at, int slots)
{
    int block = get_global_id(0), c = get_global_id(1);
    for (int i = 0; i < BLOCK; i += VW) {
        __global const float *sums = work + sums_at + (size_t)(block * C + c) * BLOCK + i;
        int k = block * BLOCK + i;
        float taps[9 * VW];
        LH_V t[18];
        for (int j = 0; j < 6; j++) {
            LH_V m0, m1, m2, m3, m4, m5, r0, r1, r2;
#define GET(a)                                                                                     \
    m##a = (LH_V)(point_scale[a] * point_scale[j]) *                                               \
           sum_parts(sums + (size_t)(6 * a + j) * C * K, parts);
            GET(0) GET(1) GET(2) GET(3) GET(4) GET(5)
#undef GET
            TRANSFORM_BACK_3(m, r)
            t[j] = r0;
            t[6 + j] = r1;
            t[12 + j] = r2;
        }
        for (int r = 0; r < 3; r++) {
            LH_V m0 = t[6 * r], m1 = t[6 * r + 1], m2 = t[6 * r + 2], m3 = t[6 * r + 3];
            LH_V m4 = t[6 * r + 4], m5 = t[6 * r + 5], r0, r1, r2;
            TRANSFORM_BACK_3(m, r)
            LH_VSTORE(r0, 0, taps + (3 * r) * VW);
            LH_VSTORE(r1, 0, taps + (3 * r + 1) * VW);
            LH_VSTORE(r2, 0, taps + (3 * r + 2) * VW);
        }
        for (int l = 0; l < VW; l++)
            for (int tap = 0; tap < 9; tap++)
                dw[((size_t)(k + l) * C + c) * 9 + tap] = taps[tap * VW + l];
#if BIAS
        if (c == 0) {
            LH_V sum = (LH_V)0.0f;
            for (int s = 0; s < slots; s++) sum += LH_VLOAD(0, work + bias_at + s * K + k);
            LH_VSTORE(sum, 0, dbias + k);
        }
#endif
    }
}
