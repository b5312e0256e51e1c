/* SPDX-License-Identifier: MIT
 *
 * What several optimizers here share: parameters that mean the same in all of them, and the four
 * conventions of weight decay.  Nothing but <lehr/plugin.h> stands behind it.
 *
 * decay=l2           g + weight_decay w goes into every average (PyTorch's weight_decay)
 * decay=decoupled    w -= lr weight_decay w beside the gradient (PyTorch's AdamW, Keras 3, optax)
 * decay=scheduled    w -= (lr / base lr) weight_decay w (AdamW's paper: only the schedule's shape)
 * decay=independent  w -= weight_decay w */
#ifndef LEHR_OPTIMIZERS_COMMON_H
#define LEHR_OPTIMIZERS_COMMON_H
#include <lehr/plugin.h>
#include <math.h>

enum { DECAY_L2, DECAY_DECOUPLED, DECAY_SCHEDULED, DECAY_INDEPENDENT };
static const char *const decay_choices[] = {"l2", "decoupled", "scheduled", "independent", 0};

#define BETA_PARAM(NAME, DEF, DOC) LEHR_SCHEDULABLEP(NAME, DEF, 0, 1, LEHR_P_OPEN_MAX, DOC)
#define BETA1_PARAM(DEF) BETA_PARAM("beta1", DEF, "decay of the average of gradients")
#define BETA2_PARAM(DEF) BETA_PARAM("beta2", DEF, "decay of the average of squares")
#define EPS_PARAM(DEF) LEHR_SCHEDULABLEP("eps", DEF, 0, LEHR_ANY, 0, "keeps the quotient finite")
#define WEIGHT_DECAY_PARAM(DEF)                                                                    \
    LEHR_SCHEDULABLEP("weight_decay", DEF, 0, LEHR_ANY, LEHR_P_LOG, "weight decay, as decay says")
#define DECAY_PARAM(DEF)                                                                           \
    LEHR_CHOICEP("decay", DEF, decay_choices,                                                      \
                 "how weight decay acts: l2: added to the gradient; "                              \
                 "decoupled: w -= lr weight_decay w; scheduled: w -= lr/base weight_decay w; "     \
                 "independent: w -= weight_decay w")

/* Weight decay in a pass: d is the gradient from here on.  With it belongs the scalar shrink. */
#define DECAY_CODE                                                                                 \
    "real d = decay == 0 ? g + weight_decay * w : g;\n"                                            \
    "w -= shrink * w;\n"

/* The share of the weight that an update takes away. */
static inline double decay_shrink(const lehr_update *u, double weight_decay, double decay)
{
    if (decay == DECAY_DECOUPLED) return u->lr * weight_decay;
    if (decay == DECAY_SCHEDULED) return u->base_lr > 0 ? u->lr / u->base_lr * weight_decay : 0;
    return decay == DECAY_INDEPENDENT ? weight_decay : 0;
}

/* RAdam's factor (Liu et al., arXiv 1908.03265, algorithm 2), 0 while the variance is intractable.
 */
static inline double rectification(double beta2, double t)
{
    double power = pow(beta2, t), most = 2 / (1 - beta2) - 1;
    double rho = most - 2 * t * power / (1 - power);
    if (!(rho > 5)) return 0;
    return sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho));
}

/* What rectified rules compute for a step: the scalars share1, share2, correct1, correct2, eps_t and
 * the factor, in this order.  uncorrected: eps stands beside the root of the uncorrected average. */
static inline void rectified_scalars(double t, double beta1, double beta2, double eps,
                                     int uncorrected, int rectify, double out[6])
{
    out[0] = 1 - beta1;
    out[1] = 1 - beta2;
    out[2] = 1 / (1 - pow(beta1, t));
    out[3] = 1 / sqrt(1 - pow(beta2, t));
    out[4] = uncorrected ? eps * out[3] : eps;
    out[5] = rectify ? rectification(beta2, t) : 1;
}
#endif
