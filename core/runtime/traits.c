/* SPDX-License-Identifier: MIT
 *
 * What a device can do.  The only file in which a vendor's name may appear; everything else asks
 * for a trait.  LEHR_TRAITS narrows the answer so that one machine can stand for others in tests. */
#define _GNU_SOURCE
#include "core/runtime/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void text_info(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    char text[1024] = "";
    size_t length = 0;
    clGetDeviceInfo(id, what, sizeof text - 1, text, &length);
    const char *start = text;
    while (*start == ' ') start++;
    snprintf(out, size, "%s", start);
    for (size_t n = strlen(out); n > 0 && out[n - 1] == ' '; n--) out[n - 1] = '\0';
}

#define GET(id, what, field) clGetDeviceInfo(id, what, sizeof(field), &(field), NULL)

/* Sub-groups of a size that a kernel fixes, by functions that OpenCL C 1.2 has with this extension:
 * those of cl_khr_subgroups would need a newer -cl-std, and their size is the compiler's choice. */
static unsigned subgroup_size(cl_device_id id, const char *extensions)
{
    enum { SUB_GROUP_SIZES = 0x4108 }; /* CL_DEVICE_SUB_GROUP_SIZES_INTEL */
    size_t sizes[16] = {0}, bytes = 0;
    if (!strstr(extensions, "cl_intel_subgroups") ||
        !strstr(extensions, "cl_intel_required_subgroup_size") ||
        clGetDeviceInfo(id, SUB_GROUP_SIZES, sizeof sizes, sizes, &bytes) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < bytes / sizeof *sizes; i++)
        if (sizes[i] == 16) return 16;
    return 0;
}

static void read_numbers(cl_device_id id, lehr_device_info *info, lh_traits *t)
{
    cl_device_type type = 0;
    cl_uint units = 0, native = 0, align_bits = 0;
    cl_ulong global = 0, local = 0, max_alloc = 0;
    cl_device_local_mem_type local_type = CL_GLOBAL;
    char extensions[8192] = "";
    GET(id, CL_DEVICE_TYPE, type);
    GET(id, CL_DEVICE_MAX_COMPUTE_UNITS, units);
    GET(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, native);
    GET(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, align_bits);
    GET(id, CL_DEVICE_GLOBAL_MEM_SIZE, global);
    GET(id, CL_DEVICE_LOCAL_MEM_SIZE, local);
    GET(id, CL_DEVICE_LOCAL_MEM_TYPE, local_type);
    GET(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, max_alloc);
    GET(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, t->max_work_group);
    GET(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, t->max_work_item);
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL);

    t->is_cpu = (type & CL_DEVICE_TYPE_CPU) && !(type & CL_DEVICE_TYPE_GPU);
    t->unroll = !t->is_cpu;
    t->local_is_real = local_type == CL_LOCAL;
    t->fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
    t->fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    t->subgroup = subgroup_size(id, extensions);
    t->compute_units = units ? units : 1;
    t->vector_width = native;
    t->global_bytes = (size_t)global;
    t->local_bytes = (size_t)local;
    t->max_alloc_bytes = (size_t)max_alloc;
    t->base_align = align_bits / 8 < 64 ? 64 : align_bits / 8;
    /* CPU kernels want explicit vectors: at least 8 lanes, or the device is no real CPU target. */
    t->cpu_family = (t->is_cpu || !t->local_is_real) && t->vector_width >= 8;
    info->is_cpu = t->is_cpu;
}

/* These drivers keep what they compiled themselves, and know better when it is stale. */
static bool driver_keeps_programs(const char *platform)
{
    static const char *const names[] = {"Portable Computing Language", "NVIDIA", "Intel", "rusticl",
                                        "Apple", "Oclgrind"};
    for (size_t i = 0; i < LH_COUNT(names); i++)
        if (strstr(platform, names[i])) return true;
    return false;
}

typedef struct knob {
    const char *name;
    size_t *size;
    bool *flag;
    unsigned *number;
} knob;

/* Applies one NAME=VALUE of LEHR_TRAITS. */
static bool narrow(lh_traits *t, const char *name, const char *value)
{
    const knob knobs[] = {
        {"max_work_group", &t->max_work_group, NULL, NULL},
        {"local_bytes", &t->local_bytes, NULL, NULL},
        {"max_groups", &t->max_groups, NULL, NULL},
        {"fp64", NULL, &t->fp64, NULL},
        {"fp16", NULL, &t->fp16, NULL},
        {"vector_width", NULL, NULL, &t->vector_width},
    };
    if (strcmp(name, "family") == 0) {
        t->cpu_family = strcmp(value, "cpu") == 0;
        return t->cpu_family || strcmp(value, "gpu") == 0;
    }
    uint64_t number = 0;
    if (!lh_parse_u64(value, &number)) return false;
    if (strcmp(name, "subgroup") == 0) {
        if (number == 0) t->subgroup = 0;
        return number == 0;
    }
    if (strcmp(name, "program_cache") == 0 || strcmp(name, "unroll") == 0) {
        *(name[0] == 'u' ? &t->unroll : &t->program_cache) = number != 0;
        return number <= 1;
    }
    for (size_t i = 0; i < LH_COUNT(knobs); i++) {
        if (strcmp(name, knobs[i].name) != 0) continue;
        if (number == 0 && knobs[i].size) return false;
        if (knobs[i].size && number < *knobs[i].size) *knobs[i].size = (size_t)number;
        if (knobs[i].number) *knobs[i].number = (unsigned)number;
        if (knobs[i].flag && number == 0) *knobs[i].flag = false;
        return true;
    }
    return false;
}

static lehr_status apply_environment(lehr_context *ctx, lh_traits *t)
{
    const char *text = lh_getenv("LEHR_TRAITS");
    if (!text) return LEHR_OK;
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy, *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        char *equals = strchr(item, '=');
        if (equals) *equals = '\0';
        if (!equals || !narrow(t, item, equals + 1))
            return lh_fail(ctx, LEHR_E_USAGE,
                           "LEHR_TRAITS: '%s' is not family=cpu|gpu, max_work_group=, local_bytes=, "
                           "max_groups=, vector_width=, fp64=0, fp16=0, subgroup=0, unroll=0|1 "
                           "or program_cache=0|1", item);
    }
    return LEHR_OK;
}

lehr_status lh_traits_read(lehr_context *ctx, cl_platform_id platform, cl_device_id id,
                           lehr_device_info *info, lh_traits *traits)
{
    *traits = (lh_traits){0};
    text_info(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    text_info(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    text_info(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    text_info(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    char name[256] = "";
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
    snprintf(info->platform, sizeof info->platform, "%.127s", name);
    read_numbers(id, info, traits);
    /* What was made for OpenCL 1.0 and 1.1 may stop at 65535 groups in a dimension; none can be asked. */
    bool old = strncmp(info->version, "OpenCL 1.0", 10) == 0 || strncmp(info->version, "OpenCL 1.1", 10) == 0;
    traits->max_groups = old ? 65535 : SIZE_MAX;
    traits->program_cache = !driver_keeps_programs(info->platform);
    lehr_status st = apply_environment(ctx, traits);
    info->compute_units = traits->compute_units;
    info->global_bytes = traits->global_bytes;
    info->local_bytes = traits->local_bytes;
    info->max_work_group = traits->max_work_group;
    snprintf(info->family, sizeof info->family, "%s", traits->cpu_family ? "cpu" : "gpu");
    return st;
}

/* PoCL's device vanishes silently when its cache directory cannot be written: give it one that only
 * this user can write, because the driver runs what it finds there. */
void lh_traits_prepare_drivers(void)
{
    if (lh_getenv("POCL_CACHE_DIR")) return;
    const char *xdg = lh_getenv("XDG_CACHE_HOME"), *home = lh_getenv("HOME");
    if (xdg && access(xdg, W_OK) == 0) return;
    if (!xdg && home && access(home, W_OK) == 0) return;
    char path[64];
    struct stat at;
    snprintf(path, sizeof path, "/tmp/lehr-pocl-%ld", (long)getuid());
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return;
    if (lstat(path, &at) != 0 || !S_ISDIR(at.st_mode) || at.st_uid != getuid()) return;
    if (at.st_mode & 022) return;
    setenv("POCL_CACHE_DIR", path, 0);
}
