/* SPDX-License-Identifier: MIT
 *
 * Which variant answers a problem.  In this order:
 *   forced     LEHR_VARIANT names it
 *   recorded   the run that is being continued had it
 *   measured   the fastest one that lehr tune found on this device (core/runtime/cache.h)
 *   shipped    the fastest one that lehr tune found on such a device, in the table that lehr comes with
 *   first      the first row of the op's table that does not decline
 * What once disagreed with the reference on this device, or could not be built, is passed over, unless
 * forced. */
#ifndef LH_SELECT_H
#define LH_SELECT_H

#include "kernels/trial.h"

enum { LH_DESCRIBE = 256 }; /* bytes for op->describe */

typedef struct lh_choice {
    const lh_variant *variant;
    char parameters[LH_PARAMETERS]; /* for lh_exec_create_with */
    const char *why;                /* "forced", "recorded", "measured", "shipped" or "first" */
} lh_choice;

/* Errors as lh_exec_create. */
lehr_status lh_select(lehr_device *dev, const lh_op *op, const void *problem, lh_choice *out);
/* The same as if nothing were forced, recorded or measured. */
lehr_status lh_select_default(lehr_device *dev, const lh_op *op, const void *problem, lh_choice *out);
/* Why lh_select does not choose variant with these parameters: its reason to decline, or what
 * disagreed; NULL when it could be chosen.  Valid until the device's store changes. */
const char *lh_select_excludes(lehr_device *dev, const lh_op *op, const void *problem,
                               const lh_variant *variant, const char *parameters);
/* Compares exec with the reference and remembers the verdict; bad ones are told in a warning. */
lehr_status lh_select_check(lh_exec *exec, lh_verdict *verdict);
/* Remembers that exec is wrong, and how, and says so in a warning. */
void lh_select_reject(lh_exec *exec, const char *reason);

#endif
