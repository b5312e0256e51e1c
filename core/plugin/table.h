/* SPDX-License-Identifier: MIT
 *
 * core/plugin/table.h: checking a plugin's tables.  A descriptor is first copied (copy.c: sizes and
 * strides become this host's), then looked at (table.c), so that nothing above has to doubt it. */
#ifndef LH_PLUGIN_TABLE_H
#define LH_PLUGIN_TABLE_H

#include "core/plugin/abi.h"
#include "core/plugin/host.h"

/* What is being checked, for messages. */
typedef struct lh_subject {
    lehr_context *ctx;
    const char *path, *kind, *name; /* name may be any pointer's text: see lh_shown */
} lh_subject;

/* "plugin FILE: optimizer lion, WHAT: …"; returns LEHR_E_PLUGIN. */
lehr_status lh_table_wrong(const lh_subject *s, const char *what, const char *fmt, ...)
    LH_PRINTF(3, 4);
/* The text where a terminal can be shown it, else "?". */
const char *lh_shown(const char *text);

/* Every table of a copied descriptor. */
lehr_status lh_schedule_check(const lh_subject *s, const lehr_schedule *d);
lehr_status lh_optimizer_check(const lh_subject *s, const lehr_optimizer *d);

#endif
