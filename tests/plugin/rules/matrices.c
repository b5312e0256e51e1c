/* SPDX-License-Identifier: MIT
 *
 * Test rules with a step of their own.  matrices: claims what has two dimensions and uses every
 * service of lehr.device/1; the choice `fault` makes it misuse one.  idle: claims nothing and has no
 * passes. */
#include <lehr/plugin.h>

enum { FAULT };
enum { FINE, GEMM_WEIGHT, MAP_RANGE, MAP_CODE, MAP_COMPILE, MAP_ASSIGN, READ_RANGE, TEMP_EMPTY,
       STALE_TEMP };
static const char *const faults[] = {"fine",        "gemm_weight", "map_range", "map_code",
                                     "map_compile", "map_assign",  "read_range", "temp_empty",
                                     "stale_temp",  0};
static const lehr_param params[] = {LEHR_CHOICEP("fault", FINE, faults, "what to do wrong")};
static const lehr_slot slots[] = {LEHR_SLOT("a", "result"), LEHR_SLOT("b", "result"),
                                  LEHR_SLOT_WHEN("none", "fault", "not there when all is fine")};
static const lehr_pass passes[] = {LEHR_PASS("w -= lr * g;\na = 7;\n")};
static const lehr_var state[] = {LEHR_VAR("count", 0, "updates")};

static lehr_status advance(const lehr_update *u, double *s)
{
    (void)u;
    s[0]++;
    return LEHR_OK;
}

static lehr_buf stale; /* only for the fault of that name */

static lehr_status misuse(const lehr_update *u, const lehr_device_api *d, const lehr_tensor *t)
{
    const lehr_host *h = u->host;
    float out[4];
    lehr_buf temp = {0, 0};
    lehr_operand one[] = {{t->w, LEHR_EACH, 0}, {t->g, LEHR_ONE, 0}};
    lehr_operand far[] = {{{t->w.mem, (uint64_t)1 << 40}, LEHR_EACH, 0}};
    switch ((int)u->p[FAULT]) {
    case GEMM_WEIGHT: return d->gemm(h, 0, 0, 1, 1, 1, 1, t->g, 1, t->g, 1, 0, t->w, 1);
    case MAP_RANGE: return d->map(h, "x0 = 0;", 1, 1, far, 1, 0, 0);
    case MAP_CODE: return d->map(h, "x0 = 0;\nreturn;", 1, 1, one, 1, 0, 0);
    case MAP_COMPILE: return d->map(h, "x0 = 0;\nx0 = xx0;", 1, 1, one, 1, 0, 0);
    case MAP_ASSIGN: return d->map(h, "x1 = 0;", 1, 1, one, 2, 0, 0);
    case READ_RANGE: return d->read(h, (lehr_buf){t->w.mem, (uint64_t)1 << 40}, 4, out);
    case TEMP_EMPTY: return d->temp(h, 0, &temp);
    case STALE_TEMP:
        if (stale.mem) return d->read(h, stale, 1, out); /* of the update before */
        return d->temp(h, 9, &stale);
    default: return LEHR_OK;
    }
}

/* a = 3 G G^T (the first rows of it), b = G / norm + row + column; w -= lr b + count. */
static lehr_status step(const lehr_update *u, const double *s, const lehr_device_api *d,
                        const lehr_tensor *t)
{
    const lehr_host *h = u->host;
    const uint64_t m = t->dims[0], n = t->dims[1], ld = m + 3;
    lehr_buf g, product, norm, row, column;
    float back[2];
    if (u->p[FAULT] != FINE) return misuse(u, d, t);
    if (t->slot_count != 3 || t->slots[2].mem || t->ndim != 2 || h->ext(h, "lehr.device/1") != d)
        return h->fail(h, LEHR_E_INTERNAL, "the tensor is not described as it should be");
    d->temp(h, m * n, &g);
    d->temp(h, m * ld, &product);
    d->temp(h, 1, &norm);
    d->temp(h, m, &row);
    if (d->temp(h, n + 1, &column) != LEHR_OK) return LEHR_E_MEMORY;
    column.offset = 1;
    lehr_status st = d->gradient(h, t, g);
    const lehr_operand clear[] = {{product, LEHR_EACH, 0}};
    if (st == LEHR_OK) st = d->map(h, "x0 = 5;", m, ld, clear, 1, 0, 0);
    if (st == LEHR_OK) st = d->gemm(h, 0, 1, m, m, n, 3, g, n, g, n, 0.5, product, ld);
    if (st == LEHR_OK) st = d->sumsq(h, g, m * n, norm);
    if (st == LEHR_OK) st = d->read(h, norm, 1, back);
    if (st == LEHR_OK && !(back[0] > 0)) return h->fail(h, LEHR_E_INTERNAL, "no norm");
    const double numbers[] = {0.25, (double)back[0]};
    const lehr_operand rows[] = {{row, LEHR_EACH, 0}}, columns[] = {{column, LEHR_EACH, 0}};
    if (st == LEHR_OK) st = d->map(h, "x0 = a0;", m, 1, rows, 1, numbers, 2);
    if (st == LEHR_OK) st = d->map(h, "x0 = a0 * 2;", 1, n, columns, 1, numbers, 1);
    const lehr_operand x[] = {{t->slots[1], LEHR_EACH, 0}, {g, LEHR_EACH, 0}, {norm, LEHR_ONE, 0},
                              {row, LEHR_BY_ROW, 0}, {column, LEHR_BY_COLUMN, 0}};
    if (st == LEHR_OK)
        st = d->map(h, "if (x1 == 0) break;\nx0 = x1 / sqrt(x2) + x3 + x4;\n", m, n, x, 5, 0, 0);
    const lehr_operand keep[] = {{t->slots[0], LEHR_EACH, 0}, {product, LEHR_EACH, 0}};
    if (st == LEHR_OK) st = d->map(h, "x0 = x1;", 1, m * ld < t->count ? m * ld : t->count, keep, 2, 0, 0);
    const lehr_operand w[] = {{t->w, LEHR_EACH, 0}, {t->slots[1], LEHR_EACH, 0}};
    const double rates[] = {u->lr, s[0]};
    return st == LEHR_OK ? d->map(h, "x0 -= a0 * x1 + a1;", 1, t->count, w, 2, rates, 2) : st;
}

static uint32_t claims(const lehr_host *h, const double *p, const lehr_tensor *t)
{
    (void)h;
    (void)p;
    return t->ndim == 2;
}

static uint32_t claims_nothing(const lehr_host *h, const double *p, const lehr_tensor *t)
{
    (void)h;
    (void)p;
    (void)t;
    return 0;
}

static const lehr_custom custom = {.size = sizeof custom, .claims = claims, .step = step};
static const lehr_custom nothing = {.size = sizeof nothing, .claims = claims_nothing, .step = step};
static const void *ext(const char *id) { return id[5] == 'c' ? &custom : 0; }
static const void *ext_nothing(const char *id) { return id[5] == 'c' ? &nothing : 0; }
static const void *ext_empty(const char *id) { return (void)id, (const void *)0; }

#define BODY .flags = LEHR_O_CUSTOM, .doc = "a rule for tests", .lr = 0.1
static const lehr_optimizer matrices = {
    .size = sizeof matrices, .name = "matrices", BODY, .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots), .state = LEHR_TABLE(state), .passes = LEHR_TABLE(passes),
    .advance = advance, .ext = ext};
static const lehr_optimizer idle = {.size = sizeof idle, .name = "idle", BODY, .ext = ext_nothing};
static const lehr_optimizer hollow = {.size = sizeof hollow, .name = "hollow", BODY,
                                      .passes = LEHR_TABLE(passes), .slots = LEHR_TABLE(slots),
                                      .params = LEHR_TABLE(params), .ext = ext_empty};

LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const list[] = {&matrices, &idle, &hollow};
    static const lehr_plugin self = {.size = sizeof self, .abi = LEHR_ABI,
                                     .id = "org.example.matrices", .version = "1.0",
                                     .optimizers = list, .optimizer_count = 3};
    return &self;
}
