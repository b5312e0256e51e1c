/* SPDX-License-Identifier: MIT
 *
 * cyclic(low, up, down): lr = low + (base - low) * s * scale, s a triangle that rises over `up` and
 * falls over `down`; scale 1 (triangular), 1 / 2^cycle (triangular2) or gamma^t (exp_range)
 * (arXiv 1506.01186; PyTorch CyclicLR, whose max_lr is the base here and whose base_lr is low).
 * mirror=1 is the form for momentum: base - (base - low) * s * scale. */
#include <lehr/plugin.h>
#include <math.h>

enum { LOW, UP, DOWN, MODE, GAMMA, MIRROR };
static const char *const modes[] = {"triangular", "triangular2", "exp_range", 0};
static const lehr_param params[] = {
    LEHR_VALUEP("low", "10%", "least value"),
    LEHR_DURATIONP("up", "2000st", 0, "length of the rise"),
    {"down", "length of the fall; 0: as up", 0, 0, LEHR_ANY, LEHR_DURATION, 0, 0, "0st"},
    LEHR_CHOICEP("mode", 0, modes, "how the peaks change"),
    {"gamma", "factor per update of exp_range", 1, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_BOOLP("mirror", 0, "1: the form for momentum")};
static const lehr_preset presets[] = {
    {"torch", "up=2000st", "PyTorch CyclicLR(base_lr=low, max_lr=base, step_size_up=up)"}};

static double value(const lehr_progress *t, const double *s)
{
    const double *p = t->p, up = p[UP], length = up + (p[DOWN] > 0 ? p[DOWN] : up);
    double step = (double)t->step, cycle = floor(step / length), u = step - cycle * length;
    double height = u <= up ? u / up : (length - u) / (length - up);
    (void)s;
    if (p[MODE] == 1) height /= exp2(cycle);
    if (p[MODE] == 2) height *= pow(p[GAMMA], step);
    height *= t->base - p[LOW];
    return p[MIRROR] != 0 ? t->base - height : p[LOW] + height;
}

static const lehr_schedule cyclic = {
    .size = sizeof cyclic, .name = "cyclic",
    .doc = "lr = low + (base - low) * triangle(t) * scale",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.cyclic", "1.0", cyclic)
