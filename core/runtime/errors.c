/* SPDX-License-Identifier: MIT
 *
 * OpenCL codes in words, translated in this one place. */
#include "core/runtime/device.h"

#include <stdio.h>

typedef struct code_row {
    cl_int code;
    const char *name, *advice;
} code_row;

#define ROW(code, advice) {code, #code, advice}
static const code_row rows[] = {
    ROW(CL_SUCCESS, NULL),
    ROW(CL_DEVICE_NOT_FOUND, NULL),
    ROW(CL_DEVICE_NOT_AVAILABLE, "another program may hold the device"),
    ROW(CL_COMPILER_NOT_AVAILABLE, "this driver cannot compile kernels"),
    ROW(CL_MEM_OBJECT_ALLOCATION_FAILURE,
        "the device is out of memory: use a smaller --batch with --accumulate"),
    ROW(CL_OUT_OF_RESOURCES,
        "the device is out of memory or was lost: use a smaller --batch, or try again"),
    ROW(CL_OUT_OF_HOST_MEMORY, "the host is out of memory"),
    ROW(CL_PROFILING_INFO_NOT_AVAILABLE, NULL),
    ROW(CL_MEM_COPY_OVERLAP, NULL),
    ROW(CL_BUILD_PROGRAM_FAILURE, NULL),
    ROW(CL_MAP_FAILURE, NULL),
    ROW(CL_MISALIGNED_SUB_BUFFER_OFFSET, NULL),
    ROW(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
        "the device was lost: restart from the last checkpoint"),
    ROW(CL_INVALID_VALUE, NULL),
    ROW(CL_INVALID_DEVICE_TYPE, NULL),
    ROW(CL_INVALID_PLATFORM, NULL),
    ROW(CL_INVALID_DEVICE, NULL),
    ROW(CL_INVALID_CONTEXT, NULL),
    ROW(CL_INVALID_QUEUE_PROPERTIES, NULL),
    ROW(CL_INVALID_COMMAND_QUEUE, NULL),
    ROW(CL_INVALID_HOST_PTR, NULL),
    ROW(CL_INVALID_MEM_OBJECT, NULL),
    ROW(CL_INVALID_BINARY, NULL),
    ROW(CL_INVALID_BUILD_OPTIONS, NULL),
    ROW(CL_INVALID_PROGRAM, NULL),
    ROW(CL_INVALID_PROGRAM_EXECUTABLE, NULL),
    ROW(CL_INVALID_KERNEL_NAME, NULL),
    ROW(CL_INVALID_KERNEL_DEFINITION, NULL),
    ROW(CL_INVALID_KERNEL, NULL),
    ROW(CL_INVALID_ARG_INDEX, NULL),
    ROW(CL_INVALID_ARG_VALUE, NULL),
    ROW(CL_INVALID_ARG_SIZE, NULL),
    ROW(CL_INVALID_KERNEL_ARGS, NULL),
    ROW(CL_INVALID_WORK_DIMENSION, NULL),
    ROW(CL_INVALID_WORK_GROUP_SIZE, NULL),
    ROW(CL_INVALID_WORK_ITEM_SIZE, NULL),
    ROW(CL_INVALID_GLOBAL_OFFSET, NULL),
    ROW(CL_INVALID_EVENT_WAIT_LIST, NULL),
    ROW(CL_INVALID_EVENT, NULL),
    ROW(CL_INVALID_OPERATION, NULL),
    ROW(CL_INVALID_BUFFER_SIZE, "one buffer would be larger than the device allows"),
    ROW(CL_INVALID_GLOBAL_WORK_SIZE, NULL),
    ROW(CL_INVALID_PROPERTY, NULL),
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR", "no OpenCL driver is installed: apt install pocl-opencl-icd"},
};
#undef ROW

static const code_row *find(cl_int code)
{
    static const code_row unknown = {0, "unknown OpenCL code", NULL};
    for (size_t i = 0; i < LH_COUNT(rows); i++)
        if (rows[i].code == code) return &rows[i];
    return &unknown;
}

const char *lh_cl_name(cl_int code) { return find(code)->name; }

lehr_status lh_cl_check(lehr_context *ctx, cl_int code, const char *fmt, ...)
{
    if (code == CL_SUCCESS) return LEHR_OK;
    char doing[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(doing, sizeof doing, fmt, args);
    va_end(args);
    const code_row *row = find(code);
    return lh_fail(ctx, LEHR_E_DEVICE, "%s: %s (%d)%s%s", doing, row->name, (int)code,
                   row->advice ? "; " : "", row->advice ? row->advice : "");
}

void lh_count_refusal(lehr_device *dev, cl_int code)
{
    static const cl_int others[] = {CL_SUCCESS, CL_DEVICE_NOT_AVAILABLE, CL_COMPILER_NOT_AVAILABLE,
                                    CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES,
                                    CL_OUT_OF_HOST_MEMORY, CL_INVALID_CONTEXT,
                                    CL_INVALID_COMMAND_QUEUE, CL_INVALID_DEVICE};
    for (size_t i = 0; i < LH_COUNT(others); i++)
        if (others[i] == code) return;
    dev->refused++;
}
