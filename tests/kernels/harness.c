/* SPDX-License-Identifier: MIT
 *
 * One harness for all ops: buffers with guard bands, poisoned outputs and workspace, comparison
 * with the reference, repeatability. */
#include "tests/kernels/harness.h"

#include "kernels/batchnorm/batchnorm.h"
#include "kernels/dropout/dropout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 256 }; /* bytes after each buffer that must stay as they were */
static char report[1024];

typedef struct operand {
    size_t count, bytes;
    void *host;   /* reference typed: double, int32 or uint8 */
    char *before; /* device bytes before the run, guard included */
    char *after, *again;
    cl_mem mem;
} operand;

typedef struct trial {
    lehr_device *dev;
    const lh_case_list *list;
    const void *problem;
    operand operands[LH_MAX_OPERANDS];
    lh_host_args host;
    lh_args args;
} trial;

static size_t element(lh_type type) { return type == LH_U8 ? 1 : 4; }

static void to_device(lh_type type, const void *host, size_t count, char *out)
{
    if (type == LH_F32)
        for (size_t i = 0; i < count; i++) ((float *)out)[i] = (float)((const double *)host)[i];
    else
        memcpy(out, host, count * element(type));
}

static bool setup_operand(trial *t, unsigned i)
{
    const lh_operand *what = &t->list->op->operands[i];
    operand *o = &t->operands[i];
    o->count = t->list->op->count(t->problem, i, t->host.n);
    if (o->count == 0) return true;
    o->bytes = o->count * element(what->type);
    o->host = calloc(o->count, 8);
    o->before = malloc(o->bytes + GUARD);
    o->after = malloc(o->bytes + GUARD);
    o->again = malloc(o->bytes + GUARD);
    if (t->list->fill)
        t->list->fill(t->problem, i, 1000 + i, o->host, o->count);
    else if (what->type == LH_F32)
        lh_case_uniform(1000 + i, o->host, o->count);
    if (what->type == LH_F32) /* what the device sees is what the reference sees */
        for (size_t k = 0; k < o->count; k++)
            ((double *)o->host)[k] = (double)(float)((double *)o->host)[k];
    memset(o->before, 0xFF, o->bytes + GUARD); /* NaN for floats */
    if (what->use != LH_OUT) to_device(what->type, o->host, o->count, o->before);
    t->host.buf[i] = o->host;
    bool ok = lh_buffer_create(t->dev, o->bytes + GUARD, &o->mem) == LEHR_OK;
    t->args.buf[i] = o->mem;
    return ok;
}

static void release(trial *t)
{
    for (unsigned i = 0; i < LH_MAX_OPERANDS; i++) {
        operand *o = &t->operands[i];
        free(o->host);
        free(o->before);
        free(o->after);
        free(o->again);
        lh_buffer_free(&o->mem);
    }
    lh_buffer_free(&t->args.workspace);
}

/* Restores all buffers, poisons the workspace with byte, runs, reads back into after or again. */
static bool run_once(trial *t, lh_exec *exec, int byte, bool again)
{
    unsigned count = t->list->op->operand_count;
    bool ok = true;
    for (unsigned i = 0; i < count && ok; i++)
        if (t->operands[i].mem)
            ok = lh_buffer_write(t->dev, t->operands[i].mem, 0, t->operands[i].bytes + GUARD,
                                 t->operands[i].before) == LEHR_OK;
    if (exec->workspace && ok) {
        char *poison = malloc(exec->workspace + GUARD);
        memset(poison, byte, exec->workspace + GUARD);
        ok = lh_buffer_write(t->dev, t->args.workspace, 0, exec->workspace + GUARD, poison) ==
             LEHR_OK;
        free(poison);
    }
    ok = ok && lh_exec_run(exec, &t->args) == LEHR_OK && lehr_device_finish(t->dev) == LEHR_OK;
    for (unsigned i = 0; i < count && ok; i++)
        if (t->operands[i].mem)
            ok = lh_buffer_read(t->dev, t->operands[i].mem, 0, t->operands[i].bytes + GUARD,
                                again ? t->operands[i].again : t->operands[i].after) == LEHR_OK;
    if (exec->workspace && ok) {
        char guard[GUARD], want[GUARD];
        memset(want, byte, GUARD);
        ok = lh_buffer_read(t->dev, t->args.workspace, exec->workspace, GUARD, guard) == LEHR_OK;
        if (ok && memcmp(guard, want, GUARD) != 0) {
            snprintf(report, sizeof report, "wrote behind its workspace");
            return false;
        }
    }
    if (!ok)
        snprintf(report, sizeof report, "%s", lehr_context_message(lh_device_context(t->dev)));
    return ok;
}

static bool fail_at(const char *name, const char *what)
{
    snprintf(report, sizeof report, "operand '%s': %s", name, what);
    return false;
}

/* One run that left something unwritten has NaN there, the other what was in the workspace or the buffer. */
static bool fail_repeat(const lh_operand *what, const operand *o)
{
    size_t size = element(what->type), differing = 0, first = 0;
    for (size_t k = o->count; k-- > 0;)
        if (memcmp((const char *)o->after + k * size, (const char *)o->again + k * size, size) != 0) {
            differing++;
            first = k;
        }
    const float *a = (const void *)o->after, *b = (const void *)o->again;
    bool real = what->type == LH_F32;
    snprintf(report, sizeof report, "operand '%s': differs between two runs in %zu of %zu, from [%zu] on: "
             "%.9g, %.9g", what->name, differing, o->count, first, real ? (double)a[first] : 0,
             real ? (double)b[first] : 0);
    return false;
}

static bool compare(const trial *t, const lh_variant *variant, unsigned i)
{
    const lh_op *op = t->list->op;
    const lh_operand *what = &op->operands[i];
    const operand *o = &t->operands[i];
    if (!o->mem) return true;
    if (memcmp(o->before + o->bytes, o->after + o->bytes, GUARD) != 0)
        return fail_at(what->name, "wrote behind its end");
    if (what->use == LH_IN)
        return memcmp(o->before, o->after, o->bytes) == 0 ||
               fail_at(what->name, "an input was changed");
    if (memcmp(o->after, o->again, o->bytes) != 0) return fail_repeat(what, o);
    if (what->type != LH_F32)
        return lh_bytes_agree(op, o->after, o->host, o->bytes) ||
               fail_at(what->name, "differs from the reference");
    const float *got = (const float *)(const void *)o->after;
    const double *want = o->host;
    double scale = 0, worst = 0;
    size_t where = 0;
    for (size_t k = 0; k < o->count; k++) scale = fmax(scale, fabs(want[k]));
    for (size_t k = 0; k < o->count; k++) {
        double error = fabs((double)got[k] - want[k]);
        if (!(error <= worst)) {
            worst = error;
            where = k;
        }
    }
    double tolerance = lh_error_limit(op, variant, t->problem, t->host.n);
    if (getenv("LEHR_TEST_ERRORS")) /* how near to the limit */
        fprintf(stderr, "%s/%s %s: %.3g of %.1e, %zu terms\n", op->name, variant->name, what->name,
                worst / (scale > 0 ? scale : 1) / tolerance, tolerance,
                op->terms ? op->terms(t->problem, t->host.n) : 0);
    if (worst <= tolerance * (scale > 0 ? scale : 1)) return true;
    snprintf(report, sizeof report,
             "operand '%s'[%zu of %zu]: got %.9g, want %.9g; error %.3g of max %.3g exceeds %.1e",
             what->name, where, o->count, (double)got[where], want[where], worst, scale,
             tolerance);
    return false;
}

/* What the ops' headers allow: operand out may be the buffer of operand in. */
static bool may_share(const lh_op *op, unsigned *in, unsigned *out)
{
    const struct {
        const lh_op *op;
        unsigned in, out;
    } rows[] = {{&lh_activation_backward, LH_ACTB_DY, LH_ACTB_DX},
                {&lh_batchnorm_backward, LH_BNB_DY, LH_BNB_DX},
                {&lh_dropout_forward, LH_DROPF_X, LH_DROPF_Y},
                {&lh_dropout_backward, LH_DROPF_X, LH_DROPF_Y}};
    for (size_t i = 0; i < LH_COUNT(rows); i++)
        if (rows[i].op == op) {
            *in = rows[i].in;
            *out = rows[i].out;
            return true;
        }
    return false;
}

/* In place the result has the same bits as it had in a buffer of its own. */
static bool check_in_place(trial *t, lh_exec *exec)
{
    unsigned in, out;
    if (!may_share(t->list->op, &in, &out)) return true;
    operand *shared = &t->operands[in], *own = &t->operands[out];
    if (shared->count != own->count) return true;
    t->args.buf[out] = shared->mem;
    bool ok = run_once(t, exec, 0x3B, true);
    t->args.buf[out] = own->mem;
    if (!ok || memcmp(shared->again, own->after, own->bytes) == 0) return ok;
    return fail_at(t->list->op->operands[out].name, "differs when computed in place");
}

/* Two runs; LEHR_TEST_RUNS=1 (an interpreter that sees itself what is not initialised): one. */
static bool run_twice(trial *t, lh_exec *exec)
{
    const char *runs = getenv("LEHR_TEST_RUNS");
    if (!run_once(t, exec, 0xFF, false)) return false;
    if (!runs || atoi(runs) != 1) return run_once(t, exec, 0x3B, true);
    for (unsigned i = 0; i < t->list->op->operand_count; i++)
        if (t->operands[i].mem)
            memcpy(t->operands[i].again, t->operands[i].after, t->operands[i].bytes + GUARD);
    return true;
}

/* found (or NULL): its parameters. */
static bool check_setting(trial *t, const lh_variant *variant, const char *parameters, lh_exec *found)
{
    const lh_op *op = t->list->op;
    lh_exec *exec = NULL;
    if (lh_exec_create_with(t->dev, op, t->problem, variant, parameters, &exec) != LEHR_OK) {
        snprintf(report, sizeof report, "prepare: %s",
                 lehr_context_message(lh_device_context(t->dev)));
        return false;
    }
    bool ok = true;
    if (found) *found = *exec;
    if (exec->workspace)
        ok = lh_buffer_create(t->dev, exec->workspace + GUARD, &t->args.workspace) == LEHR_OK;
    ok = ok && run_twice(t, exec);
    for (unsigned i = 0; i < op->operand_count && ok; i++) ok = compare(t, variant, i);
    ok = ok && check_in_place(t, exec);
    lh_buffer_free(&t->args.workspace);
    lh_exec_destroy(&exec);
    return ok;
}

/* Every value of every parameter, the others by rule. */
static bool check_parameters(trial *t, const lh_variant *variant, const lh_exec *exec,
                             lh_check_counts *counts)
{
    char parameters[LH_PARAMETERS];
    bool ok = true;
    for (unsigned k = 0; k < exec->tunable_count && ok; k++)
        for (unsigned i = 0; i < LH_MAX_VALUES && exec->tunables[k].values[i] && ok; i++) {
            if (exec->tunables[k].values[i] == exec->tunables[k].rule) continue;
            lh_exec_parameters_with(exec, k, exec->tunables[k].values[i], parameters);
            ok = check_setting(t, variant, parameters, NULL);
            counts->checked++;
            if (ok) continue;
            char reason[600];
            snprintf(reason, sizeof reason, "%.599s", report);
            snprintf(report, sizeof report, "with %s: %s", parameters, reason);
        }
    return ok;
}

/* LEHR_TEST_WITHOUT=NAME leaves out the variants of that name (another library's kernels are too slow
 * for an interpreter), LEHR_TEST_VARIANT=NAME all others. */
static bool left_out(const lh_variant *variant)
{
    const char *name = getenv("LEHR_TEST_WITHOUT"), *only = getenv("LEHR_TEST_VARIANT");
    return (name && strcmp(name, variant->name) == 0) || (only && strcmp(only, variant->name) != 0);
}

/* Parameters other than the rules' are tried on the first case that a variant takes, and where `settings`. */
static bool check_problem(lehr_device *dev, const lh_case_list *list, const void *problem, int n,
                          bool settings, lh_check_counts *counts)
{
    const lh_op *op = list->op;
    trial t = {.dev = dev, .list = list, .problem = problem};
    t.host.n = n;
    if (list->scalars) list->scalars(problem, &t.host);
    t.args.n = n;
    t.args.seed = t.host.seed;
    t.args.stream = t.host.stream;
    t.args.epoch = t.host.epoch;
    t.args.offset = t.host.offset;
    for (int i = 0; i < 8; i++) {
        t.args.scalar[i] = (float)t.host.scalar[i];
        t.host.scalar[i] = (double)t.args.scalar[i];
    }
    bool ok = true;
    for (unsigned i = 0; i < op->operand_count && ok; i++) ok = setup_operand(&t, i);
    if (!ok) snprintf(report, sizeof report, "buffers: %s", lehr_context_message(lh_device_context(dev)));
    if (ok) op->reference(problem, &t.host);
    unsigned accepted = 0;
    for (unsigned v = 0; v < op->variant_count && ok; v++) {
        if (left_out(&op->variants[v]) ||
            op->variants[v].declines(problem, lh_device_traits(dev))) {
            counts->declined++;
            continue;
        }
        accepted++;
        lh_enter(lh_device_context(dev));
        lh_exec found;
        ok = check_setting(&t, &op->variants[v], "", &found);
        counts->checked++;
        if (ok && found.tunable_count && (settings || !(counts->settled & 1u << v))) {
            counts->settled |= 1u << v;
            ok = check_parameters(&t, &op->variants[v], &found, counts);
        }
        if (!ok) {
            char text[256], reason[700];
            op->describe(problem, text, sizeof text);
            snprintf(reason, sizeof reason, "%.699s", report);
            snprintf(report, sizeof report, "%s/%s [%.150s] batch %d: %.700s", op->name,
                     op->variants[v].name, text, n, reason);
        }
    }
    if (ok && accepted == 0 && !getenv("LEHR_TEST_VARIANT")) {
        snprintf(report, sizeof report, "%s: no variant accepts a case", op->name);
        ok = false;
    }
    release(&t);
    return ok;
}

const char *lh_check_list(lehr_device *dev, const lh_case_list *list, int level,
                          lh_check_counts *counts)
{
    const lh_op *op = list->op;
    void *problem = calloc(1, op->problem_size);
    report[0] = '\0';
    bool ok = true;
    for (size_t i = 0; ok && list->problem(level, i, problem); i++) {
        int batch = op->batch(problem);
        const char *wrong = op->invalid ? op->invalid(problem) : NULL;
        if (wrong) {
            snprintf(report, sizeof report, "%s case %zu is invalid: %s", op->name, i, wrong);
            break;
        }
        ok = check_problem(dev, list, problem, batch, level == 1 && i % 8 == 7, counts);
        if (ok && batch > 1) ok = check_problem(dev, list, problem, batch - 1, false, counts);
    }
    free(problem);
    return report;
}
