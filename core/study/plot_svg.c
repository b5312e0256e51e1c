/* SPDX-License-Identifier: MIT
 *
 * A line chart as one <svg> element.  All looks are classes in a <style> of its own, so that the
 * chart follows the reader's light or dark setting; no ids (several charts share a page), no
 * scripts, nothing from outside.  Colours are told apart by colour-blind readers and differ in
 * lightness; from the fifth series on the dash differs as well.  The drawing area is a nested
 * <svg>, which clips what lies outside the axes. */
#include "core/study/plot.h"

#include <assert.h>
#include <math.h>

enum { POINTS_WITH_DOTS = 40 };

typedef struct canvas {
    lh_str *s;
    const lehr_plot *plot;
    lh_axis x, y;
    double left, top, width, height; /* of the drawing area */
    double full_width, full_height;
} canvas;

/* Lines and text of both settings; the line colours start from the Okabe-Ito palette, darkened or
 * lightened until they stand off the background. */
static const char style_text[] =
    "<style>"
    ".lehr-plot{--fg:#1f2328;--dim:#656d76;--grid:#e4e7eb;--bg:#ffffff;" LH_PLOT_LIGHT
    "font:12px system-ui,-apple-system,'Segoe UI',sans-serif;background:var(--bg)}"
    "@media(prefers-color-scheme:dark){"
    ".lehr-plot{--fg:#e6edf3;--dim:#9aa4af;--grid:#2d333b;--bg:#0d1117;" LH_PLOT_DARK "}}"
    ".lehr-plot text{fill:var(--fg)}.lehr-plot .lp-t{font-size:14px;font-weight:600}"
    ".lehr-plot .lp-k{fill:var(--dim);font-size:11px}"
    ".lehr-plot .lp-g{stroke:var(--grid);stroke-width:1}"
    ".lehr-plot .lp-a{stroke:var(--dim);stroke-width:1;fill:none}"
    ".lehr-plot .lp-l{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;"
    "stroke-linecap:round}"
    ".lehr-plot .lp-d{fill:var(--c)}.lehr-plot .lp-b{fill:var(--c);opacity:.15}"
    ".lehr-plot .lp-0{--c:var(--c0)}.lehr-plot .lp-1{--c:var(--c1)}"
    ".lehr-plot .lp-2{--c:var(--c2)}.lehr-plot .lp-3{--c:var(--c3)}"
    ".lehr-plot .lp-4{--c:var(--c4)}.lehr-plot .lp-5{--c:var(--c5)}"
    ".lehr-plot .lp-6{--c:var(--c6)}.lehr-plot .lp-7{--c:var(--c7)}"
    "</style>";

static const char *const dashes[] = {"", "7 3", "2 3", "9 3 2 3"};

static double px(const canvas *c, double x) { return lh_axis_at(&c->x, x) * c->width; }
static double py(const canvas *c, double y) { return (1 - lh_axis_at(&c->y, y)) * c->height; }

/* ---- axes ---- */

static void draw_y_ticks(canvas *c)
{
    for (int i = 0; i < c->y.tick_count; i++) {
        double at = c->top + py(c, c->y.ticks[i]);
        lh_str_printf(c->s,
                      "<line class=\"lp-g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                      c->left, c->left + c->width, at, at);
        lh_str_printf(c->s,
                      "<text class=\"lp-k\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                      c->left - 7, at + 4, c->y.labels[i]);
    }
}

static void draw_x_ticks(canvas *c)
{
    double bottom = c->top + c->height;
    for (int i = 0; i < c->x.tick_count; i++) {
        double at = c->left + px(c, c->x.ticks[i]);
        lh_str_printf(c->s,
                      "<line class=\"lp-a\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", at,
                      at, bottom, bottom + 4);
        lh_str_printf(c->s,
                      "<text class=\"lp-k\" x=\"%.1f\" y=\"%.1f\" "
                      "text-anchor=\"middle\">%s</text>\n",
                      at, bottom + 17, c->x.labels[i]);
    }
}

static void draw_text(canvas *c, const char *attributes, const char *text)
{
    if (!text) return;
    lh_str_printf(c->s, "<text %s>", attributes);
    lh_str_xml(c->s, text);
    lh_str_add(c->s, "</text>\n");
}

static void draw_frame(canvas *c)
{
    lh_str where = {0};
    draw_y_ticks(c);
    draw_x_ticks(c);
    lh_str_printf(c->s, "<path class=\"lp-a\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", c->left, c->top,
                  c->top + c->height, c->left + c->width);
    lh_str_printf(&where, "class=\"lp-t\" x=\"%.1f\" y=\"20\"", c->left);
    draw_text(c, lh_str_text(&where), c->plot->title);
    lh_str_clear(&where);
    lh_str_printf(&where, "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\"", c->left + c->width / 2,
                  c->full_height - 8);
    draw_text(c, lh_str_text(&where), c->plot->x_label);
    lh_str_clear(&where);
    lh_str_printf(&where, "transform=\"translate(15 %.1f) rotate(-90)\" text-anchor=\"middle\"",
                  c->top + c->height / 2);
    draw_text(c, lh_str_text(&where), c->plot->y_label);
    c->s->failed |= where.failed;
    lh_str_free(&where);
}

/* ---- lines ---- */

/* One pixel column's points: drawing first, lowest, highest and last looks the same as all. */
typedef struct column {
    double x[4], y[4];
    long pixel;
    bool any;
} column;

static void path_point(lh_str *s, double x, double y, bool *open)
{
    lh_str_printf(s, "%s%.1f %.1f", *open ? "L" : "M", x, y);
    *open = true;
}

static void column_flush(lh_str *s, column *col, bool *open)
{
    if (!col->any) return;
    bool low_first = col->x[1] <= col->x[2];
    int order[] = {0, low_first ? 1 : 2, low_first ? 2 : 1, 3};
    for (int i = 0; i < 4; i++) {
        const int k = order[i], before = i ? order[i - 1] : -1;
        bool same = i && !(col->x[k] != col->x[before]) && !(col->y[k] != col->y[before]);
        if (!same) path_point(s, col->x[k], col->y[k], open);
    }
    col->any = false;
}

static void column_add(column *col, double x, double y)
{
    for (int i = 0; i < 4; i++) {
        bool take = !col->any || i == 3 || (i == 1 && y > col->y[1]) || (i == 2 && y < col->y[2]);
        if (!take) continue;
        col->x[i] = x;
        col->y[i] = y;
    }
    col->any = true;
    col->pixel = (long)floor(x);
}

/* Far outside points are pulled to a few heights away: browsers dislike huge coordinates. */
static double near_area(const canvas *c, double y)
{
    return fmin(fmax(y, -3 * c->height), 4 * c->height);
}

static size_t draw_path(canvas *c, const lehr_plot_series *s)
{
    bool open = false;
    size_t drawn = 0;
    column col = {.any = false};
    for (size_t i = 0; i < s->count; i++) {
        double x = px(c, s->x[i]), y = near_area(c, py(c, s->y[i]));
        if (!isfinite(x) || isnan(lh_axis_at(&c->y, s->y[i]))) {
            column_flush(c->s, &col, &open);
            open = false;
            continue;
        }
        if (col.any && (long)floor(x) != col.pixel) column_flush(c->s, &col, &open);
        column_add(&col, x, y);
        drawn++;
    }
    column_flush(c->s, &col, &open);
    return drawn;
}

static void draw_dots(canvas *c, const lehr_plot_series *s)
{
    for (size_t i = 0; i < s->count; i++) {
        double x = px(c, s->x[i]), y = py(c, s->y[i]);
        if (!isfinite(x) || !isfinite(y)) continue;
        lh_str_printf(c->s, "<circle class=\"lp-d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\"><title>", x,
                      near_area(c, y));
        lh_str_xml(c->s, s->name ? s->name : "");
        lh_str_printf(c->s, "%s%.6g: %.6g</title></circle>\n", s->name ? ", " : "", s->x[i],
                      s->y[i]);
    }
}

/* A stretch of the band without gaps: along the upper edge, back along the lower one. */
static void band_stretch(canvas *c, const lehr_plot_series *s, size_t from, size_t to)
{
    if (to - from < 2) return;
    lh_str_add(c->s, "<path class=\"lp-b\" d=\"");
    for (size_t i = from; i < to; i++)
        lh_str_printf(c->s, "%s%.1f %.1f", i > from ? "L" : "M", px(c, s->x[i]),
                      near_area(c, py(c, s->high[i])));
    for (size_t i = to; i-- > from;)
        lh_str_printf(c->s, "L%.1f %.1f", px(c, s->x[i]), near_area(c, py(c, s->low[i])));
    lh_str_add(c->s, "Z\"/>\n");
}

static void draw_band(canvas *c, const lehr_plot_series *s)
{
    size_t from = 0;
    if (!s->low || !s->high) return;
    for (size_t i = 0; i <= s->count; i++) {
        bool end = i == s->count || !isfinite(px(c, s->x[i])) || !isfinite(py(c, s->low[i])) ||
                   !isfinite(py(c, s->high[i]));
        if (!end) continue;
        band_stretch(c, s, from, i);
        from = i + 1;
    }
}

static const char *dash_of(const lehr_plot_series *s)
{
    return dashes[s->style / 4 % LH_COUNT(dashes)];
}

static void draw_series(canvas *c, const lehr_plot_series *s)
{
    lh_str_printf(c->s, "<g class=\"lp-%u\">\n", s->style % LH_PLOT_STYLES);
    draw_band(c, s);
    lh_str_printf(c->s, "<path class=\"lp-l\" stroke-dasharray=\"%s\" d=\"",
                  *dash_of(s) ? dash_of(s) : "none");
    size_t drawn = draw_path(c, s);
    lh_str_add(c->s, "\"/>\n");
    if (drawn <= POINTS_WITH_DOTS) draw_dots(c, s);
    lh_str_add(c->s, "</g>\n");
}

static void draw_area(canvas *c, bool any)
{
    lh_str_printf(c->s,
                  "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                  "overflow=\"hidden\">\n",
                  c->left, c->top - 3, c->width + 3, c->height + 6);
    lh_str_add(c->s, "<g transform=\"translate(0 3)\">\n");
    for (uint32_t i = 0; i < c->plot->series_count; i++) draw_series(c, &c->plot->series[i]);
    if (!any)
        lh_str_printf(c->s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">no data</text>\n",
                      c->width / 2, c->height / 2);
    lh_str_add(c->s, "</g></svg>\n");
}

/* ---- legend ---- */

enum { LEGEND_CHARACTERS = 20, LEGEND_LINE = 16, LEGEND_GAP = 4 };

/* Bytes of the next line of a legend text: broken at a space, within a word only when it must. */
static size_t legend_line(const char *text)
{
    size_t bytes = 0, fits = 0;
    for (int count = 0; text[bytes]; count++) {
        if (text[bytes] == ' ') fits = bytes;
        if (count == LEGEND_CHARACTERS) return fits ? fits : bytes;
        int length = lh_utf8_length(text + bytes);
        bytes += length ? (size_t)length : 1;
    }
    return bytes;
}

/* Calls draw (when c is given) for each line of all names; sets the widest line in characters and
 * returns the height in pixels. */
static double walk_legend(const lehr_plot *plot, canvas *c, double x, double y, size_t *widest)
{
    double top = y;
    for (uint32_t i = 0; i < plot->series_count; i++) {
        const lehr_plot_series *s = &plot->series[i];
        if (!s->name || plot->series_count < 2) continue; /* one line is what the title says */
        if (c)
            lh_str_printf(c->s,
                          "<g class=\"lp-%u\"><path class=\"lp-l\" stroke-dasharray=\"%s\" "
                          "d=\"M%.1f %.1fh22\"/></g>\n",
                          s->style % LH_PLOT_STYLES, *dash_of(s) ? dash_of(s) : "none", x, y);
        for (const char *text = s->name; *text;) {
            size_t bytes = legend_line(text);
            lh_str line = {0};
            lh_str_add_bytes(&line, text, bytes);
            if (lh_utf8_count(lh_str_text(&line)) > *widest)
                *widest = lh_utf8_count(lh_str_text(&line));
            if (c) {
                lh_str_printf(c->s, "<text x=\"%.1f\" y=\"%.1f\">", x + 28, y + 4);
                lh_str_xml(c->s, lh_str_text(&line));
                lh_str_add(c->s, "</text>\n");
            }
            lh_str_free(&line);
            y += LEGEND_LINE;
            text += bytes + (text[bytes] == ' ');
        }
        y += LEGEND_GAP;
    }
    return y - top;
}

static void open_svg(canvas *c)
{
    lh_str_printf(c->s,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lehr-plot\" role=\"img\" "
                  "width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                  "style=\"max-width:100%%;height:auto\">\n<title>",
                  c->full_width, c->full_height, c->full_width, c->full_height);
    lh_str_xml(c->s, c->plot->title ? c->plot->title : "chart");
    lh_str_add(c->s, "</title>\n");
    lh_str_add(c->s, style_text);
    lh_str_add(c->s, "\n<rect width=\"100%\" height=\"100%\" style=\"fill:var(--bg)\"/>\n");
}

/* The legend needs height too: many series make the chart taller. */
static void layout(canvas *c)
{
    const lehr_plot *plot = c->plot;
    size_t widest = 0;
    double legend = walk_legend(plot, NULL, 0, 0, &widest) + 60;
    c->full_width = plot->width ? plot->width : 760;
    c->full_height = fmax(plot->height ? plot->height : 380, legend);
    c->left = plot->y_label ? 74 : 56;
    c->top = plot->title ? 36 : 12;
    c->width = fmax(60, c->full_width - c->left - (widest ? 50 + 7.0 * (double)widest : 24));
    c->height = fmax(40, c->full_height - c->top - (plot->x_label ? 48 : 30));
}

lehr_status lehr_plot_svg(lehr_context *ctx, const lehr_plot *plot, char **out)
{
    assert(ctx && plot && out);
    lh_enter(ctx);
    *out = NULL;
    lh_str s = {0};
    lh_locale saved = lh_locale_enter();
    canvas c = {.s = &s, .plot = plot};
    layout(&c);
    bool any = lh_plot_axes(plot, (int)(c.width / 70), (int)(c.height / 42), &c.x, &c.y);
    open_svg(&c);
    draw_frame(&c);
    draw_area(&c, any);
    size_t widest = 0;
    walk_legend(plot, &c, c.left + c.width + 16, c.top + 8, &widest);
    lh_str_add(&s, "</svg>\n");
    lh_locale_leave(saved);
    if (s.failed) {
        lh_str_free(&s);
        return lh_fail(ctx, LEHR_E_MEMORY, "out of memory while drawing a chart");
    }
    *out = s.text;
    return LEHR_OK;
}
