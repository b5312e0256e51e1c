/* SPDX-License-Identifier: MIT
 *
 * Data sets of small images, held as bytes on the host. */
#ifndef LEHR_DATA_H
#define LEHR_DATA_H

#include <lehr/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lehr_data lehr_data;

typedef struct lehr_data_info {
    char name[64];            /* "cifar10", "cifar100", "idx", "synthetic" */
    char spec[512];           /* what was opened, resolved */
    uint32_t channels, height, width, classes;
    uint64_t train_count, test_count;
    float mean[4], std[4];    /* per channel on the 0..1 scale: the default normalisation */
    char sha256[65];          /* of all image and label bytes, hex */
} lehr_data_info;

/* Opens "cifar10:DIR" (binary version), "cifar100:DIR", "idx:DIR" (MNIST files),
 * "synthetic[:n=5000,test=1000,seed=7,classes=10]".  Errors: LEHR_E_DATA says what is wrong with which
 * file and what is wanted; LEHR_E_USAGE for an unknown kind. */
lehr_status lehr_data_open(lehr_context *ctx, const char *spec, lehr_data **out);
/* An application's own images: u8 [count][c][h][w], labels u8 [count]; copied.  test parts may be NULL
 * with count 0. */
lehr_status lehr_data_from_memory(lehr_context *ctx, uint32_t channels, uint32_t height,
                                  uint32_t width, uint32_t classes, uint64_t train_count,
                                  const uint8_t *train_images, const uint8_t *train_labels,
                                  uint64_t test_count, const uint8_t *test_images,
                                  const uint8_t *test_labels, lehr_data **out);
void lehr_data_destroy(lehr_data **data);
const lehr_data_info *lehr_data_get_info(const lehr_data *data);
/* u8 [count][c][h][w] and u8 [count]; test 0: training part, 1: test part.  Valid while data lives. */
const uint8_t *lehr_data_images(const lehr_data *data, int test);
const uint8_t *lehr_data_labels(const lehr_data *data, int test);
/* Name of a class or NULL. */
const char *lehr_data_class_name(const lehr_data *data, uint32_t label);

#ifdef __cplusplus
}
#endif
#endif
