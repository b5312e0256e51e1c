/* SPDX-License-Identifier: MIT
 *
 * Philox4x32-10: counter-based random numbers (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011).  The same text is compiled as C and, with LH_PHILOX_CL defined, as OpenCL C:
 * a draw is a pure function of (key = seed, counter), so nothing has to be saved or advanced.
 * Counter words by convention: {index low, index high, stream, epoch or step}. */
#ifndef LH_PHILOX_H
#define LH_PHILOX_H

#ifdef LH_PHILOX_CL
typedef uint lh_u32;
typedef ulong lh_u64;
#define LH_PHILOX_FN
#else
#include <stdint.h>
typedef uint32_t lh_u32;
typedef uint64_t lh_u64;
#define LH_PHILOX_FN static inline
#endif

/* Streams: one number per use of randomness, so that no two uses ever share a draw. */
#define LH_STREAM_INIT 1u    /* weight initialisation; index = element, epoch = tensor number */
#define LH_STREAM_SHUFFLE 2u /* order of an epoch; index = position */
#define LH_STREAM_AUGMENT 3u /* crop, flip, cutout; index = sample */
#define LH_STREAM_DROPOUT 4u /* plus 16 * layer number; index = element of the batch */
#define LH_STREAM_SYNTHETIC 5u
#define LH_STREAM_SPLIT 6u
#define LH_STREAM_USER 15u

typedef struct lh_philox {
    lh_u32 v[4];
} lh_philox;

LH_PHILOX_FN lh_philox lh_philox_draw(lh_u64 seed, lh_u64 index, lh_u32 stream, lh_u32 epoch)
{
    lh_u32 k0 = (lh_u32)seed, k1 = (lh_u32)(seed >> 32);
    lh_u32 c0 = (lh_u32)index, c1 = (lh_u32)(index >> 32), c2 = stream, c3 = epoch;
    for (int round = 0; round < 10; round++) {
        lh_u64 p0 = (lh_u64)0xD2511F53u * c0, p1 = (lh_u64)0xCD9E8D57u * c2;
        lh_u32 n0 = (lh_u32)(p1 >> 32) ^ c1 ^ k0, n2 = (lh_u32)(p0 >> 32) ^ c3 ^ k1;
        c1 = (lh_u32)p1;
        c3 = (lh_u32)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    lh_philox r;
    r.v[0] = c0;
    r.v[1] = c1;
    r.v[2] = c2;
    r.v[3] = c3;
    return r;
}

/* Uniform in [0, 1) with 24 bits, exact in float. */
LH_PHILOX_FN float lh_uniform(lh_u32 bits) { return (float)(bits >> 8) * 5.9604644775390625e-8f; }

/* Uniform integer in 0..n-1 (bias below n / 2^32). */
LH_PHILOX_FN lh_u32 lh_below(lh_u32 bits, lh_u32 n) { return (lh_u32)(((lh_u64)bits * n) >> 32); }

#endif
