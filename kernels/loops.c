/* SPDX-License-Identifier: MIT
 *
 * Whether a driver runs long loops to their end: the value of a loop on the device beside the host's. */
#include "kernels/loops.h"

#include <stdio.h>

#include "core/runtime/cache.h"
#include "kernels/op.h"

enum { ITERATIONS = 1 << 20, FINE = 1 };
static const lh_kept about = {.op = "device", .problem = "loop of 1048576", .variant = "loops"};

/* The iterations after which the loop has this value; ITERATIONS when it is right. */
static unsigned iterations_of(cl_uint value)
{
    cl_uint v = 1;
    unsigned first = ITERATIONS;
    for (cl_uint i = 0; i < ITERATIONS; i++) {
        if (v == value && first == ITERATIONS) first = i;
        v = 5u * v + i;
    }
    return v == value ? ITERATIONS : first < ITERATIONS ? first : 0;
}

static lehr_status run_loop(lehr_device *dev, cl_uint *value)
{
    cl_kernel kernel = NULL;
    cl_mem buffer = NULL;
    lehr_status st = lh_kernel_get(dev, "loops.cl", "", "long_loop", &kernel);
    if (st == LEHR_OK) st = lh_buffer_create(dev, sizeof *value, &buffer);
    if (st == LEHR_OK) st = lh_kernel_args(dev, kernel, "mu", buffer, (unsigned)ITERATIONS);
    if (st == LEHR_OK) st = lh_launch_groups(dev, kernel, 1, 1);
    if (st == LEHR_OK) st = lh_buffer_read(dev, buffer, 0, sizeof *value, value);
    lh_buffer_free(&buffer);
    lh_kernel_free(&kernel);
    return st;
}

static lehr_status fail(lehr_device *dev, const char *note)
{
    return lh_fail(lh_device_context(dev), LEHR_E_DEVICE,
                   "this driver %s, so results would be wrong without notice; use another driver or device "
                   "(type: lehr devices; LEHR_SELF_TEST=0 goes on all the same)", note);
}

lehr_status lh_loops_check(lehr_device *dev, bool again)
{
    cl_uint value = 0;
    char note[96] = "";
    if (lh_device_traits(dev)->cpu_family) return LEHR_OK;
    if (!again) {
        if (lh_finding_get(dev, about.variant) == FINE) return LEHR_OK;
        const lh_kept *bad = lh_kept_find(dev, LH_KEPT_BAD, about.op, about.problem, about.variant, "");
        if (bad) return fail(dev, bad->note ? bad->note : "ends long loops early");
        if (lh_kept_find(dev, LH_KEPT_GOOD, about.op, about.problem, about.variant, ""))
            return lh_finding_set(dev, about.variant, FINE);
    }
    lehr_status st = run_loop(dev, &value);
    if (st != LEHR_OK) return st;
    unsigned ran = iterations_of(value);
    bool fine = ran == ITERATIONS;
    if (!fine)
        snprintf(note, sizeof note, "ends a loop after %u of %d iterations", ran, ITERATIONS);
    lh_kept row = about;
    row.kind = fine ? LH_KEPT_GOOD : LH_KEPT_BAD;
    row.note = fine ? NULL : note;
    lh_kept_add(dev, &row);
    if (!fine) lh_kept_save(dev); /* nothing is saved once an error is being told */
    return fine ? lh_finding_set(dev, about.variant, FINE) : fail(dev, note);
}
