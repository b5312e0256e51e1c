/* SPDX-License-Identifier: MIT
 *
 * What the tests of training share: a directory for runs, and a context, device, registry, data and
 * model, opened and closed around each test. */
#ifndef LEHR_TESTS_TRAIN_RIG_H
#define LEHR_TESTS_TRAIN_RIG_H

#include <lehr/lehr.h>

#include "tests/folder.h"

static lehr_context *ctx;
static lehr_device *dev;
static lehr_registry *registry;
static lehr_data *data;
static lehr_model *model;

/* The device, or a new one in its place. */
static void rig_device(void)
{
    lehr_device_destroy(&dev);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

/* plugin: a file beside the built-in ones, or NULL.  model stays the caller's to open.  The directory may be
 * there already, where the environment of what is opened names it. */
static void rig_open(const char *plugin, const char *data_spec)
{
    const lehr_registry_params params = {.directory = LEHR_TEST_PLUGIN_DIR, .files = &plugin,
                                         .file_count = plugin != NULL};
    if (!dir[0]) folder_make();
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    rig_device();
    cr_assert_eq(lehr_registry_create(ctx, &params, &registry), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lehr_data_open(ctx, data_spec, &data), LEHR_OK, "%s", lehr_context_message(ctx));
}

static void rig_close(void)
{
    lehr_model_destroy(&model);
    lehr_data_destroy(&data);
    lehr_registry_destroy(&registry);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
    folder_remove();
}

/* A name in the directory; the eight newest stay valid. */
static const char *path(const char *name)
{
    static char paths[8][192];
    static int next;
    char *out = paths[next++ % 8];
    snprintf(out, sizeof *paths, "%s/%s", dir, name);
    return out;
}

#endif
