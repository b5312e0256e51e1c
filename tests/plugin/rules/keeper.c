/* SPDX-License-Identifier: MIT
 *
 * State that is not a few numbers, in the memory of an instance (lehr.state/1): an optimizer that moves by
 * the mean of the last 1000 learning rates, and a schedule that follows the median of what it measured.
 * `fault` makes save() or load() misbehave in one way. */
#include <lehr/plugin.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { RING = 1000, SERIES = 64 };

/* All of n bytes, however little each call moves. */
static bool move(const lehr_stream *s, void *bytes, uint64_t n)
{
    for (uint64_t done = 0; done < n;) {
        int64_t moved = s->rw(s, (char *)bytes + done, n - done);
        if (moved <= 0) return false;
        done += (uint64_t)moved;
    }
    return true;
}

/* ---- the optimizer ---- */

enum { FAULT_NONE, FAULT_SAVE, FAULT_LONG, FAULT_LOAD, FAULT_LATE, FAULT_SHORT };
static const char *const faults[] = {"none", "save", "long", "load", "late", "short", NULL};
enum { VERSION = 3 };
#ifndef USUAL_FAULT /* of a copy of this plugin that fails without being asked to */
#define USUAL_FAULT FAULT_NONE
#endif

typedef struct ring {
    double rates[RING];
    uint64_t count;
    int fault; /* from the parameters, not saved */
} ring;

static lehr_status ring_create(const lehr_host *h, const double *p, void **self)
{
    ring *r = h->alloc(h, sizeof *r);
    if (!r) return h->fail(h, LEHR_E_MEMORY, "no memory for the ring");
    r->fault = (int)p[0];
    *self = r;
    return LEHR_OK;
}

static void release(const lehr_host *h, void *self) { h->release(h, self); }

static lehr_status ring_advance(const lehr_update *u, double *s)
{
    ring *r = u->self;
    (void)s;
    r->rates[r->count++ % RING] = u->lr;
    return LEHR_OK;
}

static lehr_status ring_scalar(const lehr_update *u, const double *s, double *out)
{
    const ring *r = u->self;
    uint64_t count = r->count < RING ? r->count : RING;
    (void)s;
    out[0] = 0;
    for (uint64_t i = 0; i < count; i++) out[0] += r->rates[i];
    out[0] = out[0] / (double)(count ? count : 1) * (1 + 1e-3 * (double)r->count);
    return LEHR_OK;
}

static lehr_status ring_save(const lehr_host *h, const void *self, const lehr_stream *stream)
{
    ring copy = *(const ring *)self;
    if (copy.fault == FAULT_SAVE || (copy.fault == FAULT_LATE && copy.count > 3))
        return h->fail(h, LEHR_E_INTERNAL, "the ring is stuck");
    if (copy.fault == FAULT_LONG) /* and what rw says is not looked at */
        for (int i = 0; i < 10000; i++) move(stream, copy.rates, sizeof copy.rates);
    bool ok = move(stream, copy.rates, sizeof copy.rates) &&
              (copy.fault == FAULT_SHORT || move(stream, &copy.count, sizeof copy.count));
    return ok || copy.fault == FAULT_LONG ? LEHR_OK : h->fail(h, LEHR_E_STATE, "the stream is full");
}

static lehr_status ring_load(const lehr_host *h, void *self, const lehr_stream *stream, uint32_t version)
{
    ring *r = self;
    if (r->fault == FAULT_LOAD) return h->fail(h, LEHR_E_STATE, "the ring is cut");
    if (version != VERSION) return h->fail(h, LEHR_E_STATE, "the ring had another form then");
    if (move(stream, r->rates, sizeof r->rates) && move(stream, &r->count, sizeof r->count))
        return LEHR_OK;
    return h->fail(h, LEHR_E_STATE, "the ring ends too early");
}

static const void *ring_ext(const char *id)
{
    static const lehr_opaque opaque = {sizeof opaque, VERSION, ring_save, ring_load};
    return strcmp(id, "lehr.state/1") == 0 ? &opaque : NULL;
}

static const lehr_param ring_params[] = {LEHR_CHOICEP("fault", USUAL_FAULT, faults, "what goes wrong")};
static const char *const ring_scalars[] = {"mean"};
static const lehr_pass ring_passes[] = {LEHR_PASS("w -= mean * g;")};

static const lehr_optimizer test_ring = {
    .size = sizeof test_ring, .name = "test_ring", .doc = "Test: the mean of the last 1000 rates.",
    .params = LEHR_TABLE(ring_params), .scalars = LEHR_TABLE(ring_scalars),
    .passes = LEHR_TABLE(ring_passes), .advance = ring_advance, .scalar = ring_scalar,
    .create = ring_create, .destroy = release, .ext = ring_ext, .lr = 0.01,
};

/* ---- the schedule ---- */

typedef struct series {
    uint64_t count;
    double sorted[SERIES];
} series;

static lehr_status series_create(const lehr_host *h, const lehr_progress *t, void **self)
{
    (void)t;
    *self = h->alloc(h, sizeof(series));
    return *self ? LEHR_OK : h->fail(h, LEHR_E_MEMORY, "no memory for the series");
}

static double series_value(const lehr_progress *t, const double *s)
{
    const series *all = t->self;
    (void)s;
    return all->count ? t->base / (1 + fabs(all->sorted[all->count / 2])) : t->base;
}

static lehr_status series_observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    series *all = t->self;
    uint64_t i = all->count;
    (void)s;
    if (all->count == SERIES || !isfinite(m->value)) return LEHR_OK;
    for (; i > 0 && all->sorted[i - 1] > m->value; i--) all->sorted[i] = all->sorted[i - 1];
    all->sorted[i] = m->value;
    all->count++;
    return LEHR_OK;
}

/* Before the first measurement there is nothing to save, which is no bytes at all. */
static lehr_status series_save(const lehr_host *h, const void *self, const lehr_stream *stream)
{
    series copy = *(const series *)self;
    if (!copy.count || move(stream, copy.sorted, copy.count * sizeof *copy.sorted)) return LEHR_OK;
    return h->fail(h, LEHR_E_STATE, "the stream is full");
}

static lehr_status series_load(const lehr_host *h, void *self, const lehr_stream *stream, uint32_t version)
{
    series *all = self;
    if (version != 1) return h->fail(h, LEHR_E_STATE, "the series had another form then");
    for (all->count = 0; all->count < SERIES && move(stream, &all->sorted[all->count], sizeof(double));)
        all->count++;
    return LEHR_OK;
}

static const void *series_ext(const char *id)
{
    static const lehr_opaque opaque = {sizeof opaque, 1, series_save, series_load};
    return strcmp(id, "lehr.state/1") == 0 ? &opaque : NULL;
}

static const lehr_schedule test_median = {
    .size = sizeof test_median, .name = "test_median", .doc = "Test: base / (1 + |median measured|).",
    .value = series_value, .observe = series_observe, .metric = "val.loss", .create = series_create,
    .destroy = release, .ext = series_ext,
};

LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_schedule *const schedules[] = {&test_median};
    static const lehr_optimizer *const optimizers[] = {&test_ring};
    static const lehr_plugin self = {(uint32_t)sizeof self, LEHR_ABI, "test.keeper", "1", 0, 0,
                                     schedules, optimizers, 1, 1, 0};
    return &self;
}
