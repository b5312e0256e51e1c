/* SPDX-License-Identifier: MIT
 *
 * Cautious optimizers (Liang et al., arXiv 2411.16085, algorithm 1): a weight whose step and
 * gradient disagree in sign stands still, the others go further by the share of those that agree,
 * at least 1e-3 (as timm and pytorch_optimizer; the paper divides by share + 1 / size).  The share
 * is one of a tensor.  cautious_adamw, cautious_lion. */
#include "common.h"

#define DECAYED "(decay == 0 ? g + weight_decay * w : g)"
#define SHARE_CODE "real share = fmax(agree / size, 1e-3);\n"

/* ---- adamw ---- */

enum { BETA1, BETA2, EPS, WEIGHT_DECAY, DECAY };
static const lehr_param adamw_params[] = {BETA1_PARAM(0.9), BETA2_PARAM(0.999), EPS_PARAM(1e-8),
                                          WEIGHT_DECAY_PARAM(0.01), DECAY_PARAM(DECAY_DECOUPLED)};
static const lehr_slot adamw_slots[] = {LEHR_SLOT("m", "average of gradients"),
                                        LEHR_SLOT("v", "average of squared gradients")};
enum { SHARE1, SHARE2, CORRECT1, CORRECT2, SHRINK };
static const char *const adamw_scalars[] = {"share1", "share2", "correct1", "correct2", "shrink"};
static const lehr_reduce adamw_reduces[] = {
    {"agree", "m * " DECAYED " > 0 ? 1 : 0", LEHR_SUM, LEHR_PER_TENSOR},
    {"size", "1", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass adamw_passes[] = {
    LEHR_PASS_R("real d = " DECAYED ";\n"
                "m = beta1 * m + share1 * d;\n"
                "v = beta2 * v + share2 * d * d;\n",
                LEHR_TABLE(adamw_reduces)),
    LEHR_PASS(DECAY_CODE SHARE_CODE
              "w -= m * d > 0 ? lr * correct1 * m / (sqrt(v) * correct2 + eps) / share : 0;\n")};
static const lehr_preset adamw_presets[] = {
    {"timm", "lr=0.001, weight_decay=0.01", "timm.optim.AdamW(caution=True)"},
    {"paper", "lr=0.001", "arXiv 2411.16085, algorithm 1"}};

static lehr_status adamw_scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[CORRECT1] = 1 / (1 - pow(u->p[BETA1], t));
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer cautious_adamw = {
    .size = sizeof cautious_adamw,
    .name = "cautious_adamw",
    .doc = "adamw where step and gradient agree in sign, divided by their share",
    .params = LEHR_TABLE(adamw_params),
    .slots = LEHR_TABLE(adamw_slots),
    .scalars = LEHR_TABLE(adamw_scalars),
    .passes = LEHR_TABLE(adamw_passes),
    .presets = LEHR_TABLE(adamw_presets),
    .scalar = adamw_scalar,
    .lr = 0.001};

/* ---- lion ---- */

enum { LION_BETA1, LION_BETA2, LION_WEIGHT_DECAY, LION_DECAY };
static const lehr_param lion_params[] = {
    BETA_PARAM("beta1", 0.9, "share of the average in the step"),
    BETA_PARAM("beta2", 0.99, "decay of the average"), WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED)};
static const lehr_slot lion_slots[] = {LEHR_SLOT("m", "average of gradients")};
enum { LION_SHARE1, LION_SHARE2, LION_SHRINK };
static const char *const lion_scalars[] = {"share1", "share2", "shrink"};
static const lehr_reduce lion_reduces[] = {
    {"agree", "(beta1 * m + share1 * " DECAYED ") * " DECAYED " > 0 ? 1 : 0", LEHR_SUM,
     LEHR_PER_TENSOR},
    {"size", "1", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass lion_passes[] = {LEHR_PASS_R("", LEHR_TABLE(lion_reduces)),
                                        LEHR_PASS(DECAY_CODE SHARE_CODE
                                                  "real step = sign(beta1 * m + share1 * d);\n"
                                                  "w -= step * d > 0 ? lr * step / share : 0;\n"
                                                  "m = beta2 * m + share2 * d;\n")};
static const lehr_preset lion_presets[] = {{"timm", "lr=1e-4", "timm.optim.Lion(caution=True)"},
                                           {"paper", "lr=1e-4", "arXiv 2411.16085, algorithm 1"}};

static lehr_status lion_scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[LION_SHARE1] = 1 - u->p[LION_BETA1];
    out[LION_SHARE2] = 1 - u->p[LION_BETA2];
    out[LION_SHRINK] = decay_shrink(u, u->p[LION_WEIGHT_DECAY], u->p[LION_DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer cautious_lion = {
    .size = sizeof cautious_lion,
    .name = "cautious_lion",
    .doc = "lion where step and gradient agree in sign, divided by their share",
    .params = LEHR_TABLE(lion_params),
    .slots = LEHR_TABLE(lion_slots),
    .scalars = LEHR_TABLE(lion_scalars),
    .passes = LEHR_TABLE(lion_passes),
    .presets = LEHR_TABLE(lion_presets),
    .scalar = lion_scalar,
    .lr = 1e-4};

const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const all[] = {&cautious_adamw, &cautious_lion};
    static const lehr_plugin self = {.size = sizeof self,
                                     .abi = LEHR_ABI,
                                     .id = "org.lehr.cautious",
                                     .version = "1.0",
                                     .optimizers = all,
                                     .optimizer_count = 2};
    return &self;
}
