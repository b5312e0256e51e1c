/* SPDX-License-Identifier: MIT
 *
 * Trials of variants: random operands, comparison with the reference or with another variant. */
#include "kernels/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

/* The reference makes about 1e9 operations a second. */
static const double enough_flops = 1e8, most_flops = 1e9;
enum { MOST_IMAGES = 3, MOST_ELEMENTS = 32 << 20 };
/* Bytes at either end of a workspace that are set: the whole is for a full batch, of which a trial on few
 * images uses little. */
enum { POISONED = 1 << 18 };

typedef struct operand {
    size_t count, bytes;
    char *start;       /* as on the device: before a run; NULL for outputs */
    char *got, *again; /* after a run, after its repetition */
    double *want;      /* LH_F32: the truth */
    char *exact;       /* other types: the truth */
    cl_mem mem;
} operand;

struct lh_trial {
    lehr_device *dev;
    const lh_op *op;
    const void *problem;
    operand operands[LH_MAX_OPERANDS];
    lh_args args;
    size_t workspace;
    bool owes_reference; /* computed while the first run goes on: drivers compile a kernel then */
    double truth_limit; /* rounding of the truth itself: 0 for the reference */
};

static size_t element(lh_type type) { return type == LH_U8 ? 1 : 4; }

/* Uniform in [-1, 1), bytes of all values, integers 0: unless the op knows what it must be given. */
static void sample(const lh_trial *t, unsigned i, uint64_t seed, void *out, size_t count)
{
    lh_type type = t->op->operands[i].type;
    if (t->op->sample && t->op->sample(t->problem, i, seed, out, count)) return;
    for (size_t k = 0; k < count && type != LH_I32; k++) {
        lh_u32 bits = lh_philox_draw(seed, k, LH_STREAM_USER, i).v[0];
        if (type == LH_F32)
            ((double *)out)[k] = 2.0 * (double)lh_uniform(bits) - 1.0;
        else
            ((uint8_t *)out)[k] = (uint8_t)bits;
    }
}

static lehr_status make_operand(lh_trial *t, unsigned i, uint64_t seed, bool reference)
{
    const lh_operand *what = &t->op->operands[i];
    operand *o = &t->operands[i];
    lehr_context *ctx = lh_device_context(t->dev);
    o->count = t->op->count(t->problem, i, t->args.n);
    if (o->count == 0) return LEHR_OK;
    o->bytes = o->count * element(what->type);
    if (what->use != LH_OUT) o->start = lh_alloc(ctx, o->bytes, 1);
    o->got = lh_alloc(ctx, o->bytes, 1);
    if ((what->use != LH_OUT && !o->start) || !o->got) return LEHR_E_MEMORY;
    bool real = what->type == LH_F32;
    if (what->use != LH_OUT && real) {
        double *values = lh_alloc(ctx, o->count, sizeof *values);
        if (!values) return LEHR_E_MEMORY;
        sample(t, i, seed, values, o->count);
        for (size_t k = 0; k < o->count; k++) {
            ((float *)(void *)o->start)[k] = (float)values[k];
            values[k] = (double)(float)values[k];
        }
        if (reference)
            o->want = values;
        else
            free(values);
    } else if (what->use != LH_OUT) {
        sample(t, i, seed, o->start, o->count);
    }
    if (reference && real && !o->want) o->want = lh_alloc(ctx, o->count, sizeof *o->want);
    if (reference && !real) o->exact = lh_alloc(ctx, o->bytes, 1);
    if (reference && !o->want && !o->exact) return LEHR_E_MEMORY;
    if (o->exact && what->use != LH_OUT) memcpy(o->exact, o->start, o->bytes);
    lehr_status st = lh_buffer_create(t->dev, o->bytes, &o->mem);
    t->args.buf[i] = o->mem;
    return st;
}

static void compute_reference(lh_trial *t)
{
    lh_host_args host = {.n = t->args.n, .seed = t->args.seed, .stream = t->args.stream,
                         .epoch = t->args.epoch, .offset = t->args.offset};
    for (int i = 0; i < 8; i++) host.scalar[i] = (double)t->args.scalar[i];
    for (unsigned i = 0; i < t->op->operand_count; i++) {
        operand *o = &t->operands[i];
        host.buf[i] = o->want ? (void *)o->want : (void *)o->exact;
    }
    t->op->reference(t->problem, &host);
}

lehr_status lh_trial_create(lehr_device *dev, const lh_op *op, const void *problem, int n,
                            uint64_t seed, bool reference, lh_trial **out)
{
    lh_trial *t = lh_alloc(lh_device_context(dev), 1, sizeof *t);
    *out = t;
    if (!t) return LEHR_E_MEMORY;
    t->dev = dev;
    t->op = op;
    t->problem = problem;
    t->args = (lh_args){.n = n, .seed = seed, .stream = LH_STREAM_DROPOUT, .epoch = 1};
    for (int i = 0; i < 8; i++) t->args.scalar[i] = 0.5f;
    lehr_status st = LEHR_OK;
    for (unsigned i = 0; i < op->operand_count && st == LEHR_OK; i++)
        st = make_operand(t, i, seed + i, reference);
    t->owes_reference = reference;
    if (st != LEHR_OK) lh_trial_destroy(out);
    return st;
}

void lh_trial_destroy(lh_trial **trial)
{
    if (!trial || !*trial) return;
    for (unsigned i = 0; i < LH_MAX_OPERANDS; i++) {
        operand *o = &(*trial)->operands[i];
        free(o->start);
        free(o->got);
        free(o->again);
        free(o->want);
        free(o->exact);
        lh_buffer_free(&o->mem);
    }
    lh_buffer_free(&(*trial)->args.workspace);
    free(*trial);
    *trial = NULL;
}

static lehr_status need_workspace(lh_trial *t, const lh_exec *exec)
{
    if (exec->workspace <= t->workspace) return LEHR_OK;
    lh_buffer_free(&t->args.workspace);
    t->workspace = 0;
    lehr_status st = lh_buffer_create(t->dev, exec->workspace, &t->args.workspace);
    if (st == LEHR_OK) t->workspace = exec->workspace;
    return st;
}

/* Whatever is not written is `poison`; 0xFF: NaN for floats. */
static lehr_status restore(lh_trial *t, const lh_exec *exec, unsigned char poison)
{
    lehr_status st = need_workspace(t, exec);
    size_t size = exec->workspace, end = size < POISONED ? size : POISONED;
    if (st == LEHR_OK) st = lh_buffer_fill(t->dev, t->args.workspace, 0, end, poison);
    if (st == LEHR_OK) st = lh_buffer_fill(t->dev, t->args.workspace, size - end, end, poison);
    for (unsigned i = 0; i < t->op->operand_count && st == LEHR_OK; i++) {
        const operand *o = &t->operands[i];
        if (o->mem && t->op->operands[i].use == LH_OUT)
            st = lh_buffer_fill(t->dev, o->mem, 0, o->bytes, poison);
        else if (o->mem)
            st = lh_buffer_write(t->dev, o->mem, 0, o->bytes, o->start);
    }
    return st;
}

lehr_status lh_trial_run(lh_trial *t, lh_exec *exec)
{
    lehr_status st = restore(t, exec, 0xFF);
    if (st == LEHR_OK) st = lh_exec_run(exec, &t->args);
    if (st == LEHR_OK && t->owes_reference) {
        clFlush(lh_device_queue(t->dev));
        compute_reference(t);
        t->owes_reference = false;
    }
    if (st == LEHR_OK) st = lehr_device_finish(t->dev);
    for (unsigned i = 0; i < t->op->operand_count && st == LEHR_OK; i++)
        if (t->operands[i].mem)
            st = lh_buffer_read(t->dev, t->operands[i].mem, 0, t->operands[i].bytes,
                                t->operands[i].got);
    return st;
}

lehr_status lh_trial_repeat(lh_trial *t, lh_exec *exec, bool *repeats, lh_str *reason)
{
    lehr_status st = restore(t, exec, 0x3B);
    *repeats = true;
    if (st == LEHR_OK) st = lh_exec_run(exec, &t->args);
    for (unsigned i = 0; i < t->op->operand_count && st == LEHR_OK && *repeats; i++) {
        operand *o = &t->operands[i];
        if (!o->mem || t->op->operands[i].use == LH_IN) continue;
        if (!o->again) o->again = lh_alloc(lh_device_context(t->dev), o->bytes, 1);
        if (!o->again) return LEHR_E_MEMORY;
        st = lh_buffer_read(t->dev, o->mem, 0, o->bytes, o->again);
        *repeats = st != LEHR_OK || memcmp(o->got, o->again, o->bytes) == 0;
        if (!*repeats)
            lh_str_printf(reason, "%s has other bits in a second run", t->op->operands[i].name);
    }
    return st;
}

lehr_status lh_trial_believe(lh_trial *t, const lh_variant *variant)
{
    for (unsigned i = 0; i < t->op->operand_count; i++) {
        operand *o = &t->operands[i];
        if (!o->mem) continue;
        bool real = t->op->operands[i].type == LH_F32;
        if (real && !o->want)
            o->want = lh_alloc(lh_device_context(t->dev), o->count, sizeof *o->want);
        if (!real && !o->exact) o->exact = lh_alloc(lh_device_context(t->dev), o->bytes, 1);
        if (!o->want && !o->exact) return LEHR_E_MEMORY;
        for (size_t k = 0; real && k < o->count; k++)
            o->want[k] = (double)((const float *)(const void *)o->got)[k];
        if (!real) memcpy(o->exact, o->got, o->bytes);
    }
    t->truth_limit = lh_error_limit(t->op, variant, t->problem, t->args.n);
    return LEHR_OK;
}

double lh_error_limit(const lh_op *op, const lh_variant *variant, const void *problem, int n)
{
    const double unit = 0x1p-24; /* half the distance from 1 to the next float */
    double limit = op->tolerance > 0 ? op->tolerance : 1e-5;
    if (op->terms) limit = unit * (2 + 1.2 * sqrt((double)op->terms(problem, n)));
    return variant->growth > 0 ? variant->growth * limit : limit;
}

static bool floats_agree(const lh_trial *t, const lh_variant *variant, unsigned i, lh_str *reason)
{
    const operand *o = &t->operands[i];
    const float *got = (const float *)(const void *)o->got;
    double scale = 0, worst = 0;
    for (size_t k = 0; k < o->count; k++) scale = fmax(scale, fabs(o->want[k]));
    for (size_t k = 0; k < o->count; k++) {
        double error = fabs((double)got[k] - o->want[k]);
        if (!(error <= worst)) worst = error;
    }
    double limit = lh_error_limit(t->op, variant, t->problem, t->args.n) + t->truth_limit;
    if (scale > 0) limit *= scale;
    if (worst <= limit) return true;
    lh_str_printf(reason, "%s is off by %.3g, where the largest value is %.3g and %.3g is allowed",
                  t->op->operands[i].name, worst, scale, limit);
    return false;
}

bool lh_trial_agrees(const lh_trial *t, const lh_variant *variant, lh_str *reason)
{
    for (unsigned i = 0; i < t->op->operand_count; i++) {
        const operand *o = &t->operands[i];
        const lh_operand *what = &t->op->operands[i];
        if (!o->mem) continue;
        if (what->use == LH_IN && memcmp(o->start, o->got, o->bytes) != 0) {
            lh_str_printf(reason, "its input %s is changed", what->name);
            return false;
        }
        if (what->use == LH_IN) continue;
        if (what->type == LH_F32) {
            if (!floats_agree(t, variant, i, reason)) return false;
        } else if (!lh_bytes_agree(t->op, o->got, o->exact, o->bytes)) {
            lh_str_printf(reason, "%s differs", what->name);
            return false;
        }
    }
    return true;
}

lehr_status lh_trial_time(lh_trial *t, lh_exec *exec, unsigned runs, double *ms)
{
    lehr_status st = need_workspace(t, exec);
    double start = lh_now();
    for (unsigned i = 0; i < runs && st == LEHR_OK; i++) st = lh_exec_run(exec, &t->args);
    if (st == LEHR_OK) st = lehr_device_finish(t->dev);
    *ms = 1e3 * (lh_now() - start) / (runs ? runs : 1);
    return st;
}

int lh_trial_images(const lh_op *op, const void *problem)
{
    int batch = op->batch(problem), n = batch < MOST_IMAGES ? batch : MOST_IMAGES;
    while (n > 1 && op->flops(problem, n) > enough_flops) n--;
    size_t elements = 0;
    for (unsigned i = 0; i < op->operand_count; i++) elements += op->count(problem, i, n);
    return elements > MOST_ELEMENTS || op->flops(problem, n) > most_flops ? 0 : n;
}

lehr_status lh_trial_check(lh_exec *exec, lh_verdict *verdict, lh_str *reason)
{
    const void *problem = lh_exec_problem(exec);
    int n = lh_trial_images(exec->op, problem);
    lehr_status st = LEHR_OK;
    unsigned failures = 0;
    *verdict = LH_VERDICT_UNKNOWN;
    for (uint64_t seed = 1000; n && st == LEHR_OK && seed < 1200; seed += 100) {
        lh_trial *trial = NULL;
        lh_str_clear(reason);
        st = lh_trial_create(exec->dev, exec->op, problem, n, seed, true, &trial);
        if (st == LEHR_OK) st = lh_trial_run(trial, exec);
        bool good = st == LEHR_OK && lh_trial_agrees(trial, exec->variant, reason);
        bool repeats = true;
        if (good) st = lh_trial_repeat(trial, exec, &repeats, reason);
        if (!repeats)
            failures = 2;
        else if (!good)
            failures++;
        *verdict = failures < 2 ? LH_VERDICT_GOOD : LH_VERDICT_BAD;
        lh_trial_destroy(&trial);
        if ((good && failures == 0) || !repeats) break;
    }
    return st;
}
