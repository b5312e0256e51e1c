/* SPDX-License-Identifier: MIT
 *
 * Losses on logits [n][k] with labels [n]; value per sample and gradient in one pass.
 *   cross-entropy: t = (1 - s) * onehot + s / k;  loss = -sum_j t_j * log softmax(o)_j;
 *                  d o_j = (softmax(o)_j - t_j) * scale
 *   l2:            loss = sum_j (o_j - onehot_j)^2 / k;  d o_j = 2 (o_j - onehot_j) / k * scale
 * correct[i] = 1.0 when the first largest logit is the label, else 0.0 (0.0 when a logit is NaN).
 * scalar[0] = label smoothing s in [0, 1) (cross-entropy only), scalar[1] = scale (1 / batch).
 * A non-finite logit gives a non-finite loss. */
#ifndef LH_LOSS_H
#define LH_LOSS_H

#include "kernels/op.h"

typedef enum lh_loss_kind { LH_LOSS_CROSS_ENTROPY, LH_LOSS_L2 } lh_loss_kind;

typedef struct lh_loss_problem {
    int n, k;
    lh_loss_kind kind;
} lh_loss_problem;

/* logits f32, labels i32, loss f32 [n], correct f32 [n], dlogits f32 [n][k] */
enum { LH_LOSS_LOGITS, LH_LOSS_LABELS, LH_LOSS_VALUE, LH_LOSS_CORRECT, LH_LOSS_DLOGITS };
extern const lh_op lh_loss;

/* The truth, in double. */
void lh_loss_reference(const void *problem, const lh_host_args *args);

#endif
