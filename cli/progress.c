/* SPDX-License-Identifier: MIT
 *
 * Bar, lines and JSON objects from the events of a run. */
#include "cli/progress.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "cli/terminal.h"
#include "cli/text.h"

/* Seconds between two drawings of the bar, two JSON steps, and two lines within an epoch. */
static const double REDRAW_SECONDS = 0.1, LINE_SECONDS = 30.0;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_reset(progress *p)
{
    progress_clear(p);
    p->first_step = 0;
    p->first_seconds = 0.0;
    p->last_time = now();
    p->loss = p->accuracy = NAN;
}

void progress_start(progress *p, const settings *set)
{
    const char *kind = option_text(set, OPT_PROGRESS);
    *p = (progress){.utf8 = terminal_utf8(), .colour = terminal_colour(stderr),
                    .stop_step = option_uint(set, OPT_MAX_STEPS)};
    if (kind && strcmp(kind, "json") == 0)
        p->kind = PROGRESS_JSON;
    else if (option_flag(set, OPT_QUIET) || (kind && strcmp(kind, "none") == 0))
        p->kind = PROGRESS_NONE;
    else if (terminal_can_redraw(stderr) && !(kind && strcmp(kind, "lines") == 0))
        p->kind = PROGRESS_BAR;
    else
        p->kind = PROGRESS_LINES;
    progress_reset(p);
}

bool progress_wants_text(const progress *p, const settings *set)
{
    return p->kind != PROGRESS_JSON && !option_flag(set, OPT_QUIET);
}

void progress_clear(progress *p)
{
    if (!p->drawn) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    p->drawn = false;
}

/* ---- one line of numbers ---- */

typedef struct line {
    char text[512];
    size_t length, limit;
} line;

/* Adds a part if the line stays within its limit; parts come in the order of their importance. */
static void add_part(line *l, const char *label, const char *value)
{
    size_t need = 2 + strlen(label) + strlen(value);
    if (l->length + need > l->limit || l->length + need >= sizeof l->text) return;
    l->length += (size_t)snprintf(l->text + l->length, sizeof l->text - l->length, "%s%s%s",
                                  l->length ? "  " : "", label, value);
}

static const char *percent_text(double part, char out[NUMBER_SIZE])
{
    char digits[NUMBER_SIZE];
    if (isnan(part)) return "-";
    snprintf(out, NUMBER_SIZE, "%s%%", fixed_text(100.0 * part, 2, digits));
    return out;
}

static void add_number(line *l, const char *label, double value, int decimals)
{
    char text[NUMBER_SIZE];
    add_part(l, label, fixed_text(value, decimals, text));
}

static const char *rate_text(double lr, char out[NUMBER_SIZE])
{
    if (isnan(lr)) return "-";
    snprintf(out, NUMBER_SIZE, "%.4g", lr);
    return out;
}

static uint64_t end_step(const progress *p, const lehr_event *e)
{
    bool stops = p->stop_step && (!e->total_steps || p->stop_step < e->total_steps);
    return stops ? p->stop_step : e->total_steps;
}

static double seconds_left(const progress *p, const lehr_event *e)
{
    uint64_t end = end_step(p, e);
    if (e->step <= p->first_step || end <= e->step) return end <= e->step ? 0.0 : NAN;
    return (e->seconds - p->first_seconds) / (double)(e->step - p->first_step) *
           (double)(end - e->step);
}

static void epoch_head(line *l, const lehr_event *e, uint64_t epoch)
{
    char text[64];
    snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)epoch,
             (unsigned long long)e->epochs);
    add_part(l, "epoch ", text);
}

static void print_line(progress *p, const line *l)
{
    progress_clear(p);
    printf("%s\n", l->text);
    fflush(stdout);
    p->last_time = now();
}

/* A line does not wrap on a terminal; in a pipe it is whole. */
static size_t line_limit(void) { return terminal_is(stdout) ? terminal_width(stdout) - 1 : 512; }

static void epoch_line(progress *p, const lehr_event *e)
{
    char text[NUMBER_SIZE];
    line l = {.limit = line_limit()};
    epoch_head(&l, e, (uint64_t)(e->epoch + 0.5));
    add_number(&l, "loss ", e->loss, 4);
    add_part(&l, "acc ", percent_text(e->accuracy, text));
    add_number(&l, "val loss ", e->val_loss, 4);
    add_part(&l, "val acc ", percent_text(e->val_accuracy, text));
    add_part(&l, "lr ", rate_text(e->lr, text));
    add_number(&l, "images/s ", e->images_per_second, 0);
    add_part(&l, "time ", clock_text(e->seconds, text));
    print_line(p, &l);
}

static void step_line(progress *p, const lehr_event *e)
{
    char text[NUMBER_SIZE], steps[64];
    line l = {.limit = line_limit()};
    snprintf(steps, sizeof steps, "%llu/%llu", (unsigned long long)e->step,
             (unsigned long long)end_step(p, e));
    add_part(&l, "step ", steps);
    add_number(&l, "loss ", p->loss, 4);
    add_part(&l, "acc ", percent_text(p->accuracy, text));
    add_part(&l, "lr ", rate_text(e->lr, text));
    add_number(&l, "images/s ", e->images_per_second, 0);
    add_part(&l, "left ", clock_text(seconds_left(p, e), text));
    print_line(p, &l);
}

/* ---- bar ---- */

static void draw_cells(const progress *p, unsigned cells, double part)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    unsigned filled = (unsigned)(part * cells * 8 + 0.5);
    if (p->colour) fputs("\033[32m", stderr);
    fputc('[', stderr);
    for (unsigned i = 0; i < cells; i++) {
        unsigned in = filled > 8 * i ? filled - 8 * i : 0;
        if (!p->utf8)
            fputc(in >= 4 ? '#' : ' ', stderr);
        else
            fputs(in >= 8 ? "█" : eighths[in], stderr);
    }
    fputc(']', stderr);
    if (p->colour) fputs("\033[0m", stderr);
}

static void draw_bar(progress *p, const lehr_event *e)
{
    enum { CELLS = 16, FRAME = 3 };
    char text[NUMBER_SIZE];
    uint64_t end = end_step(p, e);
    double part = end ? (double)e->step / (double)end : 0.0;
    unsigned width = terminal_width(stderr);
    unsigned cells = width >= 60 ? CELLS : 0;
    line l = {.limit = width - 1 - (cells ? cells + FRAME : 0)};
    uint64_t epoch = (uint64_t)e->epoch + 1, epochs = e->epochs;
    epoch_head(&l, e, epoch > epochs ? epochs : epoch);
    snprintf(text, sizeof text, "%.0f%%", 100.0 * (part > 1.0 ? 1.0 : part));
    add_part(&l, "", text);
    add_part(&l, "ETA ", clock_text(seconds_left(p, e), text));
    add_number(&l, "loss ", p->loss, 4);
    add_part(&l, "acc ", percent_text(p->accuracy, text));
    add_part(&l, "lr ", rate_text(e->lr, text));
    add_number(&l, "images/s ", e->images_per_second, 0);
    fputs("\r\033[K", stderr);
    if (cells) {
        draw_cells(p, cells, part > 1.0 ? 1.0 : part);
        fputc(' ', stderr);
    }
    fputs(l.text, stderr);
    fflush(stderr);
    p->drawn = true;
    p->last_time = now();
}

/* ---- JSON ---- */

static void json_event(progress *p, const lehr_event *e)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"epoch", e->epoch}, {"lr", e->lr}, {"loss", e->loss}, {"accuracy", e->accuracy},
        {"val_loss", e->val_loss}, {"val_accuracy", e->val_accuracy}, {"test_loss", e->test_loss},
        {"test_accuracy", e->test_accuracy}, {"seconds", e->seconds},
        {"images_per_second", e->images_per_second},
    };
    fputs("{\"kind\": ", stdout);
    json_text(stdout, e->kind);
    printf(", \"step\": %llu, \"total_steps\": %llu, \"steps_per_epoch\": %llu",
           (unsigned long long)e->step, (unsigned long long)e->total_steps,
           (unsigned long long)e->steps_per_epoch);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        printf(", \"%s\": ", numbers[i].name);
        json_number(stdout, numbers[i].value);
    }
    for (uint32_t i = 0; i < e->value_count; i++) {
        printf(", \"%s\": ", e->value_names[i]);
        json_number(stdout, e->values[i]);
    }
    puts("}");
    fflush(stdout);
    p->last_time = now();
}

/* A single batch says little: a mean over about the last ten is shown. */
static void follow(double *mean, double value)
{
    if (isnan(value)) return;
    *mean = isnan(*mean) ? value : *mean + 0.1 * (value - *mean);
}

void progress_event(progress *p, const lehr_event *e)
{
    bool step = strcmp(e->kind, "step") == 0;
    double waited = now() - p->last_time;
    if (strcmp(e->kind, "start") == 0) {
        p->first_step = e->step;
        p->first_seconds = isnan(e->seconds) ? 0.0 : e->seconds;
    }
    if (step) {
        follow(&p->loss, e->loss);
        follow(&p->accuracy, e->accuracy);
    }
    if (p->kind == PROGRESS_NONE) return;
    if (p->kind == PROGRESS_JSON) {
        bool first = e->step == p->first_step + 1; /* it tells that everything has started */
        if (!step || first || waited >= REDRAW_SECONDS) json_event(p, e);
        return;
    }
    if (strcmp(e->kind, "epoch") == 0) {
        epoch_line(p, e);
    } else if (step && p->kind == PROGRESS_BAR) {
        if (waited >= REDRAW_SECONDS || !p->drawn) draw_bar(p, e);
    } else if (step && waited >= LINE_SECONDS) {
        step_line(p, e);
    } else if (strcmp(e->kind, "end") == 0) {
        progress_clear(p);
    }
}
