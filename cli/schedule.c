/* SPDX-License-Identifier: MIT
 *
 * schedule show and schedule plot: the learning rate of every update, without a device. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { PLOT_POINTS = 2000, PLOT_LINES = 18 };

/* "momentum: cosine()": what is scheduled stands in front, with a blank behind its colon, which no
 * preset has (torch:cosine).  target gets the word, or "" without one; the rest is returned. */
static const char *split_target(const char *text, char target[32])
{
    size_t start = strspn(text, " "), length = strspn(text + start, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const char *colon = text + start + length + strspn(text + start + length, " ");
    target[0] = '\0';
    if (length == 0 || length > 31 || colon[0] != ':' || colon[1] != ' ') return text;
    memcpy(target, text + start, length);
    target[length] = '\0';
    return colon + 1;
}

static lehr_status open_scheduler(session *s, const settings *set, lehr_budget *budget,
                                  lehr_scheduler **out)
{
    lehr_status st = session_start(s, set);
    *budget = (lehr_budget){
        .base = option_real(set, OPT_LR),
        .steps_per_epoch = option_uint(set, OPT_STEPS_PER_EPOCH),
        .total_steps = option_uint(set, OPT_STEPS_PER_EPOCH) * option_uint(set, OPT_EPOCHS),
        .samples_per_step = option_uint(set, OPT_BATCH),
        .seed = option_uint(set, OPT_SEED),
    };
    if (st == LEHR_OK) st = session_registry(s);
    char target[32];
    const char *spec = split_target(set->args[0], target);
    if (st == LEHR_OK) st = lehr_scheduler_create(s->ctx, s->registry, spec, budget, out);
    return st;
}

static void warn(void *user, const char *sentence)
{
    const settings *set = user;
    fprintf(stderr, "lehr %s: warning: %s\n", set->verb->name, sentence);
}

static void print_row(bool csv, uint64_t step, double epoch, double lr)
{
    char epoch_text[NUMBER_SIZE], lr_text[NUMBER_SIZE];
    if (csv)
        printf("%llu,%s,%s\n", (unsigned long long)step, number_text(epoch, epoch_text),
               number_text(lr, lr_text));
    else
        printf("%10llu  %10.4f  %s\n", (unsigned long long)step, epoch, number_text(lr, lr_text));
}

/* The warnings, and what the numbers cannot show. */
static lehr_status look_over(settings *set, lehr_scheduler *scheduler)
{
    const char *metric = lehr_scheduler_metric(scheduler, 0);
    if (metric)
        fprintf(stderr, "lehr %s: a part waits for measurements of %s; here none come\n",
                set->verb->name, metric);
    return lehr_scheduler_review(scheduler, warn, set);
}

int verb_schedule_show(settings *set)
{
    session s;
    lehr_budget budget;
    lehr_scheduler *scheduler = NULL;
    bool csv = option_flag(set, OPT_CSV);
    lehr_status st = open_scheduler(&s, set, &budget, &scheduler);
    if (st == LEHR_OK) st = look_over(set, scheduler);
    if (st == LEHR_OK && csv) puts("step,epoch,lr");
    if (st == LEHR_OK && !csv) printf("%10s  %10s  %s\n", "step", "epoch", "lr");
    for (uint64_t step = 0; st == LEHR_OK && step < budget.total_steps && !ferror(stdout); step++) {
        double lr = NAN;
        st = lehr_scheduler_value(scheduler, step, &lr);
        if (st == LEHR_OK)
            print_row(csv, step, (double)step / (double)budget.steps_per_epoch, lr);
    }
    lehr_scheduler_destroy(&scheduler);
    return session_end(&s, st);
}

/* ---- plot ---- */

typedef struct curve {
    double x[PLOT_POINTS], y[PLOT_POINTS];
    size_t count;
} curve;

/* Every update of a short schedule, evenly spaced ones of a long one; the last is always there. */
static void sample(lehr_scheduler *scheduler, const lehr_budget *budget, curve *c)
{
    uint64_t total = budget->total_steps;
    c->count = total < PLOT_POINTS ? (size_t)total : PLOT_POINTS;
    for (size_t i = 0; i < c->count; i++) {
        double part = c->count > 1 ? (double)i / (double)(c->count - 1) : 0.0;
        uint64_t step = (uint64_t)(part * (double)(total - 1) + 0.5);
        /* What a run would refuse is a gap in the curve, and the review says why. */
        if (lehr_scheduler_value(scheduler, step, &c->y[i]) != LEHR_OK) c->y[i] = NAN;
        c->x[i] = (double)step / (double)budget->steps_per_epoch;
    }
}

static bool write_svg(const settings *set, const char *svg)
{
    const char *path = option_text(set, OPT_SVG);
    FILE *file = fopen(path, "w");
    bool good = file && fputs(svg, file) >= 0;
    if (file && fclose(file) != 0) good = false;
    if (good) return true;
    return usage_error(set->verb, "--svg: %s cannot be written (%s)", path, strerror(errno));
}

static lehr_status draw(session *s, const curve *c, const char *title, bool *written)
{
    char target[32];
    lehr_plot plot;
    lehr_plot_series series = {.x = c->x, .y = c->y, .count = c->count};
    char *text = NULL, *svg = NULL;
    lehr_plot_init(&plot);
    plot.title = title;
    plot.x_label = "epoch";
    split_target(s->set->args[0], target);
    plot.y_label = target[0] && strcmp(target, "lr") != 0 ? target : "learning rate";
    plot.series = &series;
    plot.series_count = 1;
    plot.y_min = 0.0;
    lehr_status st = LEHR_OK;
    if (option_text(s->set, OPT_SVG)) {
        st = lehr_plot_svg(s->ctx, &plot, &svg);
        if (st == LEHR_OK) *written = write_svg(s->set, svg);
    }
    unsigned width = terminal_width(stdout);
    plot.width = width > 120 ? 120 : width;
    plot.height = PLOT_LINES;
    plot.unicode = terminal_utf8();
    plot.color = terminal_colour(stdout);
    if (st == LEHR_OK && *written) st = lehr_plot_terminal(s->ctx, &plot, &text);
    if (st == LEHR_OK && text) fputs(text, stdout);
    lehr_plot_free(&svg);
    lehr_plot_free(&text);
    return st;
}

int verb_schedule_plot(settings *set)
{
    session s;
    lehr_budget budget;
    lehr_scheduler *scheduler = NULL;
    bool written = true;
    curve *c = calloc(1, sizeof *c);
    lehr_status st = open_scheduler(&s, set, &budget, &scheduler);
    if (st == LEHR_OK && !c) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) sample(scheduler, &budget, c);
    if (st == LEHR_OK) {
        char title[512];
        char lr[NUMBER_SIZE];
        snprintf(title, sizeof title, "%s, base %s", set->args[0],
                 number_text(budget.base, lr));
        st = look_over(set, scheduler);
        if (st == LEHR_OK) st = draw(&s, c, title, &written);
    }
    lehr_scheduler_destroy(&scheduler);
    free(c);
    int code = session_end(&s, st);
    return code == 0 && !written ? EXIT_CANNOT_WRITE : code;
}
