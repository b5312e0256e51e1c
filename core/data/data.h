/* SPDX-License-Identifier: MIT
 *
 * Inside of a data set, shared by the readers: one file per kind fills a lehr_data, data.c does what
 * all kinds have in common (names, statistics, hash). */
#ifndef LH_DATA_H
#define LH_DATA_H

#include <lehr/data.h>

#include "core/base/base.h"

enum { LH_DATA_MAX_CLASSES = 256 };

struct lehr_data {
    lehr_data_info info;
    uint8_t *images[2]; /* training, test: [count][c][h][w] */
    uint8_t *labels[2];
    char **class_names; /* info.classes strings, or NULL */
};

/* One kind of data set: what stands behind "name:" is args ("" without). */
typedef struct lh_data_kind {
    const char *name;
    lehr_status (*open)(lehr_context *ctx, const char *args, lehr_data *data);
} lh_data_kind;

lehr_status lh_data_open_cifar10(lehr_context *ctx, const char *args, lehr_data *data);
lehr_status lh_data_open_cifar100(lehr_context *ctx, const char *args, lehr_data *data);
lehr_status lh_data_open_idx(lehr_context *ctx, const char *args, lehr_data *data);
lehr_status lh_data_open_synthetic(lehr_context *ctx, const char *args, lehr_data *data);

/* ---- for the readers ---- */
/* Sets shape and counts and allocates the arrays of both parts. */
lehr_status lh_data_allocate(lehr_context *ctx, lehr_data *data, const uint32_t shape[3],
                             uint32_t classes, uint64_t train_count, uint64_t test_count);
/* Sets info.spec to "kind:path" with the path made absolute. */
lehr_status lh_data_set_spec(lehr_context *ctx, lehr_data *data, const char *kind,
                             const char *path, const char *suffix);
/* Copies classes names. */
lehr_status lh_data_set_names(lehr_context *ctx, lehr_data *data, const char *const *names);

#endif
