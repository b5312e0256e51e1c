/* SPDX-License-Identifier: MIT
 *
 * Batch gather: problem, variant table. */
#include "kernels/batch/batch.h"

#include <stdio.h>

#include "core/base/philox.h"
#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    const lh_batch_problem *p = problem;
    size_t image = (size_t)p->c * p->h * p->w;
    switch (operand) {
    case LH_BATCH_IMAGES:
        return (size_t)p->images * image;
    case LH_BATCH_SOURCE_LABELS:
    case LH_BATCH_ORDER:
        return (size_t)p->images;
    case LH_BATCH_X:
        return (size_t)n * image;
    default:
        return (size_t)n;
    }
}

static int batch(const void *problem) {
    return ((const lh_batch_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_batch_problem *p = problem;
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1) return "empty tensor";
    if (p->c > 4) return "more than 4 channels";
    if (p->h > 65535 || p->w > 65535) return "images above 65535 pixels a side";
    if (p->images < p->n) return "fewer samples than a batch takes";
    if (p->pad < 0 || p->pad > p->h || p->pad > p->w) return "padding outside 0..image size";
    if (p->cutout < 0) return "negative cutout";
    return NULL;
}

static double flops(const void *problem, int n) {
    return 3.0 * (double)count(problem, LH_BATCH_X, n);
}

/* The batch's part of the data set: bytes in, floats out. */
static double bytes(const void *problem, int n) {
    return 5.0 * (double)count(problem, LH_BATCH_X, n) + 9.0 * n;
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_batch_problem *p = problem;
    snprintf(out, size, "n=%d c=%d h=%d w=%d images=%d pad=%d flip=%d cutout=%d", p->n, p->c, p->h,
             p->w, p->images, p->pad, p->flip, p->cutout);
}

enum { LOCAL };
enum { IMAGES_OF_TASK = 4 };

static lehr_status prepare(lh_exec *e, const char *launch) {
    const lh_batch_problem *p = lh_exec_problem(e);
    return lh_exec_kernel(e, 0, "batch/batch.cl", "batch",
                          "%s -DC=%d -DH=%d -DW=%d -DPAD=%d -DFLIP=%d -DCUTOUT=%d", launch, p->c,
                          p->h, p->w, p->pad, p->flip, p->cutout);
}

static lehr_status prepare_images(lh_exec *e) {
    char launch[32];
    snprintf(launch, sizeof launch, "-DIMAGES=%d -DVW=%u", IMAGES_OF_TASK,
             lh_device_traits(e->dev)->vector_width);
    return prepare(e, launch);
}

static lehr_status prepare_pixels(lh_exec *e) {
    char launch[32];
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 128);
    snprintf(launch, sizeof launch, "-DLOCAL=%d", (int)e->number[LOCAL]);
    return prepare(e, launch);
}

static lehr_status set_args(lh_exec *e, const lh_args *a) {
    const float *s = a->scalar;
    return lh_kernel_args(e->dev, e->kernels[0], "mmmmmilluffffffff", a->buf[LH_BATCH_IMAGES],
                          a->buf[LH_BATCH_SOURCE_LABELS], a->buf[LH_BATCH_ORDER],
                          a->buf[LH_BATCH_X], a->buf[LH_BATCH_LABELS], a->n, a->offset, a->seed,
                          (unsigned)a->epoch, (double)s[0], (double)s[1], (double)s[2],
                          (double)s[3], (double)s[4], (double)s[5], (double)s[6], (double)s[7]);
}

static lehr_status run_images(lh_exec *e, const lh_args *a) {
    lehr_status st = set_args(e, a);
    if (st != LEHR_OK) return st;
    return lh_launch_tasks(e->dev, e->kernels[0], lh_div_up((size_t)a->n, IMAGES_OF_TASK), 1);
}

static lehr_status run_pixels(lh_exec *e, const lh_args *a) {
    const lh_batch_problem *p = lh_exec_problem(e);
    lehr_status st = set_args(e, a);
    if (st != LEHR_OK) return st;
    return lh_launch_1d(e->dev, e->kernels[0], (size_t)a->n * p->h * p->w,
                        (size_t)e->number[LOCAL]);
}

static const lh_operand operands[] = {{"images", LH_IN, LH_U8},
                                      {"source_labels", LH_IN, LH_U8},
                                      {"order", LH_IN, LH_I32},
                                      {"x", LH_OUT, LH_F32},
                                      {"labels", LH_OUT, LH_I32}};
static const lh_variant variants[] = {
    {"images_cpu", lh_declines_without_cpu, prepare_images, run_images},
    {"pixels", lh_declines_never, prepare_pixels, run_pixels}};

static bool sample(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count) {
    const lh_batch_problem *p = problem;
    if (operand != LH_BATCH_ORDER) return false;
    for (size_t i = 0; i < count; i++)
        ((int32_t *)out)[i] = (int32_t)lh_below(
            lh_philox_draw(seed, i, LH_STREAM_USER, operand).v[0], (lh_u32)p->images);
    return true;
}

const lh_op lh_batch = {"batch",
                        sizeof(lh_batch_problem),
                        LH_OPERANDS(operands),
                        LH_VARIANTS(variants),
                        count,
                        batch,
                        invalid,
                        lh_batch_reference,
                        flops,
                        describe,
                        1e-6,
                        .sample = sample,
                        .bytes = bytes};
