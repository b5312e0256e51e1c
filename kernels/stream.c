/* SPDX-License-Identifier: MIT
 *
 * Options and launch geometry shared by all memory-bound ops. */
#include "kernels/stream.h"

#include <stdio.h>

unsigned lh_vector_width(const lh_traits *traits) {
    return traits->vector_width >= 16 ? 16 : traits->vector_width >= 8 ? 8 : 4;
}

unsigned lh_channel_width(const lh_traits *traits, int channels)
{
    unsigned width = lh_vector_width(traits);
    while ((unsigned)channels % width != 0) width /= 2;
    return width;
}

const char *lh_declines_never(const void *problem, const lh_traits *traits) {
    (void)problem;
    (void)traits;
    return NULL;
}

const char *lh_declines_without_cpu(const void *problem, const lh_traits *traits) {
    (void)problem;
    return lh_needs_cpu_family(traits);
}

/* 128 lets drivers that vectorise across a work-group do so, and is small enough for any GPU. */
static size_t local_size(const lh_exec *e) {
    return lh_local_size(lh_device_traits(e->dev), 128);
}

lehr_status lh_stream_kernel(lh_exec *e, unsigned index, lh_stream how, const char *path,
                             const char *kernel, const char *options, ...) {
    char more[768];
    va_list args;
    va_start(args, options);
    vsnprintf(more, sizeof more, options, args);
    va_end(args);
    if (how == LH_STREAM_TASKS)
        return lh_exec_kernel(e, index, path, kernel, "-DVW=%u -DCHUNK=%d %s",
                              lh_vector_width(lh_device_traits(e->dev)), LH_STREAM_CHUNK, more);
    return lh_exec_kernel(e, index, path, kernel, "-DLOCAL=%zu %s", local_size(e), more);
}

lehr_status lh_stream_launch(lh_exec *e, unsigned index, lh_stream how, size_t items,
                             size_t count) {
    if (how == LH_STREAM_TASKS)
        return lh_launch_tasks(e->dev, e->kernels[index], lh_div_up(count, LH_STREAM_CHUNK), 1);
    return lh_launch_1d(e->dev, e->kernels[index], items, local_size(e));
}
