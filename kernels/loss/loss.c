/* SPDX-License-Identifier: MIT
 *
 * Losses: problem, variant table, reference.  A batch of logits is a few kilobytes, so one plain
 * variant serves every device: only its launch costs. */
#include "kernels/loss/loss.h"

#include <math.h>
#include <stdio.h>

#include "core/base/philox.h"
#include "kernels/stream.h"

static size_t count(const void *problem, unsigned operand, int n) {
    const lh_loss_problem *p = problem;
    bool per_class = operand == LH_LOSS_LOGITS || operand == LH_LOSS_DLOGITS;
    return (size_t)n * (per_class ? (size_t)p->k : 1);
}

static int batch(const void *problem) {
    return ((const lh_loss_problem *)problem)->n;
}

static const char *invalid(const void *problem) {
    const lh_loss_problem *p = problem;
    if (p->n < 1 || p->k < 1) return "needs at least one sample and one class";
    if (p->kind != LH_LOSS_CROSS_ENTROPY && p->kind != LH_LOSS_L2) return "unknown loss";
    return NULL;
}

static double flops(const void *problem, int n) {
    return 6.0 * (double)count(problem, LH_LOSS_LOGITS, n);
}

static void describe(const void *problem, char *out, size_t size) {
    const lh_loss_problem *p = problem;
    snprintf(out, size, "n=%d k=%d kind=%s", p->n, p->k,
             p->kind == LH_LOSS_L2 ? "l2" : "cross_entropy");
}

static double cross_entropy(const double *o, int k, int label, double s, double scale, double *d) {
    double top = o[0], sum = 0, loss = 0;
    for (int j = 1; j < k; j++) top = fmax(top, o[j]);
    for (int j = 0; j < k; j++) sum += exp(o[j] - top);
    for (int j = 0; j < k; j++) {
        double t = (j == label ? 1 - s : 0) + s / k, log_p = o[j] - top - log(sum);
        loss -= t * log_p;
        d[j] = (exp(log_p) - t) * scale;
    }
    return loss;
}

static double squared_error(const double *o, int k, int label, double scale, double *d) {
    double loss = 0;
    for (int j = 0; j < k; j++) {
        double e = o[j] - (j == label);
        loss += e * e / k;
        d[j] = 2 * e / k * scale;
    }
    return loss;
}

void lh_loss_reference(const void *problem, const lh_host_args *a) {
    const lh_loss_problem *p = problem;
    const double *logits = a->buf[LH_LOSS_LOGITS];
    const int32_t *labels = a->buf[LH_LOSS_LABELS];
    double *value = a->buf[LH_LOSS_VALUE], *correct = a->buf[LH_LOSS_CORRECT];
    double *dlogits = a->buf[LH_LOSS_DLOGITS];
    for (int i = 0; i < a->n; i++) {
        const double *o = logits + (size_t)i * p->k;
        double *d = dlogits + (size_t)i * p->k;
        int best = 0;
        bool nan = isnan(o[0]);
        for (int j = 1; j < p->k; j++) {
            if (o[j] > o[best]) best = j;
            nan |= isnan(o[j]);
        }
        correct[i] = !nan && best == labels[i];
        value[i] = p->kind == LH_LOSS_L2
                       ? squared_error(o, p->k, labels[i], a->scalar[1], d)
                       : cross_entropy(o, p->k, labels[i], a->scalar[0], a->scalar[1], d);
    }
}

enum { LOCAL };

static lehr_status prepare(lh_exec *e) {
    const lh_loss_problem *p = lh_exec_problem(e);
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 64);
    return lh_exec_kernel(e, 0, "loss/loss.cl", "loss", "-DK=%d -DL2=%d -DLOCAL=%d", p->k,
                          p->kind == LH_LOSS_L2, (int)e->number[LOCAL]);
}

static lehr_status run(lh_exec *e, const lh_args *a) {
    lehr_status st =
        lh_kernel_args(e->dev, e->kernels[0], "mmmmmiff", a->buf[LH_LOSS_LOGITS],
                       a->buf[LH_LOSS_LABELS], a->buf[LH_LOSS_VALUE], a->buf[LH_LOSS_CORRECT],
                       a->buf[LH_LOSS_DLOGITS], a->n, (double)a->scalar[0], (double)a->scalar[1]);
    return st != LEHR_OK
               ? st
               : lh_launch_1d(e->dev, e->kernels[0], (size_t)a->n, (size_t)e->number[LOCAL]);
}

static const lh_operand operands[] = {{"logits", LH_IN, LH_F32},
                                      {"labels", LH_IN, LH_I32},
                                      {"loss", LH_OUT, LH_F32},
                                      {"correct", LH_OUT, LH_F32},
                                      {"dlogits", LH_OUT, LH_F32}};
static const lh_variant variants[] = {{"per_sample", lh_declines_never, prepare, run}};

static bool sample(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count) {
    const lh_loss_problem *p = problem;
    if (operand != LH_LOSS_LABELS) return false;
    for (size_t i = 0; i < count; i++)
        ((int32_t *)out)[i] =
            (int32_t)lh_below(lh_philox_draw(seed, i, LH_STREAM_USER, operand).v[0], (lh_u32)p->k);
    return true;
}

const lh_op lh_loss = {"loss",
                       sizeof(lh_loss_problem),
                       LH_OPERANDS(operands),
                       LH_VARIANTS(variants),
                       count,
                       batch,
                       invalid,
                       lh_loss_reference,
                       flops,
                       describe,
                       2e-6,
                       .sample = sample};
