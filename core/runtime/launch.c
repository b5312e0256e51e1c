/* SPDX-License-Identifier: MIT
 *
 * Setting arguments, launching with fixed local sizes, event timing by tag. */
#include "core/runtime/device.h"

#include <stdlib.h>

static cl_int set_arg(cl_kernel kernel, cl_uint index, char type, va_list *args)
{
    switch (type) {
    case 'm': {
        cl_mem value = va_arg(*args, cl_mem);
        return clSetKernelArg(kernel, index, sizeof value, value ? &value : NULL);
    }
    case 'i': {
        cl_int value = va_arg(*args, int);
        return clSetKernelArg(kernel, index, sizeof value, &value);
    }
    case 'u': {
        cl_uint value = va_arg(*args, unsigned);
        return clSetKernelArg(kernel, index, sizeof value, &value);
    }
    case 'l': {
        cl_ulong value = va_arg(*args, uint64_t);
        return clSetKernelArg(kernel, index, sizeof value, &value);
    }
    case 'f': {
        cl_float value = (cl_float)va_arg(*args, double);
        return clSetKernelArg(kernel, index, sizeof value, &value);
    }
    case 'L': return clSetKernelArg(kernel, index, va_arg(*args, size_t), NULL);
    default: return CL_INVALID_ARG_INDEX;
    }
}

static void kernel_name(cl_kernel kernel, char *out, size_t size)
{
    out[0] = '\0';
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, size - 1, out, NULL);
    out[size - 1] = '\0';
}

lehr_status lh_kernel_args(lehr_device *dev, cl_kernel kernel, const char *types, ...)
{
    cl_int code = CL_SUCCESS;
    va_list args;
    va_start(args, types);
    for (cl_uint i = 0; types[i] && code == CL_SUCCESS; i++)
        code = set_arg(kernel, i, types[i], &args);
    va_end(args);
    if (code == CL_SUCCESS) return LEHR_OK;
    char name[128];
    kernel_name(kernel, name, sizeof name);
    return lh_cl_check(dev->ctx, code, "arguments of kernel '%s' (clSetKernelArg)", name);
}

static cl_int record(lh_profile *p, cl_event event)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 256;
        cl_event *events = realloc(p->events, capacity * sizeof *events);
        if (events) p->events = events;
        unsigned *tags = realloc(p->tags, capacity * sizeof *tags);
        if (tags) p->tags = tags;
        if (!events || !tags) return CL_OUT_OF_HOST_MEMORY;
        p->capacity = capacity;
    }
    p->events[p->count] = event;
    p->tags[p->count++] = p->tag;
    return CL_SUCCESS;
}

static lehr_status enqueue(lehr_device *dev, cl_kernel kernel, unsigned dims, const size_t *offset,
                           const size_t *global, const size_t *local)
{
    cl_event event = NULL;
    bool timed = dev->profile.on;
    cl_int code = clEnqueueNDRangeKernel(dev->queue, kernel, dims, offset, global, local, 0, NULL,
                                         timed ? &event : NULL);
    if (code == CL_SUCCESS) {
        dev->launches++;
        if (!timed) return LEHR_OK;
        code = record(&dev->profile, event);
        if (code == CL_SUCCESS) return LEHR_OK;
        clReleaseEvent(event);
    }
    char name[128];
    lh_count_refusal(dev, code);
    kernel_name(kernel, name, sizeof name);
    return lh_cl_check(dev->ctx, code, "launching kernel '%s' (clEnqueueNDRangeKernel)", name);
}

lehr_status lh_launch(lehr_device *dev, cl_kernel kernel, unsigned dims, const size_t *global,
                      const size_t *local)
{
    return enqueue(dev, kernel, dims, NULL, global, local);
}

lehr_status lh_launch_1d(lehr_device *dev, cl_kernel kernel, size_t count, size_t local)
{
    size_t groups = (count + local - 1) / local, most = dev->traits.max_groups;
    if (groups <= most) return lh_launch_groups(dev, kernel, groups, local);
    lehr_status st = LEHR_OK;
    for (size_t first = 0; first < groups && st == LEHR_OK; first += most) {
        size_t left = groups - first, offset = first * local;
        size_t global = (left < most ? left : most) * local;
        st = enqueue(dev, kernel, 1, &offset, &global, &local);
    }
    return st;
}

lehr_status lh_launch_groups(lehr_device *dev, cl_kernel kernel, size_t groups, size_t local)
{
    size_t global = groups * local;
    return lh_launch(dev, kernel, 1, &global, &local);
}

lehr_status lh_launch_tasks(lehr_device *dev, cl_kernel kernel, size_t tasks_x, size_t tasks_y)
{
    const size_t global[2] = {tasks_x, tasks_y}, local[2] = {1, 1};
    return lh_launch(dev, kernel, 2, global, local);
}

bool lh_profile_on(const lehr_device *dev) { return dev->profile.on; }

lehr_status lh_launch_foreign(lehr_device *dev, cl_event event)
{
    dev->launches++;
    if (!event) return LEHR_OK;
    cl_int code = dev->profile.on ? record(&dev->profile, event) : CL_SUCCESS;
    if (code == CL_SUCCESS && dev->profile.on) return LEHR_OK;
    clReleaseEvent(event);
    return lh_cl_check(dev->ctx, code, "recording a launch");
}

uint64_t lh_launch_count(const lehr_device *dev) { return dev->launches; }
uint64_t lh_wait_count(const lehr_device *dev) { return dev->waits; }

uint64_t lh_refused_count(const lehr_device *dev) { return dev->refused; }

/* While profiling the device's queue is swapped for one with profiling on. */
lehr_status lh_profile_begin(lehr_device *dev, unsigned tag_count)
{
    cl_int code = CL_SUCCESS;
    lehr_status st = lehr_device_finish(dev);
    if (st != LEHR_OK) return st;
    if (!dev->timing_queue)
        dev->timing_queue = clCreateCommandQueue(dev->cl, dev->id, CL_QUEUE_PROFILING_ENABLE, &code);
    st = lh_cl_check(dev->ctx, code, "profiling (clCreateCommandQueue)");
    if (st != LEHR_OK) return st;
    cl_command_queue plain = dev->queue;
    dev->queue = dev->timing_queue;
    dev->timing_queue = plain;
    dev->profile.on = true;
    dev->profile.count = 0;
    dev->profile.tag = 0;
    dev->profile.tag_count = tag_count;
    return LEHR_OK;
}

void lh_profile_tag(lehr_device *dev, unsigned tag) { dev->profile.tag = tag; }

lehr_status lh_profile_end(lehr_device *dev, double *ms)
{
    lh_profile *p = &dev->profile;
    lehr_status st = lehr_device_finish(dev);
    for (unsigned i = 0; i < p->tag_count; i++) ms[i] = 0;
    for (size_t i = 0; i < p->count; i++) {
        cl_ulong start = 0, end = 0;
        clGetEventProfilingInfo(p->events[i], CL_PROFILING_COMMAND_START, sizeof start, &start,
                                NULL);
        clGetEventProfilingInfo(p->events[i], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        if (p->tags[i] < p->tag_count) ms[p->tags[i]] += 1e-6 * (double)(end - start);
        clReleaseEvent(p->events[i]);
    }
    p->count = 0;
    p->on = false;
    cl_command_queue plain = dev->timing_queue;
    dev->timing_queue = dev->queue;
    dev->queue = plain;
    return st;
}
