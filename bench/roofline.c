/* SPDX-License-Identifier: MIT
 *
 * Bursts of fused multiply-adds and of copying; see roofline.h. */
#define _POSIX_C_SOURCE 200809L
#include "bench/roofline.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/op.h"
#include "kernels/stream.h"

/* Twelve independent chains of vector fma per work-item: enough to fill any pipeline.  The copy takes
 * span vectors a work-item; all work-items of a group lie side by side. */
static const char source[] =
    "#define CAT_(a, b) a##b\n#define CAT(a, b) CAT_(a, b)\n#define V CAT(float, VW)\n"
    "#define EACH(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void burst(__global float *out, float m, float c) {\n"
    "#define D(i) V a##i = (V)(get_global_id(0) + i);\n EACH(D)\n"
    " for (int n = 0; n < STEPS; n++) {\n"
    "#define F(i) a##i = fma(a##i, (V)m, (V)c);\n EACH(F) }\n"
    " V s = 0;\n#define A(i) s += a##i;\n EACH(A)\n"
    " float t[VW]; CAT(vstore, VW)(s, 0, t); out[get_global_id(0)] = t[0]; }\n"
    "#define COPY(name, STORE)\\\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\\\n"
    "void name(__global const V *restrict x, __global V *restrict y, const uint n, const uint span)"
    "\\\n{ const uint from = get_group_id(0) * span * LOCAL + get_local_id(0);\\\n"
    "  const uint end = min(from + span * LOCAL, n);\\\n"
    "  for (uint i = from; i < end; i += LOCAL) STORE(x[i], y + i); }\n"
    "#define PLAIN(v, p) *(p) = (v)\n"
    "COPY(copy, PLAIN)\n"
    "#ifdef __has_builtin\n#if __has_builtin(__builtin_nontemporal_store)\n"
    "#define STREAM(v, p) __builtin_nontemporal_store(v, p)\n"
    "COPY(stream, STREAM)\n#define HAS_STREAM 1\n#endif\n#endif\n"
    "#ifndef HAS_STREAM\n"
    "__kernel void stream(__global float *y, const uint n) { if (n == 0) *y = 0; }\n#endif\n";

/* Bytes of a work-group's part; 0: one part for each compute unit. */
static const struct {
    size_t bytes;
    const char *name;
} shapes[] = {{65536, "64 KiB a work-group"},
              {1048576, "1 MiB a work-group"},
              {0, "one part for each compute unit"}};

double lh_work_clock(const lehr_device *dev)
{
    const lh_traits *t = lh_device_traits(dev);
    struct timespec now;
    if (!t->is_cpu || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) return lh_now();
    return ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec) / t->compute_units;
}

static unsigned width(const lh_roofline *r)
{
    const lh_traits *t = lh_device_traits(r->dev);
    return t->cpu_family ? lh_vector_width(t) : 4;
}

/* Both buffers together four times the last cache that the device tells, 128 MiB at least. */
static size_t copy_bytes(const lehr_device *dev)
{
    const lh_traits *t = lh_device_traits(dev);
    cl_ulong cache = 0;
    clGetDeviceInfo(lh_device_id(dev), CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache, &cache, NULL);
    size_t bytes = 2 * (size_t)cache > (64u << 20) ? 2 * (size_t)cache : 64u << 20;
    size_t most = t->max_alloc_bytes < t->global_bytes / 8 ? t->max_alloc_bytes
                                                           : t->global_bytes / 8;
    if (bytes > most) bytes = most;
    if (bytes > (1u << 30)) bytes = 1u << 30;
    return bytes / 65536 * 65536;
}

static lehr_status run_copy(lh_roofline *r, cl_kernel kernel, int shape)
{
    const lh_traits *t = lh_device_traits(r->dev);
    size_t vector = 4 * width(r), all = r->bytes / vector;
    size_t group = shapes[shape].bytes ? shapes[shape].bytes / vector
                                       : lh_div_up(all, t->compute_units);
    size_t span = lh_div_up(group, r->fma_local);
    size_t groups = lh_div_up(all, span * r->fma_local);
    lehr_status st = lh_kernel_args(r->dev, kernel, "mmuu", r->from, r->to, (unsigned)all,
                                    (unsigned)span);
    if (st == LEHR_OK)
        st = lh_launch_1d(r->dev, kernel, groups * r->fma_local, r->fma_local);
    return st == LEHR_OK ? lehr_device_finish(r->dev) : st;
}

/* The best of a few runs. */
static lehr_status copy_rate(lh_roofline *r, cl_kernel kernel, int shape, int runs, double *gbs)
{
    lehr_status st = LEHR_OK;
    *gbs = 0;
    for (int i = 0; i < runs && st == LEHR_OK; i++) {
        double start = lh_work_clock(r->dev);
        st = run_copy(r, kernel, shape);
        double rate = 2e-9 * (double)r->bytes / (lh_work_clock(r->dev) - start);
        if (rate > *gbs) *gbs = rate;
    }
    return st;
}

static lehr_status build(lh_roofline *r)
{
    const lh_traits *t = lh_device_traits(r->dev);
    int steps = t->cpu_family ? 50000 : 2000;
    char defines[128];
    cl_program program = NULL;
    r->fma_local = t->cpu_family ? 1 : lh_local_size(t, 64);
    r->fma_items = t->cpu_family ? 4 * t->compute_units : 4096 * r->fma_local;
    r->fma_flops = 24.0 * width(r) * steps * (double)r->fma_items;
    snprintf(defines, sizeof defines, "-DVW=%u -DLOCAL=%zu -DSTEPS=%d", width(r), r->fma_local,
             steps);
    lehr_status st = lh_program_from_text(r->dev, "bench/roofline", source, defines, &program);
    if (st == LEHR_OK) st = lh_kernel_create(r->dev, program, "burst", &r->fma);
    if (st == LEHR_OK) st = lh_kernel_create(r->dev, program, "copy", &r->copy);
    if (st == LEHR_OK) st = lh_kernel_create(r->dev, program, "stream", &r->stream);
    return st;
}

/* Noise, so that no driver or memory can take a short cut. */
static lehr_status fill(lh_roofline *r)
{
    size_t count = r->bytes / sizeof(uint32_t);
    uint32_t *host = lh_alloc(lh_device_context(r->dev), count, sizeof *host), x = 1;
    if (!host) return LEHR_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        x = x * 1664525u + 1013904223u;
        host[i] = (x >> 9) | 0x3f800000u; /* 1.0 to 2.0 as floats */
    }
    lehr_status st = lh_buffer_write(r->dev, r->from, 0, r->bytes, host);
    free(host);
    return st;
}

lehr_status lh_roofline_open(lehr_device *dev, lh_roofline *r)
{
    *r = (lh_roofline){.dev = dev, .bytes = copy_bytes(dev)};
    lehr_status st = build(r);
    if (st == LEHR_OK) st = lh_buffer_create(dev, r->bytes, &r->from);
    if (st == LEHR_OK) st = lh_buffer_create(dev, r->bytes, &r->to);
    if (st == LEHR_OK) st = fill(r);
    double best = 0;
    for (int i = 0; i < (int)LH_COUNT(shapes) && st == LEHR_OK; i++) {
        double gbs = 0;
        st = copy_rate(r, r->copy, i, 5, &gbs);
        if (gbs > best) {
            best = gbs;
            r->shape = i;
        }
    }
    if (st != LEHR_OK) lh_roofline_close(r);
    return st;
}

void lh_roofline_close(lh_roofline *r)
{
    lh_kernel_free(&r->fma);
    lh_kernel_free(&r->copy);
    lh_kernel_free(&r->stream);
    lh_buffer_free(&r->from);
    lh_buffer_free(&r->to);
}

/* One burst; kept if it is the faster one. */
static lehr_status fma_burst(lh_roofline *r, lh_peaks *best)
{
    double start = lh_work_clock(r->dev), wall = lh_now();
    lehr_status st = lh_kernel_args(r->dev, r->fma, "mff", r->to, 0.999, 1e-9);
    if (st == LEHR_OK) st = lh_launch_1d(r->dev, r->fma, r->fma_items, r->fma_local);
    if (st == LEHR_OK) st = lehr_device_finish(r->dev);
    double work = lh_work_clock(r->dev) - start, rate = 1e-9 * r->fma_flops / work;
    if (rate > best->gflops) *best = (lh_peaks){.gflops = rate, .at_once = work / (lh_now() - wall)};
    return st;
}

lehr_status lh_roofline_measure(lh_roofline *r, lh_peaks *out)
{
    *out = (lh_peaks){0};
    lehr_status st = fma_burst(r, out); /* the first one wakes the threads up */
    if (st == LEHR_OK) st = fma_burst(r, out);
    return st == LEHR_OK ? copy_rate(r, r->copy, r->shape, 1, &out->gbs) : st;
}

lehr_status lh_roofline_streaming(lh_roofline *r, double *gbs)
{
    cl_uint count = 0;
    *gbs = 0;
    clGetKernelInfo(r->stream, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    return count == 4 ? copy_rate(r, r->stream, r->shape, 5, gbs) : LEHR_OK;
}

const char *lh_roofline_shape(const lh_roofline *r) { return shapes[r->shape].name; }
