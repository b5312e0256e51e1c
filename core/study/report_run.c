/* SPDX-License-Identifier: MIT
 *
 * report.html of one training run, from its run.json and history.jsonl. */
#include <assert.h>
#include <lehr/plot.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/study/html.h"
#include "core/study/report.h"

enum { RUN_LIMIT = 16 << 20 };

typedef struct run_page {
    lehr_context *ctx;
    lh_str *s;
    const char *dir;
    json_t *run; /* run.json */
    lh_curves curves;
} run_page;

static double result(const run_page *p, const char *key)
{
    return lh_json_number(p->run, "result", key);
}
static const char *setting(const run_page *p, const char *key)
{
    return lh_json_text(p->run, "settings", key);
}

static void put_header(run_page *p)
{
    lh_str title = {0}, sub = {0};
    double lr = lh_json_number(p->run, "settings", "lr"),
           epochs = lh_json_number(p->run, "settings", "epochs");
    lh_str_printf(&title, "%s on %s", lh_json_text(p->run, "model", "name"),
                  lh_report_synthetic(p->run) ? "synthetic images"
                                              : lh_json_text(p->run, "data", "name"));
    lh_str_printf(&sub, "%s · %s", setting(p, "optimizer"), setting(p, "schedule"));
    if (isfinite(lr)) lh_str_printf(&sub, " · lr %g", lr);
    if (isfinite(epochs)) lh_str_printf(&sub, " · %.0f epoch%s", epochs, epochs == 1 ? "" : "s");
    lh_str_printf(&sub, " · %s", lh_json_text(p->run, "device", "name"));
    lh_html_open(p->s, lh_str_text(&title), lh_str_text(&sub));
    lh_report_data_banner(p->s, p->run);
    if (result(p, "diverged") > 0)
        lh_html_banner(p->s, "This run diverged: the loss was not finite. The curves end where it "
                             "did.");
    else if (!json_is_true(json_object_get(p->run, "finished")))
        lh_html_banner(p->s, "This run is not finished; the figures are those so far.");
    p->s->failed |= title.failed || sub.failed;
    lh_str_free(&title);
    lh_str_free(&sub);
}

/* ---- result ---- */

static void fact_printf(lh_str *s, const char *name, const char *format, double value)
    LH_PRINTF(3, 0);
static void fact_printf(lh_str *s, const char *name, const char *format, double value)
{
    lh_str text = {0};
    if (isfinite(value)) lh_str_printf(&text, format, value);
    lh_html_fact(s, name, lh_str_text(&text));
    lh_str_free(&text);
}

static void put_result(run_page *p)
{
    lh_html_section(p->s, "Result");
    lh_str_add(p->s, "<dl>\n");
    fact_printf(p->s, "test accuracy", "%.2f %%", 100 * result(p, "test_accuracy"));
    fact_printf(p->s, "test loss", "%.4f", result(p, "test_loss"));
    fact_printf(p->s, "best validation accuracy", "%.2f %%", 100 * result(p, "best_val_accuracy"));
    fact_printf(p->s, "final validation accuracy", "%.2f %%", 100 * result(p, "val_accuracy"));
    fact_printf(p->s, "final validation loss", "%.4f", result(p, "val_loss"));
    fact_printf(p->s, "training loss, last epoch", "%.4f", result(p, "loss"));
    fact_printf(p->s, "training accuracy, last epoch", "%.2f %%", 100 * result(p, "accuracy"));
    fact_printf(p->s, "updates", "%.0f", result(p, "steps"));
    fact_printf(p->s, "training time", "%.1f s", result(p, "seconds"));
    lh_str_add(p->s, "</dl>\n");
    lh_html_section_end(p->s);
}

/* ---- charts ---- */

static lehr_status put_chart(run_page *p, const char *title, const char *y_label, bool log_y,
                             const lehr_plot_series *series, uint32_t count, const char *caption)
{
    lehr_plot plot;
    lehr_plot_init(&plot);
    plot.title = title;
    plot.x_label = "epoch";
    plot.y_label = y_label;
    plot.series = series;
    plot.series_count = count;
    plot.log_y = log_y;
    plot.width = LH_CHART_WIDTH;
    plot.height = LH_CHART_HEIGHT;
    return lh_html_chart(p->ctx, p->s, &plot, caption);
}

static bool any_finite(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) return true;
    return false;
}

/* Training and validation over epochs; the validation line only where there is one. */
static lehr_status put_epochs_chart(run_page *p, const char *title, const char *y_label, int train,
                                    int val)
{
    const lh_columns *e = &p->curves.epochs;
    const lehr_plot_series series[] = {
        {.name = "training", .x = e->at[LH_C_EPOCH], .y = e->at[train], .count = e->count},
        {.name = "validation",
         .x = e->at[LH_C_EPOCH],
         .y = e->at[val],
         .count = e->count,
         .style = 1}};
    return put_chart(p, title, y_label, false, series, any_finite(e->at[val], e->count) ? 2 : 1,
                     NULL);
}

/* Ratio of the largest to the smallest positive value. */
static double range_of(const lh_columns *steps, int column)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < steps->count; i++) {
        double value = steps->at[column][i];
        if (!(value > 0)) continue;
        low = fmin(low, value);
        high = fmax(high, value);
    }
    return high / low;
}

/* What is scheduled beside the learning rate: a chart for each. */
static lehr_status put_value_charts(run_page *p)
{
    const lh_columns *steps = &p->curves.steps;
    lehr_status status = LEHR_OK;
    for (uint32_t i = 0; i < p->curves.name_count && status == LEHR_OK; i++) {
        int column = LH_C_VALUES + (int)i;
        lh_str title = {0};
        const lehr_plot_series series = {
            .x = steps->at[LH_C_EPOCH], .y = steps->at[column], .count = steps->count};
        lh_str_printf(&title, "%s used", p->curves.names[i]);
        status = put_chart(p, lh_str_text(&title), p->curves.names[i],
                           range_of(steps, column) > 10000, &series, 1, NULL);
        lh_str_free(&title);
    }
    return status;
}

static lehr_status put_steps_charts(run_page *p)
{
    const lh_columns *steps = &p->curves.steps;
    const lehr_plot_series lr = {
        .x = steps->at[LH_C_EPOCH], .y = steps->at[LH_C_LR], .count = steps->count};
    const lehr_plot_series loss = {
        .x = steps->at[LH_C_EPOCH], .y = steps->at[LH_C_LOSS], .count = steps->count};
    lehr_status status =
        put_chart(p, "Learning rate used", "learning rate", range_of(steps, LH_C_LR) > 10000, &lr, 1,
                  "As handed to the optimizer in every update.");
    if (status == LEHR_OK) status = put_value_charts(p);
    if (status != LEHR_OK) return status;
    return put_chart(p, "Training loss of every update", "loss", false, &loss, 1, NULL);
}

static lehr_status put_charts(run_page *p)
{
    lh_columns *e = &p->curves.epochs;
    for (size_t i = 0; i < e->count; i++) {
        e->at[LH_C_ACCURACY][i] *= 100;
        e->at[LH_C_VAL_ACCURACY][i] *= 100;
    }
    lh_html_section(p->s, "Curves");
    lh_str_add(p->s, "<div class=\"charts\">\n");
    lehr_status status =
        put_epochs_chart(p, "Accuracy", "accuracy in %", LH_C_ACCURACY, LH_C_VAL_ACCURACY);
    if (status == LEHR_OK) status = put_epochs_chart(p, "Loss", "loss", LH_C_LOSS, LH_C_VAL_LOSS);
    if (status == LEHR_OK) status = put_steps_charts(p);
    lh_str_add(p->s, "</div>\n");
    lh_html_section_end(p->s);
    return status;
}

/* ---- facts ---- */

static void put_facts(run_page *p)
{
    lh_html_section(p->s, "What was run");
    lh_str_add(p->s, "<dl>\n");
    lh_report_subject(p->s, p->run);
    lh_html_fact_code(p->s, "optimizer", lh_json_text(p->run, "resolved", "optimizer"));
    lh_html_fact_code(p->s, "schedule", lh_json_text(p->run, "resolved", "schedule"));
    lh_html_fact_number(p->s, "learning rate", lh_json_number(p->run, "settings", "lr"));
    lh_html_fact_number(p->s, "seed", lh_json_number(p->run, "settings", "seed"));
    lh_report_settings(p->s, p->run);
    lh_str_add(p->s, "</dl>\n");
    const char *text = lh_json_text(p->run, "model", "text");
    if (*text) {
        lh_str_add(p->s, "<details><summary>The model</summary>\n");
        lh_html_cell(p->s, "pre", NULL, text);
        lh_str_add(p->s, "</details>\n");
    }
    lh_str_add(p->s, "<p>Beside this page: <code>run.json</code> (everything needed to do it "
                     "again), <code>history.jsonl</code> and <code>history.csv</code> (every "
                     "update and epoch, the source of the curves), "
                     "<code>checkpoint-*.safetensors</code> (weights).</p>\n");
    lh_html_section_end(p->s);
}

static lehr_status read_run(run_page *p)
{
    lh_str path = {0};
    char *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    lh_path_join(&path, p->dir, "run.json");
    lehr_status status =
        lh_file_read(p->ctx, lh_str_text(&path), RUN_LIMIT, LEHR_E_DATA, &text, &bytes);
    if (status == LEHR_OK) {
        p->run = json_loadb(text, bytes, 0, &error);
        if (!json_is_object(p->run))
            status = lh_fail(p->ctx, LEHR_E_DATA, "%s: not a run: line %d: %s", lh_str_text(&path),
                             error.line, error.text);
    }
    if (status == LEHR_OK) status = lh_curves_read(p->ctx, p->dir, &p->curves);
    free(text);
    lh_str_free(&path);
    return status;
}

lehr_status lehr_report_run(lehr_context *ctx, const char *run_dir)
{
    assert(ctx && run_dir);
    lh_str s = {0};
    run_page p = {.ctx = ctx, .s = &s, .dir = run_dir};
    lh_enter(ctx);
    lehr_status status = read_run(&p);
    if (status == LEHR_OK) {
        lh_locale saved = lh_locale_enter();
        put_header(&p);
        put_result(&p);
        status = put_charts(&p);
        put_facts(&p);
        lh_html_close(&s);
        lh_locale_leave(saved);
    }
    if (status == LEHR_OK) status = lh_report_write(ctx, run_dir, &s);
    lh_curves_free(&p.curves);
    json_decref(p.run);
    lh_str_free(&s);
    return status;
}
