/* SPDX-License-Identifier: MIT
 *
 * Line charts as text: SVG for reports and files, characters for terminals.  No device, no files.
 */
#ifndef LEHR_PLOT_H
#define LEHR_PLOT_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One line.  A point whose x or y is not finite (or <= 0 on a logarithmic axis) is a gap. */
typedef struct lehr_plot_series {
    const char *name;         /* legend; NULL: no legend entry */
    const double *x, *y;      /* count numbers each; x ascending */
    const double *low, *high; /* edges of a band around y (mean - sd, mean + sd), or both NULL */
    size_t count;
    uint32_t style; /* number of its colour, dash and marker: 0, 1, 2, ... */
} lehr_plot_series;

typedef struct lehr_plot {
    const char *title, *x_label, *y_label; /* UTF-8; NULL: none */
    const lehr_plot_series *series;
    uint32_t series_count;
    uint32_t log_x, log_y;             /* 1: logarithmic axis */
    double x_min, x_max, y_min, y_max; /* NaN: from the data */
    uint32_t width, height;            /* SVG: pixels (0: 760 x 380); terminal: characters and
                                          lines in all (0: 80 x 24) */
    uint32_t unicode;                  /* terminal: 1 braille and line drawing, 0 plain ASCII */
    uint32_t color;                    /* terminal: 1 ANSI colours */
} lehr_plot;

/* Zero, with the ranges NaN. */
void lehr_plot_init(lehr_plot *plot);

/* A self-contained <svg> element that can stand in an HTML page or in a file of its own; follows
 * the reader's light or dark setting.  Errors: LEHR_E_MEMORY.  Owner: the caller, lehr_plot_free.
 */
lehr_status lehr_plot_svg(lehr_context *ctx, const lehr_plot *plot, char **out);
/* The chart in characters, every line ended by a newline and at most width columns wide.
 * Errors: LEHR_E_MEMORY.  Owner: the caller, lehr_plot_free. */
lehr_status lehr_plot_terminal(lehr_context *ctx, const lehr_plot *plot, char **out);
/* NULL-safe, clears the pointer. */
void lehr_plot_free(char **text);

#ifdef __cplusplus
}
#endif
#endif
