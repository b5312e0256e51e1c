/* SPDX-License-Identifier: MIT
 *
 * ademamix (Pagliardini et al., arXiv 2409.03137, algorithm 1): Adam with a second, slow average of
 * gradients, w -= lr (mhat + alpha slow) / (sqrt(vhat) + eps); slow is not corrected.  Over the
 * first warmup updates alpha grows linearly and beta3's half-life from beta1's (the paper's
 * section 3.1). */
#include "common.h"

enum { BETA1, BETA2, BETA3, ALPHA, EPS, WARMUP, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.999),
    BETA_PARAM("beta3", 0.9999, "decay of the slow average"),
    {"alpha", "share of the slow average", 5, 0, LEHR_ANY, LEHR_REAL, LEHR_P_SCHEDULABLE, 0, 0},
    EPS_PARAM(1e-8),
    LEHR_INTP("warmup", 0, 0, 1e15, "updates over which alpha and beta3 grow; 0: none"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED)};
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("slow", "slow average of gradients"),
                                  LEHR_SLOT("v", "average of squared gradients")};
enum { SHARE1, SHARE2, KEEP3, SHARE3, ALPHA_T, CORRECT1, CORRECT2, SHRINK };
static const char *const scalars[] = {"share1",  "share2",   "keep3",    "share3",
                                      "alpha_t", "correct1", "correct2", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(
    DECAY_CODE "m = beta1 * m + share1 * d;\n"
               "slow = keep3 * slow + share3 * d;\n"
               "v = beta2 * v + share2 * d * d;\n"
               "w -= lr * (correct1 * m + alpha_t * slow) / (sqrt(v) * correct2 + eps);\n")};
static const lehr_preset presets[] = {{"optax", "alpha=5, beta3=0.9999", "optax.contrib.ademamix"},
                                      {"paper", "lr=0.001, alpha=8, beta3=0.9999, weight_decay=0.1",
                                       "arXiv 2409.03137, section 4; its warmup is the whole run"}};

/* beta whose half-life is done of the way from beta1's to beta3's */
static double slow_beta(double beta1, double beta3, double done)
{
    double a = log(beta1), b = log(beta3);
    if (!(done < 1) || !(beta1 > 0) || !(beta3 > beta1)) return beta3;
    double beta = exp(a * b / ((1 - done) * b + done * a));
    return beta < beta3 ? beta : beta3;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t, done = u->p[WARMUP] > 0 ? fmin(t / u->p[WARMUP], 1) : 1;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[KEEP3] = slow_beta(u->p[BETA1], u->p[BETA3], done);
    out[SHARE3] = 1 - out[KEEP3];
    out[ALPHA_T] = u->p[ALPHA] * done;
    out[CORRECT1] = 1 / (1 - pow(u->p[BETA1], t));
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer ademamix = {
    .size = sizeof ademamix,
    .name = "ademamix",
    .doc = "w -= lr (mhat + alpha slow) / (sqrt(vhat) + eps); slow: average of g with beta3",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.ademamix", "1.0", ademamix)
