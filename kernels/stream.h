/* SPDX-License-Identifier: MIT
 *
 * kernels/stream.h: hosting elementwise kernels over flat buffers, for the ops whose cost is
 * memory traffic.  Two launches of the same arithmetic:
 *   elementwise: one work-item per LH_STREAM_ITEM elements, work-groups of -DLOCAL (any device);
 *   tasks:       one work-item per -DCHUNK elements, a loop over vectors of -DVW (CPU family).
 * Neither changes a result: elements do not meet. */
#ifndef LH_STREAM_H
#define LH_STREAM_H

#include "kernels/op.h"

/* 64 KiB of floats: long enough to hide a task's start, short enough to balance threads. */
enum { LH_STREAM_CHUNK = 16384 };
/* Bytes of output from which on the next op would not find them in a cache: LH_VSTREAM pays. */
enum { LH_PAST_CACHES = 16 << 20 };

typedef enum lh_stream { LH_STREAM_ELEMENTWISE, LH_STREAM_TASKS } lh_stream;

/* Builds kernel into exec->kernels[index] with -DLOCAL or -DCHUNK -DVW before the given options. */
lehr_status lh_stream_kernel(lh_exec *exec, unsigned index, lh_stream how, const char *path,
                             const char *kernel, const char *options, ...) LH_PRINTF(6, 7);
/* Enqueues exec->kernels[index]; elementwise: items work-items; tasks: one task per CHUNK of count.
 */
lehr_status lh_stream_launch(lh_exec *exec, unsigned index, lh_stream how, size_t items,
                             size_t count);

/* Floats in the vectors of task kernels: 4, 8 or 16. */
unsigned lh_vector_width(const lh_traits *traits);
/* The widest vector of 1 … 16 floats, within the device's width, that divides channels: task kernels
 * over NHWC then need no tail code. */
unsigned lh_channel_width(const lh_traits *traits, int channels);

/* A variant's declines that never does, and one for task kernels. */
const char *lh_declines_never(const void *problem, const lh_traits *traits);
const char *lh_declines_without_cpu(const void *problem, const lh_traits *traits);

#endif
