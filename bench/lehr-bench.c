/* SPDX-License-Identifier: MIT
 *
 * lehr-bench: every variant of every op on the bench shapes of tests/cases.  Variants of one
 * problem take turns in rounds, and bursts of fused multiply-adds and of copying beside each measure what
 * the machine can do at that moment (roofline.c). */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/roofline.h"
#include "kernels/select.h"
#include "lehr_version.h"
#include "tests/cases/cases.h"

enum { MAX_VARIANTS = 16, MAX_ROUNDS = 64 };

typedef struct options {
    const char *op, *variant, *device, *csv;
    int only_case, rounds, level;
    bool chosen; /* only the variant that lehr would take */
    double give_up; /* a variant whose first run takes longer is not timed */
} options;

typedef struct bench {
    lehr_context *ctx;
    lehr_device *dev;
    lh_roofline roofline;
    FILE *csv;
} bench;

typedef struct contender {
    lh_exec *exec;
    cl_mem workspace;
    double seconds[MAX_ROUNDS];
    double work[MAX_ROUNDS];    /* seconds by work_clock */
    double of_peak[MAX_ROUNDS]; /* shares of the bursts just before and just after */
    double of_copy[MAX_ROUNDS];
} contender;

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_double);
    return values[count / 2];
}

static _Noreturn void fail(const bench *b)
{
    fprintf(stderr, "lehr-bench: %s\n", lehr_context_message(b->ctx));
    exit(1);
}

/* Wall seconds per run. */
static double timed_run(bench *b, contender *c, lh_args *args, int times)
{
    args->workspace = c->workspace;
    double start = lh_now();
    for (int i = 0; i < times; i++)
        if (lh_exec_run(c->exec, args) != LEHR_OK) fail(b);
    if (lehr_device_finish(b->dev) != LEHR_OK) fail(b);
    return (lh_now() - start) / times;
}

static void fill_operand(bench *b, const lh_case_list *list, const void *problem, unsigned i,
                         size_t count, cl_mem mem)
{
    lh_type type = list->op->operands[i].type;
    double *host = calloc(count, sizeof *host);
    float *device = calloc(count, sizeof *device);
    if (list->fill)
        list->fill(problem, i, 1000 + i, host, count);
    else if (type == LH_F32)
        lh_case_uniform(1000 + i, host, count);
    for (size_t k = 0; type == LH_F32 && k < count; k++) device[k] = (float)host[k];
    size_t size = type == LH_U8 ? 1 : 4;
    if (lh_buffer_write(b->dev, mem, 0, count * size, type == LH_F32 ? (void *)device : host) !=
        LEHR_OK)
        fail(b);
    free(host);
    free(device);
}

static void make_args(bench *b, const lh_case_list *list, const void *problem, lh_args *args)
{
    const lh_op *op = list->op;
    lh_host_args host = {.n = op->batch(problem)};
    if (list->scalars) list->scalars(problem, &host);
    *args = (lh_args){.n = host.n, .seed = host.seed, .stream = host.stream, .epoch = host.epoch,
                      .offset = host.offset};
    for (int i = 0; i < 8; i++) args->scalar[i] = (float)host.scalar[i];
    for (unsigned i = 0; i < op->operand_count; i++) {
        size_t count = op->count(problem, i, host.n);
        if (count == 0) continue;
        if (lh_buffer_create(b->dev, count * 4, &args->buf[i]) != LEHR_OK) fail(b);
        fill_operand(b, list, problem, i, count, args->buf[i]);
    }
}

/* Prepares every wanted variant that takes the problem and runs it once; returns how many. */
static int enter(bench *b, const options *o, const lh_op *op, const void *problem, lh_args *args,
                 contender *all)
{
    int count = 0;
    lh_choice chosen = {0};
    if (o->chosen && lh_select(b->dev, op, problem, &chosen) != LEHR_OK) fail(b);
    for (unsigned v = 0; v < op->variant_count && count < MAX_VARIANTS; v++) {
        const lh_variant *variant = &op->variants[v];
        if (variant->declines(problem, lh_device_traits(b->dev))) continue;
        if (o->variant && strcmp(o->variant, variant->name) != 0) continue;
        if (o->chosen && variant != chosen.variant) continue;
        contender *c = &all[count];
        if (lh_exec_create_with(b->dev, op, problem, variant, chosen.parameters, &c->exec) != LEHR_OK)
            fail(b);
        if (c->exec->workspace &&
            lh_buffer_create(b->dev, c->exec->workspace, &c->workspace) != LEHR_OK)
            fail(b);
        double first = timed_run(b, c, args, 1);
        if (first > o->give_up) first = timed_run(b, c, args, 1); /* drivers compile late */
        if (first <= o->give_up || o->variant) {
            count++;
            continue;
        }
        lh_exec_destroy(&c->exec);
        lh_buffer_free(&c->workspace);
    }
    return count;
}

static lh_peaks peaks_now(bench *b)
{
    lh_peaks now;
    if (lh_roofline_measure(&b->roofline, &now) != LEHR_OK) fail(b);
    return now;
}

static void time_round(bench *b, contender *c, lh_args *args, int round, lh_peaks *before)
{
    const lh_op *op = c->exec->op;
    const void *problem = lh_exec_problem(c->exec);
    double once = timed_run(b, c, args, 1); /* also warms the caches up */
    int times = once > 0.05 ? 1 : (int)(0.02 / once) + 1;
    double start = lh_work_clock(b->dev);
    c->seconds[round] = timed_run(b, c, args, times);
    double work = (lh_work_clock(b->dev) - start) / times;
    lh_peaks after = peaks_now(b);
    c->work[round] = work;
    c->of_peak[round] =
        2e-9 * op->flops(problem, args->n) / work / (before->gflops + after.gflops);
    c->of_copy[round] = 2e-9 * lh_op_bytes(op, problem, args->n) / work / (before->gbs + after.gbs);
    *before = after;
}

/* What bounds a row is the share that would reach 1 first: the larger one. */
static void print_row(bench *b, contender *c, const char *problem, int rounds, int n)
{
    const lh_op *op = c->exec->op;
    double middle = median(c->seconds, rounds), best = c->seconds[0]; /* sorted */
    double peak = median(c->of_peak, rounds), copy = median(c->of_copy, rounds);
    double flops = op->flops(lh_exec_problem(c->exec), n);
    double bytes = lh_op_bytes(op, lh_exec_problem(c->exec), n);
    char row[512];
    snprintf(row, sizeof row, "%s,\"%s\",%s,%.3f,%.3f,%.3f,%.1f,%.2f,%.1f,%.2f,%s,%.2f,%.0f,%.0f\n",
             op->name, problem, c->exec->variant->name, 1e3 * middle, 1e3 * best,
             1e3 * median(c->work, rounds), 1e-9 * flops / middle, peak, 1e-9 * bytes / middle, copy,
             peak > copy ? "compute" : "memory", peak > copy ? peak : copy, flops, bytes);
    fputs(row, stdout);
    if (b->csv) fputs(row, b->csv);
}

static void bench_problem(bench *b, const options *o, const lh_case_list *list,
                          const void *problem)
{
    const lh_op *op = list->op;
    contender all[MAX_VARIANTS] = {0};
    lh_args args;
    char text[LH_DESCRIBE];
    op->describe(problem, text, sizeof text);
    make_args(b, list, problem, &args);
    int count = enter(b, o, op, problem, &args, all);
    for (int round = 0; round < o->rounds; round++) {
        lh_peaks before = peaks_now(b);
        for (int i = 0; i < count; i++) time_round(b, &all[i], &args, round, &before);
    }
    for (int i = 0; i < count; i++) {
        print_row(b, &all[i], text, o->rounds, args.n);
        lh_exec_destroy(&all[i].exec);
        lh_buffer_free(&all[i].workspace);
    }
    fflush(stdout);
    for (unsigned i = 0; i < op->operand_count; i++) lh_buffer_free(&args.buf[i]);
}

/* The best of a few, which the rows' shares are not taken from. */
static lh_peaks best_peaks(bench *b, double *streaming)
{
    lh_peaks best = {0};
    for (int i = 0; i < 7; i++) {
        lh_peaks now = peaks_now(b);
        if (now.gflops > best.gflops) best.gflops = now.gflops;
        if (now.gbs > best.gbs) best.gbs = now.gbs;
    }
    if (lh_roofline_streaming(&b->roofline, streaming) != LEHR_OK) fail(b);
    return best;
}

/* Device, driver, date and command: a file of figures must say where they are from. */
static void print_head(bench *b, int argc, char **argv)
{
    const lehr_device_info *info = lehr_device_get_info(b->dev);
    FILE *files[] = {stdout, b->csv};
    double streaming = 0;
    lh_peaks best = best_peaks(b, &streaming);
    char date[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    for (int f = 0; f < 2 && files[f]; f++) {
        FILE *out = files[f];
        fprintf(out, "# lehr %s, %s\n# device %s; driver %s; %u compute units\n# command",
                LEHR_VERSION, date, info->name, info->driver,
                lh_device_traits(b->dev)->compute_units);
        for (int i = 0; i < argc; i++) { /* paths of this machine say nothing elsewhere */
            const char *slash = strrchr(argv[i], '/');
            fprintf(out, " %s", slash ? slash + 1 : argv[i]);
        }
        fprintf(out, "\n# fma %.1f GFLOP/s, copy %.1f GB/s (%s, 2 x %zu MiB)", best.gflops,
                best.gbs, lh_roofline_shape(&b->roofline), b->roofline.bytes >> 20);
        if (streaming > 0) fprintf(out, ", copy past the caches %.1f GB/s", streaming);
        fputs("\nop,problem,variant,ms,best_ms,work_ms,gflops,of_peak,gbs,of_copy,bound,"
              "of_roofline,flops,bytes\n", out);
    }
}

static void usage(void)
{
    puts("usage: lehr-bench [--op PREFIX] [--variant NAME] [--chosen yes] [--case NUMBER]\n"
         "                  [--rounds N] [--give-up SECONDS] [--device NAME] [--csv FILE]\n"
         "                  [--level 0]\n"
         "Times every variant of every op (or those whose name starts with PREFIX) on the bench\n"
         "shapes; a variant slower than --give-up (0.5 s) a run is left out unless named; with\n"
         "--chosen yes only the one that lehr takes on this device; --level 0: the small shapes of\n"
         "the tests.\n"
         "Columns: op, problem, variant, median ms, best ms, processor ms per compute unit\n"
         "(the wall clock on GPUs), GFLOP/s, share of the FMA peak meanwhile, GB/s, share of the\n"
         "copying rate meanwhile, what bounds it, share of the roofline, operations, bytes.\n"
         "GFLOP/s count what the op asks for, whatever the algorithm saves; bytes are every operand\n"
         "once, so what stays in the caches can be above the copying rate.");
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) return false;
        if (!strcmp(name, "--op")) o->op = value;
        else if (!strcmp(name, "--variant")) o->variant = value;
        else if (!strcmp(name, "--device")) o->device = value;
        else if (!strcmp(name, "--csv")) o->csv = value;
        else if (!strcmp(name, "--chosen")) o->chosen = !strcmp(value, "yes");
        else if (!strcmp(name, "--case")) o->only_case = atoi(value);
        else if (!strcmp(name, "--level")) o->level = atoi(value);
        else if (!strcmp(name, "--rounds")) o->rounds = atoi(value);
        else if (!strcmp(name, "--give-up")) o->give_up = atof(value);
        else return false;
    }
    return o->rounds >= 1 && o->rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv)
{
    options o = {.only_case = -1, .rounds = 7, .level = 2, .give_up = 0.5};
    bench b = {0};
    if (!parse(argc, argv, &o)) {
        usage();
        return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
    }
    if (lehr_context_create(NULL, &b.ctx) != LEHR_OK) return 1;
    if (lehr_device_open(b.ctx, o.device, &b.dev) != LEHR_OK) fail(&b);
    if (lh_roofline_open(b.dev, &b.roofline) != LEHR_OK) fail(&b);
    if (o.csv && !(b.csv = fopen(o.csv, "w"))) {
        perror(o.csv);
        return 1;
    }
    print_head(&b, argc, argv);
    for (size_t i = 0; i < lh_case_list_count; i++) {
        const lh_case_list *list = lh_case_lists[i];
        if (o.op && strncmp(o.op, list->op->name, strlen(o.op)) != 0) continue;
        void *problem = calloc(1, list->op->problem_size);
        for (size_t k = 0; list->problem(o.level, k, problem); k++)
            if (o.only_case < 0 || (size_t)o.only_case == k) bench_problem(&b, &o, list, problem);
        free(problem);
    }
    lh_roofline_close(&b.roofline);
    bool written = !b.csv || !ferror(b.csv);
    if (b.csv && fclose(b.csv) != 0) written = false;
    lehr_device_destroy(&b.dev);
    lehr_context_destroy(&b.ctx);
    if (!written) fprintf(stderr, "lehr-bench: %s could not be written\n", o.csv);
    return written ? 0 : 1;
}
