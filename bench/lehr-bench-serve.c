/* SPDX-License-Identifier: MIT
 *
 * lehr-bench-serve: lehr's side of the comparisons in bench/peers.  It stays alive and takes one sample
 * at a time, so that two programs can alternate without paying for start and warm-up each time.  One
 * command a line on standard input, one JSON object a line on standard output:
 *   device                      what it runs on
 *   op NAME PROBLEM...          an operation of <lehr/ops.h> on random data -> id
 *   optimizer SPEC WEIGHTS N    an update of so many weights in N tensors -> id
 *   step MODEL BATCH            a training step -> id
 *   run ID                      one sample: ms
 *   close ID
 *   roofline                    FMA peak and copying rate right now
 *   memory [reset]              resident memory of this process in MiB, its peak (since the reset)
 *   quit */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/roofline.h"
#include "core/train/timing.h"
#include "kernels/op.h"
#include <lehr/lehr.h>

enum { MAX_ITEMS = 512, MAX_TENSORS = 4096, LINE = 1024 };

typedef enum item_kind { FREE, OP, OPTIMIZER, STEP } item_kind;

typedef struct item {
    item_kind kind;
    int runs; /* of one sample; 0: not known yet */
    lehr_op *op;
    void *buffers[LH_MAX_OPERANDS];
    lehr_model *model;
    lh_timing step;
    lh_updater *updater;
    cl_mem weights, gradients, control;
    uint64_t t;
} item;

typedef struct server {
    lehr_context *ctx;
    lehr_device *dev;
    lehr_registry *registry;
    lh_roofline roofline;
    bool has_roofline;
    item items[MAX_ITEMS];
} server;

static lehr_status random_buffer(server *s, size_t bytes, bool floats, uint32_t seed, cl_mem *out)
{
    uint32_t *host = lh_alloc(s->ctx, bytes / 4 + 1, sizeof *host);
    if (!host) return LEHR_E_MEMORY;
    for (size_t i = 0; floats && i < bytes / 4; i++) {
        seed = seed * 1664525u + 1013904223u;
        float value = (float)((double)seed / 2147483648.0 - 1);
        memcpy(&host[i], &value, sizeof value);
    } /* labels and bytes: zeros */
    lehr_status st = lh_buffer_create(s->dev, bytes, out);
    if (st == LEHR_OK) st = lh_buffer_write(s->dev, *out, 0, bytes, host);
    free(host);
    return st;
}

static void close_item(item *it)
{
    lehr_op_destroy(&it->op);
    for (int i = 0; i < LH_MAX_OPERANDS; i++) {
        cl_mem mem = it->buffers[i];
        lh_buffer_free(&mem);
    }
    lh_timing_close(&it->step);
    lehr_model_destroy(&it->model);
    lh_updater_destroy(&it->updater);
    lh_buffer_free(&it->weights);
    lh_buffer_free(&it->gradients);
    lh_buffer_free(&it->control);
    *it = (item){0};
}

static lehr_status new_item(server *s, item_kind kind, int *id)
{
    for (*id = 0; *id < MAX_ITEMS; ++*id)
        if (s->items[*id].kind == FREE) {
            s->items[*id].kind = kind;
            return LEHR_OK;
        }
    return lh_fail(s->ctx, LEHR_E_USAGE, "more than %d items: close some", MAX_ITEMS);
}

static lehr_status open_op(server *s, item *it, const char *name, const char *problem, double *bytes)
{
    lehr_status st = lehr_op_create(s->dev, name, problem, &it->op);
    for (uint32_t i = 0; st == LEHR_OK && i < lehr_op_operand_count(it->op); i++) {
        lehr_op_operand o;
        cl_mem mem = NULL;
        lehr_op_get_operand(it->op, i, &o);
        if (!o.bytes) continue;
        st = random_buffer(s, o.bytes, o.type == LEHR_OP_F32, i + 1, &mem);
        it->buffers[i] = mem;
        *bytes += (double)o.bytes * (o.use == LEHR_OP_INOUT ? 2 : 1);
    }
    return st;
}

static lehr_status open_optimizer(server *s, item *it, const char *spec, size_t weights, int tensors)
{
    static lh_param params[MAX_TENSORS];
    const float control[2] = {1, 0};
    size_t align = lh_device_traits(s->dev)->base_align / sizeof(float), at = 0;
    if (tensors < 1 || tensors > MAX_TENSORS || weights < (size_t)tensors)
        return lh_fail(s->ctx, LEHR_E_USAGE, "1 to %d tensors of one weight or more", MAX_TENSORS);
    for (int i = 0; i < tensors; i++) {
        size_t each = weights / (size_t)tensors;
        params[i] = (lh_param){.name = "t", .role = LEHR_ROLE_DENSE, .offset = at, .count = each,
                               .dims = {each}, .ndim = 1};
        at += lh_round_up(each, align);
    }
    lh_param_group group = {"weights", 0, at, 1, 1};
    lehr_status st = random_buffer(s, at * sizeof(float), true, 1, &it->weights);
    if (st == LEHR_OK) st = random_buffer(s, at * sizeof(float), true, 2, &it->gradients);
    if (st == LEHR_OK) st = lh_buffer_create(s->dev, sizeof control, &it->control);
    if (st == LEHR_OK) st = lh_buffer_write(s->dev, it->control, 0, sizeof control, control);
    lh_arena_layout layout = {.weights = it->weights, .gradients = it->gradients, .count = at,
                              .params = params, .param_count = (uint32_t)tensors, .groups = &group,
                              .group_count = 1, .products = &lh_gemm_products};
    return st == LEHR_OK ? lh_updater_create(s->dev, s->registry, spec, (double)NAN, &layout,
                                             &it->updater)
                         : st;
}

static lehr_status run_once(server *s, item *it)
{
    lehr_op_args args = {.buffers = it->buffers, .scalar = {1, 0}, .seed = 1};
    if (it->kind == OPTIMIZER) return lh_updater_step(it->updater, ++it->t, 1e-4, it->control);
    args.buffer_count = lehr_op_operand_count(it->op);
    (void)s;
    return lehr_op_run(it->op, &args);
}

static lehr_status run_many(server *s, item *it, int runs, double *seconds)
{
    double start = lh_now(), ms = 0;
    lehr_status st = LEHR_OK;
    if (it->kind == STEP) {
        st = lh_timing_run(&it->step, (unsigned)runs, &ms);
        *seconds = 1e-3 * ms;
        return st;
    }
    for (int i = 0; i < runs && st == LEHR_OK; i++) st = run_once(s, it);
    if (st == LEHR_OK) st = lehr_device_finish(s->dev);
    *seconds = lh_now() - start;
    return st;
}

/* Runs of 20 ms, of steps 100 ms.  The first two compile and warm up; how long a run takes is then known. */
static lehr_status sample(server *s, item *it, double *ms)
{
    double seconds = 0, least = it->kind == STEP ? 0.1 : 0.02;
    lehr_status st = LEHR_OK;
    for (int i = 0; i < 3 && !it->runs && st == LEHR_OK; i++) st = run_many(s, it, 1, &seconds);
    if (st == LEHR_OK && !it->runs) it->runs = seconds > least ? 1 : (int)(least / seconds) + 1;
    if (st == LEHR_OK) st = run_many(s, it, 1, &seconds); /* its data into the caches */
    if (st == LEHR_OK) st = run_many(s, it, it->runs, &seconds);
    *ms = 1e3 * seconds / (it->runs ? it->runs : 1);
    return st;
}

/* ---- commands ---- */

static lehr_status say_op(server *s, char *rest)
{
    char *problem = strchr(rest, ' ');
    double bytes = 0;
    int id;
    lehr_status st = new_item(s, OP, &id);
    if (st != LEHR_OK) return st;
    if (problem) *problem++ = '\0';
    st = open_op(s, &s->items[id], rest, problem ? problem : "", &bytes);
    if (st == LEHR_OK)
        printf("{\"id\": %d, \"variant\": \"%s\", \"bytes\": %.0f}\n", id,
               lehr_op_variant(s->items[id].op), bytes);
    else
        close_item(&s->items[id]);
    return st;
}

static lehr_status say_optimizer(server *s, const char *rest)
{
    char spec[256];
    long weights;
    int tensors, id;
    if (sscanf(rest, "%255s %ld %d", spec, &weights, &tensors) != 3 || weights < 1)
        return lh_fail(s->ctx, LEHR_E_USAGE, "optimizer SPEC WEIGHTS TENSORS");
    lehr_status st = new_item(s, OPTIMIZER, &id);
    if (st != LEHR_OK) return st;
    st = open_optimizer(s, &s->items[id], spec, (size_t)weights, tensors);
    if (st == LEHR_OK)
        printf("{\"id\": %d}\n", id);
    else
        close_item(&s->items[id]);
    return st;
}

static lehr_status say_step(server *s, const char *rest)
{
    char name[256];
    int batch, id;
    if (sscanf(rest, "%255s %d", name, &batch) != 2 || batch < 1)
        return lh_fail(s->ctx, LEHR_E_USAGE, "step MODEL BATCH");
    lehr_status st = new_item(s, STEP, &id);
    if (st != LEHR_OK) return st;
    item *it = &s->items[id];
    st = lehr_model_load(s->ctx, name, &it->model);
    if (st == LEHR_OK) st = lh_timing_open(s->dev, s->registry, it->model, batch, &it->step);
    if (st == LEHR_OK) {
        lh_network_memory m = lh_network_get_memory(it->step.net);
        double slots = 4.0 * (double)lh_network_layout(it->step.net)->count *
                       lh_updater_slot_count(it->step.updater);
        printf("{\"id\": %d, \"mib\": %.1f, \"values_mib\": %.1f, \"least_mib\": %.1f}\n", id,
               ((double)(m.weights + m.values + m.workspace) + slots) / 1048576,
               (double)m.values / 1048576, (double)m.least / 1048576);
    } else {
        close_item(it);
    }
    return st;
}

static lehr_status say_roofline(server *s)
{
    lehr_status st = LEHR_OK;
    lh_peaks now;
    if (!s->has_roofline) st = lh_roofline_open(s->dev, &s->roofline);
    s->has_roofline = st == LEHR_OK;
    if (st == LEHR_OK) st = lh_roofline_measure(&s->roofline, &now);
    if (st == LEHR_OK) printf("{\"gflops\": %.2f, \"gbs\": %.2f, \"at_once\": %.3f}\n", now.gflops, now.gbs,
                              now.at_once);
    return st;
}

static void say_memory(bool reset)
{
    char line[256];
    double rss = 0, peak = 0;
    FILE *f = reset ? fopen("/proc/self/clear_refs", "w") : NULL;
    if (f) {
        fputs("5", f);
        fclose(f);
    }
    if ((f = fopen("/proc/self/status", "r"))) {
        while (fgets(line, sizeof line, f)) {
            if (!strncmp(line, "VmRSS:", 6)) rss = atof(line + 6) / 1024;
            if (!strncmp(line, "VmHWM:", 6)) peak = atof(line + 6) / 1024;
        }
        fclose(f);
    }
    printf("{\"rss\": %.1f, \"peak\": %.1f}\n", rss, peak);
}

static lehr_status by_id(server *s, const char *rest, bool close)
{
    int id = atoi(rest);
    double ms = 0;
    if (id < 0 || id >= MAX_ITEMS || s->items[id].kind == FREE)
        return lh_fail(s->ctx, LEHR_E_USAGE, "no item '%s'", rest);
    lehr_status st = LEHR_OK;
    if (close)
        close_item(&s->items[id]);
    else
        st = sample(s, &s->items[id], &ms);
    if (st == LEHR_OK) printf("{\"id\": %d, \"ms\": %.5f}\n", id, ms);
    return st;
}

static lehr_status command(server *s, char *line)
{
    char *rest = strchr(line, ' ');
    const lehr_device_info *info = lehr_device_get_info(s->dev);
    if (rest) *rest++ = '\0';
    else rest = line + strlen(line);
    if (!strcmp(line, "op")) return say_op(s, rest);
    if (!strcmp(line, "optimizer")) return say_optimizer(s, rest);
    if (!strcmp(line, "step")) return say_step(s, rest);
    if (!strcmp(line, "run")) return by_id(s, rest, false);
    if (!strcmp(line, "close")) return by_id(s, rest, true);
    if (!strcmp(line, "roofline")) return say_roofline(s);
    if (!strcmp(line, "memory")) return say_memory(!strcmp(rest, "reset")), LEHR_OK;
    if (strcmp(line, "device") != 0)
        return lh_fail(s->ctx, LEHR_E_USAGE, "unknown command '%s'", line);
    printf("{\"device\": \"%s\", \"driver\": \"%s\", \"platform\": \"%s\", \"units\": %u, "
           "\"lehr\": \"%s\"}\n", info->name, info->driver, info->platform,
           lh_device_traits(s->dev)->compute_units, lehr_version());
    return LEHR_OK;
}

static int usage(void)
{
    puts("usage: lehr-bench-serve [DEVICE]\n"
         "Answers commands on standard input; the head of its source lists them.");
    return 2;
}

int main(int argc, char **argv)
{
    static server s;
    char line[LINE];
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) return usage();
    lehr_status st = lehr_context_create(NULL, &s.ctx);
    if (st != LEHR_OK) return 1;
    st = lehr_device_open(s.ctx, argc == 2 ? argv[1] : NULL, &s.dev);
    if (st == LEHR_OK) st = lehr_registry_create(s.ctx, NULL, &s.registry);
    while (st == LEHR_OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, "quit")) break;
        st = command(&s, line);
        fflush(stdout);
    }
    if (st != LEHR_OK) fprintf(stderr, "lehr-bench-serve: %s\n", lehr_context_message(s.ctx));
    for (int i = 0; i < MAX_ITEMS; i++) close_item(&s.items[i]);
    if (s.has_roofline) lh_roofline_close(&s.roofline);
    lehr_registry_destroy(&s.registry);
    lehr_device_destroy(&s.dev);
    lehr_context_destroy(&s.ctx);
    return st == LEHR_OK ? 0 : 1;
}
