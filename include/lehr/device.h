/* SPDX-License-Identifier: MIT
 *
 * OpenCL devices: listing, opening, adopting an application's own context and queue. */
#ifndef LEHR_DEVICE_H
#define LEHR_DEVICE_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An opened device with one in-order queue.  Destroy after everything made with it. */
typedef struct lehr_device lehr_device;

typedef struct lehr_device_info {
    char name[256], vendor[128], platform[128], version[128], driver[128];
    uint32_t index;         /* what --device INDEX takes: 0-based over all platforms */
    uint32_t is_cpu;        /* 1: the device type says CPU */
    uint32_t compute_units; /* cores or multiprocessors */
    uint64_t global_bytes, local_bytes, max_work_group;
    char family[8];         /* kernel family that lehr will use: "cpu" or "gpu" */
} lehr_device_info;

/* Fills at most capacity rows and sets count to the number of devices that exist (0 is not an
 * error here).  rows may be NULL when capacity is 0. */
lehr_status lehr_device_list(lehr_context *ctx, lehr_device_info *rows, uint32_t capacity,
                             uint32_t *count);

/* Opens a device.  which: "auto" or NULL (first GPU, else first CPU, else any), "cpu", "gpu", an
 * index, or a part of the device's name (any case).  Errors: LEHR_E_NO_DEVICE with what was found. */
lehr_status lehr_device_open(lehr_context *ctx, const char *which, lehr_device **out);

/* Uses an application's own OpenCL objects (cl_context, cl_device_id, in-order cl_command_queue,
 * passed as void *); they are retained and stay the application's. */
lehr_status lehr_device_adopt(lehr_context *ctx, void *cl_context_, void *cl_device, void *cl_queue,
                              lehr_device **out);

/* NULL-safe, clears the pointer; waits for the queue. */
void lehr_device_destroy(lehr_device **device);
/* Valid while the device lives. */
const lehr_device_info *lehr_device_get_info(const lehr_device *device);
/* Waits for everything queued.  Errors: LEHR_E_DEVICE. */
lehr_status lehr_device_finish(lehr_device *device);
/* cl_context, cl_device_id, cl_command_queue; any out pointer may be NULL. */
void lehr_device_native(const lehr_device *device, void **context, void **id, void **queue);

#ifdef __cplusplus
}
#endif
#endif
