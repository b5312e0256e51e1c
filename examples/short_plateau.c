/* SPDX-License-Identifier: MIT
 *
 * Reduce on plateau, the whole of it: the host keeps, saves and restores the state.
 *   cc -shared -fPIC -o short_plateau.so short_plateau.c $(pkg-config --cflags lehr-plugin)
 *   lehr schedule show 'short_plateau(factor=0.5)' --plugin ./short_plateau.so */
#include <lehr/plugin.h>

static const lehr_param params[] = {LEHR_REALP("factor", 0.1, 0, 1, "of each reduction"),
                                    LEHR_INTP("patience", 10, 0, 1e9, "bad ones put up with")};
enum { SCALE, BEST, BAD };
static const lehr_var state[] = {LEHR_VAR("scale", 1, "product of the reductions"),
                                 LEHR_VAR("best", 1e300, "least so far, with the sign of a loss"),
                                 LEHR_VAR("bad", 0, "bad measurements in a row")};

static double value(const lehr_progress *t, const double *s) { return t->base * s[SCALE]; }

static lehr_status observe(const lehr_progress *t, const lehr_metric *m, double *s)
{
    double now = -m->better * m->value;
    s[BAD] = now < s[BEST] ? 0 : s[BAD] + 1;
    if (s[BAD] == 0) s[BEST] = now;
    if (s[BAD] > t->p[1]) s[SCALE] *= t->p[0], s[BAD] = 0;
    return LEHR_OK;
}

static const lehr_schedule short_plateau = {
    .size = sizeof short_plateau, .name = "short_plateau", .doc = "lr = base * factor^reductions",
    .params = LEHR_TABLE(params), .state = LEHR_TABLE(state), .value = value, .observe = observe,
    .metric = "val.loss"};
LEHR_SCHEDULE_PLUGIN("org.example.short-plateau", "1.0", short_plateau)
