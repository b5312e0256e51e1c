/* SPDX-License-Identifier: MIT
 *
 * Batch statistics where the mean is a thousand deviations: the plain sum of squares would keep no
 * digit of the variance there. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/philox.h"
#include "kernels/batchnorm/batchnorm.h"

enum { N = 8, C = 16, HW = 1000, M = N * HW };
static const lh_batchnorm_problem shape = {N, C, HW, 0, 0.1f, LH_ACT_NONE};

static float x[M * C];

/* Uniform with deviation 1 around 1000; channel 1's first pixel, where a shift may come from, is an
 * outlier of 50 deviations (which costs some digits, not all). */
static void fill(void) {
    for (size_t i = 0; i < M * C; i++) {
        lh_philox r = lh_philox_draw(7, i, LH_STREAM_USER, 0);
        x[i] = 1000 + sqrtf(12) * (lh_uniform(r.v[0]) - 0.5f);
    }
    x[1] = 1050;
}

static void expected(int c, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    for (int i = 0; i < M; i++) sum += x[i * C + c];
    *mean = sum / M;
    for (int i = 0; i < M; i++) squares += (x[i * C + c] - *mean) * (x[i * C + c] - *mean);
    *deviation = sqrt(squares / M);
}

static void check(lehr_device *dev, const lh_variant *variant) {
    const lh_op *op = &lh_batchnorm_train;
    lh_args args = {.n = N};
    lh_exec *exec = NULL;
    float ones[C], saved[4 * C];
    for (int c = 0; c < C; c++) ones[c] = 1;
    cr_assert_eq(lh_exec_create_variant(dev, op, &shape, variant, &exec), LEHR_OK);
    cr_assert_eq(lh_buffer_create(dev, exec->workspace, &args.workspace), LEHR_OK);
    for (unsigned i = 0; i < op->operand_count; i++) {
        size_t bytes = 4 * op->count(&shape, i, N);
        if (bytes == 0) continue;
        cr_assert_eq(lh_buffer_create(dev, bytes, &args.buf[i]), LEHR_OK);
        cr_assert_eq(lh_buffer_write(dev, args.buf[i], 0, bytes < sizeof x ? 4 * C : bytes,
                                     bytes < sizeof x ? ones : x),
                     LEHR_OK);
    }
    cr_assert_eq(lh_exec_run(exec, &args), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, args.buf[LH_BNT_SAVED], 0, sizeof saved, saved), LEHR_OK);
    for (int c = 0; c < C; c++) {
        double mean, deviation;
        expected(c, &mean, &deviation);
        double mean_error = fabs(saved[2 * C + c] - mean) / deviation;
        double deviation_error = fabs(1 / (double)saved[3 * C + c] - deviation) / deviation;
        cr_expect(mean_error <= 1e-4, "%s channel %d: mean off by %g", variant->name, c,
                  mean_error);
        cr_expect(deviation_error <= (c == 1 ? 3e-4 : 2e-5), "%s channel %d: deviation off by %g",
                  variant->name, c, deviation_error);
    }
    for (unsigned i = 0; i < op->operand_count; i++) lh_buffer_free(&args.buf[i]);
    lh_buffer_free(&args.workspace);
    lh_exec_destroy(&exec);
}

Test(batchnorm, keeps_the_variance_of_a_large_mean) {
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    unsigned checked = 0;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    fill();
    for (unsigned v = 0; v < lh_batchnorm_train.variant_count; v++) {
        const lh_variant *variant = &lh_batchnorm_train.variants[v];
        if (variant->declines(&shape, lh_device_traits(dev))) continue;
        check(dev, variant);
        checked++;
    }
    cr_expect(checked > 0);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}
