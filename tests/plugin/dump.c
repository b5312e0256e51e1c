/* SPDX-License-Identifier: MIT
 *
 * For oracle_schedules.py:  dump schedule SPEC BASE STEPS_PER_EPOCH TOTAL POINTS [metric values …]
 * prints one value a line. */
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

int main(int argc, char **argv)
{
    lehr_context *ctx = NULL;
    lehr_registry *reg = NULL;
    int rc = 2;
    lehr_context_create(NULL, &ctx);
    if (lehr_registry_create(ctx, NULL, &reg) != LEHR_OK) return fail(ctx);
    if (argc >= 7 && strcmp(argv[1], "schedule") == 0) rc = schedule(ctx, reg, argc - 2, argv + 2);
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
    return rc;
}
