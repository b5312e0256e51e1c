/* SPDX-License-Identifier: MIT
 *
 * y = f(x) and dx = dy * f'(x), one work-item per -DCHUNK elements, vectors of -DVW (CPU family).
 * -DKIND: value of lh_activation; from -DSTREAM elements on results go past the caches.  exp, tanh and
 * the normal distribution are written out, because a CPU driver's own may run one element at a time; all
 * are within a few units in the last place, and a NaN stays a NaN.  dx may be dy.  No local memory. */
#include "common.cl"

#define RELU 1
#define LEAKY 2
#define SIGMOID 3
#define TANH 4
#define GELU 5
#define SILU 6
#define ZERO ((LH_V)(0.0f))

/* e^x = 2^n e^r, |r| <= ln 2 / 2, e^r by its series.  Held outside -87..88, where floats end. */
LH_V exponential(LH_V x)
{
    x = select(x, (LH_V)(88.0f), x > 88.0f);
    x = select(x, (LH_V)(-87.0f), x < -87.0f);
    LH_V n = (x * 1.44269504f + 12582912.0f) - 12582912.0f; /* rounds: 1.5 * 2^23 */
    LH_V r = fma(n, (LH_V)(-0.693145751953125f), x); /* ln 2, upper bits: n times it is exact */
    r = fma(n, (LH_V)(-1.42860677e-6f), r);          /* and the rest of ln 2 */
    LH_V p = (LH_V)(1.0f / 5040);
    p = fma(p, r, (LH_V)(1.0f / 720));
    p = fma(p, r, (LH_V)(1.0f / 120));
    p = fma(p, r, (LH_V)(1.0f / 24));
    p = fma(p, r, (LH_V)(1.0f / 6));
    p = fma(p, r, (LH_V)(0.5f));
    p = fma(p, r, (LH_V)(1.0f));
    p = fma(p, r, (LH_V)(1.0f));
    return p * LH_CAT(as_float, VW)((LH_CAT(convert_int, VW)(n) + 127) << 23);
}

/* Normal distribution function Phi(x); *bell = e^(-x^2 / 2).  erfc(z) e^(z^2) = t P(t) with
 * t = 1 / (1 + z / 2), P fitted for least relative error (4e-8) on 0 <= z <= 10. */
LH_V normal(LH_V x, LH_V *bell)
{
    LH_V z = fabs(x) * 0.70710678f, t = 1.0f / (1.0f + 0.5f * z);
    LH_V e = exponential(-z * z), p = (LH_V)(-0.0590692163f);
    p = fma(p, t, (LH_V)(0.284576178f));
    p = fma(p, t, (LH_V)(-0.487202317f));
    p = fma(p, t, (LH_V)(0.278069794f));
    p = fma(p, t, (LH_V)(-0.0266273860f));
    p = fma(p, t, (LH_V)(0.202687562f));
    p = fma(p, t, (LH_V)(0.243103594f));
    p = fma(p, t, (LH_V)(0.282375336f));
    p = fma(p, t, (LH_V)(0.282086402f));
    LH_V tail = 0.5f * e * t * p;
    *bell = e;
    return select(1.0f - tail, tail, x < ZERO);
}

/* x + x^3 P(x^2), P fitted for least relative error (5e-9) on |x| <= 0.625; above (1 - e) / (1 + e)
 * with e = e^(-2 |x|), which would cancel near zero. */
LH_V hyperbolic_tangent(LH_V x)
{
    LH_V z = x * x, e = exponential(-2.0f * fabs(x)), p = (LH_V)(-0.00570498779f);
    p = fma(p, z, (LH_V)(0.0206390880f));
    p = fma(p, z, (LH_V)(-0.0537397154f));
    p = fma(p, z, (LH_V)(0.133314416f));
    p = fma(p, z, (LH_V)(-0.333332807f));
    LH_V far = copysign((1.0f - e) / (1.0f + e), x);
    return select(far, fma(p * z, x, x), fabs(x) <= 0.625f);
}

LH_V value(LH_V x, float slope)
{
#if KIND == RELU
    return select(x, ZERO, x < ZERO);
#elif KIND == LEAKY
    return select(x * slope, x, x > ZERO);
#elif KIND == SIGMOID
    return 1.0f / (1.0f + exponential(-x));
#elif KIND == TANH
    return hyperbolic_tangent(x);
#elif KIND == SILU
    return x / (1.0f + exponential(-x));
#elif KIND == GELU
    LH_V bell;
    return x * normal(x, &bell);
#endif
}

LH_V gradient(LH_V x, float slope)
{
#if KIND == RELU
    return select(ZERO, (LH_V)(1.0f), x > ZERO);
#elif KIND == LEAKY
    return select((LH_V)(slope), (LH_V)(1.0f), x > ZERO);
#elif KIND == SIGMOID
    LH_V s = 1.0f / (1.0f + exponential(-x));
    return s * (1.0f - s);
#elif KIND == TANH
    LH_V e = exponential(-2.0f * fabs(x)), d = 1.0f / (1.0f + e);
    return 4.0f * e * d * d;
#elif KIND == SILU
    LH_V s = 1.0f / (1.0f + exponential(-x));
    return s * (1.0f + x * (1.0f - s));
#elif KIND == GELU
    LH_V bell, phi = normal(x, &bell);
    return phi + x * 0.398942280f * bell;
#endif
}

/* The first `count` of VW numbers, and zeros.  A loop of fixed length: of one that ran to the end a
 * driver's compiler lost the last of three numbers (4 lanes). */
LH_V load_rest(__global const float *from, int count)
{
    float rest[VW];
    for (int k = 0; k < VW; k++) rest[k] = k < count ? from[k] : 0.0f;
    return LH_VLOAD(0, rest);
}

void store_rest(LH_V v, int count, __global float *to)
{
    float rest[VW];
    LH_VSTORE(v, 0, rest);
    for (int k = 0; k < count; k++) to[k] = rest[k];
}

LH_TASK void activation_forward(__global const float *x, __global float *y, ulong count,
                                float slope)
{
    size_t i = get_group_id(0) * (size_t)CHUNK, end = min(i + CHUNK, (size_t)count);
    if (count >= STREAM && LH_ALIGNED(y))
        for (; i + VW <= end; i += VW) LH_VSTREAM(value(LH_VLOAD(0, x + i), slope), 0, y + i);
    for (; i + VW <= end; i += VW) LH_VSTORE(value(LH_VLOAD(0, x + i), slope), 0, y + i);
    if (i < end) store_rest(value(load_rest(x + i, end - i), slope), end - i, y + i);
}

LH_TASK void activation_backward(__global const float *x, __global const float *dy,
                                 __global float *dx, ulong count, float slope)
{
    size_t i = get_group_id(0) * (size_t)CHUNK, end = min(i + CHUNK, (size_t)count);
    if (count >= STREAM && LH_ALIGNED(dx))
        for (; i + VW <= end; i += VW)
            LH_VSTREAM(LH_VLOAD(0, dy + i) * gradient(LH_VLOAD(0, x + i), slope), 0, dx + i);
    for (; i + VW <= end; i += VW)
        LH_VSTORE(LH_VLOAD(0, dy + i) * gradient(LH_VLOAD(0, x + i), slope), 0, dx + i);
    if (i >= end) return;
    LH_V d = load_rest(dy + i, end - i) * gradient(load_rest(x + i, end - i), slope);
    store_rest(d, end - i, dx + i);
}
