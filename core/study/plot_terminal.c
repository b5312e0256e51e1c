/* SPDX-License-Identifier: MIT
 *
 * A line chart in characters.  Lines are drawn with braille dots (2 x 4 in a character) where the
 * terminal has UTF-8, else with one marker a column.  Several series are told apart by markers set
 * on their lines, so the chart reads without colour; colour is added when asked for. */
#include "core/study/plot.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A character of the drawing area: dots of a braille pattern, or a marker's number + 1. */
typedef struct cell {
    unsigned char dots, marker, series; /* series: number + 1 of the last that drew here */
} cell;

typedef struct grid {
    const lehr_plot *plot;
    lh_axis x, y;
    int columns, rows, label_width;
    int fine_x, fine_y; /* dots in a character: 2 x 4 or 1 x 1 */
    cell *cells;
} grid;

static const char *const unicode_markers[] = {"●", "▲", "■", "◆", "○", "△", "□", "◇"};
static const char ascii_markers[] = "*+xo#@%&";
/* 256-colour codes near the SVG palette, readable on black and on white. */
static const int colors[] = {33, 166, 36, 170, 136, 74, 99, 245};
enum { MARKERS = 8 };

static cell *cell_at(grid *g, int column, int row)
{
    if (column < 0 || row < 0 || column >= g->columns || row >= g->rows) return NULL;
    return &g->cells[row * g->columns + column];
}

/* Sets the dot (x, y), counted in dots from the upper left. */
static void set_dot(grid *g, int x, int y, unsigned series)
{
    static const unsigned char braille[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    cell *at = x < 0 || y < 0 ? NULL : cell_at(g, x / g->fine_x, y / g->fine_y);
    if (!at) return;
    at->dots |= braille[y % g->fine_y][x % g->fine_x];
    at->series = (unsigned char)(series + 1);
}

static void draw_segment(grid *g, double x0, double y0, double x1, double y1, unsigned series)
{
    double steps = ceil(fmax(fabs(x1 - x0), fabs(y1 - y0)));
    steps = fmin(fmax(steps, 1), 8.0 * (g->columns + g->rows) * 4);
    for (int i = 0; i <= (int)steps; i++) {
        double t = i / steps;
        set_dot(g, (int)lround(x0 + t * (x1 - x0)), (int)lround(y0 + t * (y1 - y0)), series);
    }
}

/* Position in dots; false for a gap.  Values off the chart stay within a few heights of it. */
static bool dot_position(const grid *g, double x, double y, double *dx, double *dy)
{
    double ax = lh_axis_at(&g->x, x), ay = lh_axis_at(&g->y, y);
    if (isnan(ax) || isnan(ay)) return false;
    *dx = ax * (g->columns * g->fine_x - 1);
    *dy = (1 - fmin(fmax(ay, -2), 3)) * (g->rows * g->fine_y - 1);
    return true;
}

static void draw_line(grid *g, const lehr_plot_series *s, unsigned series)
{
    double last_x = 0, last_y = 0;
    bool open = false;
    for (size_t i = 0; i < s->count; i++) {
        double x, y;
        if (!dot_position(g, s->x[i], s->y[i], &x, &y)) {
            open = false;
            continue;
        }
        draw_segment(g, open ? last_x : x, open ? last_y : y, x, y, series);
        last_x = x;
        last_y = y;
        open = true;
    }
}

/* Markers on the line at even distances, shifted by series so that they do not cover each other. */
static void draw_markers(grid *g, const lehr_plot_series *s, unsigned series)
{
    int every = g->columns / 6 > 4 ? g->columns / 6 : 4;
    int next = (int)(series * (unsigned)every / g->plot->series_count) + 1;
    for (size_t i = 0; i < s->count; i++) {
        double x, y;
        if (!dot_position(g, s->x[i], s->y[i], &x, &y)) continue;
        int column = (int)lround(x) / g->fine_x, row = (int)lround(y) / g->fine_y;
        bool last = i + 1 == s->count;
        if (column < next && !last) continue;
        cell *at = y < 0 ? NULL : cell_at(g, column, row);
        if (!at) continue;
        *at = (cell){.marker = (unsigned char)(s->style % MARKERS + 1),
                     .series = (unsigned char)(series + 1)};
        next = column + every;
    }
}

static void draw_all(grid *g)
{
    for (uint32_t i = 0; i < g->plot->series_count; i++) draw_line(g, &g->plot->series[i], i);
    if (g->plot->series_count < 2 || !g->plot->unicode) return;
    for (uint32_t i = 0; i < g->plot->series_count; i++) draw_markers(g, &g->plot->series[i], i);
}

/* ---- writing ---- */

static void put_marker(const grid *g, lh_str *s, unsigned marker)
{
    if (g->plot->unicode)
        lh_str_add(s, unicode_markers[marker % MARKERS]);
    else
        lh_str_add_bytes(s, &ascii_markers[marker % MARKERS], 1);
}

static void put_color(const grid *g, lh_str *s, unsigned style)
{
    if (g->plot->color) lh_str_printf(s, "\x1b[38;5;%dm", colors[style % LH_COUNT(colors)]);
}

static void put_cell(const grid *g, lh_str *s, const cell *at)
{
    if (!at->series) {
        lh_str_add(s, " ");
        return;
    }
    unsigned style = g->plot->series[at->series - 1].style;
    put_color(g, s, style);
    if (at->marker || !g->plot->unicode) {
        put_marker(g, s, at->marker ? at->marker - 1u : style);
    } else {
        char text[] = {(char)0xE2, (char)(0xA0 | at->dots >> 6), (char)(0x80 | (at->dots & 63)), 0};
        lh_str_add(s, text);
    }
    if (g->plot->color) lh_str_add(s, "\x1b[0m");
}

static void put_spaces(lh_str *s, int count)
{
    for (int i = 0; i < count; i++) lh_str_add(s, " ");
}

/* Text of at most width characters. */
static void put_text(const grid *g, lh_str *s, const char *text, int width)
{
    for (int i = 0; *text && i < width; i++) {
        int length = lh_utf8_length(text);
        bool plain = length == 1 && (unsigned char)*text >= 0x20 && *text != 0x7f;
        if (plain || (length > 1 && g->plot->unicode))
            lh_str_add_bytes(s, text, (size_t)length);
        else
            lh_str_add(s, "?");
        text += length ? length : 1;
    }
}

/* The tick whose row this is, or -1. */
static int tick_of_row(const grid *g, int row)
{
    for (int i = 0; i < g->y.tick_count; i++) {
        double at = (1 - lh_axis_at(&g->y, g->y.ticks[i])) * (g->rows * g->fine_y - 1);
        if ((int)lround(at) / g->fine_y == row) return i;
    }
    return -1;
}

static void put_rows(grid *g, lh_str *s)
{
    for (int row = 0; row < g->rows; row++) {
        int tick = tick_of_row(g, row), last = g->columns;
        const char *label = tick >= 0 ? g->y.labels[tick] : "";
        lh_str_printf(s, "%*s ", g->label_width, label);
        if (g->plot->unicode)
            lh_str_add(s, tick >= 0 ? "┤" : "│");
        else
            lh_str_add(s, tick >= 0 ? "+" : "|");
        while (last > 0 && !cell_at(g, last - 1, row)->series) last--; /* no trailing spaces */
        for (int column = 0; column < last; column++) put_cell(g, s, cell_at(g, column, row));
        lh_str_add(s, "\n");
    }
}

static int tick_column(const grid *g, int i)
{
    double at = lh_axis_at(&g->x, g->x.ticks[i]) * (g->columns * g->fine_x - 1);
    return (int)lround(at) / g->fine_x;
}

static void put_x_axis(const grid *g, lh_str *s)
{
    bool unicode = g->plot->unicode;
    put_spaces(s, g->label_width + 1);
    lh_str_add(s, unicode ? "└" : "+");
    for (int column = 0; column < g->columns; column++) {
        bool tick = false;
        for (int i = 0; i < g->x.tick_count; i++) tick |= tick_column(g, i) == column;
        lh_str_add(s, unicode ? (tick ? "┬" : "─") : (tick ? "+" : "-"));
    }
    lh_str_add(s, "\n");
    int used = 0, room = g->label_width + 2 + g->columns;
    for (int i = 0; i < g->x.tick_count; i++) {
        int length = (int)strlen(g->x.labels[i]);
        int start = g->label_width + 2 + tick_column(g, i) - length / 2;
        if (start + length > room) start = room - length;
        if (start < used + (used > 0)) continue;
        put_spaces(s, start - used);
        lh_str_add(s, g->x.labels[i]);
        used = start + length;
    }
    lh_str_add(s, "\n");
}

static void put_x_label(const grid *g, lh_str *s)
{
    if (!g->plot->x_label) return;
    int length = (int)lh_utf8_count(g->plot->x_label);
    int indent = g->label_width + 2 + (g->columns - length) / 2;
    put_spaces(s, indent);
    put_text(g, s, g->plot->x_label, g->columns);
    lh_str_add(s, "\n");
}

/* Legend entries, as many on a line as fit; s NULL: only counts the lines. */
static int put_legend(const grid *g, lh_str *s, int width)
{
    int lines = 0, used = 0;
    if (g->plot->series_count < 2) return 0;
    for (uint32_t i = 0; i < g->plot->series_count; i++) {
        const lehr_plot_series *series = &g->plot->series[i];
        if (!series->name) continue;
        int length = (int)lh_utf8_count(series->name) + 2;
        if (length > width - 1) length = width - 1;
        bool fresh = !lines || used + 2 + length > width;
        lines += fresh;
        used = fresh ? 1 + length : used + 2 + length;
        if (!s) continue;
        lh_str_add(s, !fresh ? "  " : lines > 1 ? "\n " : " ");
        put_color(g, s, series->style);
        put_marker(g, s, series->style);
        if (g->plot->color) lh_str_add(s, "\x1b[0m");
        lh_str_add(s, " ");
        put_text(g, s, series->name, length - 2);
    }
    if (s && lines) lh_str_add(s, "\n");
    return lines;
}

static void put_heading(const grid *g, lh_str *s, int width)
{
    if (g->plot->title) {
        int length = (int)lh_utf8_count(g->plot->title);
        put_spaces(s, length < width ? (width - length) / 2 : 0);
        put_text(g, s, g->plot->title, width);
        lh_str_add(s, "\n");
    }
    if (g->plot->y_label) {
        put_text(g, s, g->plot->y_label, width);
        lh_str_add(s, "\n");
    }
}

/* Sizes of the drawing area: what title, labels and legend leave of width and height. */
static bool lay_out(grid *g, int width, int height)
{
    const lehr_plot *plot = g->plot;
    g->fine_x = plot->unicode ? 2 : 1;
    g->fine_y = plot->unicode ? 4 : 1;
    int around = (plot->title != NULL) + (plot->y_label != NULL) + (plot->x_label != NULL) + 2;
    g->rows = height - around - put_legend(g, NULL, width);
    if (g->rows < 3) g->rows = 3;
    bool any = lh_plot_axes(plot, width / 12, g->rows / 3 > 1 ? g->rows / 3 : 2, &g->x, &g->y);
    for (int i = 0; i < g->y.tick_count; i++) {
        int length = (int)strlen(g->y.labels[i]);
        if (length > g->label_width) g->label_width = length;
    }
    g->columns = width - g->label_width - 2;
    if (g->columns < 8) g->columns = 8;
    return any;
}

lehr_status lehr_plot_terminal(lehr_context *ctx, const lehr_plot *plot, char **out)
{
    assert(ctx && plot && out);
    lh_enter(ctx);
    *out = NULL;
    enum { LARGEST = 1000 };
    int width = plot->width ? (int)(plot->width < LARGEST ? plot->width : LARGEST) : 80;
    int height = plot->height ? (int)(plot->height < LARGEST ? plot->height : LARGEST) : 24;
    if (width < 24) width = 24;
    lh_str s = {0};
    lh_locale saved = lh_locale_enter();
    grid g = {.plot = plot};
    bool any = lay_out(&g, width, height);
    g.cells = lh_alloc(ctx, (size_t)g.columns * (size_t)g.rows, sizeof *g.cells);
    if (g.cells) {
        draw_all(&g);
        put_heading(&g, &s, width);
        put_rows(&g, &s);
        put_x_axis(&g, &s);
        put_x_label(&g, &s);
        put_legend(&g, &s, width);
        if (!any) lh_str_add(&s, " no data\n");
    }
    free(g.cells);
    lh_locale_leave(saved);
    if (s.failed || !s.text) {
        lh_str_free(&s);
        return lh_fail(ctx, LEHR_E_MEMORY, "out of memory while drawing a chart");
    }
    *out = s.text;
    return LEHR_OK;
}
