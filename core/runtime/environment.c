/* SPDX-License-Identifier: MIT
 *
 * Variables of the environment whose values are words or seconds: a wrong one is told when a device is
 * opened, because whoever misspells it would otherwise measure something else than intended. */
#include <string.h>

#include "core/runtime/device.h"

static bool is_seconds(const char *text)
{
    double value = 0;
    return lh_parse_double(text, &value) && value >= 0 && value <= 86400;
}

lehr_status lh_environment_check(lehr_context *ctx)
{
    static const struct {
        const char *name, *words[4], *allowed;
    } table[] = {
        {"LEHR_WINOGRAD", {"0", "2", "4"}, "0, 2 or 4"},
        {"LEHR_SHIPPED", {"off", "on"}, "off or on"},
        {"LEHR_TUNE", {NULL}, "seconds from 0 to 86400; 0: do not measure"}, /* the program's */
        {"LEHR_SELF_TEST", {NULL}, "seconds from 0 to 86400; the default is 10"},
    };
    for (size_t i = 0; i < LH_COUNT(table); i++) {
        const char *value = lh_getenv(table[i].name);
        bool good = !value || (!table[i].words[0] && is_seconds(value));
        for (size_t k = 0; !good && table[i].words[k]; k++) good = strcmp(value, table[i].words[k]) == 0;
        if (!good)
            return lh_fail(ctx, LEHR_E_USAGE, "%s: '%s' is not %s", table[i].name, value,
                           table[i].allowed);
    }
    return LEHR_OK;
}
