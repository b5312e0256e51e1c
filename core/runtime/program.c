/* SPDX-License-Identifier: MIT
 *
 * Kernel sources are embedded in the library; a program is built once per (source, options) and
 * device and owned by the device.  No -cl-std above what the device reports (none is passed), no
 * relaxed math. */
#include "core/runtime/device.h"
#include "core/base/files.h"
#include "core/runtime/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made by scripts/embed.py from kernels/ ** / *.cl: sorted by path. */
typedef struct lh_source {
    const char *path, *text;
} lh_source;
extern const lh_source lh_sources[];
extern const size_t lh_source_count;

const char *lh_source_find(const char *path)
{
    for (size_t i = 0; i < lh_source_count; i++)
        if (strcmp(lh_sources[i].path, path) == 0) return lh_sources[i].text;
    return NULL;
}

void lh_sources_hash(char *hex)
{
    lh_sha256_state state;
    const char *version = lehr_version();
    lh_sha256_start(&state);
    lh_sha256_add(&state, version, strlen(version) + 1);
    for (size_t i = 0; i < lh_source_count; i++) {
        lh_sha256_add(&state, lh_sources[i].path, strlen(lh_sources[i].path) + 1);
        lh_sha256_add(&state, lh_sources[i].text, strlen(lh_sources[i].text) + 1);
    }
    lh_sha256_end(&state, hex);
}

/* The first line of a build log that looks like an error, for the message. */
static void first_error(const char *log, char *out, size_t size)
{
    const char *at = strstr(log, "error");
    while (at && at > log && at[-1] != '\n') at--;
    const char *start = at ? at : log;
    size_t length = strcspn(start, "\n");
    snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), start);
}

/* A cause that a user can do something about, found in a build log. */
static const char *remedy(const char *log)
{
    if (strstr(log, "unknown target CPU"))
        return "; the driver's compiler is older than this processor and does not know it: install "
               "a newer OpenCL driver, or choose another device (lehr devices lists them)";
    return "";
}

static lehr_status fail_build(lehr_device *dev, cl_program program, const char *name,
                              const char *options, cl_int code)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = calloc(size + 1, 1);
    char line[512] = "";
    const char *advice = "";
    if (log && size) {
        clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
        lh_log(dev->ctx, LEHR_LOG_WARN, "build log of %s [%s]:\n%s", name, options, log);
        first_error(log, line, sizeof line);
        advice = remedy(log);
    }
    free(log);
    return lh_fail(dev->ctx, LEHR_E_DEVICE, "building kernel source %s [%s]: %s (%d): %s%s", name,
                   options, lh_cl_name(code), (int)code, line, advice);
}

static lehr_status build(lehr_device *dev, const char *name, const char *text, const char *options,
                         cl_program *out)
{
    cl_int code = CL_SUCCESS;
    *out = lh_program_load(dev, text, options);
    if (*out) return LEHR_OK;
    cl_program program = clCreateProgramWithSource(dev->cl, 1, &text, NULL, &code);
    lehr_status st = lh_cl_check(dev->ctx, code, "kernel source %s (clCreateProgramWithSource)",
                                 name);
    if (st != LEHR_OK) return st;
    code = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        lh_count_refusal(dev, code);
        st = fail_build(dev, program, name, options, code);
        clReleaseProgram(program);
        return st;
    }
    lh_program_store(dev, text, options, program);
    *out = program;
    return LEHR_OK;
}

static const lh_program_entry *find(const lehr_device *dev, const char *key)
{
    for (const lh_program_entry *e = dev->programs; e; e = e->next)
        if (strcmp(e->key, key) == 0) return e;
    return NULL;
}

lehr_status lh_program_from_text(lehr_device *dev, const char *name, const char *text,
                                 const char *options, cl_program *out)
{
    lh_str key = {0};
    *out = NULL;
    /* Generated programs may share a name: the text itself is part of the key. */
    bool embedded = lh_source_find(name) == text;
    lh_str_printf(&key, "%s\n%s\n%s", name, options, embedded ? "" : text);
    const lh_program_entry *known = find(dev, lh_str_text(&key));
    if (known) {
        *out = known->program;
        lh_str_free(&key);
        return LEHR_OK;
    }
    lh_program_entry *entry = lh_alloc(dev->ctx, 1, sizeof *entry);
    lehr_status st = entry && !key.failed ? LEHR_OK : LEHR_E_MEMORY;
    if (st == LEHR_OK) st = build(dev, name, text, options, &entry->program);
    if (st != LEHR_OK) {
        free(entry);
        lh_str_free(&key);
        return st;
    }
    entry->key = key.text;
    entry->next = dev->programs;
    dev->programs = entry;
    *out = entry->program;
    return LEHR_OK;
}

lehr_status lh_program_get(lehr_device *dev, const char *path, const char *options, cl_program *out)
{
    const char *text = lh_source_find(path);
    if (!text)
        return lh_fail(dev->ctx, LEHR_E_INTERNAL, "kernel source '%s' is not in the library", path);
    return lh_program_from_text(dev, path, text, options, out);
}

void lh_programs_release(lehr_device *dev)
{
    while (dev->programs) {
        lh_program_entry *entry = dev->programs;
        dev->programs = entry->next;
        clReleaseProgram(entry->program);
        free(entry->key);
        free(entry);
    }
}

lehr_status lh_kernel_create(lehr_device *dev, cl_program program, const char *name, cl_kernel *out)
{
    cl_int code = CL_SUCCESS;
    *out = clCreateKernel(program, name, &code);
    if (code != CL_SUCCESS) *out = NULL;
    lh_count_refusal(dev, code);
    return lh_cl_check(dev->ctx, code, "kernel '%s' (clCreateKernel)", name);
}

void lh_device_dry(lehr_device *dev, bool dry) { dev->dry = dry; }

lehr_status lh_kernel_get(lehr_device *dev, const char *path, const char *options,
                          const char *kernel, cl_kernel *out)
{
    cl_program program = NULL;
    *out = NULL;
    if (dev->dry) return LEHR_OK;
    lehr_status st = lh_program_get(dev, path, options, &program);
    return st != LEHR_OK ? st : lh_kernel_create(dev, program, kernel, out);
}

void lh_kernel_free(cl_kernel *kernel)
{
    if (!kernel || !*kernel) return;
    clReleaseKernel(*kernel);
    *kernel = NULL;
}
