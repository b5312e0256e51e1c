/* SPDX-License-Identifier: MIT
 *
 * A study for the terminal: the table with its sentences, and the chart of validation accuracy. */
#include "core/study/analysis.h"

#include <assert.h>
#include <lehr/plot.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/study/plot.h"

enum { TABLE_WIDTH = 80 };

/* Text padded to width characters (not bytes); negative: flush left. */
static void cell(lh_str *s, const char *text, int width)
{
    int pad = abs(width) - (int)lh_utf8_count(text);
    for (int i = 0; width > 0 && i < pad; i++) lh_str_add(s, " ");
    lh_str_add(s, text);
    for (int i = 0; width < 0 && i < pad; i++) lh_str_add(s, " ");
}

/* A share as percent; "-" when not known. */
static void percent_cell(lh_str *s, double value, int width)
{
    lh_str text = {0};
    if (isfinite(value))
        lh_str_printf(&text, "%.2f", 100 * value);
    else
        lh_str_add(&text, "-");
    cell(s, lh_str_text(&text), width);
    lh_str_free(&text);
}

static void score_cells(lh_str *s, const lh_sample *score, bool unicode)
{
    lh_str text = {0};
    if (score->count && isfinite(score->sd))
        lh_str_printf(&text, "%.2f %s %.2f", 100 * score->mean, unicode ? "±" : "+-",
                      100 * score->sd);
    else if (score->count)
        lh_str_printf(&text, "%.2f", 100 * score->mean);
    else
        lh_str_add(&text, "-");
    cell(s, lh_str_text(&text), 15);
    lh_str_clear(&text);
    double low, high;
    if (lh_percent_interval(score, &low, &high))
        lh_str_printf(&text, "%.2f %s %.2f", low, unicode ? "…" : "..", high);
    else
        lh_str_add(&text, "-");
    cell(s, lh_str_text(&text), 18);
    lh_str_free(&text);
}

static void target_cell(lh_str *s, const lh_method_summary *m)
{
    lh_str text = {0};
    if (!m->reached)
        lh_str_add(&text, m->finished ? "never" : "-");
    else if (m->reached < m->finished)
        lh_str_printf(&text, "%.1f ep (%u/%u)", m->target_epochs.mean, m->reached, m->finished);
    else
        lh_str_printf(&text, "%.1f ep", m->target_epochs.mean);
    cell(s, lh_str_text(&text), 14);
    lh_str_free(&text);
}

static void note_cell(lh_str *s, const lh_method_summary *m)
{
    if (m->diverged) lh_str_printf(s, "  %u diverged", m->diverged);
    if (m->failed) lh_str_printf(s, "  %u failed", m->failed);
    if (m->missing) lh_str_printf(s, "  %u not run", m->missing);
}

static int name_width(const lh_study *study)
{
    size_t longest = 6;
    for (uint32_t m = 0; m < study->method_count; m++) {
        size_t length = lh_utf8_count(study->methods[m].name);
        if (length > longest) longest = length;
    }
    return -(int)longest;
}

static void heading(lh_str *s, const lh_analysis *a, int name)
{
    lh_str target = {0};
    const lh_study *study = a->study;
    const char *data = lh_json_text(study->about, "data", "name");
    lh_str_printf(s, "%s in %%, %u seed%s, %s%s\n",
                  a->on_test ? "Test accuracy" : "Validation accuracy", study->seed_count,
                  study->seed_count == 1 ? "" : "s", data,
                  strcmp(data, "synthetic") == 0 ? " (NOT real images)" : "");
    cell(s, "method", name);
    cell(s, "mean and sd", 15);
    cell(s, "95 % interval", 18);
    cell(s, "best val", 10);
    if (isfinite(a->target)) lh_str_printf(&target, "to %.0f %% val", 100 * a->target);
    cell(s, lh_str_text(&target), 14);
    cell(s, "s per run", 11);
    lh_str_add(s, "\n");
    lh_str_free(&target);
}

static void row(lh_str *s, const lh_analysis *a, uint32_t method, int name, bool unicode)
{
    const lh_method_summary *m = &a->methods[method];
    lh_str seconds = {0};
    cell(s, m->method->name, name);
    score_cells(s, lh_analysis_score(a, method), unicode);
    percent_cell(s, m->best_val.mean, 10);
    target_cell(s, m);
    if (m->seconds.count) lh_str_printf(&seconds, "%.1f", m->seconds.mean);
    cell(s, m->seconds.count ? lh_str_text(&seconds) : "-", 11);
    note_cell(s, m);
    lh_str_add(s, "\n");
    lh_str_free(&seconds);
}

/* Breaks lines at spaces so that none is longer than TABLE_WIDTH; later lines are set in. */
static void wrapped(lh_str *s, const char *text)
{
    size_t used = 0;
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (used && used + 1 + length > TABLE_WIDTH) {
            lh_str_add(s, "\n  ");
            used = 2;
        } else if (used) {
            lh_str_add(s, " ");
            used++;
        }
        lh_str_add_bytes(s, text, length);
        used += length;
        text += length;
        if (*text == '\n') {
            lh_str_add(s, "\n");
            used = 0;
        }
        text += *text != '\0';
    }
}

static lehr_status study_and_analysis(lehr_context *ctx, const char *dir, lh_study *study,
                                      lh_analysis *analysis)
{
    lehr_status status = lh_study_load(ctx, dir, study);
    if (status != LEHR_OK) return status;
    status = lh_analyse(ctx, study, analysis);
    if (status != LEHR_OK) lh_study_free(study);
    return status;
}

lehr_status lehr_study_table(lehr_context *ctx, const char *out, uint32_t unicode, char **text)
{
    assert(ctx && out && text);
    lh_study study;
    lh_analysis a;
    lh_str s = {0}, sentences = {0};
    lh_enter(ctx);
    *text = NULL;
    lehr_status status = study_and_analysis(ctx, out, &study, &a);
    if (status != LEHR_OK) return status;
    lh_locale saved = lh_locale_enter();
    int name = name_width(&study);
    heading(&s, &a, name);
    for (uint32_t i = 0; i < study.method_count; i++) row(&s, &a, a.order[i], name, unicode != 0);
    lh_analysis_sentences(&a, &sentences);
    wrapped(&s, lh_str_text(&sentences));
    lh_locale_leave(saved);
    if (s.failed || sentences.failed) {
        status = lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a table");
        lh_str_free(&s);
    }
    *text = s.text;
    lh_str_free(&sentences);
    lh_analysis_free(&a);
    lh_study_free(&study);
    return status;
}

lehr_status lehr_study_chart(lehr_context *ctx, const char *out, uint32_t width, uint32_t height,
                             uint32_t unicode, uint32_t color, char **text)
{
    assert(ctx && out && text);
    lh_study study;
    lh_analysis a;
    lh_enter(ctx);
    *text = NULL;
    lehr_status status = study_and_analysis(ctx, out, &study, &a);
    if (status != LEHR_OK) return status;
    lehr_plot_series *series = lh_alloc(ctx, study.method_count, sizeof *series);
    for (uint32_t m = 0; series && m < study.method_count; m++) {
        const lh_mean_curve *c = &a.methods[m].val_accuracy_curve;
        series[m] = (lehr_plot_series){
            .name = study.methods[m].name, .x = c->x, .y = c->mean, .count = c->count, .style = m};
    }
    lehr_plot plot;
    lehr_plot_init(&plot);
    plot.title = study.seed_count > 1 ? "Validation accuracy in % (mean over seeds)"
                                      : "Validation accuracy in %";
    plot.x_label = "epoch";
    plot.series = series;
    plot.series_count = study.method_count;
    plot.width = width;
    plot.height = height;
    plot.unicode = unicode;
    plot.color = color;
    status = series ? lehr_plot_terminal(ctx, &plot, text) : LEHR_E_MEMORY;
    free(series);
    lh_analysis_free(&a);
    lh_study_free(&study);
    return status;
}
