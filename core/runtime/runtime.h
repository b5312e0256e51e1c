/* SPDX-License-Identifier: MIT
 *
 * core/runtime: OpenCL seen through traits.  Devices, buffers, programs, launches, event timing.
 * OpenCL is the vendor-neutral seam; nothing above asks for vendor names, only for traits. */
#ifndef LH_RUNTIME_H
#define LH_RUNTIME_H

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "core/base/base.h"
#include <lehr/device.h>

/* What kernels may ask of a device.  Filled once by traits.c; LEHR_TRAITS ("family=gpu,
 * max_work_group=64,local_bytes=16384,max_groups=65535,fp64=0,vector_width=8") narrows it to test
 * other devices;
 * program_cache=1 or 0 switches the cache of programs, unroll=1 or 0 the loops of register tiles. */
typedef struct lh_traits {
    bool is_cpu;            /* CL_DEVICE_TYPE_CPU */
    bool cpu_family;        /* use one-work-item kernels with explicit vectors, no barriers */
    bool local_is_real;     /* CL_LOCAL, not emulated in global memory */
    bool fp64, fp16;
    bool program_cache;     /* keep binaries of programs: the driver has no cache of its own */
    bool unroll;            /* GPU family: register tiles in registers.  Not on a CPU, whose compiler takes
                               five times as long for them and gains nothing */
    unsigned vector_width;  /* floats in one native vector: 4, 8 or 16 for the CPU family */
    unsigned subgroup;      /* work-items of a sub-group that a kernel can ask for; 0: none */
    unsigned compute_units;
    size_t max_work_group, max_work_item[3];
    size_t max_groups;      /* work-groups in one dimension of a launch; SIZE_MAX: no limit is known */
    size_t local_bytes, global_bytes, max_alloc_bytes;
    size_t base_align;      /* bytes; a multiple of 64: alignment of sub-buffers */
} lh_traits;

/* ---- errors ---- */
/* Name of an OpenCL code, "CL_OUT_OF_RESOURCES". */
const char *lh_cl_name(cl_int code);
/* LEHR_OK for CL_SUCCESS; else sets "<doing>: <NAME> (<code>)" plus advice, returns LEHR_E_DEVICE. */
lehr_status lh_cl_check(lehr_context *ctx, cl_int code, const char *fmt, ...) LH_PRINTF(3, 4);

/* ---- device ---- */
const lh_traits *lh_device_traits(const lehr_device *dev);
lehr_context *lh_device_context(const lehr_device *dev);
cl_context lh_device_cl(const lehr_device *dev);
cl_command_queue lh_device_queue(const lehr_device *dev);
cl_device_id lh_device_id(const lehr_device *dev);

/* ---- buffers ---- */
/* A device buffer of bytes (at least 1 is allocated); release with lh_buffer_free. */
lehr_status lh_buffer_create(lehr_device *dev, size_t bytes, cl_mem *out);
/* A view [offset, offset + bytes) of a buffer; offset a multiple of base_align.  Free like a buffer. */
lehr_status lh_buffer_view(lehr_device *dev, cl_mem parent, size_t offset, size_t bytes,
                           cl_mem *out);
/* NULL-safe, clears the handle. */
void lh_buffer_free(cl_mem *buffer);
/* Waits. */
lehr_status lh_buffer_read(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes, void *to);
lehr_status lh_buffer_write(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes,
                            const void *from);
/* Reads without waiting: to is filled when event is complete. */
lehr_status lh_buffer_read_async(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes,
                                 void *to, cl_event *event);
/* Queued, in order. */
lehr_status lh_buffer_zero(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes);
lehr_status lh_buffer_fill(lehr_device *dev, cl_mem buffer, size_t offset, size_t bytes,
                           unsigned char value);
lehr_status lh_buffer_copy(lehr_device *dev, cl_mem from, size_t from_offset, cl_mem to,
                           size_t to_offset, size_t bytes);

/* Rows of columns floats each, between matrices whose rows lie from_ld and to_ld floats apart;
 * offsets in floats. */
lehr_status lh_buffer_copy_rows(lehr_device *dev, cl_mem from, size_t from_offset, size_t from_ld,
                                cl_mem to, size_t to_offset, size_t to_ld, size_t rows,
                                size_t columns);

/* ---- programs ---- */
/* The text of an embedded kernel source by its path below kernels/ ("conv/direct_cpu.cl"), with
 * "#include" of other embedded sources already expanded; NULL when there is none. */
const char *lh_source_find(const char *path);

/* Builds (or finds, within this device) the program of an embedded source with options ("-DC=64 …")
 * and returns it; owned by the device.  Failure puts the build log's first error in the message. */
lehr_status lh_program_get(lehr_device *dev, const char *path, const char *options, cl_program *out);
/* The same for generated text; name is for messages and profiles. */
lehr_status lh_program_from_text(lehr_device *dev, const char *name, const char *text,
                                 const char *options, cl_program *out);
lehr_status lh_kernel_create(lehr_device *dev, cl_program program, const char *name,
                             cl_kernel *out);
/* lh_program_get + lh_kernel_create. */
lehr_status lh_kernel_get(lehr_device *dev, const char *path, const char *options,
                          const char *kernel, cl_kernel *out);
void lh_kernel_free(cl_kernel *kernel);

/* ---- launching ---- */
/* Sets arguments 0.. by a type string: m cl_mem (NULL allowed), i int, u uint, l ulong (uint64_t),
 * f float (passed as double), L size_t bytes of __local memory. */
lehr_status lh_kernel_args(lehr_device *dev, cl_kernel kernel, const char *types, ...);
/* Enqueues; dims 1..3; local is required (fixed local sizes: some drivers compile per local size)
 * and must divide global. */
lehr_status lh_launch(lehr_device *dev, cl_kernel kernel, unsigned dims, const size_t *global,
                      const size_t *local);
/* One-dimensional, count work-items of work-group size local; global is rounded up to local.  Cut into
 * several launches where a device takes fewer groups (traits' max_groups): for kernels that ask for
 * their global id only. */
lehr_status lh_launch_1d(lehr_device *dev, cl_kernel kernel, size_t count, size_t local);
/* One-dimensional and never cut: kernels that ask which group they are, and how many there are. */
lehr_status lh_launch_groups(lehr_device *dev, cl_kernel kernel, size_t groups, size_t local);
/* count work-groups of one work-item (the CPU family's launch). */
lehr_status lh_launch_tasks(lehr_device *dev, cl_kernel kernel, size_t tasks_x, size_t tasks_y);
/* Kernels enqueued by this device so far. */
uint64_t lh_launch_count(const lehr_device *dev);
/* Dry: lh_kernel_get builds nothing and gives NULL, to plan without compiling; nothing may be run. */
void lh_device_dry(lehr_device *dev, bool dry);
/* How often the host has waited for this device's queue so far: finishing, blocking reads and writes. */
uint64_t lh_wait_count(const lehr_device *dev);
/* Programs, kernels and launches that the driver refused since the device was opened, lack of memory and
 * a lost device aside: another kernel may still do. */
uint64_t lh_refused_count(const lehr_device *dev);
/* For work that another library enqueues on this device's queue: pass it the address of an event if
 * lh_profile_on, then hand that event (else NULL) over here; it counts as one launch. */
bool lh_profile_on(const lehr_device *dev);
lehr_status lh_launch_foreign(lehr_device *dev, cl_event event);

/* ---- findings: a small number that is found out once per device, 0 before (a self-check's result) */
int lh_finding_get(const lehr_device *dev, const char *name);
lehr_status lh_finding_set(lehr_device *dev, const char *name, int value);

/* ---- event timing: between begin and end every launch is recorded under the current tag ---- */
lehr_status lh_profile_begin(lehr_device *dev, unsigned tag_count);
void lh_profile_tag(lehr_device *dev, unsigned tag);
/* Waits; ms[tag_count] receives the summed device milliseconds per tag. */
lehr_status lh_profile_end(lehr_device *dev, double *ms);

#endif
