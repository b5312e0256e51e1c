/* SPDX-License-Identifier: MIT
 *
 * Which images are trained on, which validate, and in which order an epoch visits them.  Both are
 * pure functions of their arguments: nothing has to be saved for a resumed run. */
#ifndef LH_SPLIT_H
#define LH_SPLIT_H

#include "core/base/base.h"

typedef struct lh_split {
    int32_t *train; /* image numbers in the training file */
    uint64_t train_count;
    int32_t *val;
    uint64_t val_count;
} lh_split;

/* Divides count images: the last round(count * val_fraction) validate, the ones before train, both in
 * file order, and of each only the first limit (0: all).  So the split depends neither on the seed
 * nor on the limits.  Errors: LEHR_E_USAGE when the fraction is not in [0, 1) or nothing is left to
 * train on. */
lehr_status lh_split_create(lehr_context *ctx, uint64_t count, uint64_t limit_train,
                            uint64_t limit_val, double val_fraction, lh_split *out);
void lh_split_free(lh_split *split); /* NULL-safe, zeroes it */

/* Writes the order of one epoch (counted from 0) to out: a permutation of indices, each once.
 * Fisher-Yates over Philox draws keyed by seed and epoch; without shuffle the given order. */
void lh_epoch_order(const int32_t *indices, uint64_t count, uint64_t seed, uint64_t epoch,
                    bool shuffle, int32_t *out);

#endif
