/* SPDX-License-Identifier: MIT
 *
 * Forward convolution with pool (conv.h).  A variant that pools in its epilogue says so in prepare; the
 * others write what is to be pooled into the workspace, behind their own, for a pass that does. */
#ifndef LH_CONV_POOLED_H
#define LH_CONV_POOLED_H

#include "kernels/conv/conv.h"

/* exec->number[]: 1 when the variant pools; else where in the workspace y is, in bytes (for run). */
enum { LH_CONV_POOLS = 18, LH_CONV_POOLED_AT = 19 };

/* Behind the variant's own. */
lehr_status lh_conv_pooled_prepare(lh_exec *exec);
/* In place of the variant's own, which is run. */
lehr_status lh_conv_pooled_run(lh_exec *exec, const lh_args *args,
                               lehr_status (*run)(lh_exec *exec, const lh_args *args));

#endif
