/* SPDX-License-Identifier: MIT
 *
 * lehr-bench-optimizer: one update of an optimizer over many weights beside what the machine can do:
 * a fused Adam kernel written by hand for this device's family, copying memory, and scaling it in
 * place.  Contenders take turns in rounds; the medians of the rounds' ratios count, since a shared
 * machine drifts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/network.h"
#include "kernels/stream.h"
#include <lehr/lehr.h>

enum { MAX_ROUNDS = 201, MAX_TENSORS = 4096 };

typedef enum contender { RULE, HAND, COPY_KERNEL, COPY_BUFFER, IN_PLACE, CONTENDERS } contender;
static const char *const names[] = {"rule", "hand", "copy_kernel", "copy_buffer", "in_place"};

typedef struct options {
    const char *optimizer, *device;
    size_t weights;
    int tensors, rounds;
    bool json;
} options;

typedef struct bench {
    lehr_context *ctx;
    lehr_device *dev;
    lehr_registry *registry;
    lh_updater *updater;
    cl_mem w, g, m, v, to, control;
    cl_kernel adam, copy, scale;
    size_t count;
    uint64_t t;
    unsigned turn;
    double seconds[CONTENDERS][MAX_ROUNDS];
} bench;

static _Noreturn void fail(const bench *b)
{
    fprintf(stderr, "lehr-bench-optimizer: %s\n", lehr_context_message(b->ctx));
    exit(1);
}

static void must(const bench *b, lehr_status st)
{
    if (st != LEHR_OK) fail(b);
}

/* On CPUs vectors of the device's width, four tasks a core; else one element a work-item. */
static const char source[] =
    "#pragma OPENCL FP_CONTRACT OFF\n"
    "#define CAT_(a, b) a##b\n#define CAT(a, b) CAT_(a, b)\n#define V CAT(float, VW)\n"
    "#define LOAD CAT(vload, VW)\n#define STORE CAT(vstore, VW)\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void adam(__global float *restrict w, __global const float *restrict g,\n"
    "          __global float *restrict m, __global float *restrict v,\n"
    "          __global const float *restrict control, const uint n, const uint span,\n"
    "          float rate, float b1, float s1, float b2, float s2, float correct, float eps)\n"
    "{\n"
    "    if (control[1] != 0) return;\n"
    "    const float scale = control[0];\n"
    "    const uint from = get_global_id(0) * span, end = min(from + span, n);\n"
    "    for (uint i = from; i < end; i++) {\n"
    "        V d = LOAD(i, g) * scale;\n"
    "        V x = b1 * LOAD(i, m) + s1 * d, y = b2 * LOAD(i, v) + s2 * d * d;\n"
    "        STORE(x, i, m);\n"
    "        STORE(y, i, v);\n"
    "        STORE(LOAD(i, w) - rate * x / (sqrt(y) * correct + eps), i, w);\n"
    "    }\n"
    "}\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void copy(__global const float *restrict x, __global float *restrict y, const uint n,\n"
    "          const uint span)\n"
    "{\n"
    "    const uint from = get_global_id(0) * span, end = min(from + span, n);\n"
    "    for (uint i = from; i < end; i++) STORE(LOAD(i, x), i, y);\n"
    "}\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void scale(__global float *restrict y, const uint n, const uint span, const float a)\n"
    "{\n"
    "    const uint from = get_global_id(0) * span, end = min(from + span, n);\n"
    "    for (uint i = from; i < end; i++) STORE(LOAD(i, y) * a, i, y);\n"
    "}\n";

static unsigned width(const bench *b)
{
    const lh_traits *t = lh_device_traits(b->dev);
    return t->cpu_family ? t->vector_width : 4;
}

static void make_kernels(bench *b)
{
    const lh_traits *t = lh_device_traits(b->dev);
    char build[64];
    cl_program program = NULL;
    snprintf(build, sizeof build, "-DVW=%u -DLOCAL=%zu", width(b),
             t->cpu_family ? (size_t)1 : lh_local_size(t, 128));
    must(b, lh_program_from_text(b->dev, "bench/optimizer", source, build, &program));
    must(b, lh_kernel_create(b->dev, program, "adam", &b->adam));
    must(b, lh_kernel_create(b->dev, program, "copy", &b->copy));
    must(b, lh_kernel_create(b->dev, program, "scale", &b->scale));
}

static cl_mem make_buffer(bench *b, double scale, uint32_t seed)
{
    cl_mem mem = NULL;
    float *values = calloc(b->count, sizeof *values);
    if (!values) exit(1);
    for (size_t i = 0; i < b->count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(scale * ((double)seed / 2147483648.0 - 1));
    }
    must(b, lh_buffer_create(b->dev, b->count * sizeof *values, &mem));
    must(b, lh_buffer_write(b->dev, mem, 0, b->count * sizeof *values, values));
    free(values);
    return mem;
}

static void make_updater(bench *b, const options *o)
{
    size_t align = lh_device_traits(b->dev)->base_align / sizeof(float), at = 0;
    size_t each = o->weights / (size_t)o->tensors;
    static lh_param params[MAX_TENSORS];
    for (int i = 0; i < o->tensors; i++) {
        params[i] = (lh_param){.name = "t", .role = LEHR_ROLE_DENSE, .offset = at, .count = each,
                               .dims = {each}, .ndim = 1};
        at += lh_round_up(each, align);
    }
    b->count = lh_round_up(at, 64);
    b->w = make_buffer(b, 0.1, 1);
    b->g = make_buffer(b, 1, 2);
    b->m = make_buffer(b, 0, 3);
    b->v = make_buffer(b, 0, 4);
    b->to = make_buffer(b, 0, 5);
    lh_param_group group = {"weights", 0, b->count, 1, 1};
    lh_arena_layout layout = {.weights = b->w, .gradients = b->g, .count = b->count,
                              .params = params, .param_count = (uint32_t)o->tensors,
                              .groups = &group, .group_count = 1, .products = &lh_gemm_products};
    must(b, lh_updater_create(b->dev, b->registry, o->optimizer, (double)NAN, &layout, &b->updater));
    const float control[2] = {1, 0};
    must(b, lh_buffer_create(b->dev, sizeof control, &b->control));
    must(b, lh_buffer_write(b->dev, b->control, 0, sizeof control, control));
}

/* Vectors, vectors of a task, and how many tasks that makes. */
static void geometry(const bench *b, unsigned *n, unsigned *span, size_t *items, size_t *local)
{
    const lh_traits *t = lh_device_traits(b->dev);
    *n = (unsigned)(b->count / width(b));
    *local = t->cpu_family ? 1 : lh_local_size(t, 128);
    *span = t->cpu_family ? (unsigned)lh_div_up(*n, 4 * t->compute_units) : 1;
    *items = lh_div_up(*n, *span);
}

static void run(bench *b, contender which)
{
    unsigned n, span;
    size_t items, local;
    geometry(b, &n, &span, &items, &local);
    const cl_mem turn[] = {b->g, b->m, b->v, b->w}; /* more than caches hold */
    cl_mem next = turn[b->turn++ % LH_COUNT(turn)];
    switch (which) {
    case RULE: must(b, lh_updater_step(b->updater, ++b->t, 1e-4, b->control)); break;
    case HAND:
        must(b, lh_kernel_args(b->dev, b->adam, "mmmmmuufffffff", b->w, b->g, b->m, b->v,
                               b->control, n, span, 1e-4, 0.9, 0.1, 0.999, 0.001, 1.0, 1e-8));
        must(b, lh_launch_1d(b->dev, b->adam, items, local));
        break;
    case COPY_KERNEL:
        must(b, lh_kernel_args(b->dev, b->copy, "mmuu", next, b->to, n, span));
        must(b, lh_launch_1d(b->dev, b->copy, items, local));
        break;
    case IN_PLACE:
        must(b, lh_kernel_args(b->dev, b->scale, "muuf", next, n, span, 1.0));
        must(b, lh_launch_1d(b->dev, b->scale, items, local));
        break;
    default: must(b, lh_buffer_copy(b->dev, next, 0, b->to, 0, b->count * sizeof(float)));
    }
}

static double timed(bench *b, contender which, int times)
{
    double start = lh_now();
    for (int i = 0; i < times; i++) run(b, which);
    must(b, lehr_device_finish(b->dev));
    return (lh_now() - start) / times;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return sorted[count / 2];
}

/* Adam reads four numbers a weight and writes three; a copy reads one and writes one (where caches
 * fetch a line before it is written, as on CPUs, it moves three: in_place does not). */
static double bytes(const bench *b, contender which)
{
    return (which == RULE || which == HAND ? 7.0 : 2.0) * sizeof(float) * (double)b->count;
}

static void report(bench *b, const options *o)
{
    double ratio[CONTENDERS];
    for (int c = 0; c < CONTENDERS; c++) {
        double ratios[MAX_ROUNDS];
        for (int i = 0; i < o->rounds; i++)
            ratios[i] = bytes(b, RULE) / b->seconds[RULE][i] /
                        (bytes(b, (contender)c) / b->seconds[c][i]);
        ratio[c] = median(ratios, o->rounds);
    }
    if (o->json) printf("{\"optimizer\": \"%s\", \"weights\": %zu, \"tensors\": %d", o->optimizer,
                        o->weights, o->tensors);
    else printf("%s, %zu weights in %d tensors, median of %d rounds\n%-12s %9s %9s %7s %s\n",
                lh_updater_text(b->updater), o->weights, o->tensors, o->rounds, "", "ms", "best",
                "GB/s", "the rule's bytes per second beside it");
    for (int c = 0; c < CONTENDERS; c++) {
        double s = median(b->seconds[c], o->rounds), best = s;
        for (int i = 0; i < o->rounds; i++) best = fmin(best, b->seconds[c][i]);
        if (o->json) printf(", \"%s_ms\": %.4f, \"%s_best_ms\": %.4f, \"beside_%s\": %.4f", names[c],
                            1e3 * s, names[c], 1e3 * best, names[c], ratio[c]);
        else printf("%-12s %9.3f %9.3f %7.2f %7.2f\n", names[c], 1e3 * s, 1e3 * best,
                    1e-9 * bytes(b, (contender)c) / best, ratio[c]);
    }
    if (o->json) puts("}");
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--json")) {
            o->json = true;
            continue;
        }
        if (!value) return false;
        if (!strcmp(name, "--optimizer")) o->optimizer = value;
        else if (!strcmp(name, "--device")) o->device = value;
        else if (!strcmp(name, "--weights")) o->weights = (size_t)atol(value);
        else if (!strcmp(name, "--tensors")) o->tensors = atoi(value);
        else if (!strcmp(name, "--rounds")) o->rounds = atoi(value);
        else return false;
        i++;
    }
    return o->rounds >= 1 && o->rounds <= MAX_ROUNDS && o->tensors >= 1 &&
           o->tensors <= MAX_TENSORS && o->weights >= (size_t)o->tensors && o->weights <= 1u << 30;
}

int main(int argc, char **argv)
{
    static bench b;
    options o = {.optimizer = "adam", .weights = 10000000, .tensors = 50, .rounds = 21};
    if (!parse(argc, argv, &o)) {
        puts("usage: lehr-bench-optimizer [--optimizer SPEC] [--weights N] [--tensors N] [--rounds N]\n"
             "                            [--device NAME] [--json]\n"
             "Times one update beside a fused Adam written by hand, a copy kernel, a buffer copy\n"
             "and scaling in place.\n"
             "The bytes of the last column are Adam's: seven numbers a weight.");
        return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
    }
    if (lehr_context_create(NULL, &b.ctx) != LEHR_OK) return 1;
    must(&b, lehr_device_open(b.ctx, o.device, &b.dev));
    must(&b, lehr_registry_create(b.ctx, NULL, &b.registry));
    make_updater(&b, &o);
    make_kernels(&b);
    for (int c = 0; c < CONTENDERS; c++) timed(&b, (contender)c, 3);
    for (int i = 0; i < o.rounds; i++)
        for (int c = 0; c < CONTENDERS; c++) b.seconds[c][i] = timed(&b, (contender)c, 1);
    report(&b, &o);
    cl_mem *buffers[] = {&b.w, &b.g, &b.m, &b.v, &b.to, &b.control};
    lh_updater_destroy(&b.updater);
    lh_kernel_free(&b.adam);
    lh_kernel_free(&b.copy);
    lh_kernel_free(&b.scale);
    for (size_t i = 0; i < LH_COUNT(buffers); i++) lh_buffer_free(buffers[i]);
    lehr_registry_destroy(&b.registry);
    lehr_device_destroy(&b.dev);
    lehr_context_destroy(&b.ctx);
    return 0;
}
