/* SPDX-License-Identifier: MIT
 *
 * 10,000 points of every schedule, in no order and past the end of the run, against formulas
 * written here (in another form than the plugin's where there is one), within 1e-12; and the same
 * bits from the text each of them is resolved to. */
#include "schedule_rig.h"

TestSuite(curves, .init = setup, .fini = teardown);

static double share(uint64_t t, double over) { return (double)t < over ? (double)t / over : 1; }
static double f_constant(uint64_t t) { return t < UINT64_MAX ? BASE : 0; }
static double f_step(uint64_t t)
{
    double lr = BASE;
    for (uint64_t k = 3 * EPOCH; k <= t; k += 3 * EPOCH) lr *= 0.5;
    return lr;
}
static double f_multistep(uint64_t t)
{
    return BASE * (t >= 10 * EPOCH ? 0.1 : 1) * (t >= 20 * EPOCH ? 0.1 : 1) * (t >= 500 ? 0.1 : 1);
}
static double f_exponential(uint64_t t) { return BASE * exp((double)t / EPOCH * log(0.9)); }
static double f_exponential_updates(uint64_t t)
{
    return BASE * exp2((double)t / 100 * log2(0.98));
}
static double f_time(uint64_t t) { return BASE / (1 + 0.01 * (double)t); }
static double f_time_epochs(uint64_t t) { return BASE / (1 + 0.5 * ((double)t / EPOCH)); }
static double f_polynomial(uint64_t t)
{
    double left = 1 - share(t, TOTAL);
    return 1e-4 + (BASE - 1e-4) * left * left * left;
}
static double f_polynomial_root(uint64_t t) { return BASE * sqrt(1 - share(t, 5 * EPOCH)); }
static double f_linear(uint64_t t)
{
    double p = share(t, TOTAL);
    return BASE * (1 - p) + BASE * 0.01 * p;
}
static double f_linear_inclusive(uint64_t t)
{
    return t >= 999 ? 0.5 : BASE + (0.5 - BASE) * (double)t / 999;
}
static double f_cosine(uint64_t t)
{
    double half = cos(share(t, TOTAL) * acos(-1) / 2);
    return BASE * half * half; /* (1 + cos 2x) / 2 = cos^2 x */
}
static double f_cosine_end(uint64_t t)
{
    double half = sin(share(t, 3000) * acos(-1) / 2);
    return BASE - (BASE - 1e-3) * half * half;
}
static double f_warmup(uint64_t t)
{
    return t < 5 * EPOCH ? BASE * (double)(t + 1) / (5 * EPOCH) : BASE;
}
static double f_warmup_from(uint64_t t)
{
    return t < 100 ? 0.02 + (BASE - 0.02) * (double)(t + 1) / 100 : BASE;
}
static double f_warmup_lag(uint64_t t) { return t < 100 ? BASE * (double)t / 100 : BASE; }
static double f_product(uint64_t t) { return f_warmup(t) * f_cosine(t) / BASE; }
static double f_triple(uint64_t t) { return f_warmup(t) / BASE * f_step(t) * 0.25; }
static double f_sum(uint64_t t) { return f_cosine(t) * 0.5 + f_step(t) + 0.001 + 0.02 * BASE; }
static double f_tutorial_step(uint64_t t)
{
    return BASE * pow(0.2, floor((1 + floor((double)t / EPOCH)) / 2));
}
static double f_tutorial_exponential(uint64_t t)
{
    return BASE * exp(-0.1 * floor((double)t / EPOCH));
}
static double f_tutorial_time(uint64_t t) { return BASE / (1 + BASE / 25 * (double)t); }


/* ---- the rest of the catalogue ---- */

static double blend(double a, double b, double u) { return a * (1 - u) + b * u; }
/* From 1 to 0 over u in [0, 1]: cos^2 of a quarter turn. */
static double half_wave(double u)
{
    double c = cos(u * acos(-1) / 2);
    return c * c;
}
static double f_restarts(uint64_t t)
{
    double start = 0, length = 700, peak = BASE;
    for (; (double)t >= start + length; peak *= 0.8) {
        start += length;
        length *= 2;
    }
    return 1e-3 + (peak - 1e-3) * half_wave(((double)t - start) / length);
}
static double f_restarts_range(uint64_t t)
{
    double fall = 1;
    for (uint64_t k = 391; k <= t; k += 391) fall *= 0.5;
    return 0.01 + fall * (BASE - 0.01) * half_wave((double)(t % 391) / 391);
}
/* (1 - tanh x) / 2 = 1 / (1 + e^2x) */
static double f_tanh(uint64_t t)
{
    double p = share(t, TOTAL);
    return p < 1 ? 1e-3 + (BASE - 1e-3) / (1 + exp(2 * (-7 + 10 * p))) : 1e-3;
}
static double f_sigmoid(uint64_t t)
{
    return BASE * 0.5 * (1 - tanh(3 * ((double)t - 4888) / TOTAL));
}
static double f_onecycle(uint64_t t)
{
    const double up = floor(0.3 * TOTAL);
    if ((double)t < up) return blend(BASE, BASE / 25, half_wave((double)t / up));
    if (t >= TOTAL) return BASE / 25e4;
    return blend(BASE / 25e4, BASE, half_wave(((double)t - up) / (TOTAL - up)));
}
static double f_onecycle_three(uint64_t t)
{
    const double knots[] = {0, 2000, 4000, 5000}, values[] = {0.01, BASE, 0.01, 0.0001};
    for (int k = 1; k < 4; k++)
        if ((double)t < knots[k])
            return blend(values[k - 1], values[k],
                         ((double)t - knots[k - 1]) / (knots[k] - knots[k - 1]));
    return 0.0001;
}
static double f_onecycle_mirror(uint64_t t)
{
    const double up = 0.3 * TOTAL - 1, last = TOTAL - 1;
    if ((double)t < up) return blend(0.085, BASE, half_wave((double)t / up));
    if ((double)t >= last) return BASE;
    return blend(BASE, 0.085, half_wave(((double)t - up) / (last - up)));
}
static double f_cyclic(uint64_t t)
{
    uint64_t u = t % 1000;
    double height = u < 700 ? (double)u / 700 : (double)(1000 - u) / 300;
    return 0.02 + (BASE - 0.02) * height * pow(0.5, (double)(t / 1000));
}
static double f_cyclic_range(uint64_t t)
{
    double height = 1 - fabs((double)(t % 800) - 400) / 400;
    return BASE - (BASE - 0.02) * height * exp((double)t * log(0.9996));
}
static double f_wsd(uint64_t t)
{
    if (t < 500) return BASE * (double)(t + 1) / 500;
    if (t < TOTAL - 2000) return BASE;
    double q = share(t - (TOTAL - 2000), 2000);
    return 1e-3 + (BASE - 1e-3) * (1 - sqrt(q));
}
static double f_wsd_cosine(uint64_t t)
{
    if (t < 500) return blend(BASE, 0.01, half_wave((double)t / 500));
    if (t < TOTAL - 2000) return BASE;
    return blend(0, BASE, half_wave(share(t - (TOTAL - 2000), 2000)));
}
static double f_piecewise(uint64_t t)
{
    if (t < 5 * EPOCH) return 0.4 * share(t, 5 * EPOCH);
    return t < 24 * EPOCH ? 0.4 * (24.0 * EPOCH - (double)t) / (19 * EPOCH) : 0;
}
static double f_piecewise_cosine(uint64_t t)
{
    if (t < 500) return 0.05;
    if (t < 3000) return blend(0.2, 0.05, half_wave((double)(t - 500) / 2500));
    return 0.2;
}
static double f_piecewise_step(uint64_t t) { return t < 300 ? BASE : t < 900 ? 0.03 : 0.09; }
static double f_rex(uint64_t t)
{
    double left = TOTAL - share(t, TOTAL) * TOTAL;
    return 1e-3 + (BASE - 1e-3) * 2 * left / (left + TOTAL);
}
static double f_chebyshev(uint64_t t)
{
    static int order[64];
    if (order[1] == 0) /* 1, then pairs v and 2n - 1 - v, in place from behind */
        for (int n = 1; n < 32; n *= 2)
            for (int i = n - 1; i >= 0; i--) {
                order[2 * i + 1] = 2 * n - 1 - order[i];
                order[2 * i] = order[i];
            }
    uint64_t i = t / EPOCH < 32 ? t / EPOCH : 31;
    return BASE / (0.525 - 0.475 * cos((2 * order[i] + 1) * acos(-1) / 64));
}
static double f_inverse_sqrt(uint64_t t)
{
    return BASE * fmin((double)(t + 1) / 700, sqrt(700 / (double)(t + 1)));
}
static double f_noam(uint64_t t)
{
    double s = (double)(t + 1);
    return BASE * pow(512, -0.5) * fmin(pow(s, -0.5), s * pow(2000, -1.5));
}

/* SplitMix64 as it is published: a state that advances. */
static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static double f_random(uint64_t t)
{
    static double draws[POINTS];
    uint64_t key = budget.seed, state = next_bits(&key);
    if (draws[0] == 0)
        for (int i = 0; i < POINTS; i++) draws[i] = (double)(next_bits(&state) >> 11) / 0x1p53;
    return 0.01 + (BASE - 0.01) * pow(draws[t / 3], 4);
}
/* No closed form is needed: the law is tested in noise_follows_its_law. */
static double f_noise(uint64_t t) { return t >= 100 && t < 9000 ? (double)NAN : BASE; }

static double f_time_power(uint64_t t) { return BASE * pow(1 + 1e-3 * (double)t, -0.75); }
static double f_polynomial_cycle(uint64_t t)
{
    double length = 2000;
    while (length < (double)t) length += 2000;
    return 0.01 + (BASE - 0.01) * sqrt(1 - (double)t / length);
}
static double f_keras_multistep(uint64_t t) { return t <= 500 ? 0.1 : t <= 3000 ? 0.02 : 0.07; }
static double f_factors(uint64_t t)
{
    return BASE * (t >= 500 ? 0.3 : 1) * (t >= 3000 ? 2.0 : 1);
}
static double f_timm_multistep(uint64_t t) { return BASE * (t >= 2 * EPOCH ? 0.5 : 1); }
/* In the peers' form, since a root makes the rounding of 1 + cos visible. */
static double f_cosine_exponent(uint64_t t)
{
    return BASE * sqrt(0.5 * (1 + cos(acos(-1) * share(t, TOTAL))));
}
static double f_cosine_beyond(uint64_t t) { return BASE * half_wave((double)t / 3000); }
static double f_burn_in(uint64_t t)
{
    double u = (double)(t + 1) / 1000;
    return u < 1 ? BASE * u * u * u * u : BASE;
}
static double f_warmup_exponential(uint64_t t)
{
    return t < 700 ? 1e-3 * exp2(log2(100) * (double)(t + 1) / 700) : BASE;
}

/* ---- composed ---- */

static double f_then(uint64_t t)
{
    return t < 1955 ? BASE * (double)t / 1955 : BASE * half_wave(share(t - 1955, TOTAL - 1955));
}
static double f_three_parts(uint64_t t)
{
    if (t < 391) return BASE * (double)(t + 1) / 391;
    if (t < 391 + 1000) return 0.05;
    return BASE * (1 - share(t - 1391, TOTAL - 1391));
}
static double f_min(uint64_t t) { return fmin(fmin(f_cosine(t), 0.05), f_step(t)); }
static double f_clip(uint64_t t) { return fmax(0.01, fmin(0.08, f_cosine(t))); }
static double f_max(uint64_t t) { return fmax(f_step(t), 0.02); }
static double f_shift(uint64_t t)
{
    return t < 1000 ? BASE : BASE * half_wave(share(t - 1000, TOTAL - 1000));
}
static double f_repeat(uint64_t t)
{
    if (t >= 7000) return 0;
    return BASE * pow(0.9, (double)(t / 1000)) * half_wave((double)(t % 1000) / 1000);
}
static double f_hold(uint64_t t) { return f_cosine(t / EPOCH * EPOCH); }
static double f_formula(uint64_t t)
{
    double p = share(t, TOTAL);
    return BASE * pow(0.5, (double)(t / EPOCH / 10)) * (1 - p * p) + (t < 50 ? 1e-3 : 0);
}

static const struct {
    const char *text;
    double (*want)(uint64_t);
} curves[] = {
    {"constant()", f_constant},
    {"step(gamma=0.5, every=3ep)", f_step},
    {"step(0.5, 1173st)", f_step},
    {"multistep(milestones=[10ep, 20ep, 500st], gamma=0.1)", f_multistep},
    {"exponential(gamma=0.9, every=1ep)", f_exponential},
    {"exponential(0.98, 100st)", f_exponential_updates},
    {"time(decay=0.01)", f_time},
    {"time(0.5, every=1ep)", f_time_epochs},
    {"polynomial(end=1e-4, power=3)", f_polynomial},
    {"polynomial(power=0.5, over=20%)", f_polynomial_root},
    {"linear(end=1%)", f_linear},
    {"linear(end=0.5, over=1000st, inclusive=1)", f_linear_inclusive},
    {"cosine(end=0)", f_cosine},
    {"cosine(end=1e-3, over=384000samples)", f_cosine_end},
    {"warmup(5ep)", f_warmup},
    {"warmup(100st, from=20%)", f_warmup_from},
    {"hf:warmup(100st)", f_warmup_lag},
    {"warmup(5ep) * cosine(end=0)", f_product},
    {"cosine() * warmup(5ep)", f_product},
    {"0.25 * (warmup(5ep) * plateau(patience=3)) * step(0.5, 3ep)", f_triple},
    {"cosine() * 0.5 + step(0.5, 3ep) + 0.001 + 2%", f_sum},
    {"tutorial:step(gamma=0.2, every=2ep)", f_tutorial_step},
    {"tutorial:exponential", f_tutorial_exponential},
    {"tutorial:time()", f_tutorial_time},
    {"restarts(first=700st, t_mult=2, decay=0.8, end=1e-3)", f_restarts},
    {"keras3:restarts(1ep, t_mult=1, decay=0.5, end=0.01)", f_restarts_range},
    {"tanh(end=1e-3)", f_tanh},
    {"sigmoid(center=4888st, gamma=6)", f_sigmoid},
    {"onecycle()", f_onecycle},
    {"onecycle(rise=0.4, fall=0.8, div=10, final_div=100, anneal=linear, over=5000st)",
     f_onecycle_three},
    {"torch:onecycle(mirror=1, low=0.085)", f_onecycle_mirror},
    {"cyclic(low=0.02, up=700st, down=300st, mode=triangular2)", f_cyclic},
    {"torch:cyclic(low=20%, up=400st, mode=exp_range, gamma=0.9996, mirror=1)", f_cyclic_range},
    {"wsd(500st, 2000st, end=1%)", f_wsd},
    {"hf:wsd(500st, 2000st, from=0.01, shape=cosine)", f_wsd_cosine},
    {"piecewise([0ep, 5ep, 24ep], [0, 0.4, 0])", f_piecewise},
    {"piecewise(at=[500st, 3000st], to=[50%, 0.2], by=cosine)", f_piecewise_cosine},
    {"optax:piecewise([300st, 900st], [0.3, 3], by=step)", f_piecewise_step},
    {"rex(end=1e-3)", f_rex},
    {"chebyshev()", f_chebyshev},
    {"inverse_sqrt(700st)", f_inverse_sqrt},
    {"paper:inverse_sqrt(2000st)", f_noam},
    {"random(power=4, every=3st, low=0.01)", f_random},
    {"noise(begin=100st, end=9000st)", f_noise},
    {"plateau(patience=1)", f_constant},
    {"greedy(patience=1)", f_constant},
    {"caffe:time(decay=1e-3)", f_time_power},
    {"keras3:polynomial(end=0.01, power=0.5, over=2000st, cycle=1)", f_polynomial_cycle},
    {"keras3:multistep([500st, 3000st], values=[100%, 0.02, 0.07])", f_keras_multistep},
    {"optax:multistep([500st, 3000st], factors=[0.3, 2])", f_factors},
    {"timm:multistep([3ep], gamma=0.5)", f_timm_multistep},
    {"cosine(exponent=0.5)", f_cosine_exponent},
    {"torch:cosine(over=3000st)", f_cosine_beyond},
    {"darknet:warmup(1000st)", f_burn_in},
    {"warmup(700st, from=1%, shape=exponential)", f_warmup_exponential},
    {"linear(0 -> 1, 5ep) then cosine(1 -> 0)", f_then},
    {"warmup(1ep) then 0.5 * constant() for 1000st then linear()", f_three_parts},
    {"min(cosine(), 0.05, step(0.5, 3ep))", f_min},
    {"clip(cosine(), 10%, 0.08)", f_clip},
    {"max(20%, step(0.5, 3ep))", f_max},
    {"shift(cosine(), 1000st)", f_shift},
    {"repeat(cosine(), every=1000st, times=7, decay=0.9)", f_repeat},
    {"hold(cosine(), 1ep)", f_hold},
    {"expr(\"base * 0.5 ^ floor(epoch / 10) * (1 - p^2) + (step < 50 ? 1e-3 : 0)\")", f_formula},
};

/* 1e-12 relative; near an end at 0 the rounding of the base counts. */
static bool close_to(double got, double want)
{
    return fabs(got - want) <= 1e-12 * want + 4e-16 * BASE;
}

Test(curves, ten_thousand_points)
{
    for (size_t i = 0; i < LH_COUNT(curves); i++) {
        lehr_scheduler *s = make(curves[i].text), *again = make(lehr_scheduler_text(s));
        for (uint64_t k = 0; k < POINTS; k++) {
            uint64_t t = k * 7919 % POINTS; /* in no order; past the end as well */
            double got = at(s, t), want = curves[i].want(t);
            if (isnan(want)) continue;
            cr_assert(close_to(got, want), "%s at %lu: %.17g, want %.17g",
                      curves[i].text, (unsigned long)t, got, want);
            if (k % 97 == 0) cr_assert_eq(at(again, t), got, "%s", lehr_scheduler_text(s));
        }
        cr_expect_str_eq(lehr_scheduler_text(s), lehr_scheduler_text(again));
        lehr_scheduler_destroy(&s);
        lehr_scheduler_destroy(&again);
    }
}

/* Adding a schedule without a curve here is noticed. */
Test(curves, every_schedule_has_one)
{
    const lehr_schedule *d;
    for (uint32_t i = 0; (d = lehr_registry_schedule(reg, i)) != NULL; i++) {
        bool found = false;
        for (size_t k = 0; k < LH_COUNT(curves) && !found; k++) {
            const char *name = strstr(curves[k].text, d->name);
            found = name && (name == curves[k].text || strchr(" :(*", name[-1])) &&
                    name[strlen(d->name)] == '(';
        }
        cr_expect(found, "no curve of %s", d->name);
    }
}

Test(curves, noise_follows_its_law)
{
    const char *const texts[] = {"noise(sd=0.1)", "noise(sd=5, limit=0.5)", "noise(kind=uniform)",
                                 "noise(sd=0.1, stream=1)"};
    double mean[4] = {0}, square[4] = {0}, most[4] = {0}, product = 0;
    for (int k = 0; k < 4; k++) {
        lehr_scheduler *s = make(texts[k]), *other = make("noise(sd=0.1)");
        for (uint64_t t = 0; t < POINTS; t++) {
            double n = at(s, t) / BASE - 1;
            mean[k] += n / POINTS;
            square[k] += n * n / POINTS;
            most[k] = fmax(most[k], fabs(n));
            if (k == 3) product += n * (at(other, t) / BASE - 1) / POINTS;
        }
        lehr_scheduler_destroy(&s);
        lehr_scheduler_destroy(&other);
    }
    const double deviation[] = {0.1, 0.5 / sqrt(3), 0.67 / sqrt(3), 0.1};
    for (int k = 0; k < 4; k++) {
        cr_expect(fabs(mean[k]) <= 4 * deviation[k] / 100, "%s: mean %g", texts[k], mean[k]);
        cr_expect(fabs(sqrt(square[k]) / deviation[k] - 1) <= 0.05, "%s: sd %g", texts[k],
                  sqrt(square[k]));
    }
    cr_expect(most[1] < 0.5 && most[2] <= 0.67, "%g %g", most[1], most[2]);
    cr_expect(fabs(product) <= 4 * 0.01 / 100, "streams go together: %g", product);
}
