/* SPDX-License-Identifier: MIT
 *
 * Inside kernels/batchnorm: the two families of kernels, which share names and arguments and differ
 * in launch geometry only. */
#ifndef LH_BATCHNORM_HOST_H
#define LH_BATCHNORM_HOST_H

#include "kernels/batchnorm/batchnorm.h"

/* Longer rows than its window sums have memory for. */
const char *lh_batchnorm_declines_backward_tasks(const void *problem, const lh_traits *traits);

lehr_status lh_batchnorm_prepare_train_tasks(lh_exec *e);
lehr_status lh_batchnorm_prepare_train_groups(lh_exec *e);
lehr_status lh_batchnorm_prepare_eval_tasks(lh_exec *e);
lehr_status lh_batchnorm_prepare_eval_groups(lh_exec *e);
lehr_status lh_batchnorm_prepare_backward_tasks(lh_exec *e);
lehr_status lh_batchnorm_prepare_backward_groups(lh_exec *e);

lehr_status lh_batchnorm_run_train(lh_exec *e, const lh_args *a);
lehr_status lh_batchnorm_run_eval(lh_exec *e, const lh_args *a);
lehr_status lh_batchnorm_run_backward(lh_exec *e, const lh_args *a);

#endif
