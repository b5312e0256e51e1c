/* SPDX-License-Identifier: MIT
 *
 * One-dimensional Winograd (Toom-Cook) transforms shared by the Winograd kernels, for tiles of
 * -DTILE=4 or 2 outputs: TILE + 2 products.  TILE 4: at the points 0, a, -a, b, -b and infinity, with
 * a = 1/sqrt(2) and b = sqrt(2).  These points keep all coefficients near one, and with them the
 * error near the direct kernels'; 1 and 2 round far more.  TILE 2: at 0, 1, -1 and infinity.
 * Applied to columns, then to rows, they make F(4x4, 3x3) and F(2x2, 3x3) and, with the roles of
 * filter and gradient exchanged, F(3x3, 4x4) and F(3x3, 2x2).  Every macro works on vectors of
 * channels in named variables:
 *   TRANSFORM_DATA(d, r)      inputs d0.. to r0.., one per point
 *   TRANSFORM_FILTER(g, r)    three g0..g2, each divided by its point's product of differences
 *   TRANSFORM_GRADIENT(g, r)  TILE g0.., without the division (point_scale makes up for it)
 *   TRANSFORM_BACK(m, r)      products m0.. back to TILE outputs
 *   TRANSFORM_BACK_3(m, r)    to three outputs
 *   TRANSFORM_SPREAD(m, r)    to TILE + 2 outputs, those of a whole convolution of TILE inputs that
 *                             TRANSFORM_GRADIENT went over: TRANSFORM_DATA transposed
 *   DATA_OUTER(GET, lo, hi, j)      rows 0 and infinity of the column j of values GET(i, j)
 *   DATA_PAIR(GET, lo, hi, j)       rows of the points a and -a, with `value` a and `other`
 *   GRADIENT_PAIR(GET, lo, hi, j)   the same of a gradient, with `value` and `square`
 * -DSTRIDE=2: winograd_stride2.cl in their place.
 * Lavin, Gray: Fast algorithms for convolutional neural networks, 2015. */
#define POINTS (TILE + 2)
#define PAIRS (POINTS / 2) /* of points: pair 0 is 0 and infinity, the first and the last */
#define LOW_POINT(pair) ((pair) ? 2 * (pair) - 1 : 0)
#define HIGH_POINT(pair) ((pair) ? 2 * (pair) : POINTS - 1)

#ifndef STRIDE
#define STRIDE 1
#endif
#if STRIDE == 2
#include "conv/winograd_stride2.cl"
#else
#define SIDE POINTS /* inputs of a tile, and products, in a dimension */

#if TILE == 4
#define EACH_TILE(DO) DO(0) DO(1) DO(2) DO(3)
#define EACH_POINT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define POINT_A 0.70710678118654752f
#define POINT_B 1.41421356237309505f
/* a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2; a^3 and b^3: */
#define CUBE_A 0.35355339059327376f
#define CUBE_B 2.82842712474619010f
/* One over the product of differences of every point. */
__constant float point_scale[POINTS] = {1.0f, -2.0f / 3, -2.0f / 3, 1.0f / 6, 1.0f / 6, 1.0f};
/* Of the pairs of points, a and -a, b and -b (and 0 and infinity): what the other pair's square and the
 * own square multiply. */
__constant float pair_value[PAIRS] = {0.0f, POINT_A, POINT_B};
__constant float pair_other[PAIRS] = {0.0f, -2.0f, -0.5f};
__constant float pair_square[PAIRS] = {0.0f, 0.5f, 2.0f};

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

#define TRANSFORM_BACK(m, r)                                                                       \
    {                                                                                              \
        LH_V sum_a = m##1 + m##2, dif_a = m##1 - m##2, sum_b = m##3 + m##4, dif_b = m##3 - m##4;   \
        r##0 = m##0 + sum_a + sum_b;                                                               \
        r##1 = fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b);                                   \
        r##2 = fma((LH_V)0.5f, sum_a, (LH_V)2.0f * sum_b);                                         \
        r##3 = fma((LH_V)CUBE_A, dif_a, fma((LH_V)CUBE_B, dif_b, m##5));                           \
    }

#define TRANSFORM_BACK_3(m, r)                                                                     \
    {                                                                                              \
        LH_V sum_a = m##1 + m##2, dif_a = m##1 - m##2, sum_b = m##3 + m##4, dif_b = m##3 - m##4;   \
        r##0 = m##0 + sum_a + sum_b;                                                               \
        r##1 = fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b);                                   \
        r##2 = fma((LH_V)0.5f, sum_a, fma((LH_V)2.0f, sum_b, m##5));                               \
    }

#define TRANSFORM_SPREAD(m, r)                                                                     \
    {                                                                                              \
        LH_V sum_a = m##1 + m##2, dif_a = m##1 - m##2, sum_b = m##3 + m##4, dif_b = m##3 - m##4;   \
        r##0 = m##0;                                                                               \
        r##1 = fma((LH_V)-POINT_B, dif_a, fma((LH_V)-POINT_A, dif_b, m##5));                       \
        r##2 = fma((LH_V)-2.5f, m##0, fma((LH_V)-2.0f, sum_a, (LH_V)-0.5f * sum_b));               \
        r##3 = fma((LH_V)-2.5f, m##5, fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b));           \
        r##4 = m##0 + sum_a + sum_b;                                                               \
        r##5 = m##5;                                                                               \
    }

#define DATA_OUTER(GET, lo, hi, j)                                                                 \
    lo = GET(0, j) + fma((LH_V)-2.5f, GET(2, j), GET(4, j));                                       \
    hi = GET(1, j) + fma((LH_V)-2.5f, GET(3, j), GET(5, j));
#define DATA_PAIR(GET, lo, hi, j)                                                                  \
    {                                                                                              \
        LH_V even = fma(other, GET(2, j), GET(4, j)), odd = fma(other, GET(1, j), GET(3, j));      \
        lo = fma(value, odd, even);                                                                \
        hi = fma(-value, odd, even);                                                               \
    }
#define GRADIENT_PAIR(GET, lo, hi, j)                                                              \
    {                                                                                              \
        LH_V even = fma(square, GET(2, j), GET(0, j)), odd = fma(square, GET(3, j), GET(1, j));    \
        lo = fma(value, odd, even);                                                                \
        hi = fma(-value, odd, even);                                                               \
    }

#else
#define EACH_TILE(DO) DO(0) DO(1)
#define EACH_POINT(DO) DO(0) DO(1) DO(2) DO(3)

__constant float point_scale[POINTS] = {1.0f, 0.5f, 0.5f, 1.0f};
__constant float pair_value[PAIRS] = {0.0f, 1.0f}, pair_other[PAIRS] = {0.0f, 0.0f};
__constant float pair_square[PAIRS] = {0.0f, 0.0f};

#define TRANSFORM_DATA(d, r)                                                                       \
    {                                                                                              \
        r##0 = d##0 - d##2;                                                                        \
        r##1 = d##2 + d##1;                                                                        \
        r##2 = d##2 - d##1;                                                                        \
        r##3 = d##3 - d##1;                                                                        \
    }

#define TRANSFORM_FILTER(g, r)                                                                     \
    {                                                                                              \
        LH_V even = (LH_V)0.5f * (g##0 + g##2), odd = (LH_V)0.5f * g##1;                           \
        r##0 = g##0;                                                                               \
        r##1 = even + odd;                                                                         \
        r##2 = even - odd;                                                                         \
        r##3 = g##2;                                                                               \
    }

#define TRANSFORM_GRADIENT(g, r)                                                                   \
    {                                                                                              \
        r##0 = g##0;                                                                               \
        r##1 = g##0 + g##1;                                                                        \
        r##2 = g##0 - g##1;                                                                        \
        r##3 = g##1;                                                                               \
    }

#define TRANSFORM_BACK(m, r)                                                                       \
    {                                                                                              \
        r##0 = m##0 + m##1 + m##2;                                                                 \
        r##1 = m##1 - m##2 + m##3;                                                                 \
    }

#define TRANSFORM_BACK_3(m, r)                                                                     \
    {                                                                                              \
        LH_V sum = m##1 + m##2;                                                                    \
        r##0 = m##0 + sum;                                                                         \
        r##1 = m##1 - m##2;                                                                        \
        r##2 = sum + m##3;                                                                         \
    }

#define TRANSFORM_SPREAD(m, r)                                                                     \
    {                                                                                              \
        LH_V sum = m##1 + m##2;                                                                    \
        r##0 = m##0;                                                                               \
        r##1 = m##1 - m##2 - m##3;                                                                 \
        r##2 = sum - m##0;                                                                         \
        r##3 = m##3;                                                                               \
    }

#define DATA_OUTER(GET, lo, hi, j)                                                                 \
    lo = GET(0, j) - GET(2, j);                                                                    \
    hi = GET(3, j) - GET(1, j);
#define DATA_PAIR(GET, lo, hi, j)                                                                  \
    lo = GET(2, j) + GET(1, j);                                                                    \
    hi = GET(2, j) - GET(1, j);
#define GRADIENT_PAIR(GET, lo, hi, j)                                                              \
    lo = GET(0, j) + GET(1, j);                                                                    \
    hi = GET(0, j) - GET(1, j);
#endif
#endif /* STRIDE */

#define DECLARE_D(i) LH_V d##i;
#define DECLARE_R(i) LH_V r##i;

#ifdef TILES_H
/* Where a tile lies. */
typedef struct tile_place {
    int n, h, w; /* image, first output row and column */
} tile_place;

tile_place place_tile(int tile)
{
    tile_place t = {tile / (TILES_H * TILES_W), tile / TILES_W % TILES_H * TILE,
                    tile % TILES_W * TILE};
    return t;
}
#endif
