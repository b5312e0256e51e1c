/* SPDX-License-Identifier: MIT
 *
 * Telling the target of a schedule from the prefix of a preset. */
#include "core/train/target.h"

#include <stdio.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* The schedule named at the start of text has a preset of that name. */
static bool is_preset(lehr_context *ctx, lehr_registry *registry, const char *prefix,
                      const char *text)
{
    char name[64];
    const lehr_schedule *d = NULL;
    size_t length = strspn(text, letters);
    if (length == 0 || length >= sizeof name) return false;
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    lehr_status st = lehr_registry_find_schedule(registry, name, &d);
    lh_enter(ctx);
    if (st != LEHR_OK) return false;
    return lh_preset_find(&d->presets, prefix) != NULL;
}

void lh_target_read(lehr_context *ctx, lehr_registry *registry, const lh_parameters *parameters,
                    const char *text, char word[LH_TARGET_SIZE], const char **rest)
{
    static const char *const fixed[] = {"lr", "label_smoothing", "dropout", "batch"};
    size_t length = strspn(text, letters), colon = length + strspn(text + length, " \t");
    *word = '\0';
    *rest = text;
    if (length == 0 || length >= LH_TARGET_SIZE || text[colon] != ':') return;
    snprintf(word, LH_TARGET_SIZE, "%.*s", (int)length, text);
    *rest = text + colon + 1;
    *rest += strspn(*rest, " \t");
    bool known = lh_parameters_find(parameters, word) >= 0;
    for (size_t i = 0; i < LH_COUNT(fixed); i++) known = known || strcmp(word, fixed[i]) == 0;
    if (known || !is_preset(ctx, registry, word, *rest)) return;
    *word = '\0';
    *rest = text;
}
