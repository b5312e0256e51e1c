/* SPDX-License-Identifier: MIT
 *
 * Axes of a chart: range from the data, ticks that people like to read, labels with as many digits
 * as the distance between ticks needs.  Knows nothing of how the chart is drawn. */
#include "core/study/plot.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lehr_plot_init(lehr_plot *plot)
{
    assert(plot);
    *plot = (lehr_plot){.x_min = NAN, .x_max = NAN, .y_min = NAN, .y_max = NAN};
}

void lehr_plot_free(char **text)
{
    if (!text) return;
    free(*text);
    *text = NULL;
}

/* ---- ticks ---- */

static void tick_add(lh_axis *axis, double value)
{
    double slack = axis->log ? value * 1e-9 : (axis->max - axis->min) * 1e-9;
    if (axis->tick_count == LH_TICK_LIMIT) return;
    if (!(value >= axis->min - slack && value <= axis->max + slack)) return;
    axis->ticks[axis->tick_count++] = value;
}

/* The smallest of 1, 2, 5 x 10^k that gives at most target intervals. */
static double nice_step(double span, int target)
{
    double raw = span / target, power = pow(10, floor(log10(raw)));
    static const double multiples[] = {1, 2, 5, 10};
    for (size_t i = 0; i < LH_COUNT(multiples); i++)
        if (multiples[i] * power >= raw * (1 - 1e-9)) return multiples[i] * power;
    return 10 * power;
}

static void linear_ticks(lh_axis *axis, int target)
{
    double step = nice_step(axis->max - axis->min, target);
    double largest = fmax(fabs(axis->min), fabs(axis->max));
    int decimals = (int)fmax(0, -floor(log10(step) + 1e-9));
    bool plain = largest < 1e6 && decimals <= 6;
    int digits = (int)fmax(1, ceil(log10(largest / step)) + 1);
    double first = ceil(axis->min / step - 1e-9);
    for (int i = 0; i < LH_TICK_LIMIT; i++) tick_add(axis, (first + i) * step);
    for (int i = 0; i < axis->tick_count; i++) {
        double value = axis->ticks[i] == 0 ? 0 : axis->ticks[i]; /* no "-0" */
        if (plain)
            snprintf(axis->labels[i], LH_TICK_TEXT, "%.*f", decimals, value);
        else
            snprintf(axis->labels[i], LH_TICK_TEXT, "%.*g", digits > 8 ? 8 : digits, value);
    }
}

static void log_ticks(lh_axis *axis, int target)
{
    int low = (int)floor(log10(axis->min)), high = (int)ceil(log10(axis->max));
    int decades = high - low, every = 1 + (decades - 1) / (target > 1 ? target : 1);
    static const double fine[] = {1, 2, 5};
    size_t per_decade = 2 * decades <= target ? 3 : 1;
    for (int decade = low; decade <= high; decade += every)
        for (size_t i = 0; i < per_decade; i++) tick_add(axis, fine[i] * pow(10, decade));
    for (int i = 0; i < axis->tick_count; i++)
        snprintf(axis->labels[i], LH_TICK_TEXT, "%.6g", axis->ticks[i]);
}

void lh_axis_make(lh_axis *axis, double min, double max, bool log, int target)
{
    *axis = (lh_axis){.min = min, .max = max, .log = log};
    if (target < 1) target = 1;
    if (log) log_ticks(axis, target);
    if (axis->tick_count < 2) { /* linear, or less than an interval of a logarithmic axis */
        axis->tick_count = 0;
        linear_ticks(axis, target);
    }
}

double lh_axis_at(const lh_axis *axis, double value)
{
    if (!isfinite(value)) return NAN;
    if (!axis->log) return (value - axis->min) / (axis->max - axis->min);
    if (!(value > 0)) return NAN;
    return log(value / axis->min) / log(axis->max / axis->min);
}

/* ---- ranges ---- */

typedef struct range {
    double min, max;
    bool any;
} range;

static void range_add(range *r, double value)
{
    r->min = r->any ? fmin(r->min, value) : value;
    r->max = r->any ? fmax(r->max, value) : value;
    r->any = true;
}

static bool drawable_x(const lehr_plot *plot, double x)
{
    return isfinite(x) && (!plot->log_x || x > 0);
}

static bool drawable(const lehr_plot *plot, double y)
{
    return isfinite(y) && (!plot->log_y || y > 0);
}

static void range_of_data(const lehr_plot *plot, range *x, range *y)
{
    for (uint32_t i = 0; i < plot->series_count; i++) {
        const lehr_plot_series *s = &plot->series[i];
        for (size_t k = 0; k < s->count; k++) {
            if (!drawable_x(plot, s->x[k]) || !drawable(plot, s->y[k])) continue;
            range_add(x, s->x[k]);
            range_add(y, s->y[k]);
            if (s->low && drawable(plot, s->low[k])) range_add(y, s->low[k]);
            if (s->high && drawable(plot, s->high[k])) range_add(y, s->high[k]);
        }
    }
}

/* Fixed ends win; a range without extent is widened so that a constant line runs in the middle. */
static void range_settle(range *r, double fixed_min, double fixed_max, bool log, double margin)
{
    if (log) {
        double factor = pow(r->max / r->min, margin);
        if (!(r->max > r->min)) factor = margin > 0 ? 2 : 1;
        r->min /= factor;
        r->max *= factor;
    } else {
        double pad = margin * (r->max - r->min);
        if (!(r->max > r->min)) pad = r->max == 0 ? 1 : 0.5 * fabs(r->max);
        bool near_zero = margin > 0 && r->min >= 0 && r->min < 0.3 * r->max;
        r->min = near_zero ? 0 : r->min - pad;
        r->max += pad;
    }
    if (isfinite(fixed_min) && (!log || fixed_min > 0)) r->min = fixed_min;
    if (isfinite(fixed_max) && (!log || fixed_max > 0)) r->max = fixed_max;
    if (!(r->max > r->min)) r->max = r->min + (r->min == 0 ? 1 : fabs(r->min));
}

/* Whether all x are whole numbers, such as epochs: then ticks between them would only confuse. */
static bool whole_x(const lehr_plot *plot)
{
    for (uint32_t i = 0; i < plot->series_count; i++)
        for (size_t k = 0; k < plot->series[i].count; k++) {
            double x = plot->series[i].x[k];
            if (isfinite(x) && x != floor(x)) return false;
        }
    return true;
}

bool lh_plot_axes(const lehr_plot *plot, int x_target, int y_target, lh_axis *x, lh_axis *y)
{
    range xr = {0}, yr = {0};
    range_of_data(plot, &xr, &yr);
    bool any = xr.any;
    if (!any) {
        xr = (range){plot->log_x ? 0.1 : 0, 1, true};
        yr = (range){plot->log_y ? 0.1 : 0, 1, true};
    }
    range_settle(&xr, plot->x_min, plot->x_max, plot->log_x != 0, 0);
    range_settle(&yr, plot->y_min, plot->y_max, plot->log_y != 0, 0.05);
    double span = floor(xr.max - xr.min);
    if (!plot->log_x && whole_x(plot) && span >= 1 && span < x_target) x_target = (int)span;
    lh_axis_make(x, xr.min, xr.max, plot->log_x != 0, x_target);
    lh_axis_make(y, yr.min, yr.max, plot->log_y != 0, y_target);
    return any;
}

/* ---- text ---- */

int lh_utf8_length(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    int length = c[0] < 0x80 ? 1 : c[0] >= 0xC2 && c[0] < 0xE0 ? 2 : (c[0] & 0xF0) == 0xE0 ? 3 : 4;
    if (c[0] >= 0x80 && (c[0] < 0xC2 || c[0] > 0xF4)) return 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xC0) != 0x80) return 0;
    bool overlong = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xF0 && c[1] < 0x90);
    bool outside = (c[0] == 0xED && c[1] > 0x9F) || (c[0] == 0xF4 && c[1] > 0x8F);
    bool noncharacter = c[0] == 0xEF && c[1] == 0xBF && c[2] >= 0xBE; /* not allowed in XML */
    return overlong || outside || noncharacter ? 0 : length;
}

size_t lh_utf8_count(const char *text)
{
    size_t count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

void lh_str_xml(lh_str *s, const char *text)
{
    while (*text) {
        int length = lh_utf8_length(text);
        if (length == 0 || (length == 1 && (unsigned char)*text < 0x20 && !strchr("\t\n", *text)))
            lh_str_add(s, "?");
        else if (*text == '&')
            lh_str_add(s, "&amp;");
        else if (*text == '<')
            lh_str_add(s, "&lt;");
        else if (*text == '>')
            lh_str_add(s, "&gt;");
        else if (*text == '"')
            lh_str_add(s, "&quot;");
        else
            lh_str_add_bytes(s, text, (size_t)length);
        text += length ? length : 1;
    }
}
