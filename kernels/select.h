/* SPDX-License-Identifier: MIT
 *
 * Which variant answers a problem.  In this order:
 *   forced     LEHR_VARIANT names it
 *   recorded   the run that is being continued had it
 *   measured   the fastest one that lehr tune found on this device (core/runtime/cache.h)
 *   first      the first row of the op's table that does not decline
 * A variant that once disagreed with the reference on this device is passed over, unless forced. */
#ifndef LH_SELECT_H
#define LH_SELECT_H

#include "kernels/trial.h"

enum { LH_DESCRIBE = 256 }; /* bytes for op->describe */

/* Chooses; *why is "forced", "recorded", "measured" or "first".  Errors as lh_exec_create. */
lehr_status lh_select(lehr_device *dev, const lh_op *op, const void *problem,
                      const lh_variant **out, const char **why);
/* Why lh_select does not choose variant: its reason to decline, or what disagreed; NULL when it could
 * be chosen.  Valid until the device's store changes. */
const char *lh_select_excludes(lehr_device *dev, const lh_op *op, const void *problem,
                               const lh_variant *variant);
/* Compares exec with the reference and remembers the verdict; bad ones are told in a warning. */
lehr_status lh_select_check(lh_exec *exec, lh_verdict *verdict);

#endif
