/* SPDX-License-Identifier: MIT
 *
 * A schedule as a plugin: the rate falls by `gamma` after each `every`, but never below `least`.
 *   cc -shared -fPIC -o step_decay.so step_decay.c $(pkg-config --cflags lehr-plugin) -lm
 *   lehr schedule show 'floored_step(every=2ep)' --plugin ./step_decay.so --epochs 10 --steps-per-epoch 5 */
#include <lehr/plugin.h>
#include <math.h>

enum { GAMMA, EVERY, LEAST };

static double value(const lehr_progress *t, const double *state)
{
    (void)state;
    double lr = t->base * pow(t->p[GAMMA], floor((double)t->step / t->p[EVERY]));
    return lr > t->p[LEAST] ? lr : t->p[LEAST];
}

static const lehr_schedule floored_step = {
    .size = sizeof(lehr_schedule),
    .name = "floored_step",
    .doc = "base * gamma^floor(step / every), at least `least`",
    .params = LEHR_LIST(lehr_param,
                        LEHR_REALP("gamma", 0.5, 0, 1, "factor at each drop"),
                        LEHR_DURATIONP("every", "10ep", 0, "updates between drops"),
                        LEHR_REALP("least", 1e-5, 0, 1, "smallest value")),
    .value = value,
};

LEHR_SCHEDULE_PLUGIN("org.example.step-decay", "1.0", floored_step)
