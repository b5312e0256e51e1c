/* SPDX-License-Identifier: MIT
 *
 * Part of winograd.cl, for -DSTRIDE=2 and -DTILE=4: 3x3 filters with stride 2.  Outputs of such a
 * convolution are, in each dimension, the sum of a convolution of stride 1 of every other input with taps 0
 * and 2, F(4, 2) at the points a, -a, b, -b and infinity, and of the inputs between them times tap 1.  With
 * a = 1/2 and b = 19/16 all coefficients are exact and the error is less than half of F(4, 3)'s.  So four
 * outputs take SIDE = 9 inputs and as many products, five of the transformed ones, then four of tap 1:
 * 81 products for 16 outputs, where a direct kernel has 144.
 *   TRANSFORM_FILTER(g, r)   three taps g0..g2 to five points and tap 1: POINTS = 6
 *   TRANSFORM_EVEN(d, r)     inputs d0, d2, … d8 to r0..r4
 *   TRANSFORM_BACK(m, r)     products m0..m8 back to four outputs */
#define SIDE 9
#define EACH_SIDE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
#define EACH_TILE(DO) DO(0) DO(1) DO(2) DO(3)
#define EACH_POINT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define POINT_A 0.5f
#define POINT_B 1.1875f
#define SQUARE_A 0.25f
#define SQUARE_B 1.41015625f
#define CUBE_A 0.125f
#define CUBE_B 1.674560546875f
/* One over the products of differences: 1 / (2 a (a^2 - b^2)) and 1 / (2 b (b^2 - a^2)). */
#define SCALE_A (1.0f / -1.16015625f)
#define SCALE_B (1.0f / 2.75537109375f)

#define TRANSFORM_FILTER(g, r)                                                                     \
    {                                                                                              \
        LH_V even_a = (LH_V)SCALE_A * g##0, even_b = (LH_V)SCALE_B * g##0;                         \
        r##0 = fma((LH_V)(SCALE_A * POINT_A), g##2, even_a);                                       \
        r##1 = fma((LH_V)(SCALE_A * POINT_A), g##2, -even_a);                                      \
        r##2 = fma((LH_V)(SCALE_B * POINT_B), g##2, even_b);                                       \
        r##3 = fma((LH_V)(SCALE_B * POINT_B), g##2, -even_b);                                      \
        r##4 = g##2;                                                                               \
        r##5 = g##1;                                                                               \
    }

#define TRANSFORM_EVEN(d, r)                                                                       \
    {                                                                                              \
        LH_V even_a = fma((LH_V)-SQUARE_B, d##0, d##4), odd_a = fma((LH_V)-SQUARE_B, d##2, d##6);  \
        LH_V even_b = fma((LH_V)-SQUARE_A, d##0, d##4), odd_b = fma((LH_V)-SQUARE_A, d##2, d##6);  \
        r##0 = fma((LH_V)POINT_A, even_a, odd_a);                                                  \
        r##1 = fma((LH_V)-POINT_A, even_a, odd_a);                                                 \
        r##2 = fma((LH_V)POINT_B, even_b, odd_b);                                                  \
        r##3 = fma((LH_V)-POINT_B, even_b, odd_b);                                                 \
        r##4 = fma((LH_V)-SQUARE_B, even_b, fma((LH_V)-SQUARE_A, d##4, d##8));                     \
    }

#define TRANSFORM_BACK(m, r)                                                                       \
    {                                                                                              \
        LH_V sum_a = m##0 + m##1, dif_a = m##0 - m##1, sum_b = m##2 + m##3, dif_b = m##2 - m##3;   \
        r##0 = m##5 + (sum_a + sum_b);                                                             \
        r##1 = m##6 + fma((LH_V)POINT_A, dif_a, (LH_V)POINT_B * dif_b);                            \
        r##2 = m##7 + fma((LH_V)SQUARE_A, sum_a, (LH_V)SQUARE_B * sum_b);                          \
        r##3 = m##8 + fma((LH_V)CUBE_A, dif_a, fma((LH_V)CUBE_B, dif_b, m##4));                    \
    }
