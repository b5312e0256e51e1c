/* SPDX-License-Identifier: MIT
 *
 * The tables of a comparison's report: methods, speed, pairs, single runs. */
#include "core/study/report.h"

#include <math.h>
#include <string.h>

#include "core/study/html.h"
#include "core/study/plot.h"

static void put_method_name(lh_page *p, uint32_t m)
{
    lh_str_printf(p->s, "<td><span class=\"swatch\" style=\"background:var(--c%u)\"></span>",
                  m % LH_PLOT_STYLES);
    lh_str_xml(p->s, p->study->methods[m].name);
    lh_str_add(p->s, "</td>");
}

static void put_heads(lh_str *s, const char *const *heads, size_t count, size_t texts)
{
    lh_str_add(s, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (size_t i = 0; i < count; i++) lh_html_cell(s, "th", i < texts ? NULL : "n", heads[i]);
    lh_str_add(s, "</tr></thead>\n<tbody>\n");
}

static void put_table_end(lh_str *s) { lh_str_add(s, "</tbody></table></div>\n"); }

/* Percent: mean, with "± sd" from two runs on. */
static void put_mean_sd(lh_str *s, const lh_sample *sample, double factor, const char *class)
{
    lh_str text = {0};
    if (sample->count) lh_str_printf(&text, "%.2f", factor * sample->mean);
    if (sample->count > 1) lh_str_printf(&text, " ± %.2f", factor * sample->sd);
    lh_html_cell(s, "td", class, sample->count ? lh_str_text(&text) : "–");
    lh_str_free(&text);
}

static void put_interval(lh_str *s, const lh_sample *sample)
{
    lh_str text = {0};
    double low, high;
    if (lh_percent_interval(sample, &low, &high)) lh_str_printf(&text, "%.2f … %.2f", low, high);
    lh_html_cell(s, "td", "n", text.length ? lh_str_text(&text) : "–");
    lh_str_free(&text);
}

static void put_runs_cell(lh_str *s, const lh_method_summary *m)
{
    lh_str text = {0};
    lh_str_printf(&text, "%u", m->finished);
    if (m->diverged) lh_str_printf(&text, " (%u diverged)", m->diverged);
    if (m->failed) lh_str_printf(&text, ", %u failed", m->failed);
    if (m->missing) lh_str_printf(&text, ", %u not run", m->missing);
    lh_html_cell(s, "td", NULL, lh_str_text(&text));
    lh_str_free(&text);
}

static void put_method_row(lh_page *p, uint32_t m)
{
    const lh_method_summary *row = &p->a->methods[m];
    const lh_study_method *method = row->method;
    lh_str_add(p->s, "<tr>");
    put_method_name(p, m);
    lh_html_cell(p->s, "td", NULL, method->optimizer);
    lh_html_cell(p->s, "td", "wrap", method->schedule);
    lh_html_number(p->s, method->lr);
    put_mean_sd(p->s, lh_analysis_score(p->a, m), 100, "n yes");
    put_interval(p->s, lh_analysis_score(p->a, m));
    put_mean_sd(p->s, &row->best_val, 100, "n");
    put_mean_sd(p->s, &row->final_val, 100, "n");
    put_mean_sd(p->s, &row->final_loss, 1, "n");
    lh_html_fixed(p->s, "%.1f", row->seconds.mean);
    put_runs_cell(p->s, row);
    lh_str_add(p->s, "</tr>\n");
}

void lh_put_method_table(lh_page *p)
{
    static const char *const heads[] = {
        "method",     "optimizer",   "schedule",      "lr",      "test acc %", "95 % interval",
        "best val %", "final val %", "training loss", "seconds", "runs"};
    const char *shown[LH_COUNT(heads)];
    memcpy(shown, heads, sizeof heads);
    if (!p->a->on_test) shown[4] = "final val acc %";
    lh_html_section(p->s, "Methods");
    lh_str_printf(p->s,
                  "<p>%s Best and final accuracy are of the validation part; the test part is read "
                  "once, at the end of a run.</p>\n",
                  p->a->ranked ? "Mean ± standard deviation over seeds, interval of the mean by "
                                 "Student's t. In the order of the mean, which is no ranking where "
                                 "methods cannot be told apart."
                               : "In the order given.");
    put_heads(p->s, shown, LH_COUNT(shown), 3);
    for (uint32_t i = 0; i < p->study->method_count; i++) put_method_row(p, p->a->order[i]);
    put_table_end(p->s);
    lh_html_section_end(p->s);
}

static void put_target_row(lh_page *p, uint32_t m)
{
    const lh_method_summary *row = &p->a->methods[m];
    lh_str_add(p->s, "<tr>");
    put_method_name(p, m);
    lh_str_printf(p->s, "<td class=\"n\">%u of %u</td>", row->reached, row->finished);
    if (row->reached) {
        lh_html_fixed(p->s, "%.1f", row->target_epochs.mean);
        lh_html_fixed(p->s, "%.0f", row->target_steps.mean);
        lh_html_fixed(p->s, "%.1f", row->target_seconds.mean);
    } else {
        for (int i = 0; i < 3; i++)
            lh_html_cell(p->s, "td", "n dim", row->finished ? "never" : "–");
    }
    lh_html_fixed(p->s, "%.2f", 100 * row->area.mean);
    lh_str_add(p->s, "</tr>\n");
}

void lh_put_target_table(lh_page *p)
{
    static const char *const heads[] = {"method",  "runs that reached it", "epochs", "updates",
                                        "seconds", "mean val acc %"};
    if (!isfinite(p->a->target)) return;
    lh_html_section(p->s, "Speed");
    lh_str_printf(p->s,
                  "<p>Time until the validation accuracy, measured at the end of each epoch, first "
                  "reaches %.0f %% (mean over the runs that reached it). The last column is the "
                  "mean validation accuracy over the whole run, the area under its curve.</p>\n",
                  100 * p->a->target);
    put_heads(p->s, heads, LH_COUNT(heads), 1);
    for (uint32_t i = 0; i < p->study->method_count; i++) put_target_row(p, p->a->order[i]);
    put_table_end(p->s);
    lh_html_section_end(p->s);
}

/* Row minus column, so that a row of positive numbers is a method above the others. */
static void put_pair_cell(lh_page *p, uint32_t row, uint32_t column)
{
    lh_str text = {0};
    if (row == column) {
        lh_html_cell(p->s, "td", "n dim", "·");
        return;
    }
    const lh_paired *pair =
        lh_analysis_pair(p->a, row < column ? row : column, row < column ? column : row);
    double sign = row < column ? 1 : -1;
    if (isnan(pair->p)) {
        lh_html_cell(p->s, "td", "n dim", "–");
        return;
    }
    double points = 100 * sign * pair->difference.mean;
    if (fabs(points) < 0.005) points = 0; /* no "-0.00" */
    lh_str_printf(&text, "%+.2f ± %.2f", points, 100 * pair->difference.half_width);
    lh_html_cell(p->s, "td", lh_distinguishable(pair) ? "n yes" : "n no", lh_str_text(&text));
    lh_str_free(&text);
}

void lh_put_pair_table(lh_page *p)
{
    uint32_t n = p->study->method_count;
    if (!p->a->ranked) return;
    lh_html_section(p->s, "Every pair");
    lh_str_printf(p->s,
                  "<p>Row minus column in points of %s: mean paired difference over common seeds "
                  "with its 95 %% interval. <b>Bold</b>: distinguishable at 95 %% after Holm's "
                  "correction for all pairs; grey: not distinguishable.</p>\n<div "
                  "class=\"scroll\"><table>\n<thead><tr><th></th>",
                  p->a->on_test ? "test accuracy" : "final validation accuracy");
    for (uint32_t i = 0; i < n; i++)
        lh_html_cell(p->s, "th", "n", p->study->methods[p->a->order[i]].name);
    lh_str_add(p->s, "</tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < n; i++) {
        lh_str_add(p->s, "<tr>");
        put_method_name(p, p->a->order[i]);
        for (uint32_t k = 0; k < n; k++) put_pair_cell(p, p->a->order[i], p->a->order[k]);
        lh_str_add(p->s, "</tr>\n");
    }
    put_table_end(p->s);
    lh_html_section_end(p->s);
}

static void put_run_row(lh_page *p, uint32_t m, const lh_run_record *r)
{
    static const char *const states[] = {"not run", "finished", "diverged", "failed"};
    lh_str_add(p->s, "<tr>");
    put_method_name(p, m);
    lh_str_printf(
        p->s, "<td class=\"n\">%llu</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td>",
        (unsigned long long)r->seed, (unsigned long long)r->epochs, (unsigned long long)r->steps);
    lh_html_number(p->s, r->final_val_accuracy);
    lh_html_number(p->s, r->best_val_accuracy);
    lh_html_number(p->s, r->test_accuracy);
    lh_html_number(p->s, r->final_loss);
    lh_html_number(p->s, r->val_loss);
    lh_html_number(p->s, r->test_loss);
    lh_html_number(p->s, r->seconds);
    lh_html_cell(p->s, "td", NULL, states[r->state]);
    lh_html_cell(p->s, "td", "wrap", r->message ? r->message : "");
    lh_str_add(p->s, "</tr>\n");
}

void lh_put_run_table(lh_page *p)
{
    static const char *const heads[] = {
        "method",   "seed",          "epochs",   "steps",     "final val acc", "best val acc",
        "test acc", "training loss", "val loss", "test loss", "seconds",       "state",
        ""};
    lh_html_section(p->s, "Every run");
    lh_str_add(p->s, "<details><summary>The rows of summary.csv</summary>\n");
    put_heads(p->s, heads, LH_COUNT(heads), 1);
    for (uint32_t m = 0; m < p->study->method_count; m++)
        for (uint32_t i = 0; i < p->study->seed_count; i++)
            put_run_row(p, m, lh_study_run(p->study, m, i));
    put_table_end(p->s);
    lh_str_add(p->s, "</details>\n");
    lh_html_section_end(p->s);
}
