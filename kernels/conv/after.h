/* SPDX-License-Identifier: MIT
 *
 * What backward data does behind the convolution (conv.h: add, mask, norm): one pass over dx, whichever
 * variant made it. */
#ifndef LH_CONV_AFTER_H
#define LH_CONV_AFTER_H

#include "kernels/conv/conv.h"

lehr_status lh_conv_after_prepare(lh_exec *exec);
lehr_status lh_conv_after_run(lh_exec *exec, const lh_args *args);

#endif
