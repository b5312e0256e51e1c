/* SPDX-License-Identifier: MIT
 *
 * Train/validation split and epoch order. */
#include "core/data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

static int32_t *range(lehr_context *ctx, uint64_t first, uint64_t count)
{
    int32_t *numbers = lh_alloc(ctx, (size_t)count, sizeof *numbers);
    for (uint64_t i = 0; numbers && i < count; i++) numbers[i] = (int32_t)(first + i);
    return numbers;
}

lehr_status lh_split_create(lehr_context *ctx, uint64_t count, uint64_t limit_train,
                            uint64_t limit_val, double val_fraction, lh_split *out)
{
    *out = (lh_split){0};
    if (!(val_fraction >= 0) || !(val_fraction < 1))
        return lh_fail(ctx, LEHR_E_USAGE,
                       "the validation fraction is %g: it must be at least 0 and below 1",
                       val_fraction);
    if (count > INT32_MAX)
        return lh_fail(ctx, LEHR_E_UNSUPPORTED, "%llu images: at most %d are supported",
                       (unsigned long long)count, INT32_MAX);
    uint64_t val = (uint64_t)floor((double)count * val_fraction + 0.5), train = count - val;
    if (!train)
        return lh_fail(ctx, LEHR_E_USAGE,
                       "nothing is left to train on: %llu images with a validation fraction of %g",
                       (unsigned long long)count, val_fraction);
    out->train_count = limit_train && limit_train < train ? limit_train : train;
    out->val_count = limit_val && limit_val < val ? limit_val : val;
    out->train = range(ctx, 0, out->train_count);
    out->val = range(ctx, train, out->val_count);
    if (out->train && out->val) return LEHR_OK;
    lh_split_free(out);
    return LEHR_E_MEMORY;
}

void lh_split_free(lh_split *split)
{
    if (!split) return;
    free(split->train);
    free(split->val);
    *split = (lh_split){0};
}

void lh_epoch_order(const int32_t *indices, uint64_t count, uint64_t seed, uint64_t epoch,
                    bool shuffle, int32_t *out)
{
    if (count) memcpy(out, indices, (size_t)count * sizeof *out);
    if (!shuffle) return;
    for (uint64_t i = count; i-- > 1;) {
        lh_philox draw = lh_philox_draw(seed, i, LH_STREAM_SHUFFLE, (uint32_t)epoch);
        uint32_t j = lh_below(draw.v[0], (uint32_t)(i + 1));
        int32_t swapped = out[i];
        out[i] = out[j];
        out[j] = swapped;
    }
}
