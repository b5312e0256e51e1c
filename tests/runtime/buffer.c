/* SPDX-License-Identifier: MIT
 *
 * Large buffers on a device that is the host: the system is asked for large pages, and the buffer is as good
 * as any other. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/runtime/runtime.h"

enum { COUNT = 5 * 1024 * 1024 + 3 }; /* floats; an odd end */

static lehr_context *ctx;
static lehr_device *dev;

static void open_device(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

static void close_device(void)
{
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

TestSuite(buffer, .init = open_device, .fini = close_device);

/* KiB of mappings that may have large pages. */
static long wished_for(void)
{
    char line[512];
    long size = 0, sum = 0;
    FILE *f = fopen("/proc/self/smaps", "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "Size: %ld", &size);
        if (!strncmp(line, "VmFlags:", 8) && strstr(line, " hg")) sum += size;
    }
    fclose(f);
    return sum;
}

Test(buffer, large_ones_wish_for_large_pages)
{
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0)
        cr_skip_test("this system has no transparent large pages");
    if (!lh_device_traits(dev)->is_cpu) cr_skip_test("the device is not the host");
    cl_mem small = NULL, large = NULL;
    long before = wished_for(), bytes = COUNT * (long)sizeof(float);
    cr_assert_eq(lh_buffer_create(dev, 4096, &small), LEHR_OK);
    cr_expect_eq(wished_for(), before, "a small buffer asks for nothing");
    cr_assert_eq(lh_buffer_create(dev, (size_t)bytes, &large), LEHR_OK);
    cr_expect_geq(wished_for() - before, bytes / 1024 - 2 * 64, "all of it but the ends");
    lh_buffer_free(&small);
    lh_buffer_free(&large);
}

Test(buffer, large_ones_keep_what_is_written)
{
    cl_mem large = NULL;
    float *host = malloc(COUNT * sizeof *host), *back = calloc(COUNT, sizeof *back);
    cr_assert(host && back);
    for (int i = 0; i < COUNT; i++) host[i] = (float)(i % 1000003) * 0.5f;
    cr_assert_eq(lh_buffer_create(dev, COUNT * sizeof *host, &large), LEHR_OK);
    cr_assert_eq(lh_buffer_write(dev, large, 0, COUNT * sizeof *host, host), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, large, 0, COUNT * sizeof *host, back), LEHR_OK);
    cr_expect_eq(memcmp(host, back, COUNT * sizeof *host), 0);
    lh_buffer_free(&large);
    free(host);
    free(back);
}
