/* SPDX-License-Identifier: MIT
 *
 * signum (Bernstein et al., arXiv 1802.04434, algorithm 2): m = momentum m + (1 - momentum) g, w -=
 * lr sign(m).  momentum=0 is signSGD. */
#include "common.h"

enum { MOMENTUM, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    BETA_PARAM("momentum", 0.9, "decay of the average of gradients"), WEIGHT_DECAY_PARAM(0),
    DECAY_PARAM(DECAY_DECOUPLED)};
static const lehr_slot slots[] = {LEHR_SLOT_WHEN("m", "momentum", "average of gradients")};
enum { SHARE, SHRINK };
static const char *const scalars[] = {"share", "shrink"};
static const lehr_pass passes[] = {LEHR_PASS(DECAY_CODE "m = momentum * m + share * d;\n"
                                                        "w -= lr * sign(m);\n")};
static const lehr_preset presets[] = {
    {"optax", "momentum=0", "optax.sign_sgd"},
    {"paper", "lr=1e-4, momentum=0.9", "arXiv 1802.04434, section 5"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[SHARE] = 1 - u->p[MOMENTUM];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer signum = {.size = sizeof signum,
                                      .name = "signum",
                                      .doc = "m average of g; w -= lr sign(m)",
                                      .params = LEHR_TABLE(params),
                                      .slots = LEHR_TABLE(slots),
                                      .scalars = LEHR_TABLE(scalars),
                                      .passes = LEHR_TABLE(passes),
                                      .presets = LEHR_TABLE(presets),
                                      .scalar = scalar,
                                      .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.signum", "1.0", signum)
