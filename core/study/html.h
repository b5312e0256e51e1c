/* SPDX-License-Identifier: MIT
 *
 * The page that reports stand on: one file, nothing from outside, light and dark. */
#ifndef LH_STUDY_HTML_H
#define LH_STUDY_HTML_H

#include <lehr/plot.h>

#include "core/base/base.h"

/* Opens the page up to its heading; subtitle may be NULL. */
void lh_html_open(lh_str *s, const char *title, const char *subtitle);
void lh_html_close(lh_str *s);
/* <section> with its heading; closed by lh_html_section_end. */
void lh_html_section(lh_str *s, const char *heading);
void lh_html_section_end(lh_str *s);
/* A warning that cannot be overlooked. */
void lh_html_banner(lh_str *s, const char *text);
/* One line of a list of facts (<dl>); nothing when value is empty. */
void lh_html_fact(lh_str *s, const char *name, const char *value);
void lh_html_fact_code(lh_str *s, const char *name, const char *value);
void lh_html_fact_number(lh_str *s, const char *name, double value);
/* <th> or <td> with text; class NULL: none. */
void lh_html_cell(lh_str *s, const char *tag, const char *class, const char *text);
/* <td class=n> with a number in the shortest exact form, as in files; empty when not finite. */
void lh_html_number(lh_str *s, double value);
/* <td class=n> with printf, or a dash when value is not finite. */
void lh_html_fixed(lh_str *s, const char *format, double value) LH_PRINTF(2, 0);
/* The chart in a <figure> with a caption (NULL: none). */
lehr_status lh_html_chart(lehr_context *ctx, lh_str *s, const lehr_plot *plot, const char *caption);

#endif
