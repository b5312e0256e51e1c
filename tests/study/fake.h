/* SPDX-License-Identifier: MIT
 *
 * A trainer without a device: writes a plausible history for each method and seed, and can be told
 * to diverge, to fail, or to be interrupted in the middle of a run. */
#ifndef TESTS_STUDY_FAKE_H
#define TESTS_STUDY_FAKE_H

#include "core/study/study.h"

enum { FAKE_STEPS_PER_EPOCH = 50 };

typedef struct fake {
    lehr_context *ctx;
    unsigned calls, resumed; /* what was asked for */
    unsigned interrupt_at;   /* this call stops in the middle, leaving a checkpoint; 0: none */
    unsigned kill_at;        /* this call stops before its first checkpoint; 0: none */
    bool refuse;             /* checkpoints cannot be used */
    const char *diverging;   /* optimizer whose runs of even seeds diverge; NULL: none */
    const char *broken;      /* optimizer whose plugin fails; NULL: none */
} fake;

lehr_status fake_train(void *user, const lehr_train_params *params, lehr_train_result *result);

/* Parameters of a study with the eight methods of the tutorial; free_methods at the end. */
lehr_compare_params fake_params(lehr_context *ctx, const char *preset, uint32_t seeds,
                                const char *out);
void fake_params_free(lehr_compare_params *params);
/* Subject with the data set called name. */
lh_study_subject fake_subject(const char *data_name);
/* A fresh directory under /tmp; removed by fake_remove. */
char *fake_dir(void);
void fake_remove(char *dir);
/* A whole file as text; free() it. */
char *fake_read(const char *dir, const char *name);

#endif
