/* SPDX-License-Identifier: MIT
 *
 * Host side of plugins: the registry of schedules and optimizers, and schedulers (a parsed schedule
 * expression with its budget).  No device is needed for anything in this header. */
#ifndef LEHR_SCHEDULE_H
#define LEHR_SCHEDULE_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugins that are loaded; the descriptors (lehr_schedule, lehr_optimizer) are plugin.h's. */
typedef struct lehr_registry lehr_registry;

typedef struct lehr_registry_params {
    const char *const *files; /* plugin files named by the user, loaded at once */
    uint32_t file_count;
    const char *directory; /* the built-in plugins; NULL: LEHR_PLUGIN_DIR of the environment, else
                              the installed (or build tree's) one */
    uint32_t no_plugins;      /* 1: only the built-in directory, no search path; with files: an error */
} lehr_registry_params;

/* Errors: LEHR_E_PLUGIN (which file, which field, what to do), LEHR_E_USAGE. */
lehr_status lehr_registry_create(lehr_context *ctx, const lehr_registry_params *params,
                                 lehr_registry **out);
void lehr_registry_destroy(lehr_registry **registry);

typedef struct lehr_plugin_info {
    const char *id, *version, *path, *sha256;
    uint32_t schedule_count, optimizer_count;
    const char *license, *url; /* NULL: not said */
    uint32_t abi;      /* major << 16 | minor it was built for */
    uint32_t built_in; /* 1: from the directory of the built-in plugins */
} lehr_plugin_info;
uint32_t lehr_registry_plugin_count(const lehr_registry *registry);
void lehr_registry_plugin(const lehr_registry *registry, uint32_t i, lehr_plugin_info *out);
/* Descriptor number i, NULL past the end; and by name (loading it from the search path), or an
 * error that lists what exists. */
const lehr_schedule *lehr_registry_schedule(const lehr_registry *registry, uint32_t i);
const lehr_optimizer *lehr_registry_optimizer(const lehr_registry *registry, uint32_t i);
lehr_status lehr_registry_find_schedule(lehr_registry *registry, const char *name,
                                        const lehr_schedule **out);
lehr_status lehr_registry_find_optimizer(lehr_registry *registry, const char *name,
                                         const lehr_optimizer **out);
/* May a new schedule (optimizer = 0) or optimizer (1) be called so?  Errors: LEHR_E_USAGE (no name, a
 * word of the schedule language, taken by what is loaded). */
lehr_status lehr_registry_name_free(lehr_registry *registry, uint32_t optimizer, const char *name);

/* Checks "adam(beta1=0.95)" or "keras3:adam" without a device, with the weight decay that the user
 * gave beside it (NaN: none given).  text (may be NULL) receives it with every value written out
 * (free it with free()), lr the learning rate that belongs to the rule or preset, 0 when it has
 * none.  Errors: LEHR_E_USAGE, LEHR_E_PARAM, LEHR_E_PLUGIN. */
lehr_status lehr_optimizer_resolve(lehr_context *ctx, lehr_registry *registry, const char *spec,
                                   double weight_decay, char **text, double *lr);

/* What durations and fractions of a schedule are measured against. */
typedef struct lehr_budget {
    double base;               /* the base learning rate, > 0 */
    uint64_t steps_per_epoch; /* updates in one epoch; 0: not known (durations in ep are refused) */
    uint64_t total_steps;      /* updates of the whole run; 0: open-ended */
    uint64_t samples_per_step; /* batch x accumulation; 0: not known */
    uint64_t seed;
    const char *tables; /* directory with copies of the files of table("lr.csv"), which are read in
                           place of the files themselves; NULL: none */
} lehr_budget;

typedef struct lehr_scheduler lehr_scheduler;

/* Parses an expression (docs/schedules.md), "warmup(5ep) then cosine(end=0) * plateau()", gives each
 * part its budget and resolves every duration; reads the files of table("lr.csv").  Errors:
 * LEHR_E_USAGE (syntax with column, unknown names with the list), LEHR_E_PARAM (range, unit, beyond
 * the budget, files). */
lehr_status lehr_scheduler_create(lehr_context *ctx, lehr_registry *registry, const char *text,
                                  const lehr_budget *budget, lehr_scheduler **out);
void lehr_scheduler_destroy(lehr_scheduler **scheduler);
/* The value for update step (0-based): pure, any step in any order.  Errors: LEHR_E_PARAM when it
 * is not finite or negative (names schedule, step and parameters). */
lehr_status lehr_scheduler_value(lehr_scheduler *scheduler, uint64_t step, double *out);
/* Tells what looks wrong, one sentence a call of fn: values that would stop a run, a value of 0, an
 * end that is never reached, jumps upwards, a scale far from the base.  Needs no device and changes
 * nothing.  Errors: LEHR_E_PARAM when the run has no known length. */
typedef void (*lehr_review_fn)(void *user, const char *sentence);
lehr_status lehr_scheduler_review(lehr_scheduler *scheduler, lehr_review_fn fn, void *user);
/* Hands a measurement ("val.loss", better = -1), made after step updates, to the metric-driven parts
 * that ruled the last of them: one in a phase of `then` that has not begun, or is over, gets none. */
lehr_status lehr_scheduler_observe(lehr_scheduler *scheduler, uint64_t step, const char *metric,
                                   int32_t better, double value);
/* Metric number i that a metric-driven part waits for ("val.loss"), NULL past the end. */
const char *lehr_scheduler_metric(const lehr_scheduler *scheduler, uint32_t i);
/* The canonical text: every duration in updates, every parameter written out.  It reads back as the
 * same schedule, bit for bit. */
const char *lehr_scheduler_text(const lehr_scheduler *scheduler);
/* Writes a copy of each file that table("lr.csv") read into a directory, for budget.tables.
 * Errors: LEHR_E_DISK. */
lehr_status lehr_scheduler_save_tables(lehr_scheduler *scheduler, const char *directory);
/* All state numbers of the metric-driven parts, in a fixed order; 0 for pure schedules. */
uint32_t lehr_scheduler_state_count(const lehr_scheduler *scheduler);
void lehr_scheduler_get_state(const lehr_scheduler *scheduler, double *out);
void lehr_scheduler_set_state(lehr_scheduler *scheduler, const double *in);

#ifdef __cplusplus
}
#endif
#endif
