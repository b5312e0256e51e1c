/* SPDX-License-Identifier: MIT
 *
 * A driver that computes wrongly, for LD_PRELOAD: launches of the kernel that WRONG_KERNEL names are accepted
 * and not done; with WRONG_LOOPS=N the loop by which lehr tries a driver ends after N iterations. */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 128 };

/* The driver's own function into real, a pointer to it; the kernel's name. */
static void look_up(const char *function, void *real, cl_kernel kernel, char name[NAME])
{
    void *symbol = dlsym(RTLD_NEXT, function);
    memcpy(real, &symbol, sizeof symbol);
    memset(name, 0, NAME);
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, NAME - 1, name, NULL);
}

typedef cl_int (*launch_fn)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *,
                            const size_t *, cl_uint, const cl_event *, cl_event *);

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint waits,
                              const cl_event *wait_list, cl_event *event)
{
    const char *wrong = getenv("WRONG_KERNEL");
    char name[NAME];
    launch_fn real;
    look_up("clEnqueueNDRangeKernel", &real, kernel, name);
    if (wrong && !event && strcmp(name, wrong) == 0) return CL_SUCCESS;
    return real(queue, kernel, dims, offset, global, local, waits, wait_list, event);
}

typedef cl_int (*argument_fn)(cl_kernel, cl_uint, size_t, const void *);

cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    const char *limit = getenv("WRONG_LOOPS");
    char name[NAME];
    argument_fn real;
    look_up("clSetKernelArg", &real, kernel, name);
    cl_uint count = limit ? (cl_uint)strtoul(limit, NULL, 10) : 0;
    if (limit && index == 1 && size == sizeof count && strcmp(name, "long_loop") == 0) value = &count;
    return real(kernel, index, size, value);
}
