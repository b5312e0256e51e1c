/* SPDX-License-Identifier: MIT
 *
 * rprop (Riedmiller & Braun, ICNN 1993; the variant iRprop- of Igel & Huesken, 2000): each weight
 * has a step of its own, times eta_plus while its gradient keeps its sign and eta_minus when it
 * turns; w -= step sign(g), and no move at a turn.  The steps start at the first lr; later ones do
 * nothing. For large batches: noise turns signs. */
#include "common.h"

static const lehr_param params[] = {
    {"eta_minus", "factor of the step when the sign turns", 0.5, 0, 1, LEHR_REAL,
     LEHR_P_OPEN_MIN | LEHR_P_OPEN_MAX, 0, 0},
    {"eta_plus", "factor of the step when the sign stays", 1.2, 1, LEHR_ANY, LEHR_REAL,
     LEHR_P_OPEN_MIN, 0, 0},
    LEHR_SCHEDULABLEP("step_min", 1e-6, 0, LEHR_ANY, 0, "smallest step"),
    LEHR_SCHEDULABLEP("step_max", 50, 0, LEHR_ANY, 0, "largest step")};
static const lehr_slot slots[] = {LEHR_SLOT("step", "length of the step"),
                                  LEHR_SLOT("before", "sign of the gradient before")};
static const char *const scalars[] = {"first"};
static const lehr_pass passes[] = {LEHR_PASS(
    "real now = sign(g);\n"
    "real turn = now * before;\n"
    "step = (first != 0 ? lr : step) * (turn > 0 ? eta_plus : turn < 0 ? eta_minus : 1);\n"
    "step = fmin(fmax(step, step_min), step_max);\n"
    "before = turn < 0 ? 0 : now;\n"
    "w -= step * before;\n")};
static const lehr_preset presets[] = {
    {"torch", "lr=0.01", "torch.optim.Rprop"},
    {"paper", "lr=0.1, step_min=1e-6, step_max=50", "Riedmiller & Braun 1993"}};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = u->t == 1;
    return LEHR_OK;
}

static lehr_status check(const lehr_host *host, const double *p)
{
    if (p[2] > p[3]) return host->fail(host, LEHR_E_PARAM, "step_min is above step_max");
    return LEHR_OK;
}

static const lehr_optimizer rprop = {
    .size = sizeof rprop,
    .name = "rprop",
    .doc = "w -= step sign(g); step *= eta_plus while the sign stays, eta_minus when it turns",
    .params = LEHR_TABLE(params),
    .slots = LEHR_TABLE(slots),
    .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes),
    .presets = LEHR_TABLE(presets),
    .scalar = scalar,
    .check = check,
    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.rprop", "1.0", rprop)
