/* SPDX-License-Identifier: MIT
 *
 * A feed keeps one part of a data set on the device as bytes and makes batches from it: one kernel
 * gathers, augments and normalises, so the queue never waits for the host. */
#ifndef LH_FEED_H
#define LH_FEED_H

#include "core/model/network.h"
#include <lehr/data.h>

typedef enum lh_augment { LH_AUGMENT_NONE, LH_AUGMENT_STANDARD, LH_AUGMENT_CUTOUT, LH_AUGMENT_COUNT }
    lh_augment;
typedef enum lh_normalize { LH_NORMALIZE_DATASET, LH_NORMALIZE_UNIT, LH_NORMALIZE_COUNT }
    lh_normalize;

const char *lh_augment_name(lh_augment augment);
const char *lh_normalize_name(lh_normalize normalize);
/* The index of a name, or _COUNT. */
lh_augment lh_augment_find(const char *name);
lh_normalize lh_normalize_find(const char *name);

typedef struct lh_feed lh_feed;

/* test 0: the training part, 1: the test part.  Errors: LEHR_E_DEVICE, LEHR_E_SHAPE (more than 4
 * channels), LEHR_E_DATA (an empty part). */
lehr_status lh_feed_create(lehr_device *dev, const lehr_data *data, int test, int batch,
                           lh_augment augment, lh_normalize normalize, lh_feed **out);
void lh_feed_destroy(lh_feed **feed);

/* Which samples, in which order: indices into the part.  Kept on the device until the next call with
 * the same list: 0 for training, 1 for validation. */
lehr_status lh_feed_order(lh_feed *feed, int list, const int32_t *indices, uint64_t count);

/* Queues samples list[offset …+n) into the network's input and labels.  augment: with the feed's
 * augmentation, drawn by (seed, epoch, sample). */
lehr_status lh_feed_batch(lh_feed *feed, lh_network *net, int list, uint64_t offset, int n,
                          bool augment, uint64_t seed, uint32_t epoch);

/* Mean and 1 / std that are applied, per channel. */
void lh_feed_normalization(const lh_feed *feed, float mean[4], float inv_std[4]);
size_t lh_feed_bytes(const lh_feed *feed);

#endif
