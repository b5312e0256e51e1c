/* SPDX-License-Identifier: MIT
 *
 * With pooling behind it: the bits of two steps.  Batch statistics where the mean is a thousand
 * deviations: the plain sum of squares would keep no digit of the variance there. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "kernels/batchnorm/batchnorm.h"
#include "kernels/pool/pool.h"

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

/* ---- pooling ---- */

enum { POOL_C = 32, POOL_W = 16, POOL_HW = 12 * POOL_W, POOL_COUNT = 3 * POOL_HW * POOL_C };

/* Buffers of POOL_COUNT floats each. */
typedef struct buffers {
    cl_mem x, gamma, beta, mean, var, y, z, saved, dy, dz, dx, dgamma, dbeta, workspace;
} buffers;

static void run(lehr_device *dev, const lh_op *op, const void *problem, const lh_variant *variant,
                lh_args args)
{
    lh_exec *exec = NULL;
    args.n = 3;
    cr_assert_eq(lh_exec_create_variant(dev, op, problem, variant, &exec), LEHR_OK, "%s",
                 lehr_context_message(lh_device_context(dev)));
    cr_assert_leq(exec->workspace, 4 * (size_t)POOL_COUNT);
    cr_assert_eq(lh_exec_run(exec, &args), LEHR_OK);
    lh_exec_destroy(&exec);
}

/* A float's worth of few values: windows hold their maximum more than once. */
static void fill_buffer(lehr_device *dev, cl_mem to, unsigned seed)
{
    float *values = malloc(4 * (size_t)POOL_COUNT);
    for (size_t i = 0; i < POOL_COUNT; i++)
        values[i] = (float)(lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0] % 16) / 8 - 0.9f;
    cr_assert_eq(lh_buffer_write(dev, to, 0, 4 * (size_t)POOL_COUNT, values), LEHR_OK);
    free(values);
}

/* y and dx, dgamma, dbeta, one after the other, of the two ops in one step each or in two. */
static float *pooled_results(lehr_device *dev, unsigned variant, const lh_batchnorm_problem *norm,
                             const lh_pool_problem *pool)
{
    buffers b = {0};
    cl_mem *all = &b.x;
    bool mean = norm->pool == LH_BATCHNORM_MEAN || (pool && pool->kind == LH_POOL_AVG);
    size_t bytes = 4 * (size_t)POOL_COUNT, outputs = bytes / (mean ? POOL_HW : 4);
    for (unsigned i = 0; i < sizeof b / sizeof b.x; i++) {
        cr_assert_eq(lh_buffer_create(dev, bytes, &all[i]), LEHR_OK);
        fill_buffer(dev, all[i], i);
    }
    lh_args train = {.buf = {b.x, b.gamma, b.beta, b.mean, b.var, pool ? b.z : b.y, b.saved},
                     .workspace = b.workspace};
    lh_args down = {.buf = {b.z, b.y}}, up = {.buf = {b.z, b.dy, b.dz}};
    lh_args back = {.buf = {b.x, pool ? b.dz : b.dy, b.gamma, b.saved, b.dx, b.dgamma, b.dbeta},
                    .workspace = b.workspace};
    run(dev, &lh_batchnorm_train, norm, &lh_batchnorm_train.variants[variant], train);
    if (pool) {
        run(dev, &lh_pool_forward, pool, &lh_pool_forward.variants[variant], down);
        run(dev, &lh_pool_backward, pool, &lh_pool_backward.variants[variant], up);
    }
    run(dev, &lh_batchnorm_backward, norm, &lh_batchnorm_backward.variants[variant], back);
    float *out = calloc(4, bytes);
    cr_assert_eq(lh_buffer_read(dev, b.y, 0, outputs, out), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, b.dx, 0, bytes, out + POOL_COUNT), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, b.dgamma, 0, 4 * POOL_C, out + 2 * POOL_COUNT), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, b.dbeta, 0, 4 * POOL_C, out + 3 * POOL_COUNT), LEHR_OK);
    for (unsigned i = 0; i < sizeof b / sizeof b.x; i++) lh_buffer_free(&all[i]);
    return out;
}

static void compare_pooled(lehr_device *dev, unsigned variant, lh_activation act,
                           lh_batchnorm_pool kind)
{
    lh_batchnorm_problem apart = {3, POOL_C, POOL_HW, 1e-5f, 0.1f, act}, one = apart;
    lh_pool_problem pool = {.n = 3, .c = POOL_C, .h = POOL_HW / POOL_W, .w = POOL_W,
                            .kind = LH_POOL_MAX, .r = 2, .s = 2, .stride_h = 2, .stride_w = 2};
    one.pool = kind;
    one.w = POOL_W;
    if (kind == LH_BATCHNORM_MEAN) {
        pool.kind = LH_POOL_AVG;
        pool.r = pool.h;
        pool.s = pool.w;
    }
    cr_assert(lh_pool_output(&pool));
    const char *name = lh_batchnorm_train.variants[variant].name;
    float *a = pooled_results(dev, variant, &apart, &pool);
    float *b = pooled_results(dev, variant, &one, NULL);
    static const char *const what[] = {"y", "dx", "dgamma", "dbeta"};
    for (size_t k = 0; k < 4; k++)
        for (size_t i = k * POOL_COUNT; i < (k + 1) * POOL_COUNT; i++)
            if (memcmp(&a[i], &b[i], 4) != 0) {
                cr_expect(false, "%s pool %d act %d: %s[%zu] is %.9g, in two steps %.9g", name, kind,
                          act, what[k], i - k * POOL_COUNT, (double)b[i], (double)a[i]);
                break;
            }
    free(a);
    free(b);
}

static void open_device(lehr_context **ctx, lehr_device **dev)
{
    cr_assert_eq(lehr_context_create(NULL, ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(*ctx, getenv("LEHR_TEST_DEVICE"), dev), LEHR_OK, "%s",
                 lehr_context_message(*ctx));
}

/* Slots of the sums are whole pairs of rows here in both ways. */
Test(batchnorm, pools_with_the_bits_of_two_steps)
{
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    const lh_batchnorm_problem some = {3, POOL_C, POOL_HW, 1e-5f, 0.1f, LH_ACT_RELU};
    unsigned checked = 0;
    open_device(&ctx, &dev);
    for (unsigned v = 0; v < lh_batchnorm_train.variant_count; v++) {
        if (lh_batchnorm_train.variants[v].declines(&some, lh_device_traits(dev))) continue;
        for (int kind = LH_BATCHNORM_MAX2; kind <= LH_BATCHNORM_MEAN; kind++) {
            compare_pooled(dev, v, LH_ACT_RELU, (lh_batchnorm_pool)kind);
            compare_pooled(dev, v, LH_ACT_NONE, (lh_batchnorm_pool)kind);
        }
        checked++;
    }
    cr_expect(checked > 0);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

Test(batchnorm, keeps_the_variance_of_a_large_mean) {
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    unsigned checked = 0;
    open_device(&ctx, &dev);
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
