/* SPDX-License-Identifier: MIT
 *
 * asgd (Polyak & Juditsky, SIAM J. Control Optim. 30, 1992; the form of Bottou's and PyTorch's):
 * averaged gradient descent, w -= eta (g + lambda w), eta = lr / (1 + lambda lr (t - 1))^alpha, and
 * from update t0 + 2 on the mean of the weights, which evaluation and saved weights use.
 * lagging=1 takes eta from the lr of the update before, as PyTorch does: the same at a constant lr.
 */
#include "common.h"

enum { LAMBDA, ALPHA, T0, WEIGHT_DECAY, DECAY, LAGGING };
static const lehr_param params[] = {
    LEHR_SCHEDULABLEP("lambda", 1e-4, 0, LEHR_ANY, 0, "decay of the weights and of eta"),
    LEHR_SCHEDULABLEP("alpha", 0.75, 0, LEHR_ANY, 0, "power of eta's decay"),
    LEHR_REALP("t0", 1e6, 0, LEHR_ANY, "updates before the mean begins"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_L2),
    LEHR_BOOLP("lagging", 0, "eta from the lr of the update before")};
static const lehr_slot slots[] = {
    {"mean", "mean of the weights", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0}};
static const lehr_var state[] = {LEHR_VAR("now", 0, "lr of this update / base lr"),
                                 LEHR_VAR("before", 0, "lr of the update before / base lr")};
enum { ETA, MU, SHRINK };
static const char *const scalars[] = {"eta", "mu", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(DECAY_CODE
                                             "w -= eta * (d + lambda * w);\n"
                                             "mean = mu == 1 ? w : mean + mu * (w - mean);\n")};
static const lehr_preset presets[] = {{"torch", "lr=0.01, lagging=1", "torch.optim.ASGD"}};

static lehr_status advance(const lehr_update *u, double *s)
{
    s[1] = s[0];
    s[0] = u->base_lr > 0 ? u->lr / u->base_lr : 0;
    if (u->t == 1) s[1] = s[0];
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t, lr = u->p[LAGGING] != 0 ? s[1] * u->base_lr : u->lr;
    out[ETA] = lr / pow(1 + u->p[LAMBDA] * lr * (t - 1), u->p[ALPHA]);
    out[MU] = 1 / fmax(1, t - 1 - u->p[T0]);
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer asgd = {.size = sizeof asgd,
                                    .name = "asgd",
                                    .doc = "w -= eta (g + lambda w), eta = lr / (1 + lambda lr (t "
                                           "- 1))^alpha; evaluated at the mean of "
                                           "w after t0",
                                    .params = LEHR_TABLE(params),
                                    .slots = LEHR_TABLE(slots),
                                    .state = LEHR_TABLE(state),
                                    .scalars = LEHR_TABLE(scalars),
                                    .passes = LEHR_TABLE(passes),
                                    .presets = LEHR_TABLE(presets),
                                    .advance = advance,
                                    .scalar = scalar,
                                    .enter_eval = "w = mean;\n",
                                    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.asgd", "1.0", asgd)
