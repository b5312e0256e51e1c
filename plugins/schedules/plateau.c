/* SPDX-License-Identifier: MIT
 *
 * plateau(metric, factor, patience): multiplies by factor after measurements that did not improve.
 * counting=torch (PyTorch ReduceLROnPlateau, the default) reduces when more than `patience` were
 * bad, keras and optax when `patience` were; Keras counts the measurement that ends a cooldown.
 * NaN is no improvement. */
#include <lehr/plugin.h>

enum { FACTOR, PATIENCE, THRESHOLD, MODE, COOLDOWN, MIN, COUNTING, EPS };
enum { SCALE, BEST, SEEN, BAD, COOLING };
enum { TORCH, KERAS, OPTAX };
static const char *const modes[] = {"rel", "abs", 0};
static const char *const countings[] = {"torch", "keras", "optax", 0};
static const lehr_param params[] = {
    {"factor", "of each reduction", 0.1, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_OPEN_MAX, 0, 0},
    LEHR_INTP("patience", 10, 0, 1e9, "bad measurements that are put up with"),
    LEHR_REALP("threshold", 1e-4, 0, LEHR_ANY, "least change that counts as better"),
    LEHR_CHOICEP("mode", 0, modes, "threshold relative to the best, or absolute"),
    LEHR_INTP("cooldown", 0, 0, 1e9, "measurements after a reduction that are not counted"),
    LEHR_VALUEP("min", "0", "never reduced below this"),
    LEHR_CHOICEP("counting", TORCH, countings, "whose way of counting bad measurements"),
    LEHR_REALP("eps", 0, 0, LEHR_ANY, "a smaller reduction is not made")};
static const lehr_var state[] = {
    LEHR_VAR("scale", 1, "product of the reductions"), LEHR_VAR("best", 0, "best measurement"),
    LEHR_VAR("seen", 0, "1: best is set"), LEHR_VAR("bad", 0, "bad measurements in a row"),
    LEHR_VAR("cooling", 0, "cooldown that is left")};
static const lehr_preset presets[] = {
    {"torch", "factor=0.1, patience=10, threshold=1e-4, mode=rel, eps=1e-8",
     "PyTorch ReduceLROnPlateau"},
    {"timm", "factor=0.1, patience=10, threshold=1e-4, mode=rel, eps=1e-8",
     "timm PlateauLRScheduler, which wraps PyTorch's"},
    {"hf", "factor=0.1, patience=10, threshold=1e-4, mode=rel, eps=1e-8",
     "transformers reduce_lr_on_plateau, which is PyTorch's"},
    {"keras3", "factor=0.1, patience=10, threshold=1e-4, mode=abs, counting=keras",
     "Keras 3 ReduceLROnPlateau (min_delta is threshold)"},
    {"optax", "factor=0.1, patience=10, threshold=1e-4, mode=rel, counting=optax",
     "optax contrib.reduce_on_plateau (rtol is threshold)"}};

static double value(const lehr_progress *t, const double *s) { return t->base * s[SCALE]; }

static int improved(const double *p, const lehr_metric *m, const double *s)
{
    double step = m->better > 0 ? p[THRESHOLD] : -p[THRESHOLD];
    double bound = p[MODE] == 0 ? s[BEST] * (1 + step) : s[BEST] + step;
    if (s[SEEN] == 0) return m->value - m->value == 0;
    return m->better > 0 ? m->value > bound : m->value < bound;
}

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    const double *p = t->p, old = t->base * s[SCALE];
    int better = improved(p, m, s), cooling = s[COOLING] > 0;
    if (better) s[BEST] = m->value;
    if (better) s[SEEN] = 1;
    s[COOLING] -= cooling;
    if (p[COUNTING] == KERAS) cooling = s[COOLING] > 0;
    s[BAD] = better || cooling ? 0 : s[BAD] + 1;
    if (s[BAD] < p[PATIENCE] + (p[COUNTING] == TORCH) || s[BAD] == 0) return LEHR_OK;
    double reduced = old * p[FACTOR] > p[MIN] ? old * p[FACTOR] : p[MIN];
    if (old - reduced > p[EPS])
        s[SCALE] = reduced > p[MIN] ? s[SCALE] * p[FACTOR] : p[MIN] / t->base;
    s[COOLING] = p[COOLDOWN];
    s[BAD] = 0;
    return LEHR_OK;
}

static const lehr_schedule plateau = {
    .size = sizeof plateau, .name = "plateau",
    .doc = "lr = base * factor^(times the metric stopped improving)",
    .params = LEHR_TABLE(params), .state = LEHR_TABLE(state),
    .presets = LEHR_TABLE(presets), .value = value, .observe = observe, .metric = "val.loss"};
LEHR_SCHEDULE_PLUGIN("org.lehr.plateau", "1.1", plateau)
