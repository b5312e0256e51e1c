/* SPDX-License-Identifier: MIT
 *
 * Device buffers and views of them.  A view is a sub-buffer: kernels get plain cl_mem arguments,
 * and one launch over the parent covers every tensor of an arena. */
#define _GNU_SOURCE
#include "core/runtime/device.h"

#include <sys/mman.h>
#include <unistd.h>

/* Buffers from here on hold at least one large page wherever they begin. */
enum { LARGE_BUFFER = 4 * 1024 * 1024 };

/* Where the device is the host, a large buffer's memory, not touched yet, is to come in large pages: fewer
 * misses of the address translation and page faults.  A wish: no failure matters. */
static void wish_for_large_pages(lehr_device *dev, cl_mem buffer, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    cl_int code;
    char *at = clEnqueueMapBuffer(dev->queue, buffer, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0, bytes, 0,
                                  NULL, NULL, &code);
    if (code != CL_SUCCESS || !at) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), skipped = (size_t)(-(uintptr_t)at % page);
    madvise(at + skipped, (bytes - skipped) / page * page, MADV_HUGEPAGE);
    clEnqueueUnmapMemObject(dev->queue, buffer, at, 0, NULL, NULL);
#else
    (void)dev, (void)buffer, (void)bytes;
#endif
}

lehr_status lh_buffer_create(lehr_device *dev, size_t bytes, cl_mem *out)
{
    cl_int code = CL_SUCCESS;
    *out = clCreateBuffer(dev->cl, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL, &code);
    if (code != CL_SUCCESS) *out = NULL;
    else if (dev->traits.is_cpu && bytes >= LARGE_BUFFER) wish_for_large_pages(dev, *out, bytes);
    return lh_cl_check(dev->ctx, code, "allocating %.1f MiB on '%s' (clCreateBuffer)",
                       (double)bytes / 1048576.0, dev->info.name);
}

lehr_status lh_buffer_view(lehr_device *dev, cl_mem parent, size_t offset, size_t bytes,
                           cl_mem *out)
{
    cl_int code = CL_SUCCESS;
    cl_buffer_region region = {offset, bytes};
    *out = clCreateSubBuffer(parent, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                             &code);
    if (code != CL_SUCCESS) *out = NULL;
    return lh_cl_check(dev->ctx, code, "viewing %zu bytes at %zu (clCreateSubBuffer)", bytes,
                       offset);
}

void lh_buffer_free(cl_mem *buffer)
{
    if (!buffer || !*buffer) return;
    clReleaseMemObject(*buffer);
    *buffer = NULL;
}

lehr_status lh_buffer_read(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes, void *to)
{
    if (bytes == 0) return LEHR_OK;
    dev->waits++;
    cl_int code = clEnqueueReadBuffer(dev->queue, buffer, CL_TRUE, offset, bytes, to, 0, NULL, NULL);
    return lh_cl_check(dev->ctx, code, "reading %zu bytes (clEnqueueReadBuffer)", bytes);
}

lehr_status lh_buffer_write(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes,
                            const void *from)
{
    if (bytes == 0) return LEHR_OK;
    dev->waits++;
    cl_int code =
        clEnqueueWriteBuffer(dev->queue, buffer, CL_TRUE, offset, bytes, from, 0, NULL, NULL);
    return lh_cl_check(dev->ctx, code, "writing %zu bytes (clEnqueueWriteBuffer)", bytes);
}

lehr_status lh_buffer_read_async(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes,
                                 void *to, cl_event *event)
{
    cl_int code =
        clEnqueueReadBuffer(dev->queue, buffer, CL_FALSE, offset, bytes, to, 0, NULL, event);
    return lh_cl_check(dev->ctx, code, "reading %zu bytes (clEnqueueReadBuffer)", bytes);
}

lehr_status lh_buffer_fill(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes, unsigned char value)
{
    if (bytes == 0) return LEHR_OK;
    const cl_uchar pattern[sizeof(cl_float)] = {value, value, value, value};
    bool words = offset % sizeof pattern == 0 && bytes % sizeof pattern == 0;
    cl_int code = clEnqueueFillBuffer(dev->queue, buffer, pattern, words ? sizeof pattern : 1, offset, bytes,
                                      0, NULL, NULL);
    return lh_cl_check(dev->ctx, code, "filling %zu bytes (clEnqueueFillBuffer)", bytes);
}

lehr_status lh_buffer_zero(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes)
{
    return lh_buffer_fill(dev, buffer, offset, bytes, 0);
}

lehr_status lh_buffer_copy(lehr_device *dev, cl_mem from, size_t from_offset, cl_mem to,
                           size_t to_offset, size_t bytes)
{
    if (bytes == 0) return LEHR_OK;
    cl_int code =
        clEnqueueCopyBuffer(dev->queue, from, to, from_offset, to_offset, bytes, 0, NULL, NULL);
    return lh_cl_check(dev->ctx, code, "copying %zu bytes (clEnqueueCopyBuffer)", bytes);
}

lehr_status lh_buffer_copy_rows(lehr_device *dev, cl_mem from, size_t from_offset, size_t from_ld,
                                cl_mem to, size_t to_offset, size_t to_ld, size_t rows,
                                size_t columns)
{
    const size_t word = sizeof(cl_float);
    const size_t from_at[3] = {from_offset * word, 0, 0}, to_at[3] = {to_offset * word, 0, 0};
    const size_t region[3] = {columns * word, rows, 1};
    cl_int code = clEnqueueCopyBufferRect(dev->queue, from, to, from_at, to_at, region,
                                          from_ld * word, 0, to_ld * word, 0, 0, NULL, NULL);
    return lh_cl_check(dev->ctx, code, "copying %zu x %zu (clEnqueueCopyBufferRect)", rows, columns);
}
