/* SPDX-License-Identifier: MIT
 *
 * A host without a device: loads the plugin file given and prints what it finds and what its schedule
 * gives.  Compiled with today's header, and with one of a later minor version (header.py), whose structs
 * are larger: host DIRECTORY_OF_BUILT_INS FILE. */
#include "core/plugin/host.h"

#include <stdio.h>

#if LEHR_ABI_MINOR >= 1 /* of a plugin that is older, all later fields are zero */
#define LATER(element) ((element)->later_number || (element)->later_text)
#else
#define LATER(element) 0
#endif

static lehr_context *ctx;
static lehr_registry *registry;

static int fail(const char *what)
{
    printf("%s: %s\n", what, lehr_context_message(ctx));
    return 1;
}

static void say(void *user, uint32_t level, const char *line)
{
    (void)user;
    if (level != LEHR_LOG_DEBUG || line[0] == 'c') printf("log %u %s\n", (unsigned)level, line);
}

static unsigned later_fields(const lehr_optimizer *d)
{
    unsigned count = LATER(d) ? 1 : 0;
    for (uint32_t i = 0; i < d->params.count; i++) count += LATER((const lehr_param *)d->params.at + i);
    for (uint32_t i = 0; i < d->slots.count; i++) count += LATER((const lehr_slot *)d->slots.at + i);
    for (uint32_t i = 0; i < d->state.count; i++) count += LATER((const lehr_var *)d->state.at + i);
    for (uint32_t i = 0; i < d->presets.count; i++) count += LATER((const lehr_preset *)d->presets.at + i);
    for (uint32_t i = 0; i < d->passes.count; i++) {
        const lehr_pass *pass = (const lehr_pass *)d->passes.at + i;
        count += LATER(pass);
        for (uint32_t k = 0; k < pass->reduces.count; k++)
            count += LATER((const lehr_reduce *)pass->reduces.at + k);
    }
    return count;
}

static void print_optimizer(const lehr_optimizer *d)
{
    const lehr_slot *slots = d->slots.at;
    const lehr_pass *passes = d->passes.at;
    printf("optimizer %s: %s, lr %g, later %u\n", d->name, d->doc, d->lr, later_fields(d));
    for (uint32_t i = 0; i < d->params.count; i++) {
        const lehr_param *p = lh_params(&d->params) + i;
        printf("parameter %s %g %g %g %u %u\n", p->name, p->def, p->min, p->max, (unsigned)p->kind,
               (unsigned)p->flags);
    }
    for (uint32_t i = 0; i < d->slots.count; i++)
        printf("slot %s %u %u %s %s\n", slots[i].name, (unsigned)slots[i].kind, (unsigned)slots[i].flags,
               slots[i].when ? slots[i].when : "-", slots[i].init_from ? slots[i].init_from : "-");
    for (uint32_t i = 0; i < d->passes.count; i++)
        for (uint32_t k = 0; k < passes[i].reduces.count; k++) {
            const lehr_reduce *r = (const lehr_reduce *)passes[i].reduces.at + k;
            printf("reduction %s = %s %u %u\n", r->name, r->expr, (unsigned)r->op, (unsigned)r->scope);
        }
}

/* Update 33 of 100, 10 an epoch, 64 samples each; the schedule is told of a loss of 0.5 first. */
static int print_value(const char *text)
{
    const lehr_budget budget = {.base = 0.75, .steps_per_epoch = 10, .total_steps = 100,
                                .samples_per_step = 64, .seed = 12345};
    lehr_scheduler *s = NULL;
    double value = 0;
    lehr_status st = lehr_scheduler_create(ctx, registry, text, &budget, &s);
    if (st == LEHR_OK) st = lehr_scheduler_observe(s, 30, "val.loss", -1, 0.5);
    if (st == LEHR_OK) st = lehr_scheduler_value(s, 33, &value);
    if (st == LEHR_OK) printf("%s = %.17g\n", text, value);
    lehr_scheduler_destroy(&s);
    return st == LEHR_OK ? 0 : fail(text);
}

int main(int argc, char **argv)
{
    static const char *const shows[] = {"base", "step", "samples", "epoch", "per_epoch", "total", "seed",
                                        "list", "every", "floor", "self", "abi", "size", "state"};
    const char *files[] = {argc > 2 ? argv[2] : ""};
    const lehr_registry_params params = {.files = files, .file_count = 1, .directory = argv[1]};
    const lehr_context_params log = {.log = say, .log_level = LEHR_LOG_DEBUG};
    char text[64];
    int bad = 0;
    if (argc != 3 || lehr_context_create(&log, &ctx) != LEHR_OK) return 2;
    if (lehr_registry_create(ctx, &params, &registry) != LEHR_OK) return fail("refused");
    const lehr_optimizer *optimizer = NULL;
    if (lehr_registry_find_optimizer(registry, "everything", &optimizer) != LEHR_OK) return fail("optimizer");
    print_optimizer(optimizer);
    for (size_t i = 0; i < LH_COUNT(shows); i++) {
        snprintf(text, sizeof text, "everything(show=%s)", shows[i]);
        bad += print_value(text);
    }
    bad += print_value("mine:everything(every=30st)");
    print_value("everything(bad=1)");
    lehr_registry_destroy(&registry);
    lehr_context_destroy(&ctx);
    return bad ? 1 : 0;
}
