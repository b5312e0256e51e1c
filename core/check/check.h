/* SPDX-License-Identifier: MIT
 *
 * core/check: the inside of the validator.  A check is a function that looks at one property and
 * returns a verdict; check.c holds the table.  Everything here runs in a process that may be lost,
 * so a crash inside the plugin is no accident but an answer. */
#ifndef LH_CHECK_H
#define LH_CHECK_H

#include "core/plugin/optimizer.h"
#include "core/plugin/spec.h"
#include <lehr/check.h>

/* ---- what an object file says about itself (elf.c) ---- */
enum { LH_ELF_NAMES = 64 };
typedef struct lh_elf_names {
    char *names[LH_ELF_NAMES];
    uint32_t count, total; /* total may be larger than what is kept */
} lh_elf_names;
typedef struct lh_elf {
    bool dynamic, symbols, exec_stack, static_tls, text_relocations, search_path;
    lh_elf_names strong, weak, undefined, needed; /* exported, exported, wanted, libraries */
} lh_elf;
/* NULL, or why the bytes cannot be read as a shared object of this machine's word size. */
const char *lh_elf_read(const unsigned char *bytes, size_t size, lh_elf *out);
void lh_elf_free(lh_elf *elf);

/* ---- the state of the process that a plugin must leave alone (process.c) ---- */
typedef enum lh_aspect {
    LH_FLOATING_POINT,
    LH_LOCALE,
    LH_DIRECTORY,
    LH_SIGNALS,
    LH_THREADS,
    LH_OUTPUT,
    LH_ENVIRONMENT,
    LH_DESCRIPTORS,
    LH_ASPECTS
} lh_aspect;
typedef struct lh_changes {
    bool changed[LH_ASPECTS];
    char text[LH_ASPECTS][200];
} lh_changes;
typedef struct lh_watch lh_watch;
/* Between begin and end the process is watched and its output caught; end restores what it can. */
lh_watch *lh_watch_begin(lehr_context *ctx);
void lh_watch_end(lh_watch *watch, lh_changes *out);
/* "" or how the floating-point environment differs from the usual one. */
const char *lh_float_mode(void);

/* ---- memory that a plugin is given (memory.c) ---- */
/* size bytes, then slack bytes of 0, then a page that cannot be touched. */
typedef struct lh_fence {
    unsigned char *base;
    size_t length; /* of what may be touched */
    void *at;
    bool locked;
} lh_fence;
bool lh_fence_open(lh_fence *fence, const void *from, size_t size, size_t slack);
bool lh_fence_lock(lh_fence *fence, bool read_only);
void lh_fence_close(lh_fence *fence);

/* A host that counts, and fails at the n-th request. */
enum { LH_LIVE = 1024 };
typedef struct lh_check_host {
    lehr_host api;
    uint64_t allocations, releases;
    uint64_t fail_at; /* number of the allocation that fails, from 1; 0: none */
    void *live[LH_LIVE];
    uint32_t live_count;
    bool foreign; /* something was released that is not ours, or twice */
    bool failed;  /* fail() was called */
    char message[512];
} lh_check_host;
void lh_check_host_init(lh_check_host *host);

/* ---- one schedule or optimizer with values for its parameters (subject.c) ---- */
/* Where the plugin's arguments lie: on the heap; unwritable, with room behind them; with no room
 * behind the scalars that it sets; with no room behind anything. */
typedef enum lh_place { LH_ON_HEAP, LH_READ_ONLY, LH_OUT_FENCED, LH_FENCED } lh_place;
typedef enum lh_given {
    LH_GIVEN_P,
    LH_GIVEN_LISTS,
    LH_GIVEN_LIST, /* the members of the first list */
    LH_GIVEN_STATE,
    LH_GIVEN_HOST,
    LH_GIVEN_ARGUMENT, /* lehr_progress or lehr_update */
    LH_GIVEN_METRIC,
    LH_GIVEN_OUT,
    LH_GIVEN_COUNT
} lh_given;
typedef struct lh_subject {
    lehr_checker *c;
    const lehr_schedule *schedule; /* one of the two */
    const lehr_optimizer *optimizer;
    lh_binding binding;
    lh_str text; /* "step(gamma=0.5, every=100st)" */
    lehr_budget budget;
    lh_check_host host;
    void *self;
    bool created;
    uint32_t base_draw; /* random values on which everything else is built, where defaults alone are
                           refused ("give gamma or rate"); 0: none */
    lh_place place;
    lh_fence fences[LH_GIVEN_COUNT]; /* everything that the plugin is given lies in these, or */
    double *state, *out;        /* on the heap; out is for scalars */
    uint32_t state_count;
    const double *p;
    const lehr_values *lists;
} lh_subject;

/* Which values: the defaults (and something suitable for required parameters), one parameter at one
 * of its bounds, or random ones within the ranges. */
typedef enum lh_draw_kind { LH_DRAW_DEFAULT, LH_DRAW_BOUND, LH_DRAW_RANDOM } lh_draw_kind;
typedef struct lh_draw {
    lh_draw_kind kind;
    uint32_t number; /* of the bound (2 x parameter, + 1 for the maximum), or of the random draw */
} lh_draw;
static inline uint32_t lh_draw_bounds(const lehr_span *params) { return 2 * params->count; }
/* Sets values in binding, which holds the defaults. */
void lh_draw_apply(lh_draw draw, const lehr_span *params, const lehr_budget *budget,
                   lh_binding *binding);

/* A run of 1000 updates in epochs of 100, base value 0.1. */
extern const lehr_budget lh_check_budget;

typedef enum lh_opened {
    LH_OPENED,  /* ready */
    LH_REFUSED, /* check() or create() said no; host.message says why */
    LH_UNUSABLE /* no values could be found; the inner context says why */
} lh_opened;
typedef struct lh_wish {
    lh_draw draw;
    const char *preset; /* its prefix; NULL: none */
    const char *spec;   /* the whole text; NULL: the name with what is required */
    const lehr_budget *budget; /* NULL: lh_check_budget */
    lh_place place;
    uint64_t fail_at; /* see lh_check_host */
} lh_wish;
/* Binds values, asks check(), calls create().  Close it whatever came out. */
lh_opened lh_subject_open(lehr_checker *c, const lehr_schedule *schedule,
                          const lehr_optimizer *optimizer, lh_wish wish, lh_subject *out);
void lh_subject_close(lh_subject *s);
/* As it was when it was opened: with lehr.state/1 the instance is made anew. */
void lh_subject_reset_state(lh_subject *s);
void lh_subject_set_state(lh_subject *s, const double *state);
/* handover.c: does it offer lehr.state/1?  All that one instance remembers into another: a verdict. */
bool lh_subject_keeps_memory(lh_subject *s);
int lh_subject_hand_over(lh_subject *from, lh_subject *to);

/* The calls, each noted before it is made.  advance is that of every pass, with the scalars of all but
 * the last; scalar that of the last pass, into s->out. */
double lh_call_value(lh_subject *s, uint64_t step);
/* The value when total_steps and others are as given instead. */
double lh_call_value_as(lh_subject *s, const lehr_budget *budget, uint64_t step);
lehr_status lh_call_observe(lh_subject *s, uint64_t step, double metric);
lehr_status lh_call_advance(lh_subject *s, uint64_t t, double lr);
lehr_status lh_call_scalar(lh_subject *s, uint64_t t, double lr);
/* advance() and scalar() of one pass (from 0). */
lehr_status lh_call_pass(lh_subject *s, uint32_t pass, uint64_t t, double lr);
/* value() or scalar() for one update, after which the floating-point environment is as it left it. */
double lh_call_unguarded(lh_subject *s);

/* ---- the checker ---- */
struct lehr_checker {
    lehr_context *ctx;
    lehr_context *inner; /* for work whose failure is an answer */
    char *file;
    char *call;
    uint32_t call_size;
    char *device_name;
    lehr_check_result *out; /* being filled */

    unsigned char *bytes;
    size_t size;
    lh_elf elf;
    const char *elf_wrong;
    bool read, elf_read;

    bool load_tried, copy_tried, exercised;
    const lehr_plugin *plugin;
    char load_error[512], copy_error[1024];
    lh_changes at_load, at_run;
    lehr_schedule **schedules;   /* checked copies */
    lehr_optimizer **optimizers;
    uint32_t schedule_count, optimizer_count;

    lehr_registry *registry;     /* the built-ins and this file */
    lehr_device *devices[2];     /* as it is; taken for a GPU */
};

typedef int lh_check_fn(lehr_checker *c);

/* Sets the verdict and returns it; remedy may be NULL. */
int lh_verdict(lehr_checker *c, int verdict, const char *remedy, const char *fmt, ...)
    LH_PRINTF(4, 5);
/* Notes the call that is about to be made. */
void lh_note(lehr_checker *c, const char *fmt, ...) LH_PRINTF(2, 3);
bool lh_same_bits(const double *a, const double *b, size_t count);

/* The file's bytes and what they say; false after a verdict. */
bool lh_check_read(lehr_checker *c);
/* dlopen and the entry; c->plugin is set when it came that far.  False after a verdict. */
bool lh_check_load(lehr_checker *c);
/* Checked copies of all descriptors; false after a verdict. */
bool lh_check_copy(lehr_checker *c);
/* Everything without a device is called once; changes of the process are in at_run. */
bool lh_check_exercise(lehr_checker *c);
/* The registry that holds this file; false after a verdict. */
bool lh_check_registry(lehr_checker *c);

/* ---- the checks ---- */
#define LH_CHECKS(X) \
    X(binary_file) X(binary_object) X(binary_entry) X(binary_exports) X(binary_undefined) \
    X(binary_libraries) X(binary_stack) X(binary_tls) X(binary_relocations) \
    X(binary_search_path) X(loading_opens) X(loading_floating_point) X(loading_locale) \
    X(loading_directory) X(loading_signals) X(loading_threads) X(loading_output) \
    X(loading_environment) X(loading_descriptors) X(entry_same) X(entry_threads) \
    X(entry_accepted) X(structs_sizes) X(structs_abi) X(structs_extensions) X(tables_accepted) \
    X(tables_language) X(tables_unique) X(tables_docs) X(tables_ranges) X(tables_defaults) \
    X(tables_presets) X(tables_text) X(tables_identity) X(schedules_finite) \
    X(schedules_read_only) X(schedules_inside) X(schedules_pure) X(schedules_order) \
    X(schedules_bounds) X(schedules_random) X(schedules_extremes) X(schedules_open_ended) \
    X(schedules_no_epochs) X(schedules_short_runs) X(schedules_bases) X(schedules_observe) \
    X(schedules_replay) X(schedules_state) X(schedules_resume) X(schedules_speed) \
    X(optimizers_unused) X(optimizers_scalars) X(optimizers_finite) X(optimizers_read_only) \
    X(optimizers_inside) X(optimizers_pure) X(optimizers_advance) X(optimizers_ranges) \
    X(optimizers_resume) X(running_floating_point) X(running_locale) X(running_directory) \
    X(running_signals) X(running_threads) X(running_output) X(running_environment) \
    X(running_descriptors) X(whole_leaks) X(whole_memory) X(whole_allocation) X(whole_globals) \
    X(whole_instances) X(whole_threads) X(whole_locale) X(whole_rounding) X(whole_exit)
#define LH_DEVICE_CHECKS(X)                                                                        \
    X(device_compiles) X(device_compiles_gpu) X(device_finite) X(device_zero_gradient)             \
    X(device_choices) X(device_repeatable) X(device_permutation) X(device_split)                   \
    X(device_non_finite) X(device_families) X(device_kept) X(device_halt) X(device_resume)         \
    X(device_evaluation) X(device_double) X(device_quadratic)
#define LH_DECLARE(name) lh_check_fn lh_check_##name;
LH_CHECKS(LH_DECLARE)
LH_DEVICE_CHECKS(LH_DECLARE)
#undef LH_DECLARE

#endif
