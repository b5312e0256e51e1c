/* SPDX-License-Identifier: MIT
 *
 * What is known about the terminal: is there one, how wide, does it show UTF-8 and colours. */
#ifndef LEHR_CLI_TERMINAL_H
#define LEHR_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* The stream is a terminal that can move its cursor (TERM is set and not "dumb"). */
bool terminal_can_redraw(FILE *stream);
bool terminal_is(FILE *stream);
/* COLUMNS, else what the terminal says, else 80. */
unsigned terminal_width(FILE *stream);
/* The locale's character set is UTF-8 and TERM is not "dumb". */
bool terminal_utf8(void);
/* A terminal, no NO_COLOR, not dumb. */
bool terminal_colour(FILE *stream);

#endif
