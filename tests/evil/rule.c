/* SPDX-License-Identifier: MIT
 *
 * An optimizer with one defect, picked by -DEVIL_<name>; without one it is the good twin.  expect.py
 * says which check must find each. */
#include <lehr/plugin.h>

#include <math.h>
#include <string.h>

enum { BETA, EPS };
enum { POWER, COUNT };

static const lehr_param params[] = {
#if defined(EVIL_beta_is_one)
    LEHR_REALP("beta", 0.9, 0, 1, "share of the momentum"),
#else
    {"beta", "share of the momentum", 0.9, 0, 1, LEHR_REAL, LEHR_P_OPEN_MAX, 0, 0},
#endif
    {"eps", "keeps the quotient finite", 1e-8, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
#if defined(EVIL_wild_choice)
    LEHR_BOOLP("wild", 0, "takes the logarithm of a negative number"),
#endif
};
static const lehr_slot slots[] = {
    LEHR_SLOT("m", "momentum"),
#if defined(EVIL_unused_slot)
    LEHR_SLOT("v", "of no use"),
#endif
};
static const lehr_var state[] = {LEHR_VAR("power", 1, "beta^t"), LEHR_VAR("count", 0, "updates")};
static const char *const scalars[] = {"share", "correct"};

#if defined(EVIL_no_such_name)
#define RULE "w -= lr * m * correct;\nw -= lr * share * gradient;\n"
#elif defined(EVIL_zero_gradient)
#define RULE "m = beta * m + share * g / fabs(g);\nw -= lr * correct * m;\n"
#elif defined(EVIL_ascends)
#define RULE "m = beta * m + share * g;\nw += lr * correct * m;\n"
#elif defined(EVIL_cancels)
#define RULE                                                                                       \
    "real big = 16777216 * (1 + fabs(g));\nm = beta * m + share * ((g + big) - big);\n"            \
    "w -= lr * correct * m;\n"
#elif defined(EVIL_overflows)
#define RULE "m = beta * m + share * exp(100 + fabs(g));\nw -= lr * correct * m;\n"
#elif defined(EVIL_wild_choice)
#define RULE                                                                                       \
    "m = wild != 0 ? log(-1 - fabs(g)) : beta * m + share * g;\n"                                  \
    "w -= lr * correct * m / (1 + eps);\n"
#else
#define RULE "m = beta * m + share * g;\nw -= lr * correct * m / (1 + eps);\n"
#endif
static const lehr_pass passes[] = {LEHR_PASS(RULE)};

static double remembered = 1;

static lehr_status advance(const lehr_update *u, double *s)
{
    s[POWER] *= u->p[BETA];
    s[COUNT] += 1;
#if defined(EVIL_advance_static)
    remembered *= u->p[BETA];
    s[POWER] = remembered;
#elif defined(EVIL_advance_beyond)
    s[2] = 1;
#elif defined(EVIL_advance_writes_params)
    ((double *)(uintptr_t)u->p)[EPS] = 1e-9;
#elif defined(EVIL_hidden_rule_state)
    *(double *)u->self += 1;
#endif
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = 1 - u->p[BETA];
#if defined(EVIL_scalar_unset)
#elif defined(EVIL_scalar_infinite)
    out[1] = 1 / (1 - pow(u->p[BETA], (double)(u->t - 1)));
#elif defined(EVIL_scalar_impure)
    out[1] = remembered += 1e-3;
#elif defined(EVIL_scalar_writes_state)
    ((double *)(uintptr_t)s)[COUNT] = 0;
    out[1] = 1;
#elif defined(EVIL_scalar_beyond)
    out[1] = out[2] = 1;
#elif defined(EVIL_scalar_reads_beyond)
    out[1] = u->p[2] == 1e99 ? 2 : 1;
#elif defined(EVIL_hidden_rule_state)
    out[1] = 1 + *(const double *)u->self / 1e3;
#elif defined(EVIL_beta_is_one)
    out[1] = (1 - s[POWER]) / (1 - u->p[BETA]);
#else
    out[1] = u->t > 1000 ? 1 : 1 / (1 - s[POWER] * 0.5);
#endif
    return LEHR_OK;
}

static lehr_status check(const lehr_host *host, const double *p)
{
#if defined(EVIL_silent_refusal)
    (void)host;
    return p[BETA] < 0.2 ? LEHR_E_PARAM : LEHR_OK;
#else
    if (p[EPS] > 0.9 && p[BETA] > 0.9) return host->fail(host, LEHR_E_PARAM, "eps is too large");
    return LEHR_OK;
#endif
}

static lehr_status create(const lehr_host *host, const double *p, void **self)
{
    (void)p;
    *self = host->alloc(host, sizeof(double));
    return *self ? LEHR_OK : LEHR_E_MEMORY;
}

static void destroy(const lehr_host *host, void *self) { host->release(host, self); }

static const lehr_optimizer optimizer = {
    .size = sizeof optimizer, .name = "evil", .doc = "m = beta m + (1 - beta) g, w -= lr m",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .state = LEHR_TABLE(state),
    .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes), .advance = advance,
#if defined(EVIL_evaluation_lost)
    .enter_eval = "w = m;", .leave_eval = "w = 2 * w;",
#endif
    .scalar = scalar, .check = check, .create = create, .destroy = destroy, .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.example.evil", "1.0", optimizer)

/* Not every defect uses everything. */
__attribute__((used)) static double *const used = &remembered;
