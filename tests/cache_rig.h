/* SPDX-License-Identifier: MIT
 *
 * What the tests of the tuning store share: a cache directory of their own, a context that keeps the
 * warnings, and a device that is opened again and again. */
#ifndef LEHR_TESTS_CACHE_RIG_H
#define LEHR_TESTS_CACHE_RIG_H

#include <string.h>

#include <lehr/lehr.h>

#include "tests/folder.h"

static lehr_context *ctx;
static lehr_device *dev;
static char warnings[4096];

static void keep_warning(void *user, uint32_t level, const char *line)
{
    (void)user;
    if (level == LEHR_LOG_WARN && strlen(warnings) + strlen(line) + 2 < sizeof warnings)
        strcat(strcat(warnings, line), "\n");
}

static void open_device(lehr_device **out)
{
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), out), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

static void cache_open(void)
{
    const lehr_context_params params = {.log = keep_warning};
    folder_make();
    setenv("LEHR_CACHE", dir, 1);
    cr_assert_eq(lehr_context_create(&params, &ctx), LEHR_OK);
}

static void cache_close(void)
{
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
    folder_remove();
}

#endif
