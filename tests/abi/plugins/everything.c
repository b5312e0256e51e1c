/* SPDX-License-Identifier: MIT
 *
 * A plugin that uses every field of ABI 1.0 that a schedule and an optimizer have; tests/abi/abi.py compiles
 * it with frozen headers and says what must come out. */
#include <lehr/plugin.h>
#include <math.h>

/* What a host hands over is at least as large as what this plugin was built for; told apart where a test
 * builds it with larger structs than it says. */
#if defined(EVERYTHING_IS_LARGE)
#define WHOLE(x) ((x) != 0)
#else
#define WHOLE(x) ((x)->size >= sizeof *(x))
#endif

static const char *const fields[] = {"base", "step", "samples", "epoch", "per_epoch", "total", "seed",
                                     "list", "every", "floor", "self", "abi", "size", "state", 0};
enum { SHOW, EVERY, FLOOR, AT, BAD };
static const lehr_param params[] = {
    LEHR_CHOICEP("show", 0, fields, "which field of lehr_progress is the value"),
    LEHR_DURATIONP("every", "2ep", LEHR_P_PHASE, "a duration"),
    LEHR_VALUEP("floor", "10%", "a value"),
    {"at", "a list", 0, 0, LEHR_ANY, LEHR_DURATION, LEHR_P_LIST, 0, "[1ep, 50%]"},
    LEHR_BOOLP("bad", 0, "check() refuses it")};
static const lehr_var state[] = {LEHR_VAR("factor", 1, "product of what was observed"),
                                 {"seen", "how often", 0, LEHR_VAR_OPTIONAL, 0}};
static const lehr_preset presets[] = {{"mine", "show=floor, floor=0.25", "tests/abi"}};

static double value(const lehr_progress *t, const double *s) LEHR_NX
{
    const double *self = (const double *)t->self;
    switch ((int)t->p[SHOW]) {
    case 0: return t->base;
    case 1: return (double)t->step;
    case 2: return (double)t->samples;
    case 3: return t->epoch;
    case 4: return (double)t->steps_per_epoch;
    case 5: return (double)t->total_steps;
    case 6: return (double)t->seed;
    case 7: return t->p[AT] * 1000 + t->lists[AT].at[1]; /* length and second member */
    case 8: return t->p[EVERY];
    case 9: return t->p[FLOOR];
    case 10: return self[0];
    case 11: return t->host->abi >> 16;
    case 12: return WHOLE(t) && WHOLE(t->host);
    default: return t->base * s[0] + s[1];
    }
}

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s) LEHR_NX
{
    if (!WHOLE(m) || !m->name || m->better != -1 || !WHOLE(t)) return LEHR_E_INTERNAL;
    s[0] *= m->value;
    s[1] += 1;
    return LEHR_OK;
}

static lehr_status check(const lehr_host *h, const lehr_progress *t) LEHR_NX
{
    if (t->p[BAD] == 0) return LEHR_OK;
    return h->fail(h, LEHR_E_PARAM, "bad is not good");
}

static lehr_status create(const lehr_host *h, const lehr_progress *t, void **self) LEHR_NX
{
    double *mine = (double *)h->alloc(h, 100);
    if (!mine) return LEHR_E_MEMORY;
    h->log(h, LEHR_LOG_DEBUG, "created");
    mine[0] = (double)((uintptr_t)mine % 64 + (mine[7] == 0 ? 0 : 1) + (h->ext(h, "org.example/1") ? 1 : 0)) +
              t->base * 2;
    *self = mine;
    return LEHR_OK;
}

static void destroy(const lehr_host *h, void *self) LEHR_NX { h->release(h, self); }
static const void *ext(const char *id) LEHR_NX { return id[0] == '!' ? params : 0; }

static const lehr_schedule schedule = {
    sizeof(lehr_schedule), 1u /* a hint nobody knows */, "everything", "any field of lehr_progress",
    LEHR_TABLE(params), LEHR_TABLE(state), value, observe, "val.loss", check, create, destroy, ext,
    LEHR_TABLE(presets)};

/* ---- optimizer ---- */

enum { SHARE, START, KEEP, MODE, WEIGHT_DECAY };
static const char *const modes[] = {"plain", "signed_root", 0};
static const lehr_param optimizer_params[] = {
    LEHR_SCHEDULABLEP("share", 0.5, 0, 1, LEHR_P_OPEN_MAX, "share of the last m"),
    LEHR_REALP("start", 0.25, -1, 1, "where v starts"),
    LEHR_BOOLP("keep", 1, "keep v"),
    LEHR_CHOICEP("mode", 1, modes, "of the step"),
    LEHR_REALP("weight_decay", 0.125, 0, LEHR_ANY, "decoupled")};
static const lehr_slot slots[] = {
    LEHR_SLOT("m", "average"),
    {"v", "largest", 0, LEHR_SLOT_STATE, 0, "keep", "start"},
    {"first", "the weight at the start", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0},
    LEHR_SCRATCH("d", "direction")};
static const lehr_var optimizer_state[] = {LEHR_VAR("calls", 0, "of advance()")};
static const char *const scalars[] = {"k"};
static const lehr_reduce reduces[] = {{"norm", "d * d", LEHR_SUM, LEHR_PER_TENSOR},
                                      {"top", "fabs(d)", LEHR_MAX, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("m = share * m + everything_twice(g);\n"
                "v = fmax(v, fabs(g));\n"
                "d = mode == 1 ? (m < 0 ? -sqrt(-m) : sqrt(m)) : m;\n",
                LEHR_TABLE(reduces)),
    LEHR_PASS("w -= lr * (k * d / (1 + norm) + v + weight_decay * w + 0.5 * (w - first));\n")};
static const lehr_preset optimizer_presets[] = {{"mine", "lr=0.5, share=0.75", 0}};

static lehr_status advance(const lehr_update *u, double *s) LEHR_NX
{
    if (!WHOLE(u) || !(u->base_lr > 0)) return LEHR_E_INTERNAL;
    s[0] += 1;
    return LEHR_OK;
}

/* Once per pass; the second knows the first's maximum. */
static lehr_status scalar(const lehr_update *u, const double *s, double *out) LEHR_NX
{
    if (u->pass != (uint32_t)s[0] - 1 - 2 * (uint32_t)(u->t - 1)) return LEHR_E_INTERNAL;
    out[0] = u->all_count ? (double)u->t / (1 + u->all[0]) : 0;
    return LEHR_OK;
}

static lehr_status optimizer_check(const lehr_host *h, const double *p) LEHR_NX
{
    return p[SHARE] == 0.625 ? h->fail(h, LEHR_E_PARAM, "share must not be 0.625") : LEHR_OK;
}

static lehr_status optimizer_create(const lehr_host *h, const double *p, void **self) LEHR_NX
{
    (void)p;
    *self = h->alloc(h, 1);
    return *self ? LEHR_OK : LEHR_E_MEMORY;
}

static const lehr_optimizer optimizer = {
    sizeof(lehr_optimizer), 2u, "everything", "all of ABI 1.0",
    LEHR_TABLE(optimizer_params), LEHR_TABLE(slots), LEHR_TABLE(optimizer_state), LEHR_TABLE(scalars),
    LEHR_TABLE(passes), "real t = w;\nw = 0.5 * (w + first);\nfirst = t;\n", 0,
    "real everything_twice(const real x) { return 2 * x; }\n",
    advance, scalar, optimizer_check, optimizer_create, destroy, ext, LEHR_TABLE(optimizer_presets), 0.25};

/* ---- lehr.custom/1: matrices by every function of lehr.device/1, the rest by the pass ---- */

static uint32_t claims(const lehr_host *h, const double *p, const lehr_tensor *t) LEHR_NX
{
    (void)h, (void)p;
    return WHOLE(t) && t->ndim == 2 && t->role == LEHR_ROLE_DENSE && t->name != 0 &&
           t->count == t->dims[0] * t->dims[1];
}

/* m = 0.5 m + g; w -= lr (m / (1 + |g|^2) + 0.5 (g g') g) */
static lehr_status step(const lehr_update *u, const double *s, const lehr_device_api *d,
                        const lehr_tensor *t) LEHR_NX
{
    const lehr_host *h = u->host;
    uint64_t rows = t->dims[0], columns = t->dims[1];
    lehr_buf g = {0, 0}, squares = {0, 0}, square = {0, 0}, product = {0, 0};
    void *native[3] = {0, 0, 0};
    float norm = -1;
    int good = WHOLE(d) && WHOLE(t) && t->slot_count == 1 && s[0] == (double)u->t;
    lehr_status st = good ? LEHR_OK : LEHR_E_INTERNAL;
    if (st == LEHR_OK) st = d->temp(h, t->count, &g);
    if (st == LEHR_OK) st = d->temp(h, 1, &squares);
    if (st == LEHR_OK) st = d->temp(h, rows * rows, &square);
    if (st == LEHR_OK) st = d->temp(h, t->count, &product);
    if (st == LEHR_OK) st = d->gradient(h, t, g);
    if (st == LEHR_OK) st = d->sumsq(h, g, t->count, squares);
    if (st == LEHR_OK)
        st = d->gemm(h, 0, 1, rows, rows, columns, 1, g, columns, g, columns, 0, square, rows);
    if (st == LEHR_OK)
        st = d->gemm(h, 0, 0, rows, columns, rows, 0.5, square, rows, g, columns, 0, product, columns);
    lehr_operand x[5];
    const double lr = u->lr;
    const lehr_buf at[5] = {t->w, t->slots[0], g, squares, product};
    for (int i = 0; i < 5; i++) {
        x[i].at = at[i];
        x[i].index = i == 3 ? LEHR_ONE : LEHR_EACH;
        x[i].reserved = 0;
    }
    if (st == LEHR_OK)
        st = d->map(h, "x1 = 0.5 * x1 + x2;\nx0 -= a0 * (x1 / (1 + x3) + x4);", rows, columns, x, 5, &lr, 1);
    if (st == LEHR_OK) st = d->read(h, squares, 1, &norm);
    if (st == LEHR_OK) st = d->native(h, &native[0], &native[1], &native[2]);
    return st == LEHR_OK && (!(norm >= 0) || !native[0] || !native[2]) ? LEHR_E_INTERNAL : st;
}

static const lehr_custom custom = {sizeof(lehr_custom), 0, claims, step};
static int same(const char *a, const char *b) LEHR_NX
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}
static const void *custom_ext(const char *id) LEHR_NX { return same(id, "lehr.custom/1") ? &custom : 0; }

static const lehr_slot custom_slots[] = {LEHR_SLOT("m", "average")};
static const lehr_pass custom_passes[] = {LEHR_PASS("w -= lr * g;\n")};
static const lehr_optimizer own = {
    sizeof(lehr_optimizer), LEHR_O_CUSTOM, "everything_custom", "a step of its own for matrices",
    {0, 0, 0}, LEHR_TABLE(custom_slots), LEHR_TABLE(optimizer_state), {0, 0, 0},
    LEHR_TABLE(custom_passes), 0, 0, 0, advance, 0, 0, 0, 0, custom_ext, {0, 0, 0}, 0.25};

static const lehr_schedule *const schedules[] = {&schedule};
static const lehr_optimizer *const optimizers[] = {&optimizer, &own};
static const lehr_plugin self = {
    sizeof(lehr_plugin), LEHR_ABI, "org.example.everything", "1.0-test", "MIT", "https://example.org",
    schedules, optimizers, 1, 2, ext};

#ifdef __cplusplus
extern "C"
#endif
LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void) { return &self; }
