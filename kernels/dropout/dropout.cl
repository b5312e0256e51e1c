/* SPDX-License-Identifier: MIT
 *
 * y = keep ? x * factor : 0 on flat buffers, keep where a uniform draw >= rate, factor =
 * 1 / (1 - rate).  Element i uses word i % 4 of Philox draw i / 4.  y may be x.
 *   dropout_elementwise: one work-item per 4 elements, work-groups of -DLOCAL
 *   dropout_tasks:       one work-item per -DCHUNK elements, VW draws at a time (CPU family)
 * No local memory. */
#define LH_PHILOX_CL
#include "common.cl"
#include "core/base/philox.h"

#ifdef LOCAL
__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))
void dropout_elementwise(__global const float *x, __global float *y, ulong count, ulong seed,
                         uint stream, uint epoch, float rate, float factor)
{
    size_t draw = get_global_id(0), i = 4 * draw;
    if (i >= count) return;
    lh_philox r = lh_philox_draw(seed, draw, stream, epoch);
    int words = (int)min((size_t)count - i, (size_t)4);
    for (int k = 0; k < words; k++)
        y[i + k] = lh_uniform(r.v[k]) >= rate ? x[i + k] * factor : 0.0f;
}
#endif

#ifdef CHUNK
typedef LH_CAT(uint, VW) lanes;
#if VW == 16
#define PAIRS 8
#elif VW == 8
#define PAIRS 4
#else
#define PAIRS 2
#endif
typedef LH_CAT(ulong, PAIRS) pairs; /* the even and odd lanes as halves of wider ones */
#define TO_PAIRS LH_CAT(as_ulong, PAIRS)
#define TO_LANES LH_CAT(as_uint, VW)

/* The upper halves of a * b, lane by lane: a CPU multiplies every second lane to full width. */
static lanes multiply_high(lanes a, uint b)
{
    pairs even = (TO_PAIRS(a) & 0xFFFFFFFFul) * b, odd = (TO_PAIRS(a) >> 32) * b;
    return TO_LANES((even >> 32) | (odd & 0xFFFFFFFF00000000ul));
}

/* lh_philox_draw for VW consecutive indices; their high word is one value. */
static void draw_lanes(ulong seed, ulong index, uint stream, uint epoch, lanes out[4])
{
    uint base[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
    lanes c0 = (uint)index + LH_CAT(vload, VW)(0, base), c1 = (lanes)((uint)(index >> 32));
    lanes c2 = (lanes)(stream), c3 = (lanes)(epoch);
    #pragma unroll
    for (int round = 0; round < 10; round++) {
        lanes high0 = multiply_high(c0, 0xD2511F53u), high2 = multiply_high(c2, 0xCD9E8D57u);
        lanes low0 = c0 * 0xD2511F53u, low2 = c2 * 0xCD9E8D57u;
        c0 = high2 ^ c1 ^ k0;
        c2 = high0 ^ c3 ^ k1;
        c1 = low2;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* a0 b0 a1 b1 ... */
static void interleave(lanes a, lanes b, lanes out[2])
{
    out[0].even = a.lo;
    out[0].odd = b.lo;
    out[1].even = a.hi;
    out[1].odd = b.hi;
}

LH_TASK void dropout_tasks(__global const float *x, __global float *y, ulong count, ulong seed,
                           uint stream, uint epoch, float rate, float factor)
{
    size_t i = get_group_id(0) * (size_t)CHUNK, end = min(i + CHUNK, (size_t)count);
    for (; i + 4 * VW <= end; i += 4 * VW) {
        lanes word[4], even[2], odd[2], words[4];
        draw_lanes(seed, i / 4, stream, epoch, word);
        interleave(word[0], word[2], even);
        interleave(word[1], word[3], odd);
        interleave(even[0], odd[0], words);
        interleave(even[1], odd[1], words + 2);
        #pragma unroll
        for (int k = 0; k < 4; k++) {
            LH_V u = LH_CAT(convert_float, VW)(words[k] >> 8) * 5.9604644775390625e-8f;
            LH_V v = LH_VLOAD(k, x + i) * factor;
            LH_VSTORE(select(v, (LH_V)(0.0f), u < (LH_V)(rate)), k, y + i);
        }
    }
    for (; i < end; i += 4) {
        lh_philox r = lh_philox_draw(seed, i / 4, stream, epoch);
        for (int k = 0; k < 4 && i + k < end; k++)
            y[i + k] = lh_uniform(r.v[k]) >= rate ? x[i + k] * factor : 0.0f;
    }
}
#endif
