/* SPDX-License-Identifier: MIT
 *
 * core/plugin/opaque.h: "lehr.state/1", what a schedule or an optimizer keeps in the memory behind its
 * instance, as bytes.  A keeper is one such instance; core/train/opaque.c puts them into checkpoints. */
#ifndef LH_PLUGIN_OPAQUE_H
#define LH_PLUGIN_OPAQUE_H

#include "core/base/base.h"
#include "core/plugin/optimizer.h"
#include <lehr/plugin.h>
#include <lehr/schedule.h>

enum {
    LH_OPAQUE_LIMIT = 64 << 20, /* bytes of one instance */
    LH_OPAQUE_PIECE = 4096      /* a stream moves no more at once, so that plugins must loop */
};

struct lh_host;
typedef struct lh_keeper {
    lehr_opaque opaque; /* size 0: this instance keeps nothing */
    struct lh_host *host;
    void *self;
    const char *kind, *text; /* for messages: "schedule", "plateau(patience=10)" */
} lh_keeper;

typedef struct lh_bytes {
    unsigned char *at;
    uint64_t count, capacity;
} lh_bytes;

/* Of the optimizer; of part i of an expression, NULL past the last.  Valid while they live. */
const lh_keeper *lh_updater_keeper(const lh_updater *updater);
const lh_keeper *lh_scheduler_keeper(const lehr_scheduler *scheduler, uint32_t i);

/* Asks an instance (NULL: there is none) for lehr.state/1.  Errors: LEHR_E_PLUGIN. */
lehr_status lh_keeper_open(struct lh_host *host, const char *kind, const char *text,
                           const void *(*ext)(const char *id), void *self, lh_keeper *out);
/* out->at is the caller's to free, in any case.  Errors: LEHR_E_PLUGIN (save() fails, more than the
 * limit), LEHR_E_MEMORY. */
lehr_status lh_keeper_save(const lh_keeper *k, lh_bytes *out);
/* Errors: LEHR_E_CHECKPOINT: load() fails, or does not read all.  The instance can be used after another
 * load only. */
lehr_status lh_keeper_load(const lh_keeper *k, const void *bytes, uint64_t count, uint32_t version);

#endif
