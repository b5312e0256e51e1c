/* SPDX-License-Identifier: MIT
 *
 * Does the driver run long loops to their end?  Some that were written for graphics end all loops of a
 * work-item after 65535 iterations, without an error: sums over a large batch are then cut short, while
 * the few images of the checks at first use are right. */
#ifndef LH_LOOPS_H
#define LH_LOOPS_H

#include "core/runtime/runtime.h"

/* One loop of 2^20 iterations on devices of the GPU family; what was found is remembered, as for kernels.
 * again: tries it whatever is remembered.  LEHR_E_DEVICE: loops are ended; the message says after how many
 * iterations. */
lehr_status lh_loops_check(lehr_device *dev, bool again);

#endif
