/* SPDX-License-Identifier: MIT
 *
 * greedy(metric, factor, patience): divides by factor after more than `patience` measurements in a
 * row that improved, multiplies by it after as many that did not (transformers GreedyLR without its
 * smoothing, arXiv 2512.14527).  After `reset` reductions at the least value it starts from the
 * base again. */
#include <lehr/plugin.h>

enum { FACTOR, PATIENCE, THRESHOLD, MODE, COOLDOWN, WARMUP, MIN, MAX, RESET, EPS };
enum { SCALE, BEST, SEEN, GOOD, BAD, WAIT, AT_MIN };
static const char *const modes[] = {"rel", "abs", 0};
static const lehr_param params[] = {
    {"factor", "of each change", 0.95, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN | LEHR_P_OPEN_MAX, 0, 0},
    LEHR_INTP("patience", 10, 0, 1e9, "measurements of one kind in a row that change nothing"),
    LEHR_REALP("threshold", 1e-6, 0, LEHR_ANY, "least change that counts as better"),
    LEHR_CHOICEP("mode", 1, modes, "threshold relative to the best, or absolute"),
    LEHR_INTP("cooldown", 0, 0, 1e9, "measurements after a reduction that are not counted"),
    LEHR_INTP("warmup", 0, 0, 1e9, "measurements after an increase that are not counted"),
    LEHR_VALUEP("min", "1%", "least value"),
    LEHR_VALUEP("max", "1000%", "largest value"),
    LEHR_INTP("reset", 0, 0, 1e9, "reductions at min after which all starts anew; 0: never"),
    LEHR_REALP("eps", 1e-8, 0, LEHR_ANY, "a smaller change is not made")};
static const lehr_var state[] = {
    LEHR_VAR("scale", 1, "product of the changes"), LEHR_VAR("best", 0, "best measurement"),
    LEHR_VAR("seen", 0, "1: best is set"), LEHR_VAR("good", 0, "improvements in a row"),
    LEHR_VAR("bad", 0, "others in a row"), LEHR_VAR("wait", 0, "measurements not to be counted"),
    LEHR_VAR("at_min", 0, "reductions at min in a row")};
static const lehr_preset presets[] = {
    {"hf", "min=1e-3, max=1, reset=500", "transformers GreedyLR, smooth=False"}};

static double value(const lehr_progress *t, const double *s) { return t->base * s[SCALE]; }

static int improved(const double *p, const lehr_metric *m, const double *s)
{
    double step = m->better > 0 ? p[THRESHOLD] : -p[THRESHOLD];
    double bound = p[MODE] == 0 ? s[BEST] * (1 + step) : s[BEST] + step;
    if (s[SEEN] == 0) return m->value - m->value == 0;
    return m->better > 0 ? m->value > bound : m->value < bound;
}

static void change(const lehr_progress *t, double *s, double to)
{
    double by = to - t->base * s[SCALE];
    if (by > t->p[EPS] || -by > t->p[EPS]) s[SCALE] = to / t->base;
}

static void reduce(const lehr_progress *t, double *s)
{
    double to = t->base * s[SCALE] * t->p[FACTOR];
    change(t, s, to > t->p[MIN] ? to : t->p[MIN]);
    s[WAIT] = t->p[COOLDOWN];
    s[BAD] = 0;
    if (t->base * s[SCALE] > t->p[MIN] || t->p[RESET] == 0 || ++s[AT_MIN] < t->p[RESET]) return;
    for (uint32_t i = 0; i < sizeof state / sizeof *state; i++) s[i] = state[i].init;
}

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    const double *p = t->p;
    if (s[WAIT] > 0) {
        s[WAIT]--;
        s[GOOD] = s[BAD] = 0;
        return LEHR_OK;
    }
    int better = improved(p, m, s);
    if (better) s[BEST] = m->value;
    if (better) s[SEEN] = 1;
    s[GOOD] = better ? s[GOOD] + 1 : 0;
    s[BAD] = better ? 0 : s[BAD] + 1;
    if (s[BAD] > p[PATIENCE]) reduce(t, s);
    if (s[GOOD] <= p[PATIENCE]) return LEHR_OK;
    double to = t->base * s[SCALE] / p[FACTOR];
    change(t, s, to < p[MAX] ? to : p[MAX]);
    s[WAIT] = p[WARMUP];
    s[GOOD] = s[AT_MIN] = 0;
    return LEHR_OK;
}

static const lehr_schedule greedy = {
    .size = sizeof greedy, .name = "greedy",
    .doc = "lr = base / factor^(runs of improvement) * factor^(runs without)",
    .params = LEHR_TABLE(params), .state = LEHR_TABLE(state),
    .presets = LEHR_TABLE(presets), .value = value, .observe = observe, .metric = "val.loss"};
LEHR_SCHEDULE_PLUGIN("org.lehr.greedy", "1.0", greedy)
