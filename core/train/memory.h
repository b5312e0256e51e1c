/* SPDX-License-Identifier: MIT
 *
 * What the buffers of a step or a run add up to.  Workspace of the optimizer's matrix products and
 * scratch of a few bytes are left out. */
#ifndef LH_MEMORY_H
#define LH_MEMORY_H

#include <lehr/train.h>

#include "core/model/network.h"

/* updater may be NULL; data: bytes of lh_feed_bytes. */
lehr_memory lh_memory_of(const lh_network *net, const lh_updater *updater, size_t data);

#endif
