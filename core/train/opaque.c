/* SPDX-License-Identifier: MIT
 *
 * Opaque state in checkpoints.  Numbers of schedules count all parts of all schedules of a run, also
 * those that keep nothing, so that a plugin that begins to keep something moves no other's. */
#include "core/train/opaque.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char versions_key[] = "opaque";

/* Keeper 0 is the optimizer's, the others those of parts of schedules; NULL past the last. */
static const lh_keeper *keeper_at(const lh_tuning *t, const lh_updater *u, uint32_t i, char name[32])
{
    if (i == 0) snprintf(name, 32, "opaque.optimizer");
    else snprintf(name, 32, "opaque.schedule.%u", i - 1);
    return i == 0 ? lh_updater_keeper(u) : lh_tuning_keeper(t, i - 1);
}

/* ---- saving ---- */

static lehr_status save_one(lh_opaques *o, const lh_keeper *k)
{
    size_t i = o->count++;
    lehr_status st = lh_keeper_save(k, &o->bytes[i]);
    o->entries[i] = (lh_st_entry){.name = o->names[i], .dtype = "U8", .ndim = 1,
                                  .dims = {o->bytes[i].count}, .data = o->bytes[i].at,
                                  .bytes = o->bytes[i].count};
    lh_str_printf(&o->versions, "%s%s=%u", i ? " " : "", o->names[i], k->opaque.version);
    return st;
}

lehr_status lh_opaques_save(lehr_context *ctx, const lh_tuning *t, const lh_updater *u, lh_opaques *o)
{
    char name[32];
    uint32_t most = 0;
    lehr_status st = LEHR_OK;
    *o = (lh_opaques){0};
    while (keeper_at(t, u, most, name)) most++;
    o->entries = lh_alloc(ctx, most, sizeof *o->entries);
    o->names = lh_alloc(ctx, most, sizeof *o->names);
    o->bytes = lh_alloc(ctx, most, sizeof *o->bytes);
    if (!o->entries || !o->names || !o->bytes) return LEHR_E_MEMORY;
    for (uint32_t i = 0; i < most && st == LEHR_OK; i++) {
        const lh_keeper *k = keeper_at(t, u, i, o->names[o->count]);
        if (k->opaque.size) st = save_one(o, k);
    }
    return st == LEHR_OK && o->versions.failed ? lh_fail(ctx, LEHR_E_MEMORY, "out of memory") : st;
}

void lh_opaques_free(lh_opaques *o)
{
    for (size_t i = 0; i < o->count; i++) free(o->bytes[i].at);
    free(o->entries);
    free(o->names);
    free(o->bytes);
    lh_str_free(&o->versions);
    *o = (lh_opaques){0};
}

/* ---- loading ---- */

/* The version of a name in "NAME=VERSION NAME=VERSION". */
static bool version_of(const char *text, const char *name, uint32_t *out)
{
    size_t length = strlen(name);
    for (const char *at = text; at && *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        char digits[24];
        uint64_t value = 0;
        if (word > length + 1 && word - length - 1 < sizeof digits &&
            strncmp(at, name, length) == 0 && at[length] == '=') {
            snprintf(digits, sizeof digits, "%.*s", (int)(word - length - 1), at + length + 1);
            if (!lh_parse_u64(digits, &value) || value > UINT32_MAX) return false;
            *out = (uint32_t)value;
            return true;
        }
        at += word;
    }
    return false;
}

static lehr_status load_one(lehr_context *ctx, const lh_keeper *k, const char *name,
                            const lh_safetensors *file, bool *present)
{
    const lh_st_entry *e = lh_safetensors_find(file, name);
    uint32_t version = 0;
    *present = e != NULL;
    if (!e && !k->opaque.size) return LEHR_OK;
    if (!e)
        return lh_fail(ctx, LEHR_E_CHECKPOINT, "%s %s keeps state (lehr.state/1), but tensor '%s' is "
                       "missing; the plugin is another version than that of the run", k->kind, k->text,
                       name);
    if (!k->opaque.size)
        return lh_fail(ctx, LEHR_E_CHECKPOINT, "tensor '%s' holds state of %s %s, which keeps none "
                       "(lehr.state/1); the plugin is another version than that of the run", name, k->kind,
                       k->text);
    if (strcmp(e->dtype, "U8") != 0 || e->ndim != 1 || e->bytes > LH_OPAQUE_LIMIT ||
        !version_of(lh_safetensors_metadata(file, versions_key), name, &version))
        return lh_fail(ctx, LEHR_E_CHECKPOINT, "tensor '%s', the state of %s %s, has another shape or type, "
                       "or no version", name, k->kind, k->text);
    return lh_keeper_load(k, e->data, e->bytes, version);
}

lehr_status lh_opaques_load(lehr_context *ctx, const lh_tuning *t, const lh_updater *u,
                            const lh_safetensors *file)
{
    char name[32];
    const lh_keeper *k;
    size_t used = 0, held = 0;
    lehr_status st = LEHR_OK;
    for (uint32_t i = 0; st == LEHR_OK && (k = keeper_at(t, u, i, name)) != NULL; i++) {
        bool present = false;
        st = load_one(ctx, k, name, file, &present);
        used += present;
    }
    for (size_t i = 0; i < lh_safetensors_count(file); i++) {
        const lh_st_entry *e = lh_safetensors_at(file, i);
        held += strncmp(e->name, "opaque.", 7) == 0 && strcmp(e->dtype, "U8") == 0;
    }
    if (st == LEHR_OK && held != used)
        st = lh_fail(ctx, LEHR_E_CHECKPOINT, "it holds state ('opaque.…') of %zu plugins, but this optimizer "
                     "and schedule take that of %zu", held, used);
    return st;
}
