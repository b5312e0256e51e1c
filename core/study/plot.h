/* SPDX-License-Identifier: MIT
 *
 * What the SVG and the terminal chart share: axes with readable ticks, and text for XML. */
#ifndef LH_STUDY_PLOT_H
#define LH_STUDY_PLOT_H

#include <lehr/plot.h>

#include "core/base/base.h"

enum { LH_TICK_LIMIT = 24, LH_TICK_TEXT = 24 };

typedef struct lh_axis {
    double min, max; /* min < max, both > 0 when logarithmic */
    bool log;
    int tick_count;
    double ticks[LH_TICK_LIMIT];
    char labels[LH_TICK_LIMIT][LH_TICK_TEXT];
} lh_axis;

/* Ticks at 1, 2 or 5 times powers of ten; about target of them. */
void lh_axis_make(lh_axis *axis, double min, double max, bool log, int target);
/* Position of a value: 0 at min, 1 at max, beyond when outside; NaN when it cannot be drawn. */
double lh_axis_at(const lh_axis *axis, double value);
/* Both axes from the plot's data and fixed ranges; false when there is nothing to draw. */
bool lh_plot_axes(const lehr_plot *plot, int x_target, int y_target, lh_axis *x, lh_axis *y);

/* The colours of styles 0 to 7 as CSS custom properties --c0 .. --c7. */
#define LH_PLOT_LIGHT                                                                              \
    "--c0:#0072b2;--c1:#d55e00;--c2:#00845f;--c3:#b84d93;--c4:#a87400;--c5:#2f9fd6;"               \
    "--c6:#5b4bb3;--c7:#444a52;"
#define LH_PLOT_DARK                                                                               \
    "--c0:#4ea8e8;--c1:#f58b4c;--c2:#2fc79a;--c3:#e58fc4;--c4:#e3b341;--c5:#8fd3ff;"               \
    "--c6:#a99bf5;--c7:#c6ccd4;"
enum { LH_PLOT_STYLES = 8 };

/* Adds text to XML or HTML content or attribute values: markup escaped, control characters and
 * bytes that are not UTF-8 replaced by '?'. */
void lh_str_xml(lh_str *s, const char *text);
/* Length of the valid UTF-8 sequence at text (1..4), 0 when it is not one. */
int lh_utf8_length(const char *text);
/* Number of characters of a UTF-8 text (one column each is assumed). */
size_t lh_utf8_count(const char *text);

#endif
