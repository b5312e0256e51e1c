/* SPDX-License-Identifier: MIT
 *
 * Parameters and presets of schedules and optimizers in words and as JSON; shared by the verbs that
 * show what plugins offer. */
#ifndef LEHR_CLI_DESCRIBE_H
#define LEHR_CLI_DESCRIBE_H

#include <lehr/plugin.h>

/* Element i of a span whose elements may be shorter than this program's. */
void span_element(const lehr_span *span, uint32_t i, void *out, size_t size);
/* "    beta1   decay of … (number, 0 to below 1; default 0.9)", wrapped to width columns. */
void describe_param(const lehr_param *p, unsigned width);
/* The parameter as a JSON object on standard output. */
void describe_param_json(const lehr_param *p);

#endif
