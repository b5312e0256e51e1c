/* SPDX-License-Identifier: MIT
 *
 * For oracle_optimizers.py:  dump_optimizers WEIGHTS GRADIENTS LOSSES SIZES reads raw float32
 * weights [n], gradients [steps][n], float64 losses [steps] and uint64 sizes of the tensors that
 * make up n. Each line of standard input is a job, SPEC \t BASE \t RATES \t OUT: it runs the
 * optimizer SPEC over the gradients with the float64 learning rates of the file RATES, whose base
 * is BASE, and writes the float32 weights after every update, then those that evaluation sees. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugin/optimizer.h"
#include "core/runtime/device.h"

enum { TENSORS_MAX = 16, PAD = 128 };

typedef struct world {
    lehr_context *ctx;
    lehr_registry *reg;
    lehr_device *dev;
    float *w, *g, *arena;
    double *loss;
    uint64_t *sizes;
    size_t n, steps, tensors;
    lh_param params[TENSORS_MAX];
    lh_param_group group;
    lh_arena_layout layout;
    cl_mem control;
} world;

static int fail(const world *x, const char *what)
{
    fprintf(stderr, "dump_optimizers: %s: %s\n", what, lehr_context_message(x->ctx));
    return 1;
}

static void *slurp(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*bytes + 1);
    if (data && fread(data, 1, *bytes, file) != *bytes) *bytes = 0;
    fclose(file);
    return data;
}

/* Between the dense tensors of the files and the padded ones of the arena. */
static void spread(world *x, const float *dense)
{
    for (size_t i = 0; i < x->tensors; i++) {
        memcpy(x->arena + x->params[i].offset, dense, x->params[i].count * 4);
        dense += x->params[i].count;
    }
}

static bool gather(world *x, FILE *out)
{
    bool ok =
        lh_buffer_read(x->dev, x->layout.weights, 0, x->layout.count * 4, x->arena) == LEHR_OK;
    for (size_t i = 0; i < x->tensors && ok; i++)
        ok = fwrite(x->arena + x->params[i].offset, 4, x->params[i].count, out) ==
             x->params[i].count;
    return ok;
}

static bool load(world *x, char **argv)
{
    size_t bytes[4];
    x->w = slurp(argv[1], &bytes[0]);
    x->g = slurp(argv[2], &bytes[1]);
    x->loss = slurp(argv[3], &bytes[2]);
    x->sizes = slurp(argv[4], &bytes[3]);
    if (!x->w || !x->g || !x->loss || !x->sizes) return false;
    x->n = bytes[0] / 4;
    x->steps = bytes[1] / bytes[0];
    x->tensors = bytes[3] / 8;
    if (x->tensors > TENSORS_MAX || bytes[2] / 8 < x->steps) return false;
    size_t at = 0;
    for (size_t i = 0; i < x->tensors; i++) {
        x->params[i] = (lh_param){
            .name = "t", .offset = at, .count = x->sizes[i], .dims = {x->sizes[i]}, .ndim = 1};
        at += (x->sizes[i] + PAD - 1) / PAD * PAD;
    }
    x->group = (lh_param_group){"all", 0, at, 1, 1};
    x->layout = (lh_arena_layout){.count = at,
                                  .params = x->params,
                                  .param_count = (uint32_t)x->tensors,
                                  .groups = &x->group,
                                  .group_count = 1};
    x->arena = calloc(at, sizeof *x->arena);
    return x->arena != NULL;
}

static bool open_device(world *x)
{
    const float one[2] = {1, 0};
    size_t bytes = x->layout.count * 4;
    return lehr_device_open(x->ctx, NULL, &x->dev) == LEHR_OK &&
           lh_buffer_create(x->dev, bytes, &x->layout.weights) == LEHR_OK &&
           lh_buffer_create(x->dev, bytes, &x->layout.gradients) == LEHR_OK &&
           lh_buffer_create(x->dev, 8, &x->control) == LEHR_OK &&
           lh_buffer_write(x->dev, x->control, 0, sizeof one, one) == LEHR_OK;
}

static bool steps(world *x, lh_updater *u, const double *lr, FILE *out)
{
    size_t bytes = x->layout.count * 4;
    for (size_t t = 0; t < x->steps; t++) {
        spread(x, x->g + t * x->n);
        lh_buffer_write(x->dev, x->layout.gradients, 0, bytes, x->arena);
        lh_updater_set_loss(u, x->loss[t]);
        if (lh_updater_step(u, t + 1, lr[t], x->control) != LEHR_OK || !gather(x, out))
            return false;
    }
    return lh_updater_enter_eval(u, x->steps, x->control) == LEHR_OK && gather(x, out);
}

static int job(world *x, const char *spec, double base, const char *rates, const char *to)
{
    size_t bytes = 0;
    double *lr = slurp(rates, &bytes);
    FILE *out = fopen(to, "wb");
    lh_updater *u = NULL;
    if (!lr || !out || bytes / 8 < x->steps) return fail(x, rates);
    spread(x, x->w);
    lh_buffer_write(x->dev, x->layout.weights, 0, x->layout.count * 4, x->arena);
    lh_enter(x->ctx);
    bool ok = lh_updater_create(x->dev, x->reg, spec, (double)NAN, &x->layout, &u) == LEHR_OK;
    if (ok) lh_updater_set_base_lr(u, base);
    ok = ok && steps(x, u, lr, out);
    lh_updater_destroy(&u);
    free(lr);
    fclose(out);
    return ok ? 0 : fail(x, spec);
}

static int resolve(world *x, int count, char **specs)
{
    if (lehr_registry_create(x->ctx, NULL, &x->reg) != LEHR_OK) return fail(x, "plugins");
    for (int i = 0; i < count; i++) {
        char *text = NULL;
        double lr = 0;
        if (lehr_optimizer_resolve(x->ctx, x->reg, specs[i], (double)NAN, &text, &lr) != LEHR_OK)
            return fail(x, specs[i]);
        printf("%s\t%.17g\n", text, lr);
        free(text);
    }
    lehr_registry_destroy(&x->reg);
    lehr_context_destroy(&x->ctx);
    return 0;
}

int main(int argc, char **argv)
{
    world x = {.ctx = NULL};
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    lehr_context_create(NULL, &x.ctx);
    if (argc > 1 && strcmp(argv[1], "resolve") == 0) return resolve(&x, argc - 2, argv + 2);
    if (argc != 5 || !load(&x, argv)) return fail(&x, "the files cannot be read");
    if (lehr_registry_create(x.ctx, NULL, &x.reg) != LEHR_OK) return fail(&x, "plugins");
    if (!open_device(&x)) return fail(&x, "device");
    while (rc == 0 && getline(&line, &size, stdin) > 0) {
        char *spec = strtok(line, "\t"), *base = strtok(NULL, "\t");
        char *rates = strtok(NULL, "\t"), *to = strtok(NULL, "\n");
        rc = to ? job(&x, spec, atof(base), rates, to) : fail(&x, "a line is no job");
    }
    lh_buffer_free(&x.layout.weights);
    lh_buffer_free(&x.layout.gradients);
    lh_buffer_free(&x.control);
    lehr_device_destroy(&x.dev);
    lehr_registry_destroy(&x.reg);
    lehr_context_destroy(&x.ctx);
    free(line);
    free(x.w);
    free(x.g);
    free(x.loss);
    free(x.sizes);
    free(x.arena);
    return rc;
}
