/* SPDX-License-Identifier: MIT
 *
 * The roofline of a device, measured: fused multiply-adds in registers, and copying between buffers
 * larger than its caches.  Both are bursts of a few milliseconds, taken beside every timing, because on a
 * shared machine the peak itself moves twofold within seconds. */
#ifndef LH_BENCH_ROOFLINE_H
#define LH_BENCH_ROOFLINE_H

#include "core/runtime/runtime.h"

typedef struct lh_roofline {
    lehr_device *dev;
    cl_kernel fma, copy, stream;
    cl_mem from, to;
    size_t bytes;       /* of each buffer of the copy */
    double fma_flops;   /* of one burst */
    size_t fma_items, fma_local;
    int shape;          /* of the copy, the best when opened */
} lh_roofline;

/* What the machine can do right now. */
typedef struct lh_peaks {
    double gflops; /* fused multiply-adds, two operations each */
    double gbs;    /* copying, bytes read and bytes written both counted */
    double at_once; /* share of the burst's time in which all compute units worked; below 1 where other
                       programs are in the way, always 1 on GPUs */
} lh_peaks;

/* Builds the kernels and finds the copy's best shape (about half a second). */
lehr_status lh_roofline_open(lehr_device *dev, lh_roofline *out);
void lh_roofline_close(lh_roofline *r);
lehr_status lh_roofline_measure(lh_roofline *r, lh_peaks *out);
/* Copying with stores that pass the caches by, where the device's compiler has them; 0: it has not.
 * No portable kernel can store so: a ceiling to know of, not one to be measured against. */
lehr_status lh_roofline_streaming(lh_roofline *r, double *gbs);
/* "64 KiB tasks", for the head of a table. */
const char *lh_roofline_shape(const lh_roofline *r);

/* Seconds of work: on CPU devices processor time over the compute units, which other programs on the
 * machine disturb less than the wall clock does; else the wall clock. */
double lh_work_clock(const lehr_device *dev);

#endif
