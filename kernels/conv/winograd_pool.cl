/* SPDX-License-Identifier: MIT
 *
 * Part of winograd_cpu.cl, for -DPOOL=1: a tile's outputs are pooled while they are in registers.  P and Q
 * are even, and the outputs behind them belong to no window. */
#include "conv/pooled.cl"

#if TILE == 4
#define DECLARE_T(j) LH_V t0##j, t1##j, t2##j, t3##j;
#define GETS(j) GET(0, j) GET(1, j) GET(2, j) GET(3, j) GET(4, j) GET(5, j)
#define KEEP(j) t0##j = r0; t1##j = r1; t2##j = r2; t3##j = r3;
#else
#define DECLARE_T(j) LH_V t0##j, t1##j;
#define GETS(j) GET(0, j) GET(1, j) GET(2, j) GET(3, j)
#define KEEP(j) t0##j = r0; t1##j = r1;
#endif
#define GET(i, j) LH_V m##i = LH_VLOAD(0, m + (POINTS * i + j) * M_STEP);
#define COLUMN(j)                                                                                  \
    {                                                                                              \
        GETS(j)                                                                                    \
        TRANSFORM_BACK(m, r)                                                                       \
        KEEP(j)                                                                                    \
    }
#define FINISH(j)                                                                                  \
    r##j += bias;                                                                                  \
    r##j = ACT(r##j);
#define UPPER(j) FINISH(j) LH_V u##j = r##j;
/* Columns j and k of rows i and the one below, for the windows that exist. */
#define WINDOW(i, j, k)                                                                            \
    if (j < cols) {                                                                                \
        int at = (i / 2 * (Q / 2) + j / 2) * K;                                                    \
        put_pooled(u##j, u##k, r##j, r##k, out + at, where + at, VW);                              \
    }
#define ROWS_OF(i, below, WINDOWS)                                                                 \
    if (i < rows) {                                                                                \
        TRANSFORM_BACK(t##i, r)                                                                    \
        EACH_TILE(UPPER)                                                                           \
        TRANSFORM_BACK(t##below, r)                                                                \
        EACH_TILE(FINISH)                                                                          \
        WINDOWS                                                                                    \
    }

/* VW channels of one output tile, of which rows x cols exist; out and where: its first window. */
void transform_pooled(__local const float *restrict m, LH_V bias, __global float *restrict out,
                      __global uchar *restrict where, int rows, int cols)
{
    EACH_TILE(DECLARE_R)
    EACH_POINT(DECLARE_T)
    EACH_POINT(COLUMN)
#if TILE == 4
    ROWS_OF(0, 1, WINDOW(0, 0, 1) WINDOW(0, 2, 3))
    ROWS_OF(2, 3, WINDOW(2, 0, 1) WINDOW(2, 2, 3))
#else
    ROWS_OF(0, 1, WINDOW(0, 0, 1))
#endif
}
