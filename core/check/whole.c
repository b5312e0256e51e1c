/* SPDX-License-Identifier: MIT
 *
 * Checks of the plugin as a whole: everything is called, with memory counted or refused, with more
 * than one instance, in threads, in another locale and rounding mode. */
#define _GNU_SOURCE
#include "core/check/check.h"

#include <link.h>
#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 24, THREADS = 4, CYCLES = 1000 };

/* ---- calling everything ---- */

/* Some updates with measurements in between; the numbers go to out, which has room for STEPS. */
static void run(lh_subject *s, double *out)
{
    for (uint64_t i = 0; i < STEPS; i++) {
        if (s->schedule) {
            out[i] = lh_call_value(s, 40 * i);
            if (s->schedule->observe) lh_call_observe(s, 40 * i + 40, 1.0 / (double)(1 + i % 5));
            continue;
        }
        out[i] = 0;
        lh_call_advance(s, i + 1, 0.01);
        lh_call_scalar(s, i + 1, 0.01);
        for (uint32_t k = 0; k < s->optimizer->scalars.count; k++) out[i] += s->out[k];
    }
}

typedef int look_fn(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o);

static int each(lehr_checker *c, look_fn *look)
{
    int verdict = LEHR_CHECK_OK;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count && verdict == LEHR_CHECK_OK; i++)
        verdict = look(c, c->schedules[i], NULL);
    for (uint32_t i = 0; i < c->optimizer_count && verdict == LEHR_CHECK_OK; i++)
        verdict = look(c, NULL, c->optimizers[i]);
    return verdict;
}

static int call_all(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    for (uint32_t k = 0; k < 4; k++) {
        lh_subject subject;
        double out[STEPS];
        lh_wish wish = {.draw = {k ? LH_DRAW_RANDOM : LH_DRAW_DEFAULT, k}};
        if (lh_subject_open(c, s, o, wish, &subject) == LH_OPENED) run(&subject, out);
        lh_subject_close(&subject);
    }
    const void *(*ext)(const char *) = s ? s->ext : o->ext;
    lh_note(c, "ext() of %s", s ? s->name : o->name);
    if (ext) (void)ext("org.example.nothing/1");
    return LEHR_CHECK_OK;
}

/* The plugin's own change of the floating-point mode is hidden by the guard around each call, so one
 * more call is made without it. */
static void call_bare(lehr_checker *c)
{
    lh_note(c, "value() or scalar() without a guard");
    for (uint32_t i = 0; i < c->schedule_count; i++) {
        lh_subject s;
        if (lh_subject_open(c, c->schedules[i], NULL, (lh_wish){0}, &s) == LH_OPENED)
            (void)lh_call_unguarded(&s);
        lh_subject_close(&s);
    }
    for (uint32_t i = 0; i < c->optimizer_count; i++) {
        lh_subject s;
        if (lh_subject_open(c, NULL, c->optimizers[i], (lh_wish){0}, &s) == LH_OPENED)
            (void)lh_call_unguarded(&s);
        lh_subject_close(&s);
    }
}

bool lh_check_exercise(lehr_checker *c)
{
    if (!lh_check_copy(c)) return false;
    if (c->exercised) return true;
    lh_watch *watch = lh_watch_begin(c->ctx);
    if (!watch) return false;
    each(c, call_all);
    call_bare(c);
    lh_watch_end(watch, &c->at_run);
    c->exercised = true;
    return true;
}

int lh_check_whole_exit(lehr_checker *c)
{
    if (!lh_check_exercise(c)) return LEHR_CHECK_FAIL;
    lh_note(c, "what runs when the process ends (destructors, atexit)");
    return LEHR_CHECK_OK;
}

/* ---- memory ---- */

static int left_behind(lh_subject *s)
{
    if (s->host.foreign)
        return lh_verdict(s->c, LEHR_CHECK_FAIL, "release what alloc() gave, once",
                          "%s: gives back memory that is not the host's, or twice",
                          s->schedule ? s->schedule->name : s->optimizer->name);
    if (s->host.live_count)
        return lh_verdict(s->c, LEHR_CHECK_FAIL, "release in destroy() what create() took",
                          "%s: %u of %llu allocations are never given back",
                          s->schedule ? s->schedule->name : s->optimizer->name,
                          (unsigned)s->host.live_count, (unsigned long long)s->host.allocations);
    return LEHR_CHECK_OK;
}

static int leaks(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    int verdict = LEHR_CHECK_OK;
    for (uint32_t k = 0; k < 4 && verdict == LEHR_CHECK_OK; k++) {
        lh_subject subject;
        double out[STEPS];
        lh_wish wish = {.draw = {k ? LH_DRAW_RANDOM : LH_DRAW_DEFAULT, k}};
        if (lh_subject_open(c, s, o, wish, &subject) == LH_OPENED) run(&subject, out);
        lh_subject_close(&subject);
        verdict = left_behind(&subject);
    }
    return verdict;
}

int lh_check_whole_leaks(lehr_checker *c) { return each(c, leaks); }

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
static size_t heap_in_use(void) { return mallinfo2().uordblks; }
#else
static size_t heap_in_use(void) { return 0; }
#endif

static int grows(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    size_t before = 0;
    for (int i = -CYCLES; i < CYCLES; i++) { /* the first ones warm up */
        lh_subject subject;
        double out[STEPS];
        if (i == 0) before = heap_in_use();
        if (lh_subject_open(c, s, o, (lh_wish){0}, &subject) == LH_OPENED && i % 4 == 0)
            run(&subject, out);
        lh_subject_close(&subject);
    }
    size_t after = heap_in_use(), grown = after > before ? after - before : 0;
    if (grown < 8 * CYCLES) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "free in destroy() what create() and calls allocate",
                      "%s: %d instances leave %zu bytes behind", s ? s->name : o->name, CYCLES,
                      grown);
}

int lh_check_whole_memory(lehr_checker *c) { return each(c, grows); }

/* The host refuses request number n of create(), for each n. */
static int refused_memory(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    int verdict = LEHR_CHECK_OK;
    for (uint64_t n = 1; n < 100 && verdict == LEHR_CHECK_OK; n++) {
        lh_subject subject;
        double out[STEPS];
        lh_opened opened = lh_subject_open(c, s, o, (lh_wish){.fail_at = n}, &subject);
        bool reached = subject.host.allocations >= subject.host.fail_at;
        if (opened == LH_OPENED) run(&subject, out);
        lh_subject_close(&subject);
        verdict = left_behind(&subject);
        if (!reached) break;
    }
    return verdict;
}

int lh_check_whole_allocation(lehr_checker *c)
{
    bool any = false;
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->schedule_count; i++) any = any || c->schedules[i]->create;
    for (uint32_t i = 0; i < c->optimizer_count; i++) any = any || c->optimizers[i]->create;
    if (!any) return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "nothing has create()");
    return each(c, refused_memory);
}

/* ---- variables of the plugin ---- */

typedef struct area {
    const void *inside; /* an address of the object */
    unsigned char *at;
    size_t size;
} area;

/* The writable part that stays writable once the object is loaded. */
static int find_area(struct dl_phdr_info *info, size_t size, void *user)
{
    area *out = user;
    uintptr_t want = (uintptr_t)out->inside, relro_end = 0;
    bool mine = false;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && want >= from && want < from + p->p_memsz) mine = true;
        if (p->p_type == PT_GNU_RELRO) relro_end = from + p->p_memsz;
    }
    for (int i = 0; i < info->dlpi_phnum && mine; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_W)) continue;
        if (relro_end > from && relro_end < to) from = relro_end;
        out->at = (unsigned char *)from;
        out->size = to - from;
    }
    return mine;
}

/* Bytes that differ from copy, which receives them when it is to be filled.  Byte by byte and outside a
 * sanitizer's sight: between variables lie places that it guards. */
#if defined(__GNUC__)
__attribute__((no_sanitize_address, noinline))
#endif
static size_t visit(const area *variables, unsigned char *copy, bool fill)
{
    const volatile unsigned char *at = variables->at;
    size_t changed = 0;
    for (size_t i = 0; i < variables->size; i++) {
        if (fill) copy[i] = at[i];
        changed += copy[i] != at[i];
    }
    return changed;
}

int lh_check_whole_globals(lehr_checker *c)
{
    area variables = {.at = NULL};
    if (!lh_check_copy(c)) return LEHR_CHECK_FAIL;
    /* Any function of the plugin shows where it lies. */
    const void *code = NULL;
    lehr_status (*scalar)(const lehr_update *, const double *, double *) = NULL;
    double (*value)(const lehr_progress *, const double *) = NULL;
    if (c->schedule_count) value = c->schedules[0]->value;
    if (c->optimizer_count) scalar = c->optimizers[0]->scalar;
    if (value)
        memcpy(&code, &value, sizeof code);
    else if (scalar)
        memcpy(&code, &scalar, sizeof code);
    variables.inside = code ? code : c->plugin;
    dl_iterate_phdr(find_area, &variables);
    unsigned char *copy = variables.size ? malloc(variables.size) : NULL;
    if (!copy) return lh_verdict(c, LEHR_CHECK_SKIP, NULL, "it has no writable variables");
    visit(&variables, copy, true);
    each(c, call_all);
    size_t changed = visit(&variables, copy, false);
    free(copy);
    if (!changed) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN,
                      "make variables const; what must be remembered belongs into the state",
                      "calls change %zu bytes of its %zu bytes of variables", changed,
                      variables.size);
}

/* ---- instances ---- */

/* Another instance with other values, opened for running beside the first. */
static lh_opened open_other(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o,
                            lh_subject *out)
{
    static const lehr_budget other = {0.7, 50, 400, 32, 99};
    lh_opened opened = LH_UNUSABLE;
    for (uint32_t k = 1; k < 6; k++) {
        lh_wish wish = {.draw = {LH_DRAW_RANDOM, k}, .budget = &other};
        opened = lh_subject_open(c, s, o, wish, out);
        if (opened == LH_OPENED) return opened;
        lh_subject_close(out);
    }
    return lh_subject_open(c, s, o, (lh_wish){0}, out);
}

static int interleaved(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    lh_subject alone, first, second;
    double want[STEPS] = {0}, got[STEPS] = {0}, ignored[STEPS];
    int verdict = LEHR_CHECK_OK;
    if (lh_subject_open(c, s, o, (lh_wish){0}, &alone) == LH_OPENED) run(&alone, want);
    lh_subject_close(&alone);
    lh_opened opened = lh_subject_open(c, s, o, (lh_wish){0}, &first);
    if (open_other(c, s, o, &second) == LH_OPENED && opened == LH_OPENED) {
        run(&second, ignored);
        run(&first, got);
        run(&second, ignored);
        if (!lh_same_bits(want, got, STEPS))
            verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                                 "keep what belongs to an instance in its state or behind self",
                                 "%s gives other numbers while a second instance is in use",
                                 lh_str_text(&first.text));
    }
    lh_subject_close(&second);
    lh_subject_close(&first);
    return verdict;
}

int lh_check_whole_instances(lehr_checker *c) { return each(c, interleaved); }

typedef struct worker {
    pthread_t thread;
    lehr_checker checker; /* without a note: that is not for several threads */
    const lehr_schedule *schedule;
    const lehr_optimizer *optimizer;
    const double *want;
    bool started, same;
} worker;

static void *work(void *user)
{
    worker *w = user;
    w->same = true;
    for (int i = 0; i < 50 && w->same; i++) {
        lh_subject s;
        double got[STEPS];
        if (lh_subject_open(&w->checker, w->schedule, w->optimizer, (lh_wish){0}, &s) == LH_OPENED) {
            run(&s, got);
            w->same = lh_same_bits(w->want, got, STEPS);
        }
        lh_subject_close(&s);
    }
    return NULL;
}

static int in_threads(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    worker workers[THREADS];
    double want[STEPS] = {0};
    lh_subject alone;
    bool same = true;
    if (lh_subject_open(c, s, o, (lh_wish){0}, &alone) == LH_OPENED) run(&alone, want);
    lh_subject_close(&alone);
    lh_note(c, "instances of %s in four threads", s ? s->name : o->name);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.checker = *c, .schedule = s, .optimizer = o, .want = want};
        workers[i].checker.call = NULL;
        if (lehr_context_create(NULL, &workers[i].checker.inner) != LEHR_OK) continue;
        workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
    for (int i = 0; i < THREADS; i++) {
        if (workers[i].started) pthread_join(workers[i].thread, NULL);
        if (workers[i].checker.inner != c->inner) lehr_context_destroy(&workers[i].checker.inner);
        same = same && (!workers[i].started || workers[i].same);
    }
    if (same) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "keep no static variables",
                      "%s gives other numbers while other threads use it", s ? s->name : o->name);
}

int lh_check_whole_threads(lehr_checker *c) { return each(c, in_threads); }

/* ---- surroundings ---- */

static int in_locale(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8",
                                        "pt_BR.UTF-8", "pl_PL.UTF-8", "sv_SE.UTF-8", "de_DE"};
    lh_subject subject;
    double want[STEPS] = {0}, got[STEPS] = {0};
    bool comma = false;
    if (lh_subject_open(c, s, o, (lh_wish){0}, &subject) == LH_OPENED) run(&subject, want);
    lh_subject_close(&subject);
    for (size_t i = 0; i < LH_COUNT(names) && !comma; i++)
        comma = setlocale(LC_ALL, names[i]) && localeconv()->decimal_point[0] == ',';
    if (comma && lh_subject_open(c, s, o, (lh_wish){0}, &subject) == LH_OPENED) run(&subject, got);
    if (comma) lh_subject_close(&subject);
    setlocale(LC_ALL, "C");
    if (!comma)
        return lh_verdict(c, LEHR_CHECK_SKIP, NULL,
                          "no locale with a decimal comma is installed here");
    if (lh_same_bits(want, got, STEPS)) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "read no numbers with strtod() or sscanf()",
                      "%s gives other numbers where the decimal separator is a comma",
                      s ? s->name : o->name);
}

int lh_check_whole_locale(lehr_checker *c) { return each(c, in_locale); }

/* Rounding may move the last bits, below 0 too, but not more. */
static int rounded(lehr_checker *c, const lehr_schedule *s, const lehr_optimizer *o)
{
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    int verdict = LEHR_CHECK_OK;
    for (size_t m = 0; m < LH_COUNT(modes) && verdict == LEHR_CHECK_OK; m++) {
        lh_subject subject;
        double out[STEPS] = {0};
        fesetround(modes[m]);
        if (lh_subject_open(c, s, o, (lh_wish){0}, &subject) == LH_OPENED) run(&subject, out);
        fesetround(FE_TONEAREST);
        for (int i = 0; i < STEPS && verdict == LEHR_CHECK_OK; i++)
            if (!isfinite(out[i]) || (s && out[i] < -1e-9))
                verdict = lh_verdict(c, LEHR_CHECK_FAIL, "leave room for rounding: clamp at 0",
                                     "%s gives %g in another rounding mode",
                                     lh_str_text(&subject.text), out[i]);
        lh_subject_close(&subject);
    }
    return verdict;
}

int lh_check_whole_rounding(lehr_checker *c) { return each(c, rounded); }
