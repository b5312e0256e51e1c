/* SPDX-License-Identifier: MIT
 *
 * Optimizers that need sums over a tensor or over all weights, and those that need the loss,
 * against formulas written here in double, as formulas.c does for the others.  The gradients keep a
 * direction, so that rates that are estimated from them grow. */
#define _GNU_SOURCE
#include "tests/plugin/trial.h"

enum { SLOTS = 5, TENSORS = 4 };
static const struct tensor {
    size_t at, count, group;
} tensors[TENSORS] = {{0, 5000, 0}, {5120, 3881, 0}, {9216, 300, 1}, {9600, 1, 1}};

/* Everything that a rule updates: weights, slots (0 before the first update), gradients. */
typedef struct world {
    double w[ARENA], s[ARENA][SLOTS], g[ARENA];
} world;
typedef struct rule {
    const char *name;
    double lr;
    void (*update)(moment c[2], world *x);
    option options[OPTIONS];
    uint64_t
        from; /* first draw: 1 where the default's first steps drown in the weights' rounding */
} rule;

#define EACH(I, T) for (size_t I = (T)->at; I < (T)->at + (T)->count; I++)
#define EACH_TENSOR(T) for (const struct tensor *T = tensors; T < tensors + TENSORS; T++)

static const char *const decays[] = {"l2", "decoupled", "scheduled", "independent", NULL};
static const char *const inside[] = {"inside", "decoupled", "scheduled", "independent", NULL};
#define WEIGHT_DECAY(DEF) LOGR("weight_decay", DEF, 1e-4, 0.02)
#define DECAY(DEF, HOW) WEIGHT_DECAY(DEF), WORDS("decay", HOW, decays)

/* Weight decay as its choice says, with the rate that decoupled means; g becomes the gradient. */
static void decay(const moment *c, world *x, size_t i, int weight_decay, double rate)
{
    double strength = c->p[weight_decay], how = c->p[weight_decay + 1];
    if (how == 0) x->g[i] += strength * x->w[i];
    if (how == 1) x->w[i] -= rate * strength * x->w[i];
    if (how > 1) x->w[i] -= trial_shrink(c, strength, how) * x->w[i];
}

static double average(double *slot, double value, double beta)
{
    *slot = beta * *slot + (1 - beta) * value;
    return *slot;
}

static double unbias(double value, double beta, double t)
{
    return value / (1 - pow(beta, t));
}

static double norm(const struct tensor *t, const double *of)
{
    double sum = 0;
    EACH(i, t) sum += of[i] * of[i];
    return sqrt(sum);
}

static double norm_of_all(const double *of)
{
    double sum = 0;
    EACH_TENSOR(t) sum += pow(norm(t, of), 2);
    return sqrt(sum);
}

/* ---- cautious ---- */

/* w -= u where u and g agree, divided by their share of the tensor, at least a thousandth. */
static void careful(const struct tensor *t, world *x, const double *u)
{
    double agree = 0;
    EACH(i, t) agree += u[i] * x->g[i] > 0;
    double share = fmax(agree / (double)t->count, 1e-3);
    EACH(i, t) if (u[i] * x->g[i] > 0) x->w[i] -= u[i] / share;
}

enum { BETA1, BETA2, EPS };
enum { CA_WD = EPS + 1 };
static void cautious_adamw(moment c[2], world *x)
{
    static double u[ARENA];
    EACH_TENSOR(t)
    {
        const moment *k = &c[t->group];
        EACH(i, t)
        {
            decay(k, x, i, CA_WD, k->lr);
            double m = unbias(average(&x->s[i][0], x->g[i], k->p[BETA1]), k->p[BETA1], k->t);
            double v =
                unbias(average(&x->s[i][1], pow(x->g[i], 2), k->p[BETA2]), k->p[BETA2], k->t);
            u[i] = k->lr * m / (sqrt(v) + k->p[EPS]);
        }
        careful(t, x, u);
    }
}

enum { CL_WD = BETA2 + 1 };
static void cautious_lion(moment c[2], world *x)
{
    static double u[ARENA];
    EACH_TENSOR(t)
    {
        const moment *k = &c[t->group];
        EACH(i, t)
        {
            decay(k, x, i, CL_WD, k->lr);
            double blend = k->p[BETA1] * x->s[i][0] + (1 - k->p[BETA1]) * x->g[i];
            u[i] = k->lr * trial_decide(blend, 1, &x->s[i][SLOTS - 1]);
            average(&x->s[i][0], x->g[i], k->p[BETA2]);
        }
        careful(t, x, u);
    }
}

/* ---- norms of each tensor ---- */

static const char *const joints[] = {"separate", "joint", NULL};
enum { L_MU, L_NESTEROV, L_WD, L_TRUST, L_EPS, L_NORM, L_INSIDE, L_CLIP, L_ALWAYS };
static void lars(moment c[2], world *x)
{
    EACH_TENSOR(t)
    {
        const moment *k = &c[t->group];
        double wd = k->p[L_WD], mu = k->p[L_MU], top = norm(t, x->w), plain = norm(t, x->g),
               ratio = 1;
        EACH(i, t) x->g[i] += wd * x->w[i];
        double bottom = k->p[L_NORM] == 1 ? norm(t, x->g) : plain + wd * top;
        if (top > 0 && bottom > 0) ratio = k->p[L_TRUST] * top / (bottom + k->p[L_EPS]);
        if (k->p[L_CLIP] != 0) ratio = fmin(ratio / k->lr, 1);
        if (k->p[L_ALWAYS] == 0 && wd == 0) ratio = 1;
        EACH(i, t)
        {
            double d = ratio * x->g[i], *v = &x->s[i][0];
            if (k->p[L_INSIDE] != 0) d *= k->lr;
            *v = mu * *v + d;
            d = k->p[L_NESTEROV] != 0 ? d + mu * *v : *v;
            x->w[i] -= k->p[L_INSIDE] != 0 ? d : k->lr * d;
        }
    }
}

enum { LA_ALWAYS = EPS + 1, LA_CLIP, LA_CORRECTION, LA_WD };
static void lamb(moment c[2], world *x)
{
    static double u[ARENA];
    EACH_TENSOR(t)
    {
        const moment *k = &c[t->group];
        double wd = k->p[LA_WD], ratio = 1;
        bool correct = k->p[LA_CORRECTION] != 0;
        EACH(i, t)
        {
            double m = average(&x->s[i][0], x->g[i], k->p[BETA1]);
            double v = average(&x->s[i][1], pow(x->g[i], 2), k->p[BETA2]);
            if (correct) m = unbias(m, k->p[BETA1], k->t);
            if (correct) v = unbias(v, k->p[BETA2], k->t);
            u[i] = m / (sqrt(v) + k->p[EPS]);
            if (k->p[LA_WD + 1] == 0) u[i] += wd * x->w[i];
            x->w[i] *= 1 - trial_shrink(k, wd, k->p[LA_WD + 1]);
        }
        if (norm(t, x->w) > 0 && norm(t, u) > 0) ratio = norm(t, x->w) / norm(t, u);
        if (k->p[LA_CLIP] != 0) ratio = fmin(ratio, 1);
        if (k->p[LA_ALWAYS] == 0 && wd == 0) ratio = 1;
        EACH(i, t) x->w[i] -= k->lr * ratio * u[i];
    }
}

enum { NG_AVERAGING = EPS + 1, NG_WD };
static void novograd(moment c[2], world *x)
{
    EACH_TENSOR(t)
    {
        const moment *k = &c[t->group];
        double square = pow(norm(t, x->g), 2), beta1 = k->p[BETA1], *n = &x->s[t->at][1];
        *n = k->t == 1 ? square : k->p[BETA2] * *n + (1 - k->p[BETA2]) * square;
        EACH(i, t)
        {
            double d = x->g[i] / (sqrt(*n) + k->p[EPS]), *m = &x->s[i][0];
            if (k->p[NG_WD + 1] == 0) d += k->p[NG_WD] * x->w[i];
            x->w[i] *= 1 - trial_shrink(k, k->p[NG_WD], k->p[NG_WD + 1]);
            *m = beta1 * *m + (k->p[NG_AVERAGING] != 0 ? 1 - beta1 : 1) * d;
            x->w[i] -= k->lr * *m;
        }
    }
}

static void fromage(moment c[2], world *x)
{
    EACH_TENSOR(t)
    {
        double least = c->p[0], lr = c[t->group].lr;
        double ratio = fmax(norm(t, x->w), least) / fmax(norm(t, x->g), least);
        EACH(i, t) x->w[i] = (x->w[i] - lr * ratio * x->g[i]) / sqrt(1 + lr * lr);
    }
}

/* ---- sums over all weights ---- */

enum { P_MIN, P_MAX, P_EPS, P_C, P_POSITIVE };
static void polyak_sgd(moment c[2], world *x)
{
    double gap = c->loss - c->p[P_MIN],
           bottom = c->p[P_C] * pow(norm_of_all(x->g), 2) + c->p[P_EPS];
    if (c->p[P_POSITIVE] != 0) gap = fmax(gap, 0);
    EACH_TENSOR(t)
    EACH(i, t) x->w[i] -= c[t->group].lr * fmin(gap / bottom, c->p[P_MAX]) * x->g[i];
}

/* h: the largest distance, the sum of gradients */
enum { D_FIRST, D_EPS, D_WD };
static void distance_over_gradients(moment c[2], world *x, bool weighted)
{
    static double moved[ARENA];
    double *h = c->h;
    EACH_TENSOR(t) EACH(i, t)
    {
        if (c->t == 1) x->s[i][0] = x->w[i];
        x->g[i] += c[t->group].p[D_WD] * x->w[i];
        moved[i] = x->w[i] - x->s[i][0];
    }
    double gradient = pow(norm_of_all(x->g), 2), distance = norm_of_all(moved), rate;
    if (weighted) {
        h[0] = fmax(c->t == 1 ? c->p[D_FIRST] : h[0], distance * distance);
        h[1] += h[0] * gradient;
        rate = h[0] / (sqrt(h[1]) + c->p[D_EPS]);
    } else {
        h[0] = fmax(c->t == 1 ? c->p[D_FIRST] * (1 + norm_of_all(x->w)) : h[0], distance);
        h[1] += gradient;
        rate = h[0] / sqrt(h[1] + c->p[D_EPS]);
    }
    EACH_TENSOR(t) EACH(i, t) x->w[i] -= c[t->group].lr * rate * x->g[i];
}

static void dog(moment c[2], world *x)
{
    distance_over_gradients(c, x, false);
}
static void dowg(moment c[2], world *x)
{
    distance_over_gradients(c, x, true);
}

static double adam_correction(const moment *c, bool on)
{
    return on ? sqrt(1 - pow(c->p[BETA2], c->t)) / (1 - pow(c->p[BETA1], c->t)) : 1;
}

/* h: d, the largest estimate, the numerator */
enum { PR_BETA3 = EPS + 1, PR_D0, PR_COEF, PR_GROWTH, PR_CORRECTION, PR_SAFEGUARD, PR_WD };
static void prodigy(moment c[2], world *x)
{
    double *h = c->h, beta3 = c->p[PR_BETA3] > 0 ? c->p[PR_BETA3] : sqrt(c->p[BETA2]), size = 0;
    if (c->t == 1) h[0] = h[1] = c->p[PR_D0];
    double d = h[0], fix = adam_correction(c, c->p[PR_CORRECTION] != 0), gain = d / c->p[PR_D0];
    h[2] *= beta3;
    EACH_TENSOR(t) EACH(i, t)
    {
        const moment *k = &c[t->group];
        double *s = x->s[i], rate = d * k->lr * fix;
        if (k->t == 1) s[3] = x->w[i];
        double g = x->g[i] + (k->p[PR_WD + 1] == 0 ? k->p[PR_WD] * x->w[i] : 0);
        h[2] += gain * rate * g * (s[3] - x->w[i]);
        average(&s[0], d * g, k->p[BETA1]);
        average(&s[1], pow(d * g, 2), k->p[BETA2]);
        s[2] = beta3 * s[2] + gain * (k->p[PR_SAFEGUARD] != 0 ? d : rate) * g;
        size += fabs(s[2]);
    }
    double estimate = c->p[PR_COEF] * h[2] / size;
    if (h[0] == c->p[PR_D0]) h[0] = fmax(h[0], estimate);
    h[1] = fmax(h[1], estimate);
    h[0] = fmin(h[1], c->p[PR_GROWTH] == 0 ? INFINITY : h[0] * c->p[PR_GROWTH]);
    EACH_TENSOR(t) EACH(i, t)
    {
        double rate = d * c[t->group].lr * fix;
        decay(&c[t->group], x, i, PR_WD, rate);
        x->w[i] -= rate * x->s[i][0] / (sqrt(x->s[i][1]) + h[0] * c->p[EPS]);
    }
}

/* h: d, the numerator */
enum { DA_D0 = EPS + 1, DA_CORRECTION, DA_WD };
static void dadapt_adam(moment c[2], world *x)
{
    double *h = c->h, q = sqrt(c->p[BETA2]), pull = 0, size = 0;
    if (c->t == 1) h[0] = c->p[DA_D0];
    double fix = adam_correction(c, c->p[DA_CORRECTION] != 0);
    EACH_TENSOR(t) EACH(i, t)
    {
        const moment *k = &c[t->group];
        double *s = x->s[i], rate = h[0] * k->lr * fix;
        decay(k, x, i, DA_WD, rate);
        pull += rate * x->g[i] * s[2] / (sqrt(s[1]) + k->p[EPS]);
        average(&s[0], rate * x->g[i], k->p[BETA1]);
        average(&s[1], pow(x->g[i], 2), k->p[BETA2]);
        average(&s[2], rate * x->g[i], q);
        size += fabs(s[2]);
        x->w[i] -= s[0] / (sqrt(s[1]) + k->p[EPS]);
    }
    average(&h[1], pull, q);
    h[0] = fmax(h[0], h[1] / ((1 - q) * size));
}

/* h: d, the numerator, the norm of the first gradient */
enum { DS_MU, DS_WD, DS_D0 };
static void dadapt_sgd(moment c[2], world *x)
{
    static double sum[ARENA];
    double *h = c->h;
    if (c->t == 1) h[0] = c->p[DS_D0];
    if (c->t == 1) h[2] = norm_of_all(x->g);
    EACH_TENSOR(t) EACH(i, t)
    {
        const moment *k = &c[t->group];
        double *s = x->s[i], rate = h[0] * k->lr / h[2], g = x->g[i] + k->p[DS_WD] * x->w[i];
        if (k->t == 1) s[1] = x->w[i];
        h[1] += rate * g * s[0];
        sum[i] = s[0] += rate * g;
        x->w[i] = k->p[DS_MU] * x->w[i] + (1 - k->p[DS_MU]) * (s[1] - s[0]);
    }
    h[0] = fmax(h[0], 2 * h[1] / norm_of_all(sum));
}

/* ---- the rules and their ranges ---- */

#define BETAS(ONE, TWO, E)                                                                         \
    REAL("beta1", ONE, 0.5, 0.95), REAL("beta2", TWO, 0.9, 0.999), LOGR("eps", E, 1e-8, 0.1)
#define LARS(MU, EPS, NORM, INSIDE, ALWAYS)                                                        \
    REAL("momentum", MU, 0.1, 0.9), FLAG("nesterov", 0), WEIGHT_DECAY(0),                          \
        LOGR("trust", 0.001, 0.001, 0.1), LOGR("eps", EPS, 1e-8, 0.1),                             \
        WORDS("norm", NORM, joints), FLAG("lr_inside", INSIDE), FLAG("clip", 0),                   \
        FLAG("always", ALWAYS)
#define LAMB(EPS, DEF, HOW, ALWAYS)                                                                \
    BETAS(0.9, 0.999, EPS), FLAG("always", ALWAYS), FLAG("clip", 0), FLAG("correction", 1),        \
        WEIGHT_DECAY(DEF), WORDS("decay", HOW, inside)
#define NOVOGRAD(ONE, TWO, EPS)                                                                    \
    REAL("beta1", ONE, 0.5, 0.95), REAL("beta2", TWO, 0.25, 0.99), LOGR("eps", EPS, 1e-8, 0.1),    \
        FLAG("averaging", 0), WEIGHT_DECAY(0), WORDS("decay", 0, inside)
#define PRODIGY(CORRECTION)                                                                        \
    BETAS(0.9, 0.999, 1e-8), REAL("beta3", 0, 0.9, 0.999), LOGR("d0", 1e-6, 1e-3, 1e-2),           \
        REAL("d_coef", 1, 0.5, 2), REAL("growth", 0, 1.05, 1.5), FLAG("correction", CORRECTION),   \
        FLAG("safeguard", 0), DECAY(0, 1)
#define DADAPT(CORRECTION)                                                                         \
    BETAS(0.9, 0.999, 1e-8), LOGR("d0", 1e-6, 1e-4, 1e-2), FLAG("correction", CORRECTION),         \
        DECAY(0, 1)
#define FIRST(NAME, DEF, EPS)                                                                      \
    LOGR(NAME, DEF, 1e-4, 1e-2), LOGR("eps", EPS, 1e-8, 0.1), WEIGHT_DECAY(0)

static const rule rules[] = {
    {"cautious_adamw", 0.01, cautious_adamw, {BETAS(0.9, 0.999, 1e-8), DECAY(0.01, 1)}},
    {"cautious_lion",
     0.005,
     cautious_lion,
     {REAL("beta1", 0.9, 0.5, 0.95), REAL("beta2", 0.99, 0.9, 0.99), DECAY(0, 1)}},
    {"lars", 10, lars, {LARS(0.9, 0, 0, 1, 1)}},
    {"optax:lars", 10, lars, {LARS(0.9, 0, 1, 1, 1)}},
    {"timm:lars", 0.05, lars, {LARS(0, 1e-8, 0, 0, 0)}},
    {"lamb", 0.01, lamb, {LAMB(1e-6, 0, 0, 1)}},
    {"keras3:lamb", 0.01, lamb, {LAMB(1e-7, 0, 1, 1)}},
    {"timm:lamb", 0.01, lamb, {LAMB(1e-6, 0.01, 0, 0)}},
    {"novograd", 0.05, novograd, {NOVOGRAD(0.95, 0.98, 1e-8)}},
    {"optax:novograd", 0.05, novograd, {NOVOGRAD(0.9, 0.25, 1e-6)}},
    {"fromage", 0.05, fromage, {LOGR("min_norm", 1e-6, 1e-6, 1)}},
    {"polyak_sgd",
     1,
     polyak_sgd,
     {REAL("f_min", 0, 0, 60), REAL("max_rate", 1, 1e-3, 1e-2), LOGR("eps", 0, 1e-8, 0.1),
      REAL("c", 1, 0.5, 2), FLAG("positive", 0)}},
    {"dog", 1, dog, {FIRST("r_eps", 1e-6, 1e-8)}, 1},
    {"dowg", 1, dowg, {FIRST("r_square", 1e-4, 1e-4)}},
    {"prodigy", 1, prodigy, {PRODIGY(0)}, 1},
    {"dadapt_adam", 1, dadapt_adam, {DADAPT(0)}, 1},
    {"dadapt_sgd",
     1,
     dadapt_sgd,
     {REAL("momentum", 0.9, 0.1, 0.9), WEIGHT_DECAY(0), LOGR("d0", 1e-6, 1e-4, 1e-2)}, 1},
};

/* ---- the comparison ---- */

/* Keeps its direction for a while. */
static const float *gradient(int t)
{
    static float all[ARENA];
    const float *first = trial_gradient(1), *now = trial_gradient(t);
    float kept = t < 30 ? 0.7f : 0;
    for (size_t i = 0; i < ARENA; i++) all[i] = kept * first[i] + (1 - kept) * now[i];
    return all;
}

static double loss(int t)
{
    return 100 - 0.5 * t;
}

static void follow(const rule *k, moment c[2], world *x, int t, double lr)
{
    for (int i = 0; i < 2; i++) {
        c[i].t = t;
        c[i].lr = i ? lr * 0.5 : lr;
        c[i].base = i ? k->lr * 0.5 : k->lr;
        c[i].loss = loss(t);
    }
    const float *g = gradient(t);
    for (size_t i = 0; i < ARENA; i++) x->g[i] = (double)g[i];
    k->update(c, x);
}

static double compare(const rig *r, const char *spec, const float *start, const world *x)
{
    static float got[ARENA];
    double error = 0, size = 0, moved = 0;
    lh_buffer_read(r->dev, r->weights, 0, sizeof got, got);
    EACH_TENSOR(t) EACH(i, t)
    {
        if (x->s[i][SLOTS - 1] != 0) continue; /* a sign too close to call */
        error += pow((double)got[i] - x->w[i], 2);
        size += pow(x->w[i], 2);
        moved += pow(x->w[i] - (double)start[i], 2);
    }
    /* Rules without a learning rate begin slowly: the error is also held against what the updates did. */
    cr_expect(sqrt(moved / size) > 0.05, "%s hardly moves: %g", spec, sqrt(moved / size));
    cr_expect(sqrt(error / size) <= 1e-5, "%s: relative error %g", spec, sqrt(error / size));
    cr_expect(sqrt(error / moved) <= 1e-4, "%s: error %g of the way", spec, sqrt(error / moved));
    return sqrt(error / size);
}

static double run(rig *r, const rule *k, uint64_t draw)
{
    static float start[ARENA];
    static world x;
    moment c[2] = {{.t = 0}};
    char spec[512];
    lh_updater *u = NULL;
    memset(&x, 0, sizeof x);
    trial_draw(k->options, draw, c[0].p);
    trial_text(k->name, k->options, draw, c[0].p, spec, sizeof spec);
    c[1] = c[0];
    for (size_t i = 0; i < OPTIONS && k->options[i].name; i++)
        if (strcmp(k->options[i].name, "weight_decay") == 0) c[1].p[i] = 0;
    rig_fill(r, r->weights, 1, 0.1);
    lh_buffer_read(r->dev, r->weights, 0, sizeof start, start);
    for (size_t i = 0; i < ARENA; i++) x.w[i] = (double)start[i];
    cr_assert_eq(lh_updater_create(r->dev, r->reg, spec, NAN, &r->layout, &u), LEHR_OK, "%s: %s",
                 spec, lehr_context_message(r->ctx));
    lh_updater_set_base_lr(u, k->lr);
    for (int t = 1; t <= UPDATES; t++) {
        double lr = k->lr * (1 - 0.007 * t);
        lh_buffer_write(r->dev, r->gradients, 0, ARENA * 4, gradient(t));
        lh_updater_set_loss(u, loss(t));
        cr_assert_eq(lh_updater_step(u, (uint64_t)t, lr, r->control), LEHR_OK, "%s: %s", spec,
                     lehr_context_message(r->ctx));
        follow(k, c, &x, t, (double)lh_updater_last_lr(u));
    }
    lh_updater_destroy(&u);
    return compare(r, spec, start, &x);
}

Test(norms, hundred_updates_of_every_rule)
{
    rig r;
    lh_param params[TENSORS];
    rig_open(&r);
    for (size_t i = 0; i < TENSORS; i++)
        params[i] = (lh_param){.name = "t",
                               .offset = tensors[i].at,
                               .count = tensors[i].count,
                               .dims = {tensors[i].count},
                               .ndim = 1,
                               .group = (uint32_t)tensors[i].group};
    r.layout.params = params;
    r.layout.param_count = TENSORS;
    for (size_t i = 0; i < LH_COUNT(rules); i++)
        for (uint64_t draw = rules[i].from;
             draw <= (strchr(rules[i].name, ':') ? 0 : trial_draws()); draw++) {
            double error = run(&r, &rules[i], draw ? draw + 100 * i : 0);
            if (getenv("LEHR_TEST_SHOW"))
                printf("%-18s draw %d  %.2e\n", rules[i].name, (int)draw, error);
        }
    rig_close(&r);
}
