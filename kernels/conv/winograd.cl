/* SPDX-License-Identifier: MIT
 *
 * One-dimensional Winograd (Toom-Cook) transforms shared by the Winograd kernels: six products at
 * the points 0, a, -a, b, -b and infinity, with a = 1/sqrt(2) and b = sqrt(2).  These points keep
 * all coefficients near one, and with them the error near the direct kernels'; 1 and 2 round far
 * more. Applied to columns, then to rows, they make F(4x4, 3x3) and, with the roles of filter and
 * gradient exchanged, F(3x3, 4x4).  Every macro works on vectors of channels in named variables.
 * Lavin, Gray: Fast algorithms for convolutional neural networks, 2015. */
#define POINT_A 0.70710678118654752f
#define POINT_B 1.41421356237309505f
/* a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2; a^3 and b^3: */
#define CUBE_A 0.35355339059327376f
#define CUBE_B 2.82842712474619010f

/* Data: six inputs d0..d5 to r0..r5. */
#define TRANSFORM_DATA(d, r)                                                                       \
    {                                                                                              \
        LH_V even_a = fma((LH_V)-2.0f, d##2, d##4), odd_a = fma((LH_V)-2.0f, d##1, d##3);          \
        LH_V even_b = fma((LH_V)-0.5f, d##2, d##4), odd_b = fma((LH_V)-0.5f, d##1, d##3);          \
        r##0 = d##0 + fma((LH_V)-2.5f, d##2, d##4);                                                \
        r##1 = fma((LH_V)POINT_A, odd_a, even_a);                                                  \
        r##2 = fma((LH_V)-POINT_A, odd_a, even_a);                                                 \
        r##3 = fma((LH_V)POINT_B, odd_b, even_b);                                                  \
        r##4 = fma((LH_V)-POINT_B, odd_b, even_b);                                                 \
        r##5 = d##1 + fma((LH_V)-2.5f, d##3, d##5);                                                \
    }

/* Filter of three g0..g2 to r0..r5, each divided by the point's product of differences. */
#define TRANSFORM_FILTER(g, r)                                                                     \
    {                                                                                              \
        LH_V even_a = (LH_V)(-2.0f / 3) * fma((LH_V)0.5f, g##2, g##0);                             \
        LH_V odd_a = (LH_V)(-2.0f / 3 * POINT_A) * g##1;                                           \
        LH_V even_b = (LH_V)(1.0f / 6) * fma((LH_V)2.0f, g##2, g##0);                              \
        LH_V odd_b = (LH_V)(1.0f / 6 * POINT_B) * g##1;                                            \
        r##0 = g##0;                                                                               \
        r##1 = even_a + odd_a;                                                                     \
        r##2 = even_a - odd_a;                                                                     \
        r##3 = even_b + odd_b;                                                                     \
        r##4 = even_b - odd_b;                                                                     \
        r##5 = g##2;                                                                               \
    }

/* Gradient of four g0..g3 to r0..r5, without the division (point_scale makes up for it). */
#define TRANSFORM_GRADIENT(g, r)                                                                   \
    {                                                                                              \
        LH_V even_a = fma((LH_V)0.5f, g##2, g##0), odd_a = fma((LH_V)0.5f, g##3, g##1);            \
        LH_V even_b = fma((LH_V)2.0f, g##2, g##0), odd_b = fma((LH_V)2.0f, g##3, g##1);            \
        r##0 = g##0;                                                                               \
        r##1 = fma((LH_V)POINT_A, odd_a, even_a);                                                  \
        r##2 = fma((LH_V)-POINT_A, odd_a, even_a);                                                 \
        r##3 = fma((LH_V)POINT_B, odd_b, even_b);                                                  \
        r##4 = fma((LH_V)-POINT_B, odd_b, even_b);                                                 \
        r##5 = g##3;                                                                               \
    }

/* Products m0..m5 back to four outputs r0..r3. */
#define TRANSFORM_BACK_4(m, r)                                                                     \
    {                                                                                              \
        LH_V sum_a = m##1 + m##2, dif_a = m##1 - m##2, sum_b = m##3 + m##4, dif_b = m##3 - m##4;   \
        r##0 = m##0 + sum_a + sum_b;                                                               \
        r##1 = fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b);                                   \
        r##2 = fma((LH_V)0.5f, sum_a, (LH_V)2.0f * sum_b);                                         \
        r##3 = fma((LH_V)CUBE_A, dif_a, fma((LH_V)CUBE_B, dif_b, m##5));                           \
    }

/* Products m0..m5 back to three outputs r0..r2. */
#define TRANSFORM_BACK_3(m, r)                                                                     \
    {                                                                                              \
        LH_V sum_a = m##1 + m##2, dif_a = m##1 - m##2, sum_b = m##3 + m##4, dif_b = m##3 - m##4;   \
        r##0 = m##0 + sum_a + sum_b;                                                               \
        r##1 = fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b);                                   \
        r##2 = fma((LH_V)0.5f, sum_a, fma((LH_V)2.0f, sum_b, m##5));                               \
    }

/* One over the product of differences of point i (0, a, -a, b, -b, infinity). */
__constant float point_scale[6] = {1.0f, -2.0f / 3, -2.0f / 3, 1.0f / 6, 1.0f / 6, 1.0f};

#define DECLARE_6(r) LH_V r##0, r##1, r##2, r##3, r##4, r##5;

/* Where a tile lies. */
typedef struct tile_place {
    int n, h, w; /* image, first output row and column */
} tile_place;

tile_place place_tile(int tile)
{
    tile_place t = {tile / (TILES_H * TILES_W), tile / TILES_W % TILES_H * 4, tile % TILES_W * 4};
    return t;
}

/* Transforms VW channels of the 6x6 input window whose first row and column are h and w (rows and
 * columns outside the image count as zero) and stores the 36 vectors `step` floats apart.
 * x: first row and column of the image at the first of the channels. */
void transform_window(__global const float *restrict x, int h, int w, V_SPACE float *restrict v,
                      int step)
{
    LH_V t[36];
    bool inner = h >= 0 && w >= 0 && h + 6 <= H && w + 6 <= W;
    x += (h * W + w) * C;
    for (int j = 0; j < 6; j++, x += C) {
        DECLARE_6(d)
        if (inner) {
#define GET(i) d##i = LH_VLOAD(0, x + i * W * C);
            GET(0) GET(1) GET(2) GET(3) GET(4) GET(5)
#undef GET
        } else {
            bool column = w + j >= 0 && w + j < W;
#define GET(i)                                                                                     \
    d##i = (LH_V)0.0f;                                                                             \
    if (column && h + i >= 0 && h + i < H) d##i = LH_VLOAD(0, x + i * W * C);
            GET(0) GET(1) GET(2) GET(3) GET(4) GET(5)
#undef GET
        }
        DECLARE_6(r)
        TRANSFORM_DATA(d, r)
        t[j] = r0;
        t[6 + j] = r1;
        t[12 + j] = r2;
        t[18 + j] = r3;
        t[24 + j] = r4;
        t[30 + j] = r5;
    }
    for (int i = 0; i < 36; i += 6, v += 6 * step) {
        LH_V d0 = t[i], d1 = t[i + 1], d2 = t[i + 2], d3 = t[i + 3], d4 = t[i + 4], d5 = t[i + 5];
        DECLARE_6(r)
        TRANSFORM_DATA(d, r)
        LH_VSTORE(r0, 0, v);
        LH_VSTORE(r1, 0, v + step);
        LH_VSTORE(r2, 0, v + 2 * step);
        LH_VSTORE(r3, 0, v + 3 * step);
        LH_VSTORE(r4, 0, v + 4 * step);
        LH_VSTORE(r5, 0, v + 5 * step);
    }
}
