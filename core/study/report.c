/* SPDX-License-Identifier: MIT
 *
 * report.html of a comparison: what can be said, the table, the curves, the learning rates that
 * were really used, every pair, every run, and how to make it again.  Everything is read from the
 * study's directory; numbers of single runs are written in the same form as in summary.csv. */
#include "core/study/report.h"

#include <assert.h>
#include <lehr/plot.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/study/html.h"
#include "core/study/plot.h"

/* ---- header ---- */

static void put_header(lh_page *p)
{
    lh_str title = {0}, sub = {0};
    const lh_study *study = p->study;
    double epochs = lh_json_number(study->about, "settings", "epochs");
    lh_str_printf(&title, "%u method%s compared on %s", study->method_count,
                  study->method_count == 1 ? "" : "s",
                  lh_report_synthetic(study->about) ? "synthetic images"
                                                    : lh_json_text(study->about, "data", "name"));
    lh_str_printf(&sub, "model %s · %.0f epoch%s · %u seed%s · %s",
                  lh_json_text(study->about, "model", "name"), epochs, epochs == 1 ? "" : "s",
                  study->seed_count, study->seed_count == 1 ? "" : "s",
                  lh_json_text(study->about, "device", "name"));
    lh_html_open(p->s, lh_str_text(&title), lh_str_text(&sub));
    lh_report_data_banner(p->s, study->about);
    p->s->failed |= title.failed || sub.failed;
    lh_str_free(&title);
    lh_str_free(&sub);
}

/* One list item for each line. */
static void put_lines(lh_str *s, const char *lines)
{
    lh_str line = {0};
    lh_str_add(s, "<ul>\n");
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        lh_str_clear(&line);
        lh_str_add_bytes(&line, lines, length);
        lh_html_cell(s, "li", NULL, lh_str_text(&line));
        lh_str_add(s, "\n");
        lines += length + (lines[length] != '\0');
    }
    lh_str_add(s, "</ul>\n");
    s->failed |= line.failed;
    lh_str_free(&line);
}

static void put_verdict(lh_page *p)
{
    lh_str sentences = {0};
    lh_analysis_sentences(p->a, &sentences);
    lh_html_section(p->s, "What can be said");
    put_lines(p->s, lh_str_text(&sentences));
    lh_html_section_end(p->s);
    p->s->failed |= sentences.failed;
    lh_str_free(&sentences);
}

/* ---- charts ---- */

static lehr_status put_mean_chart(lh_page *p, const char *title, const char *y_label, size_t offset,
                                  bool log_y, lehr_plot_series *series)
{
    uint32_t n = p->study->method_count;
    for (uint32_t m = 0; m < n; m++) {
        const lh_mean_curve *c =
            (const lh_mean_curve *)(const void *)((const char *)&p->a->methods[m] + offset);
        series[m] = (lehr_plot_series){.name = p->study->methods[m].name,
                                       .x = c->x,
                                       .y = c->mean,
                                       .low = c->low,
                                       .high = c->high,
                                       .count = c->count,
                                       .style = m};
    }
    lehr_plot plot;
    lehr_plot_init(&plot);
    plot.title = title;
    plot.x_label = "epoch";
    plot.y_label = y_label;
    plot.series = series;
    plot.series_count = n;
    plot.log_y = log_y;
    plot.width = LH_CHART_WIDTH;
    plot.height = LH_CHART_HEIGHT;
    return lh_html_chart(p->ctx, p->s, &plot, NULL);
}

static bool same_lr(const lh_columns *a, const lh_columns *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->at[LH_C_LR][i] != b->at[LH_C_LR][i]) return false;
    return true;
}

/* Methods whose learning rates are the same at every update share a line; series number of m. */
static uint32_t lr_series_of(const lh_page *p, uint32_t m)
{
    for (uint32_t i = 0; i < m; i++)
        if (same_lr(&p->a->methods[i].lr, &p->a->methods[m].lr)) return i;
    return m;
}

static bool wide_range(const lehr_plot_series *series, uint32_t count)
{
    double low = INFINITY, high = 0;
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < series[i].count; k++) {
            if (!(series[i].y[k] > 0)) continue;
            low = fmin(low, series[i].y[k]);
            high = fmax(high, series[i].y[k]);
        }
    return high > 10 * low;
}

static lehr_status put_lr_chart(lh_page *p, lehr_plot_series *series, lh_str *names)
{
    uint32_t n = p->study->method_count, count = 0;
    for (uint32_t m = 0; m < n; m++) {
        const lh_columns *lr = &p->a->methods[m].lr;
        if (!lr->count || lr_series_of(p, m) != m) continue;
        for (uint32_t k = m; k < n; k++)
            if (lr_series_of(p, k) == m)
                lh_str_printf(&names[m], "%s%s", k > m ? ", " : "", p->study->methods[k].name);
        series[count++] = (lehr_plot_series){.name = lh_str_text(&names[m]),
                                             .x = lr->at[LH_C_STEP],
                                             .y = lr->at[LH_C_LR],
                                             .count = lr->count,
                                             .style = m};
    }
    lehr_plot plot;
    lehr_plot_init(&plot);
    plot.title = "Learning rate used";
    plot.x_label = "update";
    plot.y_label = "learning rate";
    plot.series = series;
    plot.series_count = count;
    plot.log_y = wide_range(series, count);
    plot.width = LH_CHART_WIDTH;
    plot.height = LH_CHART_HEIGHT;
    return lh_html_chart(p->ctx, p->s, &plot,
                         "As handed to the optimizer in every update of each method's first run, "
                         "read from its history. Methods with the same values share a line.");
}

static lehr_status put_charts(lh_page *p)
{
    uint32_t n = p->study->method_count;
    lehr_plot_series *series = lh_alloc(p->ctx, n, sizeof *series);
    lh_str *names = lh_alloc(p->ctx, n, sizeof *names);
    lehr_status status = series && names ? LEHR_OK : LEHR_E_MEMORY;
    lh_html_section(p->s, "Curves");
    lh_str_printf(p->s, "<p>%s</p>\n<div class=\"charts\">\n",
                  p->study->seed_count > 1 ? "Mean over seeds; the band is one standard deviation "
                                             "to each side."
                                           : "One run of each method.");
    if (status == LEHR_OK)
        status = put_mean_chart(p, "Validation accuracy", "accuracy in %",
                                offsetof(lh_method_summary, val_accuracy_curve), false, series);
    if (status == LEHR_OK) status = put_lr_chart(p, series, names);
    if (status == LEHR_OK)
        status = put_mean_chart(p, "Training loss", "loss", offsetof(lh_method_summary, loss_curve),
                                false, series);
    if (status == LEHR_OK)
        status = put_mean_chart(p, "Validation loss", "loss",
                                offsetof(lh_method_summary, val_loss_curve), false, series);
    lh_str_add(p->s, "</div>\n");
    lh_html_section_end(p->s);
    for (uint32_t m = 0; names && m < n; m++) lh_str_free(&names[m]);
    free(names);
    free(series);
    return status;
}

/* ---- explanations and facts ---- */

/* Adadelta has a natural learning rate of 1; with tf.keras' 0.001 it hardly leaves its start. */
static void put_adadelta_note(lh_page *p, uint32_t m)
{
    const lh_method_summary *row = &p->a->methods[m];
    const lh_study_method *method = row->method;
    if (!strstr(method->optimizer, "adadelta") || !(method->lr < 0.05)) return;
    lh_html_section(p->s, "Why Adadelta hardly moves here");
    lh_str_add(p->s, "<p>");
    lh_str_xml(p->s, method->name);
    lh_str_printf(p->s,
                  " runs at learning rate %g, the default of tf.keras. Adadelta makes its own step "
                  "size: the running root mean square of past updates over that of the gradients. "
                  "As published (Zeiler 2012) it has no learning rate, which is a learning rate of "
                  "1; a factor of %g makes every update %.0f times smaller. The running mean of "
                  "updates starts at zero, so the first steps are tiny even at 1; with the factor "
                  "the weights are still near their initial values when the budget ends",
                  method->lr, method->lr, 1 / method->lr);
    if (row->final_val.count)
        lh_str_printf(p->s, " (%.1f %% final validation accuracy here)", 100 * row->final_val.mean);
    lh_str_add(p->s, ". That is a matter of this default, not of the method. The preset "
                     "<code>tutorial2017</code> has the defaults that Keras had in 2017 (Adadelta "
                     "1.0, Adagrad 0.01); run it beside this one to see the difference.</p>\n");
    lh_html_section_end(p->s);
}

static void put_trouble(lh_page *p)
{
    bool any = false;
    for (uint32_t i = 0; i < p->study->method_count * p->study->seed_count; i++) {
        const lh_run_record *run = &p->study->runs[i];
        if (run->state != LH_RUN_DIVERGED && run->state != LH_RUN_FAILED) continue;
        if (!any) lh_html_section(p->s, "Runs without a score");
        lh_str_add(p->s, any ? "" : "<ul>\n");
        any = true;
        lh_str_add(p->s, "<li>");
        lh_str_xml(p->s, p->study->methods[i / p->study->seed_count].name);
        lh_str_printf(p->s, ", seed %llu %s", (unsigned long long)run->seed,
                      run->state == LH_RUN_DIVERGED ? "diverged: " : "failed: ");
        lh_str_xml(p->s, run->message ? run->message : "the loss was not finite");
        lh_str_add(p->s, "</li>\n");
    }
    if (!any) return;
    lh_str_add(p->s, "</ul>\n");
    lh_html_section_end(p->s);
}

/* The methods with every value written out. */
static void put_method_facts(lh_page *p)
{
    lh_str exact = {0};
    char lr[40];
    for (uint32_t m = 0; m < p->study->method_count; m++) {
        const lh_study_method *method = &p->study->methods[m];
        lh_format_double(method->lr, lr, sizeof lr);
        lh_str_clear(&exact);
        lh_str_printf(&exact, "optimizer=%s; schedule=%s; lr=%s",
                      *method->resolved ? method->resolved : method->optimizer, method->schedule,
                      lr);
        if (*method->group) lh_str_printf(&exact, "; group=%s", method->group);
        lh_html_fact_code(p->s, method->name, lh_str_text(&exact));
    }
    p->s->failed |= exact.failed;
    lh_str_free(&exact);
}

static void put_facts(lh_page *p)
{
    lh_html_section(p->s, "What was compared");
    lh_str_add(p->s, "<dl>\n");
    lh_report_subject(p->s, p->study->about);
    lh_str_printf(p->s,
                  "<dt>seeds</dt><dd>%llu to %llu; with the same seed every method starts from the "
                  "same weights and sees the same images in the same order</dd>\n",
                  (unsigned long long)p->study->first_seed,
                  (unsigned long long)(p->study->first_seed + p->study->seed_count - 1));
    lh_report_settings(p->s, p->study->about);
    put_method_facts(p);
    lh_str_add(p->s, "</dl>\n");
    lh_html_section_end(p->s);
}

static void put_regenerate(lh_page *p)
{
    const char *command = json_string_value(json_object_get(p->study->about, "command"));
    lh_html_section(p->s, "How to make this again");
    if (command && *command) {
        lh_str_add(p->s, "<p>This command writes the report anew; runs that are finished are kept, "
                         "and in an empty directory everything is computed again, with the same "
                         "figures on the same device.</p>\n");
        lh_html_cell(p->s, "pre", NULL, command);
    } else {
        lh_str_add(p->s, "<p>Made through the library; the settings above are all there is.</p>\n");
    }
    lh_str_add(p->s, "<p>Beside this page: <code>study.json</code> (settings), "
                     "<code>summary.csv</code> (a row for each run), "
                     "<code>runs/METHOD-seedN/history.jsonl</code> (every update and epoch, the "
                     "source of all curves).</p>\n");
    lh_html_section_end(p->s);
}

/* ---- the page ---- */

static lehr_status put_page(lh_page *p)
{
    put_header(p);
    put_verdict(p);
    lh_put_method_table(p);
    lehr_status status = put_charts(p);
    if (status != LEHR_OK) return status;
    lh_put_target_table(p);
    lh_put_pair_table(p);
    for (uint32_t m = 0; m < p->study->method_count; m++) put_adadelta_note(p, m);
    put_trouble(p);
    put_facts(p);
    lh_put_run_table(p);
    put_regenerate(p);
    lh_html_close(p->s);
    return LEHR_OK;
}

lehr_status lehr_report_study(lehr_context *ctx, const char *out)
{
    assert(ctx && out);
    lh_study study;
    lh_analysis a;
    lh_str s = {0};
    lh_enter(ctx);
    lehr_status status = lh_study_load(ctx, out, &study);
    if (status != LEHR_OK) return status;
    status = lh_analyse(ctx, &study, &a);
    if (status == LEHR_OK) {
        lh_locale saved = lh_locale_enter();
        lh_page p = {ctx, &s, &study, &a};
        status = put_page(&p);
        lh_locale_leave(saved);
        if (status == LEHR_OK) status = lh_report_write(ctx, out, &s);
        lh_analysis_free(&a);
    }
    lh_str_free(&s);
    lh_study_free(&study);
    return status;
}
