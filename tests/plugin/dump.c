/* SPDX-License-Identifier: MIT
 *
 * For oracle.py:  dump schedule SPEC BASE STEPS_PER_EPOCH TOTAL POINTS [metric values …]  prints
 * one value a line;  dump optimizer SPEC WEIGHTS GRADIENTS RATES OUT  reads raw float32 weights
 * [n], gradients [steps][n] and float64 learning rates [steps], and writes the weights after every
 * step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugin/optimizer.h"

static int fail(lehr_context *ctx)
{
    fprintf(stderr, "dump: %s\n", lehr_context_message(ctx));
    return 1;
}

static void *slurp(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*bytes);
    if (data && fread(data, 1, *bytes, file) != *bytes) *bytes = 0;
    fclose(file);
    return data;
}

static int schedule(lehr_context *ctx, lehr_registry *reg, int argc, char **argv)
{
    lehr_budget budget = {atof(argv[1]), strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                          128, 1};
    lehr_scheduler *s = NULL;
    if (lehr_scheduler_create(ctx, reg, argv[0], &budget, &s) != LEHR_OK) return fail(ctx);
    uint64_t points = strtoull(argv[4], NULL, 10);
    for (uint64_t t = 0; t < points; t++) {
        double value = 0;
        if (lehr_scheduler_value(s, t, &value) != LEHR_OK) return fail(ctx);
        printf("%.17g\n", value);
        if (5 + t < (uint64_t)argc)
            lehr_scheduler_observe(s, t + 1, "val.loss", -1, atof(argv[5 + t]));
    }
    lehr_scheduler_destroy(&s);
    return 0;
}

static int optimizer(lehr_context *ctx, lehr_registry *reg, char **argv)
{
    size_t bytes = 0, all = 0, rates = 0;
    float *w = slurp(argv[1], &bytes), *g = slurp(argv[2], &all);
    double *lr = slurp(argv[3], &rates);
    FILE *out = fopen(argv[4], "wb");
    lehr_device *dev = NULL;
    lh_updater *u = NULL;
    if (!w || !g || !lr || !out) return 1;
    size_t n = bytes / 4, steps = rates / 8;
    if (lehr_device_open(ctx, NULL, &dev) != LEHR_OK) return fail(ctx);
    lh_param_group group = {"all", 0, n, 1, 1};
    lh_arena_layout layout = {.count = n, .groups = &group, .group_count = 1};
    cl_mem control = NULL;
    const float one[2] = {1, 0};
    lh_buffer_create(dev, bytes, &layout.weights);
    lh_buffer_create(dev, bytes, &layout.gradients);
    lh_buffer_create(dev, 8, &control);
    lh_buffer_write(dev, control, 0, sizeof one, one);
    lh_buffer_write(dev, layout.weights, 0, bytes, w);
    if (lh_updater_create(dev, reg, argv[0], (double)NAN, &layout, &u) != LEHR_OK) return fail(ctx);
    for (size_t t = 0; t < steps; t++) {
        lh_buffer_write(dev, layout.gradients, 0, bytes, g + t * n);
        if (lh_updater_step(u, t + 1, lr[t], control) != LEHR_OK) return fail(ctx);
        lh_buffer_read(dev, layout.weights, 0, bytes, w);
        if (fwrite(w, 1, bytes, out) != bytes) return 1;
    }
    lh_updater_destroy(&u);
    lh_buffer_free(&layout.weights);
    lh_buffer_free(&layout.gradients);
    lh_buffer_free(&control);
    lehr_device_destroy(&dev);
    free(w);
    free(g);
    free(lr);
    return fclose(out) != 0;
}

int main(int argc, char **argv)
{
    lehr_context *ctx = NULL;
    lehr_registry *reg = NULL;
    int rc = 2;
    lehr_context_create(NULL, &ctx);
    if (lehr_registry_create(ctx, NULL, &reg) != LEHR_OK) return fail(ctx);
    if (argc >= 7 && strcmp(argv[1], "schedule") == 0) rc = schedule(ctx, reg, argc - 2, argv + 2);
    if (argc == 7 && strcmp(argv[1], "optimizer") == 0) rc = optimizer(ctx, reg, argv + 2);
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
    return rc;
}
