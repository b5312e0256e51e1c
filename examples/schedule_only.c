/* SPDX-License-Identifier: MIT
 *
 * Only a schedule, no device: prints step and learning rate as CSV for somebody else's training loop.
 *   schedule_only 'warmup(2ep) * cosine(end=0)' LR EPOCHS STEPS_PER_EPOCH */
#include <lehr/lehr.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    lehr_context *ctx = NULL;
    lehr_registry *plugins = NULL;
    lehr_scheduler *schedule = NULL;
    lehr_budget budget = {0};
    budget.base = argc > 2 ? strtod(argv[2], NULL) : 0.1;
    budget.steps_per_epoch = argc > 4 ? strtoull(argv[4], NULL, 10) : 10;
    budget.total_steps = budget.steps_per_epoch * (argc > 3 ? strtoull(argv[3], NULL, 10) : 10);
    const char *spec = argc > 1 ? argv[1] : "warmup(2ep) * cosine(end=0)";

    lehr_status st = lehr_context_create(NULL, &ctx);
    if (!st) st = lehr_registry_create(ctx, NULL, &plugins);
    if (!st) st = lehr_scheduler_create(ctx, plugins, spec, &budget, &schedule);
    for (uint64_t step = 0; !st && step < budget.total_steps; step++) {
        double lr = 0;
        st = lehr_scheduler_value(schedule, step, &lr);
        if (!st) printf("%llu,%.17g\n", (unsigned long long)step, lr);
    }
    if (st) fprintf(stderr, "schedule_only: %s\n", lehr_context_message(ctx));
    lehr_scheduler_destroy(&schedule);
    lehr_registry_destroy(&plugins);
    lehr_context_destroy(&ctx);
    return lehr_status_exit_code(st);
}
