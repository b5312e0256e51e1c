/* SPDX-License-Identifier: MIT
 *
 * Finding, choosing, opening and adopting devices; the queue. */
#define _GNU_SOURCE
#include "core/runtime/device.h"
#include "core/runtime/cache.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64 };

typedef struct found {
    cl_platform_id platform;
    cl_device_id id;
    lehr_device_info info;
} found;

static lehr_status find_all(lehr_context *ctx, found *rows, uint32_t *count)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint platform_count = 0;
    *count = 0;
    lh_traits_prepare_drivers();
    cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &platform_count);
    if (code != CL_SUCCESS) return LEHR_OK; /* no driver: zero devices, explained by the caller */
    if (platform_count > MAX_PLATFORMS) platform_count = MAX_PLATFORMS;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id ids[MAX_DEVICES];
        cl_uint n = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &n) != CL_SUCCESS)
            continue; /* a platform without a device is normal */
        for (cl_uint d = 0; d < n && d < MAX_DEVICES && *count < MAX_DEVICES; d++) {
            found *row = &rows[*count];
            lh_traits traits;
            *row = (found){.platform = platforms[p], .id = ids[d]};
            row->info.index = *count;
            lehr_status st = lh_traits_read(ctx, platforms[p], ids[d], &row->info, &traits);
            if (st != LEHR_OK) return st;
            ++*count;
        }
    }
    return LEHR_OK;
}

lehr_status lehr_device_list(lehr_context *ctx, lehr_device_info *rows, uint32_t capacity,
                             uint32_t *count)
{
    lh_enter(ctx);
    *count = 0;
    found *all = lh_alloc(ctx, MAX_DEVICES, sizeof *all);
    if (!all) return LEHR_E_MEMORY;
    lehr_status st = find_all(ctx, all, count);
    for (uint32_t i = 0; st == LEHR_OK && i < *count && i < capacity; i++) rows[i] = all[i].info;
    free(all);
    return st;
}

/* Every misconfiguration of OpenCL gives the same code: look at what is installed and say so. */
static lehr_status fail_no_device(lehr_context *ctx)
{
    const char *vendors = lh_getenv("OCL_ICD_VENDORS");
    const char *directory = vendors ? vendors : "/etc/OpenCL/vendors";
    lh_str names = {0};
    DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".icd")) lh_str_printf(&names, " %s", e->d_name);
    if (d) closedir(d);
    lehr_status st = lh_fail(
        ctx, LEHR_E_NO_DEVICE,
        "no OpenCL device found; drivers registered in %s%s:%s; install one, for a CPU: "
        "apt install pocl-opencl-icd; then: lehr devices", directory,
        vendors ? " (OCL_ICD_VENDORS)" : "", names.length ? names.text : " none");
    lh_str_free(&names);
    return st;
}

static const found *first_of_type(const found *rows, uint32_t count, bool cpu)
{
    for (uint32_t i = 0; i < count; i++)
        if ((rows[i].info.is_cpu != 0) == cpu) return &rows[i];
    return NULL;
}

static const found *choose(const found *rows, uint32_t count, const char *which)
{
    uint64_t index = 0;
    if (strcasecmp(which, "auto") == 0) {
        const found *gpu = first_of_type(rows, count, false);
        return gpu ? gpu : &rows[0];
    }
    if (strcasecmp(which, "cpu") == 0) return first_of_type(rows, count, true);
    if (strcasecmp(which, "gpu") == 0) return first_of_type(rows, count, false);
    if (lh_parse_u64(which, &index)) return index < count ? &rows[index] : NULL;
    for (uint32_t i = 0; i < count; i++)
        if (strcasestr(rows[i].info.name, which) || strcasestr(rows[i].info.platform, which))
            return &rows[i];
    return NULL;
}

static lehr_status fail_no_match(lehr_context *ctx, const found *rows, uint32_t count,
                                 const char *which)
{
    lh_str list = {0};
    for (uint32_t i = 0; i < count; i++)
        lh_str_printf(&list, "\n  %u: %s (%s)", i, rows[i].info.name, rows[i].info.platform);
    lehr_status st = lh_fail(ctx, LEHR_E_NO_DEVICE,
                             "no device matches '%s'; use auto, cpu, gpu, an index or a part of the "
                             "name; found:%s", which, lh_str_text(&list));
    lh_str_free(&list);
    return st;
}

/* Takes over references to cl and queue (both may be NULL to create them). */
static lehr_status open_found(lehr_context *ctx, const found *row, cl_context cl,
                              cl_command_queue queue, lehr_device **out)
{
    cl_int code = CL_SUCCESS;
    lehr_device *dev = lh_alloc(ctx, 1, sizeof *dev);
    if (!dev) return LEHR_E_MEMORY;
    dev->ctx = ctx;
    dev->id = row->id;
    dev->info = row->info;
    dev->cl = cl;
    dev->queue = queue;
    lehr_status st = lh_environment_check(ctx);
    if (st == LEHR_OK) st = lh_traits_read(ctx, row->platform, row->id, &dev->info, &dev->traits);
    if (st == LEHR_OK && !cl) {
        dev->cl = clCreateContext(NULL, 1, &dev->id, NULL, NULL, &code);
        st = lh_cl_check(ctx, code, "opening device '%s' (clCreateContext)", row->info.name);
    }
    if (st == LEHR_OK && !queue) {
        dev->queue = clCreateCommandQueue(dev->cl, dev->id, 0, &code);
        st = lh_cl_check(ctx, code, "opening device '%s' (clCreateCommandQueue)", row->info.name);
    }
    if (st != LEHR_OK) {
        lehr_device_destroy(&dev);
        return st;
    }
    lh_log(ctx, LEHR_LOG_DEBUG, "device %s (%s), family %s", dev->info.name, dev->info.platform,
           dev->info.family);
    *out = dev;
    return LEHR_OK;
}

lehr_status lehr_device_open(lehr_context *ctx, const char *which, lehr_device **out)
{
    lh_enter(ctx);
    *out = NULL;
    uint32_t count = 0;
    found *rows = lh_alloc(ctx, MAX_DEVICES, sizeof *rows);
    if (!rows) return LEHR_E_MEMORY;
    lehr_status st = find_all(ctx, rows, &count);
    if (st == LEHR_OK && count == 0) st = fail_no_device(ctx);
    if (st == LEHR_OK) {
        const found *row = choose(rows, count, which ? which : "auto");
        st = row ? open_found(ctx, row, NULL, NULL, out) : fail_no_match(ctx, rows, count, which);
    }
    free(rows);
    return st;
}

lehr_status lehr_device_adopt(lehr_context *ctx, void *cl_context_, void *cl_device, void *cl_queue,
                              lehr_device **out)
{
    lh_enter(ctx);
    *out = NULL;
    found row = {.id = cl_device};
    cl_command_queue_properties properties = 0;
    clGetDeviceInfo(row.id, CL_DEVICE_PLATFORM, sizeof row.platform, &row.platform, NULL);
    clGetCommandQueueInfo(cl_queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL);
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)
        return lh_fail(ctx, LEHR_E_UNSUPPORTED,
                       "the adopted queue is out of order; lehr needs an in-order queue");
    clRetainContext(cl_context_);
    clRetainCommandQueue(cl_queue);
    return open_found(ctx, &row, cl_context_, cl_queue, out);
}

void lehr_device_destroy(lehr_device **device)
{
    if (!device || !*device) return;
    lehr_device *dev = *device;
    if (dev->queue) clFinish(dev->queue);
    lh_cache_release(dev);
    lh_programs_release(dev);
    while (dev->findings) {
        lh_finding *finding = dev->findings;
        dev->findings = finding->next;
        free(finding->name);
        free(finding);
    }
    free(dev->profile.events);
    free(dev->profile.tags);
    if (dev->timing_queue) clReleaseCommandQueue(dev->timing_queue);
    if (dev->queue) clReleaseCommandQueue(dev->queue);
    if (dev->cl) clReleaseContext(dev->cl);
    free(dev);
    *device = NULL;
}

static lh_finding *find_finding(const lehr_device *dev, const char *name)
{
    lh_finding *f = dev->findings;
    while (f && strcmp(f->name, name) != 0) f = f->next;
    return f;
}

int lh_finding_get(const lehr_device *dev, const char *name)
{
    const lh_finding *f = find_finding(dev, name);
    return f ? f->value : 0;
}

lehr_status lh_finding_set(lehr_device *dev, const char *name, int value)
{
    lh_finding *f = find_finding(dev, name);
    if (!f) {
        f = lh_alloc(dev->ctx, 1, sizeof *f);
        if (!f) return LEHR_E_MEMORY;
        f->name = lh_strdup(dev->ctx, name);
        if (!f->name) {
            free(f);
            return LEHR_E_MEMORY;
        }
        f->next = dev->findings;
        dev->findings = f;
    }
    f->value = value;
    return LEHR_OK;
}

const lehr_device_info *lehr_device_get_info(const lehr_device *device) { return &device->info; }

lehr_status lehr_device_finish(lehr_device *device)
{
    device->waits++;
    return lh_cl_check(device->ctx, clFinish(device->queue), "waiting for the device (clFinish)");
}

void lehr_device_native(const lehr_device *device, void **context, void **id, void **queue)
{
    if (context) *context = device->cl;
    if (id) *id = device->id;
    if (queue) *queue = device->queue;
}

const lh_traits *lh_device_traits(const lehr_device *dev) { return &dev->traits; }
lehr_context *lh_device_context(const lehr_device *dev) { return dev->ctx; }
cl_context lh_device_cl(const lehr_device *dev) { return dev->cl; }
cl_command_queue lh_device_queue(const lehr_device *dev) { return dev->queue; }
cl_device_id lh_device_id(const lehr_device *dev) { return dev->id; }
