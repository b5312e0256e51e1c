/* SPDX-License-Identifier: MIT
 *
 * prodigy (Mishchenko & Defazio, arXiv 2306.06101, algorithm 4): Adam that estimates its own rate
 * d, a lower bound of the distance to the solution: m, v averages of d g and (d g)^2, r = beta3 r +
 * d^2 lr <g, w0 - w>, s = beta3 s + d^2 lr g, d = max(d, d_coef r / |s|_1), w -= d lr m / (sqrt(v)
 * + d eps), with the d before in the step.  lr is a factor, normally 1.  The authors' code divides
 * r and s by d0.  correction=1 (optax) multiplies the step by Adam's bias correction. */
#include "common.h"

enum { BETA1, BETA2, BETA3, EPS, D0, D_COEF, GROWTH, WEIGHT_DECAY, DECAY, CORRECTION, SAFEGUARD };
static const lehr_param params[] = {
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.999),
    BETA_PARAM("beta3", 0, "decay of r and s; 0: sqrt(beta2)"),
    EPS_PARAM(1e-8),
    {"d0", "first estimate of d", 1e-6, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_LOG, 0, 0},
    LEHR_SCHEDULABLEP("d_coef", 1, 0, LEHR_ANY, 0, "factor of the estimates"),
    LEHR_REALP("growth", LEHR_ANY, 1, LEHR_ANY, "most by which d grows in one update"),
    WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED),
    LEHR_BOOLP("correction", 0, "Adam's bias correction"),
    LEHR_BOOLP("safeguard", 0, "s without lr, for warmups")};
static const lehr_slot slots[] = {
    LEHR_SLOT("m", "average of d g"),
    LEHR_SLOT("v", "average of (d g)^2"),
    LEHR_SLOT("s", "weighted sum of gradients"),
    {"start", "the weight at the start", 0, LEHR_SLOT_STATE, LEHR_SLOT_FROM_WEIGHT, 0, 0}};
enum { D, BEFORE, MOST, TOP };
static const lehr_var state[] = {LEHR_VAR("d", 0, "estimated distance"),
                                 LEHR_VAR("before", 0, "d of the step"),
                                 LEHR_VAR("most", 0, "largest estimate"), LEHR_VAR("top", 0, "r")};
enum { ENTER1, ENTER2, KEEP3, ENTER3, RATE, EPS_D, SHRINK };
static const char *const scalars[] = {"enter1", "enter2", "keep3", "enter3",
                                      "rate",   "eps_d",  "shrink"};
static const lehr_reduce sums[] = {{"pull",
                                    "lr * (decay == 0 ? g + weight_decay * w : g) * (start - w)",
                                    LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
                                   {"size", "fabs(s)", LEHR_SUM, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass passes[] = {LEHR_PASS_R("real d = decay == 0 ? g + weight_decay * w : g;\n"
                                               "m = beta1 * m + enter1 * d;\n"
                                               "v = beta2 * v + enter2 * d * d;\n"
                                               "s = keep3 * s + enter3 * d;\n",
                                               LEHR_TABLE(sums)),
                                   LEHR_PASS("w -= shrink * w;\n"
                                             "real bottom = sqrt(v) + eps_d;\n"
                                             "w -= bottom > 0 ? rate * m / bottom : 0;\n")};
static const lehr_preset presets[] = {
    {"optax", "lr=1, correction=1", "optax.contrib.prodigy"},
    {"paper", "lr=1, d0=1e-6", "arXiv 2306.06101, and its code (prodigyopt)"}};

static double beta3(const lehr_update *u)
{
    return u->p[BETA3] > 0 ? u->p[BETA3] : sqrt(u->p[BETA2]);
}

static double corrected(const lehr_update *u)
{
    double t = (double)u->t;
    if (u->p[CORRECTION] == 0) return 1;
    return sqrt(1 - pow(u->p[BETA2], t)) / (1 - pow(u->p[BETA1], t));
}

static lehr_status advance(const lehr_update *u, double *s)
{
    if (u->pass == 0) {
        if (u->t == 1) s[D] = s[MOST] = u->p[D0];
        s[BEFORE] = s[D];
        return LEHR_OK;
    }
    double d = s[D], pull = u->all[0], size = u->all[1];
    s[TOP] = beta3(u) * s[TOP] + d / u->p[D0] * d * corrected(u) * pull;
    if (!(size > 0) || !(u->lr > 0)) return LEHR_OK;
    double estimate = u->p[D_COEF] * s[TOP] / size;
    if (d == u->p[D0] && estimate > d) d = estimate;
    if (estimate > s[MOST]) s[MOST] = estimate;
    s[D] = u->p[GROWTH] < LEHR_ANY ? fmin(s[MOST], d * u->p[GROWTH]) : s[MOST];
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double d = s[BEFORE], rate = d * u->lr * corrected(u);
    out[ENTER1] = (1 - u->p[BETA1]) * d;
    out[ENTER2] = (1 - u->p[BETA2]) * d * d;
    out[KEEP3] = beta3(u);
    out[ENTER3] = d / u->p[D0] * (u->p[SAFEGUARD] != 0 ? d : rate);
    out[RATE] = rate;
    out[EPS_D] = s[D] * u->p[EPS];
    out[SHRINK] = u->p[DECAY] == DECAY_DECOUPLED ? rate * u->p[WEIGHT_DECAY]
                                                 : decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer prodigy = {.size = sizeof prodigy,
                                       .name = "prodigy",
                                       .doc = "adam with the rate d lr; d = max(d, r / |s|_1), r, "
                                              "s sums of d^2 lr <g, w0 - w> and d^2 lr "
                                              "g",
                                       .params = LEHR_TABLE(params),
                                       .slots = LEHR_TABLE(slots),
                                       .state = LEHR_TABLE(state),
                                       .scalars = LEHR_TABLE(scalars),
                                       .passes = LEHR_TABLE(passes),
                                       .presets = LEHR_TABLE(presets),
                                       .advance = advance,
                                       .scalar = scalar,
                                       .lr = 1};
LEHR_OPTIMIZER_PLUGIN("org.lehr.prodigy", "1.0", prodigy)
