/* SPDX-License-Identifier: MIT
 *
 * The table of checks, and running one of them.  A row's name is stable: scripts and the tests of
 * defective plugins rely on it. */
#include "core/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    lehr_check info;
    lh_check_fn *run;
} row;

#define ROW(NAME, FN, NEEDS, TEXT) {{NAME, TEXT, NEEDS, 0}, lh_check_##FN},
#define ON_DEVICE(NAME, FN, NEEDS, TEXT) {{NAME, TEXT, NEEDS, 1}, lh_check_##FN},

static const row rows[] = {
#include "core/check/rows.h"
};

const lehr_check *lehr_check_row(uint32_t i) { return i < LH_COUNT(rows) ? &rows[i].info : NULL; }

int lh_verdict(lehr_checker *c, int verdict, const char *remedy, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->out->reason, sizeof c->out->reason, fmt, args);
    va_end(args);
    snprintf(c->out->remedy, sizeof c->out->remedy, "%s", remedy ? remedy : "");
    c->out->verdict = verdict;
    return verdict;
}

void lh_note(lehr_checker *c, const char *fmt, ...)
{
    if (!c->call || c->call_size == 0) return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->call, c->call_size, fmt, args);
    va_end(args);
}

bool lh_same_bits(const double *a, const double *b, size_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof *a) == 0;
}

lehr_status lehr_checker_create(lehr_context *ctx, const lehr_checker_params *params,
                                lehr_checker **out)
{
    lh_enter(ctx);
    *out = NULL;
    lehr_checker *c = lh_alloc(ctx, 1, sizeof *c);
    if (!c) return LEHR_E_MEMORY;
    c->ctx = ctx;
    c->file = lh_strdup(ctx, params->file);
    c->device_name = lh_strdup(ctx, params->device ? params->device : "auto");
    c->call = params->call;
    c->call_size = params->call_size;
    lehr_status st = c->file && c->device_name ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) st = lehr_context_create(NULL, &c->inner);
    if (st != LEHR_OK) lehr_checker_destroy(&c);
    *out = c;
    return st;
}

void lehr_checker_destroy(lehr_checker **checker)
{
    if (!checker || !*checker) return;
    lehr_checker *c = *checker;
    for (uint32_t i = 0; i < c->schedule_count; i++) lh_schedule_free(&c->schedules[i]);
    for (uint32_t i = 0; i < c->optimizer_count; i++) lh_optimizer_free(&c->optimizers[i]);
    free(c->schedules);
    free(c->optimizers);
    for (size_t i = 0; i < LH_COUNT(c->devices); i++) lehr_device_destroy(&c->devices[i]);
    lehr_registry_destroy(&c->registry);
    lh_elf_free(&c->elf);
    free(c->bytes);
    free(c->file);
    free(c->device_name);
    lehr_context_destroy(&c->inner);
    free(c);
    *checker = NULL;
}

lehr_status lehr_checker_run(lehr_checker *c, uint32_t i, lehr_check_result *out)
{
    lh_enter(c->ctx);
    if (i >= LH_COUNT(rows))
        return lh_fail(c->ctx, LEHR_E_USAGE, "check number %u does not exist", (unsigned)i);
    lehr_check_result result = {.verdict = LEHR_CHECK_OK};
    c->out = &result;
    lh_note(c, "none yet");
    rows[i].run(c);
    c->out = NULL;
    *out = result;
    return LEHR_OK;
}
