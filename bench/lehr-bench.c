/* SPDX-License-Identifier: MIT
 *
 * lehr-bench: every variant of every op on the bench shapes of tests/cases.  Variants of one
 * problem take turns in rounds, and a burst of fused multiply-adds beside each round measures what
 * the machine can do at that moment: on shared machines the peak itself moves twofold. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cases/cases.h"

enum { MAX_VARIANTS = 16, MAX_ROUNDS = 64 };

typedef struct options {
    const char *op, *variant, *device;
    int only_case, rounds;
    double give_up; /* a variant whose first run takes longer is not timed */
} options;

typedef struct bench {
    lehr_context *ctx;
    lehr_device *dev;
    cl_kernel burst;
    cl_mem burst_out;
    double burst_flops;
} bench;

typedef struct contender {
    lh_exec *exec;
    cl_mem workspace;
    double seconds[MAX_ROUNDS];
    double work[MAX_ROUNDS];    /* seconds by work_clock */
    double of_peak[MAX_ROUNDS]; /* share of the bursts just before and just after */
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

/* Twelve independent chains of vector fma per work-item: enough to fill any pipeline. */
static const char burst_source[] =
    "#define CAT_(a, b) a##b\n#define CAT(a, b) CAT_(a, b)\n#define V CAT(float, VW)\n"
    "#define EACH(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void burst(__global float *out, float m, float c) {\n"
    "#define D(i) V a##i = (V)(get_global_id(0) + i);\n EACH(D)\n"
    " for (int n = 0; n < STEPS; n++) {\n"
    "#define F(i) a##i = fma(a##i, (V)m, (V)c);\n EACH(F) }\n"
    " V s = 0;\n#define A(i) s += a##i;\n EACH(A)\n"
    " float t[VW]; CAT(vstore, VW)(s, 0, t); out[get_global_id(0)] = t[0]; }\n";

static void open_burst(bench *b)
{
    const lh_traits *t = lh_device_traits(b->dev);
    int width = t->cpu_family ? (int)t->vector_width : 4, steps = t->cpu_family ? 50000 : 2000;
    size_t local = t->cpu_family ? 1 : lh_local_size(t, 64);
    size_t items = t->cpu_family ? 4 * t->compute_units : 4096 * local;
    char defines[128];
    cl_program program;
    snprintf(defines, sizeof defines, "-DVW=%d -DLOCAL=%zu -DSTEPS=%d", width, local, steps);
    b->burst_flops = 24.0 * width * steps * (double)items;
    if (lh_program_from_text(b->dev, "burst", burst_source, defines, &program) != LEHR_OK ||
        lh_kernel_create(b->dev, program, "burst", &b->burst) != LEHR_OK ||
        lh_buffer_create(b->dev, items * sizeof(float), &b->burst_out) != LEHR_OK)
        fail(b);
}

/* Seconds of work: on CPU devices processor time over the compute units, which other programs on
 * the machine disturb less than the wall clock does. */
static double work_clock(const bench *b)
{
    const lh_traits *t = lh_device_traits(b->dev);
    struct timespec now;
    if (!t->is_cpu || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) return lh_now();
    return ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec) / t->compute_units;
}

/* GFLOP/s of fused multiply-adds right now. */
static double burst(bench *b)
{
    const lh_traits *t = lh_device_traits(b->dev);
    size_t local = t->cpu_family ? 1 : lh_local_size(t, 64);
    size_t items = t->cpu_family ? 4 * t->compute_units : 4096 * local;
    double start = work_clock(b);
    if (lh_kernel_args(b->dev, b->burst, "mff", b->burst_out, 0.999, 1e-9) != LEHR_OK ||
        lh_launch_1d(b->dev, b->burst, items, local) != LEHR_OK ||
        lehr_device_finish(b->dev) != LEHR_OK)
        fail(b);
    return 1e-9 * b->burst_flops / (work_clock(b) - start);
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
    for (unsigned v = 0; v < op->variant_count && count < MAX_VARIANTS; v++) {
        const lh_variant *variant = &op->variants[v];
        if (variant->declines(problem, lh_device_traits(b->dev))) continue;
        if (o->variant && strcmp(o->variant, variant->name) != 0) continue;
        contender *c = &all[count];
        if (lh_exec_create_variant(b->dev, op, problem, variant, &c->exec) != LEHR_OK) fail(b);
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

static void bench_problem(bench *b, const options *o, const lh_case_list *list,
                          const void *problem)
{
    const lh_op *op = list->op;
    contender all[MAX_VARIANTS] = {0};
    double flops = op->flops(problem, op->batch(problem));
    lh_args args;
    char text[256];
    op->describe(problem, text, sizeof text);
    make_args(b, list, problem, &args);
    int count = enter(b, o, op, problem, &args, all);
    for (int round = 0; round < o->rounds; round++) {
        double before = burst(b);
        for (int i = 0; i < count; i++) {
            double once = timed_run(b, &all[i], &args, 1); /* also warms the caches up */
            int times = once > 0.05 ? 1 : (int)(0.02 / once) + 1;
            double start = work_clock(b);
            all[i].seconds[round] = timed_run(b, &all[i], &args, times);
            all[i].work[round] = (work_clock(b) - start) / times;
            double rate = 1e-9 * flops / all[i].work[round], after = burst(b);
            all[i].of_peak[round] = rate / (0.5 * (before + after));
            before = after;
        }
    }
    for (int i = 0; i < count; i++) {
        double middle = median(all[i].seconds, o->rounds); /* sorts: [0] is the best */
        printf("%s,%s,%s,%.3f,%.3f,%.3f,%.1f,%.2f\n", op->name, text, all[i].exec->variant->name,
               1e3 * middle, 1e3 * all[i].seconds[0],
               1e3 * median(all[i].work, o->rounds), 1e-9 * flops / middle,
               median(all[i].of_peak, o->rounds));
        lh_exec_destroy(&all[i].exec);
        lh_buffer_free(&all[i].workspace);
    }
    fflush(stdout);
    for (unsigned i = 0; i < op->operand_count; i++) lh_buffer_free(&args.buf[i]);
}

static void usage(void)
{
    puts("usage: lehr-bench [--op PREFIX] [--variant NAME] [--case NUMBER] [--rounds N]\n"
         "                  [--give-up SECONDS] [--device NAME]\n"
         "Times every variant of every op (or those whose name starts with PREFIX) on the bench\n"
         "shapes; a variant slower than --give-up (0.5 s) a run is left out unless named.\n"
         "Columns: op, problem, variant, median ms, best ms, processor ms per compute unit\n"
         "(the wall clock on GPUs), GFLOP/s, share of the FMA peak meanwhile.");
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) return false;
        if (!strcmp(name, "--op")) o->op = value;
        else if (!strcmp(name, "--variant")) o->variant = value;
        else if (!strcmp(name, "--device")) o->device = value;
        else if (!strcmp(name, "--case")) o->only_case = atoi(value);
        else if (!strcmp(name, "--rounds")) o->rounds = atoi(value);
        else if (!strcmp(name, "--give-up")) o->give_up = atof(value);
        else return false;
    }
    return o->rounds >= 1 && o->rounds <= MAX_ROUNDS;
}

int main(int argc, char **argv)
{
    options o = {.only_case = -1, .rounds = 7, .give_up = 0.5};
    bench b = {0};
    if (!parse(argc, argv, &o)) {
        usage();
        return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
    }
    if (lehr_context_create(NULL, &b.ctx) != LEHR_OK) return 1;
    if (lehr_device_open(b.ctx, o.device, &b.dev) != LEHR_OK) fail(&b);
    open_burst(&b);
    puts("op,problem,variant,ms,best_ms,work_ms,gflops,of_peak");
    for (size_t i = 0; i < lh_case_list_count; i++) {
        const lh_case_list *list = lh_case_lists[i];
        if (o.op && strncmp(o.op, list->op->name, strlen(o.op)) != 0) continue;
        void *problem = calloc(1, list->op->problem_size);
        for (size_t k = 0; list->problem(2, k, problem); k++)
            if (o.only_case < 0 || (size_t)o.only_case == k) bench_problem(&b, &o, list, problem);
        free(problem);
    }
    lh_kernel_free(&b.burst);
    lh_buffer_free(&b.burst_out);
    lehr_device_destroy(&b.dev);
    lehr_context_destroy(&b.ctx);
    return 0;
}
