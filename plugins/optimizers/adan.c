/* SPDX-License-Identifier: MIT
 *
 * adan (Xie et al., arXiv 2208.06677, algorithm 1): averages m of g, d of its difference to the
 * gradient before, n of (g + beta2 d)^2; w -= lr (mhat + beta2 dhat) / (sqrt(nhat) + eps).  The
 * betas are the shares that are kept (the paper writes 1 - beta).  decay=proximal, the paper's: w =
 * (w - step) / (1 + lr weight_decay).  complement=1 (optax): 1 - beta2 before the differences. */
#include "common.h"

enum { BETA1, BETA2, BETA3, EPS, EPS_ROOT, WEIGHT_DECAY, DECAY, COMPLEMENT };
enum { PROXIMAL = DECAY_INDEPENDENT + 1 };
static const char *const choices[] = {"l2", "decoupled", "scheduled", "independent", "proximal", 0};
static const lehr_param params[] = {
    BETA1_PARAM(0.98),
    BETA_PARAM("beta2", 0.92, "decay of the average of differences"),
    BETA_PARAM("beta3", 0.99, "decay of the average of squares"),
    EPS_PARAM(1e-8),
    LEHR_SCHEDULABLEP("eps_root", 0, 0, LEHR_ANY, 0, "added inside the root"),
    WEIGHT_DECAY_PARAM(0),
    LEHR_CHOICEP("decay", PROXIMAL, choices,
                 "how weight decay acts; proximal: w = (w - step) / "
                 "(1 + lr weight_decay)"),
    LEHR_BOOLP("complement", 0, "1 - beta2 in place of beta2 before the differences (optax)")};
static const lehr_slot slots[] = {
    LEHR_SLOT("m", "average of gradients"), LEHR_SLOT("difference", "average of differences"),
    LEHR_SLOT("n", "average of squares"), LEHR_SLOT("before", "the gradient before")};
enum { SHARE1, SHARE2, SHARE3, CORRECT1, CORRECT2, CORRECT3, FIRST, LOOK, SHRINK };
static const char *const scalars[] = {"share1",   "share2", "share3", "correct1", "correct2",
                                      "correct3", "first",  "look",   "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS("real d = decay == 0 ? g + weight_decay * w : g;\n"
              "w = decay == 4 ? w : w - shrink * w;\n"
              "real change = first != 0 ? 0 : d - before;\n"
              "before = d;\n"
              "m = beta1 * m + share1 * d;\n"
              "difference = beta2 * difference + share2 * change;\n"
              "d += look * change;\n"
              "n = beta3 * n + share3 * d * d;\n"
              "d = correct1 * m + look * correct2 * difference;\n"
              "w -= lr * d / (sqrt(correct3 * n + eps_root) + eps);\n"
              "w = decay == 4 ? w / (1 + shrink) : w;\n")};
static const lehr_preset presets[] = {
    {"optax", "eps=1e-8, eps_root=1e-8, decay=decoupled, complement=1", "optax.adan"},
    {"timm", "lr=0.001", "timm.optim.Adan"},
    {"paper", "lr=0.001, beta1=0.98, beta2=0.92, beta3=0.99", "arXiv 2208.06677, algorithm 1"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t;
    (void)s;
    for (int i = 0; i < 3; i++) {
        out[SHARE1 + i] = 1 - u->p[BETA1 + i];
        out[CORRECT1 + i] = 1 / (1 - pow(u->p[BETA1 + i], t));
    }
    out[FIRST] = u->t == 1;
    out[LOOK] = u->p[COMPLEMENT] != 0 ? 1 - u->p[BETA2] : u->p[BETA2];
    out[SHRINK] = u->p[DECAY] == PROXIMAL ? u->lr * u->p[WEIGHT_DECAY]
                                          : decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

static const lehr_optimizer adan = {
    .size = sizeof adan,
    .name = "adan",
    .doc = "w -= lr (mhat + beta2 dhat) / (sqrt(nhat) + eps); m, d, n averages of g, its changes, "
           "(g + beta2 change)^2",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adan", "1.0", adan)
