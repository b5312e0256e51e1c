/* SPDX-License-Identifier: MIT
 *
 * lehr/plugin.h: the plugin ABI, version 1.  A learning-rate schedule or an optimizer is a shared
 * object that includes this header only, links nothing but libm, and exports lehr_plugin_v1().
 * Self-contained: no OpenCL, no other lehr header, nothing to link.  Rules: docs/plugin-abi.md. */
#ifndef LEHR_PLUGIN_H
#define LEHR_PLUGIN_H
#include <stddef.h>
#include <stdint.h>

#define LEHR_ABI_MAJOR 1
#define LEHR_ABI_MINOR_LATEST 0
#ifndef LEHR_ABI_MINOR            /* oldest by default: the binary then loads on every 1.x host */
#define LEHR_ABI_MINOR 0
#endif
#if LEHR_ABI_MINOR > LEHR_ABI_MINOR_LATEST
#error "LEHR_ABI_MINOR is newer than this header"
#endif
#define LEHR_ABI ((uint32_t)LEHR_ABI_MAJOR << 16 | (uint32_t)LEHR_ABI_MINOR)

#if defined(__cplusplus) && __cplusplus >= 201703L
#define LEHR_NX noexcept          /* a callback that may throw does not compile */
#else
#define LEHR_NX
#endif
#if defined(_WIN32)
#define LEHR_EXPORT __declspec(dllexport)
#else
#define LEHR_EXPORT __attribute__((visibility("default")))
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------- */
typedef int32_t lehr_status;
enum {
    LEHR_OK            =  0,
    LEHR_E_PARAM       = -1,      /* a parameter or a combination of them is not acceptable */
    LEHR_E_STATE       = -2,      /* saved state does not fit */
    LEHR_E_MEMORY      = -3,
    LEHR_E_DEVICE      = -4,      /* an OpenCL or BLAS call failed */
    LEHR_E_UNSUPPORTED = -5,
    LEHR_E_INTERNAL    = -6
};
enum { LEHR_LOG_DEBUG = 0, LEHR_LOG_INFO = 1, LEHR_LOG_WARN = 2 };

/* ---- table of growable elements: stride lets the element type gain fields later ------------ */
typedef struct lehr_span { const void *at; uint32_t count, stride; } lehr_span;

/* A named array as a span; C and C++. */
#define LEHR_TABLE(ARRAY) \
    { ARRAY, (uint32_t)(sizeof(ARRAY) / sizeof((ARRAY)[0])), (uint32_t)sizeof((ARRAY)[0]) }

/* The same without a name, C only.  Use at file scope. */
#define LEHR_LIST(T, ...) \
    { (const T[]){__VA_ARGS__}, \
      (uint32_t)(sizeof((const T[]){__VA_ARGS__}) / sizeof(T)), (uint32_t)sizeof(T) }

#define LEHR_NAMES(...) \
    { (const char *const[]){__VA_ARGS__}, \
      (uint32_t)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
      (uint32_t)sizeof(char *) }

/* ---- parameters: shown by --help, checked by the host, delivered as double[] in this order -- */
enum {
    LEHR_REAL     = 0,
    LEHR_INT      = 1,
    LEHR_BOOL     = 2,            /* typed as 0, 1, no, yes */
    LEHR_CHOICE   = 3,            /* typed as a word of choices; the value is its index */
    LEHR_DURATION = 4,            /* typed with its unit: "10ep", "500st", "30%", "64000samples";
                                     the value is in updates, a whole number */
    LEHR_VALUE    = 5             /* a value of what is scheduled: "1e-5" or "1%" of the base; the
                                     value is absolute */
};
enum {
    LEHR_P_OPEN_MIN    = 1u << 0, /* min itself is not allowed */
    LEHR_P_OPEN_MAX    = 1u << 1,
    LEHR_P_SCHEDULABLE = 1u << 2, /* reals of optimizers: may change from update to update and differ
                                     between groups, e.g. momentum; read anew at every update, not
                                     kept from create() or the start of a slot */
    LEHR_P_LOG         = 1u << 3, /* hint for sweeps: spread logarithmically */
    LEHR_P_PHASE       = 1u << 4, /* a duration that must fit in the run: longer ones are refused */
    LEHR_P_LIST        = 1u << 16, /* schedules: a list of its kind, "[10ep, 20ep]"; the number in
                                      double[] is its length, its members are in lists[] */
    LEHR_P_REQUIRED    = 1u << 17 /* has no default */
};
typedef struct lehr_param {
    const char        *name;      /* [a-z][a-z0-9_]{0,30}; an OpenCL identifier in optimizers */
    const char        *doc;       /* one line, UTF-8 */
    double             def, min, max;             /* inclusive; min < max */
    uint32_t           kind, flags;
    const char *const *choices;   /* LEHR_CHOICE: NULL-terminated */
    const char        *text;      /* default as a user would type it ("1ep", "100%"); NULL: def */
} lehr_param;
#define LEHR_ANY 1e300            /* as a bound: none */
#define LEHR_REALP(NAME, DEF, MIN, MAX, DOC) { NAME, DOC, DEF, MIN, MAX, LEHR_REAL, 0, 0, 0 }
/* A real of an optimizer that a schedule or a parameter group may set; FLAGS as LEHR_P_OPEN_MAX. */
#define LEHR_SCHEDULABLEP(NAME, DEF, MIN, MAX, FLAGS, DOC) \
    { NAME, DOC, DEF, MIN, MAX, LEHR_REAL, LEHR_P_SCHEDULABLE | (FLAGS), 0, 0 }
#define LEHR_INTP(NAME, DEF, MIN, MAX, DOC)  { NAME, DOC, DEF, MIN, MAX, LEHR_INT, 0, 0, 0 }
#define LEHR_BOOLP(NAME, DEF, DOC)           { NAME, DOC, DEF, 0, 1, LEHR_BOOL, 0, 0, 0 }
#define LEHR_CHOICEP(NAME, DEF, CHOICES, DOC) \
    { NAME, DOC, DEF, 0, LEHR_ANY, LEHR_CHOICE, 0, CHOICES, 0 }
/* TEXT 0: the user must give it (add LEHR_P_REQUIRED to FLAGS). */
#define LEHR_DURATIONP(NAME, TEXT, FLAGS, DOC) \
    { NAME, DOC, 0, 0, LEHR_ANY, LEHR_DURATION, LEHR_P_OPEN_MIN | (FLAGS), 0, TEXT }
#define LEHR_VALUEP(NAME, TEXT, DOC)         { NAME, DOC, 0, 0, LEHR_ANY, LEHR_VALUE, 0, 0, TEXT }

/* The members of a LEHR_P_LIST parameter. */
typedef struct lehr_values { const double *at; uint32_t count, reserved; } lehr_values;

/* A named set of values, "keras3:adam": other people's defaults under their name.  values is what a
 * user would type between the brackets; in optimizers it may begin with lr=, the learning rate that
 * belongs to them. */
typedef struct lehr_preset {
    const char *prefix;           /* [a-z][a-z0-9_]{0,30}: "keras3" */
    const char *values;           /* "lr=0.001, eps=1e-7" */
    const char *source;           /* where they are from, for people */
} lehr_preset;

/* One host-side state variable.  The host allocates, zeroes to init, saves and restores it. */
typedef struct lehr_var {
    const char *name, *doc;
    double      init;
    uint32_t    flags, reserved;
} lehr_var;
enum { LEHR_VAR_OPTIONAL = 1u << 0 };  /* absent from an older checkpoint: use init */
#define LEHR_VAR(NAME, INIT, DOC) { NAME, DOC, INIT, 0, 0 }

/* ---- host services ------------------------------------------------------------------------- */
typedef struct lehr_host lehr_host;
struct lehr_host {
    uint32_t    size, abi;
    const char *version;          /* for messages; never branch on it */
    void       *priv;
    void        (*log)(const lehr_host *, uint32_t level, const char *utf8) LEHR_NX;
    /* Keeps a copy of the message and returns code:  return h->fail(h, LEHR_E_PARAM, "..."); */
    lehr_status (*fail)(const lehr_host *, lehr_status code, const char *utf8) LEHR_NX;
    void       *(*alloc)(const lehr_host *, size_t bytes) LEHR_NX;  /* zeroed, 64-byte aligned */
    void        (*release)(const lehr_host *, void *) LEHR_NX;      /* NULL allowed */
    const void *(*ext)(const lehr_host *, const char *id) LEHR_NX;  /* NULL: not offered */
};

/* ---- schedules: host side, no device --------------------------------------------------------
 * A schedule lives in a budget: the run, or a part of it (a phase of `then`, one cycle of repeat).
 * step, samples and epoch count from the beginning of that budget, total_steps is its length.  Two
 * names have a meaning to expressions: VALUE parameters from and end take an arrow, (0 -> 1), and a
 * DURATION called over or duration with LEHR_P_PHASE is the schedule's own length before `then`. */
typedef struct lehr_progress {
    uint32_t         size, flags;
    const lehr_host *host;
    void            *self;        /* from create(); NULL without one */
    const double    *p;           /* parameters, in table order; durations already in updates */
    const lehr_values *lists;     /* by parameter, in table order; empty where it is no list */
    double           base;        /* base value of what is scheduled, normally the base LR */
    uint64_t         seed;        /* run seed; the only permitted source of randomness */
    uint64_t         step;        /* updates already made: 0 before the first */
    uint64_t         samples;     /* training samples already consumed */
    double           epoch;       /* epochs completed, with the fraction of the running one */
    uint64_t         steps_per_epoch;   /* 0: not known */
    uint64_t         total_steps;       /* 0: open-ended; see LEHR_S_NEEDS_TOTAL */
} lehr_progress;

typedef struct lehr_metric {
    uint32_t    size;
    int32_t     better;           /* +1: larger is better, -1: smaller is better */
    const char *name;             /* "val.loss" */
    double      value;            /* may be NaN or infinite */
} lehr_metric;

enum { LEHR_S_NEEDS_TOTAL = 1u << 16 };  /* refuse to run when total_steps is 0 */

typedef struct lehr_schedule {
    uint32_t    size, flags;
    const char *name, *doc;
    lehr_span   params;           /* lehr_param */
    lehr_span   state;            /* lehr_var */
    /* Pure: same arguments, same bits; must not change s.  Not finite or negative = error. */
    double      (*value)(const lehr_progress *t, const double *s) LEHR_NX;
    /* Optional, with metric.  Called once per new measurement; the only place s may change. */
    lehr_status (*observe)(const lehr_progress *t, const lehr_metric *m, double *s) LEHR_NX;
    const char *metric;           /* default for observe, overridable by metric=NAME */
    lehr_status (*check)(const lehr_host *, const lehr_progress *t) LEHR_NX;   /* optional */
    lehr_status (*create)(const lehr_host *, const lehr_progress *t, void **self) LEHR_NX;
    void        (*destroy)(const lehr_host *, void *self) LEHR_NX;  /* with create, both optional */
    const void *(*ext)(const char *id) LEHR_NX;                            /* optional */
    lehr_span   presets;          /* lehr_preset */
} lehr_schedule;

/* ---- optimizers ------------------------------------------------------------------------------
 * A pass is OpenCL C run once per weight, all tensors of a group in one launch.  In scope:
 *   real                       the arithmetic type (float)
 *   w                          the weight, read and write
 *   g                          its gradient, after loss-scale, clipping and averaging
 *   lr, every parameter, every scalar, every reduction of an earlier pass: const real
 *   every slot                 read and write
 * `break` ends this element early.  Not allowed: return, goto, preprocessor lines, barriers,
 * atomics, work-item functions, address-space words, unbalanced brackets, names beginning with lh_.
 * Parameters of kind BOOL and CHOICE are constants of the compiled rule, so a branch on one costs
 * nothing; all others are kernel arguments and may change at every update without a compilation.
 * A parameter named weight_decay is zero for groups the user excluded (biases, batch norm). */
enum { LEHR_SLOT_STATE = 0, LEHR_SLOT_SCRATCH = 1 };   /* scratch: not saved, starts each
                                                          update at init */
enum { LEHR_SLOT_FROM_WEIGHT = 1u << 16 };             /* flag: starts as a copy of the weight */
typedef struct lehr_slot {
    const char *name, *doc;
    double      init;
    uint32_t    kind, flags;
    const char *when;             /* a parameter: where it is 0 the slot takes no memory, and the
                                     pass sees a variable that starts at init; NULL: always */
    const char *init_from;        /* a parameter whose value is used instead of init, or NULL */
} lehr_slot;
#define LEHR_SLOT(NAME, DOC)            { NAME, DOC, 0, LEHR_SLOT_STATE, 0, 0, 0 }
#define LEHR_SLOT_WHEN(NAME, WHEN, DOC) { NAME, DOC, 0, LEHR_SLOT_STATE, 0, WHEN, 0 }
#define LEHR_SCRATCH(NAME, DOC)         { NAME, DOC, 0, LEHR_SLOT_SCRATCH, 0, 0, 0 }

enum { LEHR_SUM = 0, LEHR_MAX = 1 };
enum { LEHR_PER_TENSOR = 0, LEHR_OVER_ALL = 1, LEHR_OVER_ALL_TO_HOST = 2 /* waits for device */ };
/* Evaluated after the pass body, in its scope but for its local variables; fixed order of summation. */
typedef struct lehr_reduce {
    const char *name, *expr;
    uint32_t    op, scope;
} lehr_reduce;
typedef struct lehr_pass {
    const char *code;
    lehr_span   reduces;          /* lehr_reduce */
    uint32_t    flags, reserved;
} lehr_pass;
#define LEHR_PASS(CODE)            { CODE, { 0, 0, 0 }, 0, 0 }
#define LEHR_PASS_R(CODE, REDUCES) { CODE, REDUCES, 0, 0 }

typedef struct lehr_update {
    uint32_t         size, pass;
    const lehr_host *host;
    void            *self;
    const double    *p;           /* parameters of this group, schedules already applied */
    double           lr;
    double           loss;        /* of this step; NaN unless LEHR_O_NEEDS_LOSS (it waits) */
    uint64_t         seed;
    uint64_t         t;           /* number of this update, from 1 */
    const double    *all;         /* OVER_ALL_TO_HOST results of earlier passes, in order */
    uint32_t         all_count, group;
    double           base_lr;     /* of this group, before its schedule: lr / base_lr is the
                                     schedule's multiplier */
} lehr_update;

typedef struct lehr_optimizer {
    uint32_t    size, flags;
    const char *name, *doc;
    lehr_span   params;           /* lehr_param */
    lehr_span   slots;            /* lehr_slot */
    lehr_span   state;            /* lehr_var */
    lehr_span   scalars;          /* const char *: names filled by scalar() */
    lehr_span   passes;           /* lehr_pass */
    /* Code run on every weight when evaluation begins and ends, or NULL; in scope as in a pass but for
     * g, lr and reductions.  Without leave_eval what was changed is put back from a copy. */
    const char *enter_eval, *leave_eval;
    const char *preamble;         /* helper functions, names must begin with this name and _ */
    /* Optional, once per pass for all groups (u->lr and base_lr are the run's, u->p the first
     * group's), before scalar(): the only place s may change. */
    lehr_status (*advance)(const lehr_update *u, double *s) LEHR_NX;
    /* Required iff scalars is not empty.  Pure; once per group and pass; fills out[]. */
    lehr_status (*scalar)(const lehr_update *u, const double *s, double *out) LEHR_NX;
    lehr_status (*check)(const lehr_host *, const double *p) LEHR_NX;
    lehr_status (*create)(const lehr_host *, const double *p, void **self) LEHR_NX;
    void        (*destroy)(const lehr_host *, void *self) LEHR_NX;
    const void *(*ext)(const char *id) LEHR_NX;
    lehr_span   presets;          /* lehr_preset */
    double      lr;               /* used when the user gives none; 0: the user must */
} lehr_optimizer;

/* ---- escape hatch: "lehr.custom/1" (plugin offers) and "lehr.device/1" (host offers) --------
 * A rule that needs more than elements: the plugin says which tensors it updates itself, the passes
 * get all the others. */
enum { LEHR_O_CUSTOM = 1u << 16,            /* flag: needs a host that knows lehr.custom/1 */
       LEHR_O_NEEDS_LOSS = 1u << 17 };
enum { LEHR_ROLE_OTHER = 0, LEHR_ROLE_CONV = 1, LEHR_ROLE_DENSE = 2, LEHR_ROLE_BIAS = 3,
       LEHR_ROLE_NORM = 4 };
typedef struct lehr_buf { void *mem; uint64_t offset; } lehr_buf;   /* offset in elements (float) */
/* Row-major in the order of dims, as in PyTorch: conv [K][C][R][S] (a K x C R S matrix), dense
 * [out][in], bias and norm [n]. */
typedef struct lehr_tensor {
    uint32_t        size, role;
    const char     *name;
    uint64_t        count;
    const uint64_t *dims;
    uint32_t        ndim, slot_count;
    lehr_buf        w, g;         /* g: as it came, before scale and clipping; see gradient() */
    const lehr_buf *slots;        /* in table order; mem NULL: takes no memory */
} lehr_tensor;
/* An operand of map(): element (r, c) of a rows x columns matrix takes its own number, that of its
 * row, of its column, or the one there is.  Only LEHR_EACH may be written. */
enum { LEHR_EACH = 0, LEHR_BY_ROW = 1, LEHR_BY_COLUMN = 2, LEHR_ONE = 3 };
typedef struct lehr_operand { lehr_buf at; uint32_t index, reserved; } lehr_operand;
/* For use within step().  Everything is queued in order; nothing waits unless it says so.  A halted
 * update must not touch weights and slots: map() leaves them alone then, nothing else may write
 * them.  Fixed order of summation everywhere. */
typedef struct lehr_device_api {
    uint32_t    size, flags;
    /* Memory until step() returns, contents undefined. */
    lehr_status (*temp)(const lehr_host *, uint64_t count, lehr_buf *out) LEHR_NX;
    /* C [m][n] = alpha op(A) op(B) + beta C; beta 0 does not read C, which is a temp. */
    lehr_status (*gemm)(const lehr_host *, uint32_t trans_a, uint32_t trans_b,     /* row-major */
                        uint64_t m, uint64_t n, uint64_t k, double alpha, lehr_buf a, uint64_t lda,
                        lehr_buf b, uint64_t ldb, double beta, lehr_buf c, uint64_t ldc) LEHR_NX;
    /* Code for each element over x0..x(n-1) (operands, contiguous) and a0..a(m-1) (scalars); same
     * rules as a pass.  Compiled once per code; the scalars are arguments. */
    lehr_status (*map)(const lehr_host *, const char *code, uint64_t rows, uint64_t columns,
                       const lehr_operand *x, uint32_t n, const double *a, uint32_t m) LEHR_NX;
    /* The sum of squares of x into one element, a temp. */
    lehr_status (*sumsq)(const lehr_host *, lehr_buf x, uint64_t count, lehr_buf out) LEHR_NX;
    /* Waits. */
    lehr_status (*read)(const lehr_host *, lehr_buf x, uint64_t count, float *to) LEHR_NX;
    /* cl_context, cl_device_id, cl_command_queue for plugins that include CL/cl.h themselves. */
    lehr_status (*native)(const lehr_host *, void **context, void **device, void **queue) LEHR_NX;
    /* The gradient as a pass would see it, after loss-scale, clipping and averaging, into a temp. */
    lehr_status (*gradient)(const lehr_host *, const lehr_tensor *, lehr_buf out) LEHR_NX;
} lehr_device_api;
typedef struct lehr_custom {
    uint32_t    size, flags;
    /* Asked once: 1: step() updates this tensor; 0: it goes to the passes with all the others.  Its
     * w, g and slots are not there yet. */
    uint32_t    (*claims)(const lehr_host *, const double *p, const lehr_tensor *) LEHR_NX;
    /* Once per update and claimed tensor, after the first pass' advance() and before any pass runs;
     * u and s are those of the tensor's group and of the run. */
    lehr_status (*step)(const lehr_update *u, const double *s, const lehr_device_api *,
                        const lehr_tensor *) LEHR_NX;
} lehr_custom;

/* "lehr.state/1", only for state that is not a few numbers.  rw moves up to n bytes, returns
 * the number moved, 0 at the end, -1 on failure; short counts are normal, so loop. */
typedef struct lehr_stream {
    uint32_t size, flags;
    void    *priv;
    int64_t  (*rw)(const struct lehr_stream *, void *bytes, uint64_t n) LEHR_NX;
} lehr_stream;
typedef struct lehr_opaque {
    uint32_t    size, version;
    lehr_status (*save)(const lehr_host *, const void *self, const lehr_stream *) LEHR_NX;
    lehr_status (*load)(const lehr_host *, void *self, const lehr_stream *,
                        uint32_t version) LEHR_NX;
} lehr_opaque;

/* ---- the plugin ----------------------------------------------------------------------------- */
typedef struct lehr_plugin {
    uint32_t    size, abi;
    const char *id;               /* globally unique: "org.example.lion" */
    const char *version, *license, *url;          /* version required, others may be NULL */
    const lehr_schedule  *const *schedules;       /* arrays of pointers: no stride question */
    const lehr_optimizer *const *optimizers;
    uint32_t    schedule_count, optimizer_count;
    const void *(*ext)(const char *id) LEHR_NX;
} lehr_plugin;

/* The one exported symbol.  Must be pure: any thread, any number of times, same static result. */
LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void);

#define LEHR_SCHEDULE_PLUGIN(ID, VERSION, DESC) \
    LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void) { \
        static const lehr_schedule *const list[] = { &(DESC) }; \
        static const lehr_plugin self = { (uint32_t)sizeof self, LEHR_ABI, ID, VERSION, 0, 0, \
                                          list, 0, 1, 0, 0 }; \
        return &self; }
#define LEHR_OPTIMIZER_PLUGIN(ID, VERSION, DESC) \
    LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void) { \
        static const lehr_optimizer *const list[] = { &(DESC) }; \
        static const lehr_plugin self = { (uint32_t)sizeof self, LEHR_ABI, ID, VERSION, 0, 0, \
                                          0, list, 0, 1, 0 }; \
        return &self; }

#ifdef __cplusplus
}
#endif
#endif
