/* SPDX-License-Identifier: MIT
 *
 * The verb optimizer trace: an optimizer over given gradients, the weights after each update written
 * out.  Row by row, so that files may be larger than memory. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/npy.h"
#include "cli/run.h"
#include "cli/text.h"
#include "cli/verbs.h"

typedef struct trace {
    session s;
    FILE *weights, *gradients, *losses, *out;
    npy_shape weights_shape, gradients_shape;
    float *w, *g; /* a row each */
    char *part;   /* the file that becomes --out; NULL: --out itself is written */
    lehr_tracer *tracer;
    double lr;
    bool told; /* a message is out already */
} trace;

static uint64_t step_count(const trace *t) { return t->gradients_shape.dims[0]; }

/* ---- the files ---- */

static bool missing(const settings *set)
{
    static const option_id needed[] = {OPT_WEIGHTS, OPT_GRADS, OPT_OUT};
    static const char *const type[] = {"--weights W.npy", "--grads G.npy", "--out OUT.npy"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!option_text(set, needed[i]))
            return !usage_error(set->verb, "%.*s is missing; type: %s",
                                (int)strcspn(type[i], " "), type[i], type[i]);
    return false;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool shapes_fit(const trace *t)
{
    const npy_shape *w = &t->weights_shape, *g = &t->gradients_shape;
    char weights[128], gradients[128];
    bool fit = w->ndim < NPY_DIMS && g->ndim == w->ndim + 1;
    for (unsigned i = 0; fit && i < w->ndim; i++) fit = g->dims[i + 1] == w->dims[i];
    if (fit) return true;
    return usage_error(t->s.set->verb, "--grads %s has shape %s, which does not fit weights of shape %s: "
                       "it must be the number of steps and then the shape of the weights",
                       option_text(t->s.set, OPT_GRADS), npy_shape_text(g, gradients),
                       npy_shape_text(w, weights));
}

static bool open_losses(trace *t)
{
    const char *path = option_text(t->s.set, OPT_LOSSES);
    char error[NPY_ERROR_SIZE], text[128];
    npy_shape shape;
    if (!path) return true;
    t->losses = npy_open(path, &shape, error);
    if (!t->losses) return usage_error(t->s.set->verb, "--losses %s", error);
    if (shape.ndim == 1 && shape.count == step_count(t)) return true;
    return usage_error(t->s.set->verb, "--losses %s has shape %s, which is not one loss for each of the %llu "
                       "gradients", path, npy_shape_text(&shape, text),
                       (unsigned long long)step_count(t));
}

/* False after a message. */
static bool open_inputs(trace *t)
{
    const settings *set = t->s.set;
    char error[NPY_ERROR_SIZE];
    const char *weights = option_text(set, OPT_WEIGHTS), *gradients = option_text(set, OPT_GRADS),
               *out = option_text(set, OPT_OUT);
    t->weights = npy_open(weights, &t->weights_shape, error);
    if (!t->weights) return usage_error(set->verb, "--weights %s", error);
    t->gradients = npy_open(gradients, &t->gradients_shape, error);
    if (!t->gradients) return usage_error(set->verb, "--grads %s", error);
    if (same_file(out, weights) || same_file(out, gradients))
        return usage_error(set->verb, "--out %s is one of the files that are read; name another", out);
    return shapes_fit(t) && open_losses(t);
}

static bool cannot_write(trace *t)
{
    return usage_error(t->s.set->verb, "--out %s cannot be written (%s)",
                       option_text(t->s.set, OPT_OUT), strerror(errno));
}

/* A new file beside OUT that takes its name at the end; OUT itself where that is a device. */
static bool open_output(trace *t)
{
    const char *path = option_text(t->s.set, OPT_OUT);
    size_t size = strlen(path) + sizeof ".part";
    struct stat info;
    bool regular = stat(path, &info) != 0 || S_ISREG(info.st_mode);
    if (regular) t->part = malloc(size);
    if (t->part) snprintf(t->part, size, "%s.part", path);
    t->out = fopen(t->part ? t->part : path, "wb");
    return t->out || cannot_write(t);
}

static bool close_output(trace *t, bool keep)
{
    bool good = fclose(t->out) == 0 && keep;
    t->out = NULL;
    if (!t->part) return good;
    if (good && rename(t->part, option_text(t->s.set, OPT_OUT)) == 0) return true;
    int reason = errno;
    remove(t->part);
    errno = reason;
    return false;
}

/* ---- the optimizer ---- */

/* A failure whose message is out: nothing but the exit code is left to say. */
static lehr_status told(trace *t, lehr_status st)
{
    t->told = true;
    return st;
}

static lehr_status make_tracer(trace *t)
{
    const settings *set = t->s.set;
    lehr_tracer_params params = {.optimizer = set->args[0], .base_lr = t->lr, .weights = t->w,
                                 .weight_decay = given_weight_decay(set),
                                 .dims = t->weights_shape.dims, .ndim = t->weights_shape.ndim,
                                 .evaluated = option_flag(set, OPT_EVALUATED)};
    lehr_status st = lehr_tracer_create(t->s.device, t->s.registry, &params, &t->tracer);
    if (st != LEHR_OK || t->losses || !lehr_tracer_needs_loss(t->tracer)) return st;
    usage_error(set->verb, "optimizer '%s' needs the loss of each update; type: --losses L.npy",
                set->args[0]);
    return told(t, LEHR_E_USAGE);
}

/* The schedules' budget is the number of steps; an epoch is the whole of it, or --steps-per-epoch. */
static lehr_status add_schedules(trace *t)
{
    const settings *set = t->s.set;
    const option_value *given = &set->values[OPT_SCHEDULE];
    lehr_budget budget = {.base = t->lr, .total_steps = step_count(t),
                          .steps_per_epoch = option_given(set, OPT_STEPS_PER_EPOCH)
                                                 ? option_uint(set, OPT_STEPS_PER_EPOCH)
                                                 : step_count(t),
                          .seed = option_uint(set, OPT_SEED)};
    lehr_status st = LEHR_OK;
    for (size_t i = 0; i < given->item_count && st == LEHR_OK; i++)
        st = lehr_tracer_schedule(t->tracer, given->items[i], &budget);
    const char *metric = st == LEHR_OK ? lehr_tracer_metric(t->tracer) : NULL;
    if (metric)
        fprintf(stderr, "lehr optimizer trace: warning: the schedule waits for %s, which a trace does not "
                "measure\n", metric);
    return st;
}

static lehr_status find_lr(trace *t)
{
    const settings *set = t->s.set;
    lehr_status st = lehr_optimizer_resolve(t->s.ctx, t->s.registry, set->args[0],
                                            given_weight_decay(set), NULL, &t->lr);
    if (st == LEHR_OK && option_given(set, OPT_LR)) t->lr = option_real(set, OPT_LR);
    if (st != LEHR_OK || t->lr > 0) return st;
    usage_error(set->verb, "optimizer '%s' has no learning rate of its own; type: --lr X", set->args[0]);
    return told(t, LEHR_E_USAGE);
}

static lehr_status read_numbers(trace *t, FILE *file, option_id id, float *out, uint64_t count)
{
    if (npy_read(file, out, count)) return LEHR_OK;
    usage_error(t->s.set->verb, "--%s %s cannot be read to its end", t->s.set->values[id].row->name,
                option_text(t->s.set, id));
    return told(t, LEHR_E_DATA);
}

static lehr_status run_steps(trace *t)
{
    lehr_status st = LEHR_OK;
    uint64_t count = t->weights_shape.count;
    bool written = npy_write_header(t->out, &t->gradients_shape);
    for (uint64_t step = 0; st == LEHR_OK && written && step < step_count(t); step++) {
        float loss = NAN;
        st = read_numbers(t, t->gradients, OPT_GRADS, t->g, count);
        if (st == LEHR_OK && t->losses) st = read_numbers(t, t->losses, OPT_LOSSES, &loss, 1);
        if (st == LEHR_OK) st = lehr_tracer_step(t->tracer, t->lr, (double)loss, t->g, t->w);
        if (st == LEHR_OK) written = npy_write(t->out, t->w, count);
    }
    if (close_output(t, st == LEHR_OK && written) || st != LEHR_OK) return st;
    cannot_write(t);
    return told(t, LEHR_E_DISK);
}

static lehr_status prepare(trace *t)
{
    size_t row = (size_t)t->weights_shape.count;
    lehr_status st = session_registry(&t->s);
    if (st == LEHR_OK) st = find_lr(t);
    if (st == LEHR_OK) st = session_device(&t->s);
    t->w = malloc(row * sizeof *t->w);
    t->g = malloc(row * sizeof *t->g);
    if (st == LEHR_OK && (!t->w || !t->g)) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) st = read_numbers(t, t->weights, OPT_WEIGHTS, t->w, row);
    if (st == LEHR_OK) st = make_tracer(t);
    if (st == LEHR_OK) st = add_schedules(t);
    return st == LEHR_OK && !open_output(t) ? told(t, LEHR_E_DISK) : st;
}

static void print_summary(const trace *t)
{
    char lr[NUMBER_SIZE], steps[NUMBER_SIZE], shape[128];
    const char *schedules = lehr_tracer_schedules(t->tracer);
    printf("%s, lr %s%s%s\n%s updates of weights %s: %s\n", lehr_tracer_text(t->tracer),
           number_text(t->lr, lr), *schedules ? ", " : "", schedules, count_text(step_count(t), steps),
           npy_shape_text(&t->weights_shape, shape), option_text(t->s.set, OPT_OUT));
}

int verb_optimizer_trace(settings *set)
{
    trace t = {.s = {.set = set}};
    int code = EXIT_USAGE;
    if (!missing(set)) code = open_inputs(&t) ? 0 : lehr_status_exit_code(LEHR_E_DATA);
    if (code == 0) {
        lehr_status st = session_start(&t.s, set);
        if (st == LEHR_OK) st = prepare(&t);
        if (st == LEHR_OK) st = run_steps(&t);
        if (st == LEHR_OK) print_summary(&t);
        lehr_tracer_destroy(&t.tracer);
        code = session_end(&t.s, t.told ? LEHR_OK : st);
        if (t.told) code = lehr_status_exit_code(st);
    }
    if (t.weights) fclose(t.weights);
    if (t.gradients) fclose(t.gradients);
    if (t.losses) fclose(t.losses);
    free(t.w);
    free(t.g);
    free(t.part);
    return code;
}
