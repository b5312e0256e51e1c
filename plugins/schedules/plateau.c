/* SPDX-License-Identifier: MIT
 *
 * plateau(metric, factor, patience): multiplies by factor after measurements that did not improve.
 * counting=torch (PyTorch ReduceLROnPlateau, the default) reduces when more than `patience` were
 * bad, counting=keras when `patience` were.  NaN is no improvement. */
#include <lehr/plugin.h>

enum { FACTOR, PATIENCE, THRESHOLD, MODE, COOLDOWN, MIN, COUNTING };
enum { SCALE, BEST, SEEN, BAD, COOLING };
static const char *const modes[] = {"rel", "abs", 0};
static const char *const countings[] = {"torch", "keras", 0};
static const lehr_param params[] = {
    {"factor", "of each reduction", 0.1, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_OPEN_MAX, 0, 0},
    LEHR_INTP("patience", 10, 0, 1e9, "bad measurements that are put up with"),
    LEHR_REALP("threshold", 1e-4, 0, LEHR_ANY, "least change that counts as better"),
    LEHR_CHOICEP("mode", 0, modes, "threshold relative to the best, or absolute"),
    LEHR_INTP("cooldown", 0, 0, 1e9, "measurements after a reduction that are not counted"),
    LEHR_VALUEP("min", "0", "the value never goes below this"),
    LEHR_CHOICEP("counting", 0, countings, "whose way of counting bad measurements")};
static const lehr_var state[] = {
    LEHR_VAR("scale", 1, "product of the reductions"), LEHR_VAR("best", 0, "best measurement"),
    LEHR_VAR("seen", 0, "1: best is set"), LEHR_VAR("bad", 0, "bad measurements in a row"),
    LEHR_VAR("cooling", 0, "cooldown that is left")};
static const lehr_preset presets[] = {
    {"torch", "factor=0.1, patience=10, threshold=1e-4, mode=rel", "ReduceLROnPlateau"},
    {"keras3", "factor=0.1, patience=10, threshold=1e-4, mode=abs, counting=keras",
     "ReduceLROnPlateau"}};

static double value(const lehr_progress *t, const double *s)
{
    double v = t->base * s[SCALE];
    return v > t->p[MIN] || s[SCALE] == 1 ? v : t->p[MIN];
}

static int improved(const double *p, const lehr_metric *m, const double *s)
{
    double margin = p[MODE] == 0 ? p[THRESHOLD] * s[BEST] : p[THRESHOLD];
    if (s[SEEN] == 0) return m->value == m->value;
    return m->better > 0 ? m->value > s[BEST] + margin : m->value < s[BEST] - margin;
}

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    int better = improved(t->p, m, s), keras = t->p[COUNTING] != 0, cooling = s[COOLING] > 0;
    if (better) s[BEST] = m->value;
    if (better) s[SEEN] = 1;
    if (cooling) s[COOLING] -= 1;
    if (keras) cooling = s[COOLING] > 0; /* Keras counts the measurement that ends the cooldown */
    s[BAD] = better || cooling ? 0 : s[BAD] + 1;
    if (s[BAD] < t->p[PATIENCE] + (keras ? 0 : 1) || s[BAD] == 0) return LEHR_OK;
    s[SCALE] *= t->p[FACTOR];
    s[COOLING] = t->p[COOLDOWN];
    s[BAD] = 0;
    return LEHR_OK;
}

static const lehr_schedule plateau = {
    .size = sizeof plateau, .name = "plateau",
    .doc = "lr = base * factor^(times the metric stopped improving)",
    .params = LEHR_TABLE(params), .state = LEHR_TABLE(state),
    .presets = LEHR_TABLE(presets), .value = value, .observe = observe, .metric = "val.loss"};
LEHR_SCHEDULE_PLUGIN("org.lehr.plateau", "1.0", plateau)
