/* SPDX-License-Identifier: MIT
 *
 * The cache directory, and what a device is to a cache. */
#include "core/runtime/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/files.h"
#include "core/runtime/device.h"

char *lh_cache_dir(lehr_context *ctx)
{
    const char *own = lh_getenv("LEHR_CACHE"), *xdg = lh_getenv("XDG_CACHE_HOME"),
               *home = lh_getenv("HOME");
    lh_str path = {0};
    if (own && strcmp(own, "off") == 0) return NULL;
    if (own)
        lh_str_add(&path, own);
    else if (xdg && *xdg == '/')
        lh_path_join(&path, xdg, "lehr");
    else if (home && *home == '/')
        lh_path_join(&path, home, ".cache/lehr");
    char *out = path.length ? lh_strdup(ctx, lh_str_text(&path)) : NULL;
    lh_str_free(&path);
    return out;
}

bool lh_cache_on(const lehr_device *dev)
{
    char *dir = lh_cache_dir(dev->ctx);
    free(dir);
    return dir != NULL;
}

void lh_cache_identity(const lehr_device *dev, lh_str *out)
{
    const lehr_device_info *d = &dev->info;
    const lh_traits *t = &dev->traits;
    lh_str_printf(out, "# device: %s, %s, %s, %u units\n", d->name, d->platform, d->version,
                  d->compute_units);
    lh_str_printf(out, "# driver: %s\n", d->driver);
    lh_str_printf(out, "# kernels: family %s, vectors of %u, work-groups of %zu, local %zu bytes, "
                  "fp64 %d\n", d->family, t->vector_width, t->max_work_group, t->local_bytes, t->fp64);
    for (char *c = out->text; c && *c; c++)
        if (*c == '\t' || *c == '\r') *c = ' ';
}
