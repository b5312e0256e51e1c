/* SPDX-License-Identifier: MIT
 *
 * The opaque state of plugin instances (lehr.state/1) in a checkpoint: one U8 tensor each,
 * "opaque.optimizer" and "opaque.schedule.N", and their versions as metadata. */
#ifndef LH_TRAIN_OPAQUE_H
#define LH_TRAIN_OPAQUE_H

#include "core/plugin/opaque.h"
#include "core/train/safetensors.h"
#include "core/train/tuning.h"

typedef struct lh_opaques {
    lh_st_entry *entries;
    char (*names)[32];
    lh_bytes *bytes;
    size_t count;
    lh_str versions; /* "opaque.optimizer=1 opaque.schedule.0=3" */
} lh_opaques;

/* Calls save() of every instance that has it.  Free out in any case. */
lehr_status lh_opaques_save(lehr_context *ctx, const lh_tuning *tuning, const lh_updater *updater,
                            lh_opaques *out);
void lh_opaques_free(lh_opaques *o);
/* Calls load() of each.  Errors: LEHR_E_CHECKPOINT: one is missing, too many or not taken. */
lehr_status lh_opaques_load(lehr_context *ctx, const lh_tuning *tuning, const lh_updater *updater,
                            const lh_safetensors *file);

#endif
