/* SPDX-License-Identifier: MIT
 *
 * Element-wise optimizers on the device against formulas written here in double, from the papers
 * and the documentation of PyTorch, Keras, optax and timm: 100 updates with a learning rate that
 * changes each time, for the defaults, the presets and random values of every parameter. */
#define _GNU_SOURCE
#include "tests/plugin/trial.h"

/* One weight: w, its slots s (0 before the first update), its gradient g.  s[TIE] is set where a
 * sign was too close to call. */
enum { TIE = 4, SLOTS };
typedef struct rule {
    const char *name;
    double lr;
    void (*prepare)(moment *c); /* optional, once per update and group */
    void (*element)(const moment *c, double *w, double *s, double g);
    option options[OPTIONS];
    /* the weight that evaluation sees; NULL: w */
    double (*judged)(const moment *c, double w, const double *s);
} rule;

static const char *const decays[] = {"l2", "decoupled", "scheduled", "independent", NULL};
#define DECAY(WEIGHT_DECAY, HOW)                                                                   \
    LOGR("weight_decay", WEIGHT_DECAY, 1e-4, 0.02), WORDS("decay", HOW, decays)

/* The gradient with an L2 penalty, or the weight with decay beside it. */
static double decayed(const moment *c, double *w, double g, int weight_decay)
{
    double strength = c->p[weight_decay], how = c->p[weight_decay + 1];
    if (how == 0) return g + strength * *w;
    *w -= trial_shrink(c, strength, how) * *w;
    return g;
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

/* ---- sgd and its kin ---- */

enum { S_MOMENTUM, S_NESTEROV, S_DAMPENING, S_INSIDE, S_WD };
static void sgd(const moment *c, double *w, double *s, double g)
{
    double mu = c->p[S_MOMENTUM];
    g = decayed(c, w, g, S_WD);
    if (c->p[S_INSIDE] != 0) { /* Keras: its velocity is minus ours */
        double share = c->t == 1 ? 1 : 1 - c->p[S_DAMPENING];
        s[0] = mu * s[0] - share * c->lr * g;
        *w += c->p[S_NESTEROV] != 0 ? mu * s[0] - c->lr * g : s[0];
        return;
    }
    s[0] = c->t == 1 ? g : mu * s[0] + (1 - c->p[S_DAMPENING]) * g;
    *w -= c->lr * (c->p[S_NESTEROV] != 0 ? g + mu * s[0] : s[0]);
}

enum { G_EPS, G_INIT, G_LR_DECAY, G_INSIDE, G_WD };
static void adagrad(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[0] = c->p[G_INIT];
    g = decayed(c, w, g, G_WD);
    s[0] += g * g;
    double lr = c->lr / (1 + (c->t - 1) * c->p[G_LR_DECAY]);
    *w -= c->p[G_INSIDE] != 0 ? lr * g / sqrt(s[0] + c->p[G_EPS])
                              : lr * g / (sqrt(s[0]) + c->p[G_EPS]);
}

enum { D_RHO, D_EPS, D_WD };
static void adadelta(const moment *c, double *w, double *s, double g)
{
    double eps = c->p[D_EPS];
    g = decayed(c, w, g, D_WD);
    average(&s[0], g * g, c->p[D_RHO]);
    double delta = sqrt((s[1] + eps) / (s[0] + eps)) * g;
    average(&s[1], delta * delta, c->p[D_RHO]);
    *w -= c->lr * delta;
}

enum { R_RHO, R_EPS, R_MOMENTUM, R_CENTERED, R_EPS_INSIDE, R_LR_INSIDE, R_INIT, R_WD };
static void rmsprop(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[0] = c->p[R_INIT];
    g = decayed(c, w, g, R_WD);
    double v = average(&s[0], g * g, c->p[R_RHO]), mean = average(&s[1], g, c->p[R_RHO]);
    if (c->p[R_CENTERED] != 0) v -= mean * mean;
    double step = c->p[R_EPS_INSIDE] != 0 ? g / sqrt(v + c->p[R_EPS]) : g / (sqrt(v) + c->p[R_EPS]);
    bool inside = c->p[R_LR_INSIDE] != 0;
    s[2] = c->p[R_MOMENTUM] * s[2] + (inside ? c->lr * step : step);
    *w -= inside ? s[2] : c->lr * s[2];
}

enum { RP_MINUS, RP_PLUS, RP_MIN, RP_MAX };
static void rprop(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[0] = c->lr;
    double turn = trial_sign(g) * trial_sign(s[1]);
    if (turn > 0) s[0] *= c->p[RP_PLUS];
    if (turn < 0) s[0] *= c->p[RP_MINUS];
    s[0] = fmin(fmax(s[0], c->p[RP_MIN]), c->p[RP_MAX]);
    s[1] = turn < 0 ? 0 : g;
    *w -= s[0] * trial_sign(s[1]);
}

enum { SG_MOMENTUM, SG_WD };
static void signum(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, SG_WD);
    *w -= c->lr * trial_decide(average(&s[0], g, c->p[SG_MOMENTUM]), 1, &s[TIE]);
}

enum { L_BETA1, L_BETA2, L_WD };
static void lion(const moment *c, double *w, double *s, double g)
{
    double blend = c->p[L_BETA1] * s[0] + (1 - c->p[L_BETA1]) * g;
    *w -= c->lr * (trial_decide(blend, 1, &s[TIE]) + c->p[L_WD] * *w);
    average(&s[0], g, c->p[L_BETA2]);
}

enum { F_POWER, F_INIT, F_L1, F_L2, F_SHRINKAGE, F_BETA, F_KEEP, F_WD };
static void ftrl(const moment *c, double *w, double *s, double g)
{
    double l1 = c->p[F_L1], l2 = c->p[F_L2] + c->p[F_BETA] / (2 * c->lr), q = -c->p[F_POWER];
    g = decayed(c, w, g, F_WD);
    if (c->t == 1) {
        s[0] = c->p[F_INIT];
        if (c->p[F_KEEP] != 0) /* the z whose solution is w */
            s[1] = -*w * (pow(s[0], q) / c->lr + 2 * l2) - l1 * trial_sign(*w);
    }
    double n = s[0] + g * g;
    s[1] += g + 2 * c->p[F_SHRINKAGE] * *w - (pow(n, q) - pow(s[0], q)) / c->lr * *w;
    s[0] = n;
    double z = s[1], clipped = fmax(-l1, fmin(l1, z));
    *w = (clipped - z) / (pow(n, q) / c->lr + 2 * l2);
}

enum { MG_MOMENTUM, MG_EPS, MG_WD };
static void madgrad(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[2] = *w;
    double rate = (c->lr + c->p[MG_EPS]) * sqrt(c->t);
    g = decayed(c, w, g, MG_WD);
    s[0] += rate * g * g;
    s[1] += rate * g;
    double z = s[2] - s[1] / (cbrt(s[0]) + c->p[MG_EPS]);
    *w = c->p[MG_MOMENTUM] * *w + (1 - c->p[MG_MOMENTUM]) * z;
}

/* ---- means of the weights ---- */

enum { AS_LAMBDA, AS_ALPHA, AS_T0, AS_LAGGING, AS_WD };
static void asgd_prepare(moment *c)
{
    double before = c->t == 1 ? c->lr : c->h[0], lr = c->p[AS_LAGGING] != 0 ? before : c->lr;
    c->h[1] = lr / pow(1 + c->p[AS_LAMBDA] * lr * (c->t - 1), c->p[AS_ALPHA]);
    c->h[0] = c->lr;
}

static void asgd(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, AS_WD);
    *w -= c->h[1] * (g + c->p[AS_LAMBDA] * *w);
    double share = 1 / fmax(1, c->t - 1 - c->p[AS_T0]); /* PyTorch's mu, made an update before */
    s[0] += share * (*w - s[0]);
}

static double asgd_judged(const moment *c, double w, const double *s)
{
    (void)c;
    (void)w;
    return s[0];
}

/* Slots: z, v, x.  Defazio et al., algorithm 1, with x kept. */
enum { SF_BETA, SF_WD, SF_POWER, SF_R, SF_WARMUP, SF_BETA2, SF_EPS };
static void free_prepare(moment *c)
{
    if (c->t < c->p[SF_WARMUP]) c->lr *= c->t / c->p[SF_WARMUP];
    c->h[0] = fmax(c->h[0], c->lr);
    double weight = pow(c->t, c->p[SF_R]) * pow(c->h[0], c->p[SF_POWER]);
    c->h[1] += weight;
    c->h[2] = weight / c->h[1];
}

static void free_step(const moment *c, double *w, double *s, double step)
{
    s[0] -= c->lr * (step + c->p[SF_WD] * *w);
    s[2] += c->h[2] * (s[0] - s[2]);
    *w = (1 - c->p[SF_BETA]) * s[0] + c->p[SF_BETA] * s[2];
}

static void schedule_free_sgd(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[0] = s[2] = *w;
    free_step(c, w, s, g);
}

static void schedule_free_adamw(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[0] = s[2] = *w;
    s[1] = c->p[SF_BETA2] * s[1] + (1 - c->p[SF_BETA2]) * g * g;
    free_step(c, w, s, g / (sqrt(s[1] / (1 - pow(c->p[SF_BETA2], c->t))) + c->p[SF_EPS]));
}

static double free_judged(const moment *c, double w, const double *s)
{
    (void)c;
    (void)w;
    return s[2];
}

/* ---- adam and its kin: beta1, beta2, eps come first ---- */

enum { BETA1, BETA2, EPS };

enum { A_AMSGRAD = EPS + 1, A_HAT, A_CORRECTED, A_CORRECTION, A_WD };
static void adam(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, A_WD);
    double m = average(&s[0], g, c->p[BETA1]), v = average(&s[1], g * g, c->p[BETA2]);
    double one = 1 - pow(c->p[BETA1], c->t), two = 1 - pow(c->p[BETA2], c->t), hat;
    if (c->p[A_CORRECTION] == 0) one = two = 1;
    s[2] = fmax(s[2], c->p[A_CORRECTED] != 0 ? v / two : v);
    hat = v / two;
    if (c->p[A_AMSGRAD] != 0) hat = c->p[A_CORRECTED] != 0 ? s[2] : s[2] / two;
    if (c->p[A_HAT] != 0)
        *w -= c->lr * sqrt(two) / one * m / (sqrt(hat * two) + c->p[EPS]);
    else
        *w -= c->lr * (m / one) / (sqrt(hat) + c->p[EPS]);
}

enum { AX_INSIDE = EPS + 1, AX_WD };
static void adamax(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, AX_WD);
    double m = unbias(average(&s[0], g, c->p[BETA1]), c->p[BETA1], c->t);
    bool inside = c->p[AX_INSIDE] != 0;
    s[1] = fmax(c->p[BETA2] * s[1], fabs(g) + (inside ? c->p[EPS] : 0));
    *w -= c->lr * m / (s[1] + (inside ? 0 : c->p[EPS]));
}

static const char *const corrections[] = {"schedule", "next", "same", NULL};
enum { N_DECAY = EPS + 1, N_CORRECTION, N_WD };
enum { H_MU, H_NEXT, H_PRODUCT };
static void nadam_prepare(moment *c)
{
    if (c->t == 1) c->h[H_PRODUCT] = 1;
    c->h[H_MU] = c->p[BETA1] * (1 - 0.5 * pow(0.96, c->t * c->p[N_DECAY]));
    c->h[H_NEXT] = c->p[BETA1] * (1 - 0.5 * pow(0.96, (c->t + 1) * c->p[N_DECAY]));
    c->h[H_PRODUCT] *= c->h[H_MU];
}

static void nadam(const moment *c, double *w, double *s, double g)
{
    double beta1 = c->p[BETA1], mu = c->h[H_MU], next = c->h[H_NEXT], product = c->h[H_PRODUCT];
    g = decayed(c, w, g, N_WD);
    double m = average(&s[0], g, beta1), v = average(&s[1], g * g, c->p[BETA2]), mbar;
    mbar = next * m / (1 - product * next) + (1 - mu) * g / (1 - product);
    if (c->p[N_CORRECTION] == 1)
        mbar = beta1 * unbias(m, beta1, c->t + 1) + (1 - beta1) * unbias(g, beta1, c->t);
    if (c->p[N_CORRECTION] == 2) mbar = unbias(beta1 * m + (1 - beta1) * g, beta1, c->t);
    *w -= c->lr * mbar / (sqrt(unbias(v, c->p[BETA2], c->t)) + c->p[EPS]);
}

/* r of RAdam's algorithm 2; 0 where it takes no root */
static double rectified(double beta2, double t)
{
    double limit = 2 / (1 - beta2) - 1, power = pow(beta2, t);
    double rho = limit - 2 * t * power / (1 - power);
    if (rho <= 5) return 0;
    return sqrt((rho - 4) * (rho - 2) * limit / (rho * (limit - 4) * (limit - 2)));
}

enum { RA_HAT = EPS + 1, RA_WD };
static void radam(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, RA_WD);
    double m = unbias(average(&s[0], g, c->p[BETA1]), c->p[BETA1], c->t);
    double v = average(&s[1], g * g, c->p[BETA2]), r = rectified(c->p[BETA2], c->t);
    double two = 1 - pow(c->p[BETA2], c->t);
    if (r == 0)
        *w -= c->lr * m;
    else if (c->p[RA_HAT] != 0)
        *w -= c->lr * r * m * sqrt(two) / (sqrt(v) + c->p[EPS]);
    else
        *w -= c->lr * r * m / (sqrt(v / two) + c->p[EPS]);
}

enum { Y_INIT = EPS + 1, Y_INIT_M, Y_CORRECTION, Y_WD };
static void yogi(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) {
        s[0] = c->p[Y_INIT_M];
        s[1] = c->p[Y_INIT];
    }
    g = decayed(c, w, g, Y_WD);
    double m = average(&s[0], g, c->p[BETA1]);
    s[1] -= (1 - c->p[BETA2]) * trial_decide(s[1] - g * g, g * g, &s[TIE]) * g * g;
    double v = s[1];
    if (c->p[Y_CORRECTION] != 0) {
        m = unbias(m, c->p[BETA1], c->t);
        v = unbias(v, c->p[BETA2], c->t);
    }
    *w -= c->lr * m / (sqrt(v) + c->p[EPS]);
}

enum { B_ROOT = EPS + 1, B_RECTIFY, B_WD };
static void adabelief(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, B_WD);
    double m = average(&s[0], g, c->p[BETA1]), two = 1 - pow(c->p[BETA2], c->t);
    double v = average(&s[1], pow(g - m, 2), c->p[BETA2]) + c->p[B_ROOT];
    double r = rectified(c->p[BETA2], c->t);
    s[1] = v;
    m = unbias(m, c->p[BETA1], c->t);
    if (c->p[B_RECTIFY] == 0)
        *w -= c->lr * m / (sqrt(v / two) + c->p[EPS]);
    else
        *w -= c->lr * (r == 0 ? m : r * m * sqrt(two) / (sqrt(v) + c->p[EPS]));
}

static const char *const adan_decays[] = {"l2",          "decoupled", "scheduled",
                                          "independent", "proximal",  NULL};
enum { AN_BETA3 = EPS + 1, AN_ROOT, AN_COMPLEMENT, AN_WD };
static void adan(const moment *c, double *w, double *s, double g)
{
    double beta2 = c->p[BETA2], look = c->p[AN_COMPLEMENT] != 0 ? 1 - beta2 : beta2;
    g = decayed(c, w, g, AN_WD);
    double change = c->t == 1 ? 0 : g - s[3];
    s[3] = g;
    double m = unbias(average(&s[0], g, c->p[BETA1]), c->p[BETA1], c->t);
    double d = unbias(average(&s[1], change, beta2), beta2, c->t);
    double n = average(&s[2], pow(g + look * change, 2), c->p[AN_BETA3]);
    n = unbias(n, c->p[AN_BETA3], c->t);
    *w -= c->lr * (m + look * d) / (sqrt(n + c->p[AN_ROOT]) + c->p[EPS]);
    if (c->p[AN_WD + 1] == 4) *w /= 1 + c->lr * c->p[AN_WD];
}

enum { LP_AFTER = EPS + 1, LP_WD };
static void laprop_prepare(moment *c)
{
    average(&c->h[0], c->lr, c->p[BETA1]);
}

static void laprop(const moment *c, double *w, double *s, double g)
{
    bool after = c->p[LP_AFTER] != 0 && c->p[LP_WD + 1] != 0;
    if (!after) g = decayed(c, w, g, LP_WD);
    double v = unbias(average(&s[1], g * g, c->p[BETA2]), c->p[BETA2], c->t);
    *w -= average(&s[0], c->lr * g / (sqrt(v) + c->p[EPS]), c->p[BETA1]) / (c->h[0] / c->lr);
    if (after) decayed(c, w, g, LP_WD);
}

enum { AP_CLIP = EPS + 1, AP_POWER, AP_WD };
static void adopt(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) {
        if (c->p[AP_WD + 1] == 0) g += c->p[AP_WD] * *w;
        s[1] = g * g;
        return;
    }
    g = decayed(c, w, g, AP_WD);
    double limit = pow(c->t - 1, c->p[AP_POWER]), q = g / fmax(sqrt(s[1]), c->p[EPS]);
    if (c->p[AP_CLIP] != 0) q = fmax(-limit, fmin(limit, q));
    *w -= c->lr * average(&s[0], q, c->p[BETA1]);
    average(&s[1], g * g, c->p[BETA2]);
}

enum { M_BETA3 = EPS + 1, M_ALPHA, M_WARMUP, M_WD };
static void ademamix_prepare(moment *c)
{
    double x = c->p[M_WARMUP] > 0 ? fmin(1, c->t / c->p[M_WARMUP]) : 1;
    double start = log(c->p[BETA1]), end = log(c->p[M_BETA3]);
    c->h[0] = x * c->p[M_ALPHA];
    c->h[1] = fmin(exp(start * end / ((1 - x) * end + x * start)), c->p[M_BETA3]);
}

static void ademamix(const moment *c, double *w, double *s, double g)
{
    g = decayed(c, w, g, M_WD);
    double m = unbias(average(&s[0], g, c->p[BETA1]), c->p[BETA1], c->t);
    double v = unbias(average(&s[1], g * g, c->p[BETA2]), c->p[BETA2], c->t);
    *w -= c->lr * (m + c->h[0] * average(&s[2], g, c->h[1])) / (sqrt(v) + c->p[EPS]);
}

/* ---- lookahead ---- */

enum { K_K = 0, K_ALPHA, K_BETA1, K_BETA2, K_EPS, K_WD };
static void meet(const moment *c, double *w, double *slow)
{
    if ((int)c->t % (int)c->p[K_K] != 0) return;
    *slow += c->p[K_ALPHA] * (*w - *slow);
    *w = *slow;
}

static void lookahead_adamw(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[2] = *w;
    g = decayed(c, w, g, K_WD);
    double m = unbias(average(&s[0], g, c->p[K_BETA1]), c->p[K_BETA1], c->t);
    double v = unbias(average(&s[1], g * g, c->p[K_BETA2]), c->p[K_BETA2], c->t);
    *w -= c->lr * m / (sqrt(v) + c->p[K_EPS]);
    meet(c, w, &s[2]);
}

static void ranger(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[2] = *w;
    moment inner = *c;
    memcpy(inner.p, c->p + K_BETA1, 3 * sizeof *c->p);
    inner.p[RA_HAT] = 1;
    memcpy(inner.p + RA_WD, c->p + K_WD, 2 * sizeof *c->p);
    radam(&inner, w, s, g);
    meet(c, w, &s[2]);
}

enum { KS_MOMENTUM = K_ALPHA + 1, KS_NESTEROV, KS_WD };
static void lookahead_sgd(const moment *c, double *w, double *s, double g)
{
    if (c->t == 1) s[1] = *w;
    g = decayed(c, w, g, KS_WD);
    s[0] = c->p[KS_MOMENTUM] * s[0] + g;
    *w -= c->lr * (c->p[KS_NESTEROV] != 0 ? g + c->p[KS_MOMENTUM] * s[0] : s[0]);
    meet(c, w, &s[1]);
}

/* ---- the rules and their ranges ---- */

#define SGD(MU, NESTEROV, MOST, INSIDE, HOW)                                                       \
    REAL("momentum", MU, 0.5, 0.95), WHOLE("nesterov", NESTEROV, NESTEROV, NESTEROV),              \
        REAL("dampening", 0, 0, MOST), FLAG("lr_inside", INSIDE), DECAY(0, HOW)
#define ADAGRAD(EPS, INIT, INSIDE, HOW)                                                            \
    LOGR("eps", EPS, 1e-10, 0.1), REAL("init", INIT, 0, 0.5), REAL("lr_decay", 0, 0, 0.05),        \
        FLAG("eps_inside", INSIDE), DECAY(0, HOW)
#define ADADELTA(RHO, EPS, HOW)                                                                    \
    REAL("rho", RHO, 0.8, 0.99), LOGR("eps", EPS, 1e-6, 0.1), DECAY(0, HOW)
#define RMSPROP(RHO, EPS, EPS_INSIDE, LR_INSIDE, INIT, HOW)                                        \
    REAL("rho", RHO, 0.8, 0.99), LOGR("eps", EPS, 1e-4, 0.1), REAL("momentum", 0, 0.1, 0.9),       \
        FLAG("centered", 0), FLAG("eps_inside", EPS_INSIDE), FLAG("lr_inside", LR_INSIDE),         \
        REAL("init", INIT, 0, 1), DECAY(0, HOW)
#define BETAS(ONE, TWO, E)                                                                         \
    REAL("beta1", ONE, 0.5, 0.95), REAL("beta2", TWO, 0.9, 0.999), LOGR("eps", E, 1e-8, 0.1)
#define ADAM(EPS, AMSGRAD, HAT, CORRECTED, CORRECTION, WEIGHT_DECAY, HOW)                          \
    BETAS(0.9, 0.999, EPS), FLAG("amsgrad", AMSGRAD), FLAG("eps_hat", HAT),                        \
        FLAG("corrected", CORRECTED), FLAG("correction", CORRECTION), DECAY(WEIGHT_DECAY, HOW)
#define ADAMAX(EPS, INSIDE, HOW) BETAS(0.9, 0.999, EPS), FLAG("eps_inside", INSIDE), DECAY(0, HOW)
#define NADAM(EPS, PSI, CORRECTION, WEIGHT_DECAY, HOW)                                             \
    BETAS(0.9, 0.999, EPS), LOGR("momentum_decay", PSI, 1e-3, 1),                                  \
        WORDS("correction", CORRECTION, corrections), DECAY(WEIGHT_DECAY, HOW)
#define RADAM(EPS, HAT, HOW) BETAS(0.9, 0.999, EPS), FLAG("eps_hat", HAT), DECAY(0, HOW)
#define YOGI(INIT_M, CORRECTION)                                                                   \
    BETAS(0.9, 0.999, 1e-3), REAL("init", 1e-6, 0, 1), REAL("init_m", INIT_M, 0, 1),               \
        FLAG("correction", CORRECTION), DECAY(0, 0)
#define BELIEF(EPS, ROOT, RECTIFY, HOW)                                                            \
    BETAS(0.9, 0.999, EPS), LOGR("eps_root", ROOT, 1e-16, 1e-3), FLAG("rectify", RECTIFY),         \
        DECAY(0, HOW)
#define ADAN(ROOT, HOW)                                                                            \
    REAL("beta1", 0.98, 0.5, 0.98), REAL("beta2", 0.92, 0.5, 0.95), LOGR("eps", 1e-8, 1e-8, 0.1),  \
        REAL("beta3", 0.99, 0.9, 0.99), LOGR("eps_root", ROOT, 1e-12, 1e-2),                       \
        FLAG("complement", 0), LOGR("weight_decay", 0, 1e-3, 0.1),                                 \
        WORDS("decay", HOW, adan_decays)
#define LAPROP(AFTER) BETAS(0.9, 0.999, 1e-15), FLAG("after", AFTER), DECAY(0, 1)
#define ADOPT(POWER)                                                                               \
    BETAS(0.9, 0.9999, 1e-6), FLAG("clip", 1), REAL("clip_power", POWER, 0, 0.5), DECAY(0, 0)
#define ADEMAMIX(ALPHA, WEIGHT_DECAY)                                                              \
    BETAS(0.9, 0.999, 1e-8), REAL("beta3", 0.9999, 0.96, 0.9999), REAL("alpha", ALPHA, 0, 8),      \
        WHOLE("warmup", 0, 0, 150), DECAY(WEIGHT_DECAY, 1)
#define MADGRAD REAL("momentum", 0.9, 0, 0.95), LOGR("eps", 1e-6, 1e-6, 0.1), DECAY(0, 0)
#define FTRL(KEEP, INIT)                                                                           \
    REAL("lr_power", -0.5, -0.8, -0.2), REAL("init", INIT, 0.05, 1), REAL("l1", 0, 0, 0.1),        \
        REAL("l2", 0, 0, 0.1), REAL("l2_shrinkage", 0, 0, 0.1), REAL("beta", 0, 0, 1),             \
        FLAG("keep", KEEP), DECAY(0, 1)
#define LION                                                                                       \
    REAL("beta1", 0.9, 0.5, 0.95), REAL("beta2", 0.99, 0.9, 0.99),                                 \
        LOGR("weight_decay", 0, 1e-3, 0.1)
#define RPROP                                                                                      \
    REAL("eta_minus", 0.5, 0.3, 0.9), REAL("eta_plus", 1.2, 1.05, 1.5),                            \
        LOGR("step_min", 1e-6, 1e-6, 1e-3), REAL("step_max", 50, 0.1, 1)
#define SIGNUM(MOMENTUM) REAL("momentum", MOMENTUM, 0.5, 0.95), DECAY(0, 1)
#define SLOW(K) WHOLE("k", K, 1, 10), REAL("alpha", 0.5, 0.1, 1)

#define ASGD(LAGGING)                                                                              \
    LOGR("lambda", 1e-4, 1e-4, 0.1), REAL("alpha", 0.75, 0.5, 1), REAL("t0", 1e6, 0, 90),          \
        FLAG("lagging", LAGGING), DECAY(0, 0)
#define FREE(BETA, POWER)                                                                          \
    REAL(BETA, 0.9, 0.5, 0.95), LOGR("weight_decay", 0, 1e-4, 0.02), REAL("power", POWER, 0, 3),   \
        REAL("r", 0, 0, 2), WHOLE("warmup", 0, 0, 50)

static const rule rules[] = {
    {"sgd", 0.01, NULL, sgd, {SGD(0, 0, 0.5, 0, 0)}},
    {"timm:sgd", 0.01, NULL, sgd, {SGD(0.9, 1, 0, 0, 0)}},
    {"keras3:sgd", 0.01, NULL, sgd, {SGD(0, 0, 0, 1, 1)}},
    {"adagrad", 0.05, NULL, adagrad, {ADAGRAD(1e-10, 0, 0, 0)}},
    {"keras3:adagrad", 0.05, NULL, adagrad, {ADAGRAD(1e-7, 0.1, 1, 1)}},
    {"keras2017:adagrad", 0.05, NULL, adagrad, {ADAGRAD(1e-8, 0, 0, 0)}},
    {"adadelta", 1, NULL, adadelta, {ADADELTA(0.9, 1e-6, 0)}},
    {"keras3:adadelta", 1, NULL, adadelta, {ADADELTA(0.95, 1e-7, 1)}},
    {"rmsprop", 0.01, NULL, rmsprop, {RMSPROP(0.99, 1e-8, 0, 0, 0, 0)}},
    {"keras3:rmsprop", 0.01, NULL, rmsprop, {RMSPROP(0.9, 1e-7, 1, 1, 0, 1)}},
    {"timm:rmsprop", 0.01, NULL, rmsprop, {RMSPROP(0.9, 1e-10, 1, 1, 1, 0)}},
    {"rprop", 0.01, NULL, rprop, {RPROP}},
    {"signum", 0.005, NULL, signum, {SIGNUM(0.9)}},
    {"optax:signum", 0.005, NULL, signum, {SIGNUM(0)}},
    {"lion", 0.005, NULL, lion, {LION}},
    {"ftrl", 0.05, NULL, ftrl, {FTRL(1, 0.1)}},
    {"keras3:ftrl", 0.05, NULL, ftrl, {FTRL(0, 0.1)}},
    {"madgrad", 0.01, NULL, madgrad, {MADGRAD}},
    {"adam", 0.01, NULL, adam, {ADAM(1e-8, 0, 0, 0, 1, 0, 0)}},
    {"keras3:adam", 0.01, NULL, adam, {ADAM(1e-7, 0, 1, 0, 1, 0, 1)}},
    {"amsgrad", 0.01, NULL, adam, {ADAM(1e-8, 1, 0, 0, 1, 0, 0)}},
    {"optax:amsgrad", 0.01, NULL, adam, {ADAM(1e-8, 1, 0, 1, 1, 0, 0)}},
    {"paper:amsgrad", 0.01, NULL, adam, {ADAM(1e-8, 1, 0, 0, 0, 0, 0)}},
    {"adamw", 0.01, NULL, adam, {ADAM(1e-8, 0, 0, 0, 1, 0.01, 1)}},
    {"keras3:adamw", 0.01, NULL, adam, {ADAM(1e-7, 0, 1, 0, 1, 0.004, 1)}},
    {"adamax", 0.01, NULL, adamax, {ADAMAX(1e-8, 1, 0)}},
    {"keras3:adamax", 0.01, NULL, adamax, {ADAMAX(1e-7, 0, 1)}},
    {"nadam", 0.01, nadam_prepare, nadam, {NADAM(1e-8, 0.004, 0, 0, 0)}},
    {"keras3:nadam", 0.01, nadam_prepare, nadam, {NADAM(1e-7, 1, 0, 0, 1)}},
    {"optax:nadam", 0.01, nadam_prepare, nadam, {NADAM(1e-8, 0.004, 1, 0, 0)}},
    {"timm:nadamw", 0.01, nadam_prepare, nadam, {NADAM(1e-8, 0.004, 2, 0.01, 1)}},
    {"radam", 0.01, NULL, radam, {RADAM(1e-8, 1, 0)}},
    {"optax:radam", 0.01, NULL, radam, {RADAM(1e-8, 0, 0)}},
    {"yogi", 0.01, NULL, yogi, {YOGI(0, 1)}},
    {"optax:yogi", 0.01, NULL, yogi, {YOGI(1e-6, 1)}},
    {"adabelief", 0.01, NULL, adabelief, {BELIEF(1e-16, 1e-16, 0, 0)}},
    {"timm:adabelief", 0.01, NULL, adabelief, {BELIEF(1e-16, 1e-16, 1, 1)}},
    {"adan", 0.01, NULL, adan, {ADAN(0, 4)}},
    {"laprop", 0.01, laprop_prepare, laprop, {LAPROP(0)}},
    {"timm:laprop", 0.01, laprop_prepare, laprop, {LAPROP(1)}},
    {"adopt", 0.01, NULL, adopt, {ADOPT(0.25)}},
    {"ademamix", 0.01, ademamix_prepare, ademamix, {ADEMAMIX(5, 0)}},
    {"paper:ademamix", 0.01, ademamix_prepare, ademamix, {ADEMAMIX(8, 0.1)}},
    {"asgd", 0.01, asgd_prepare, asgd, {ASGD(0)}, asgd_judged},
    {"torch:asgd", 0.01, asgd_prepare, asgd, {ASGD(1)}, asgd_judged},
    {"schedule_free_sgd",
     0.05,
     free_prepare,
     schedule_free_sgd,
     {FREE("momentum", 2)},
     free_judged},
    {"schedule_free_adamw",
     0.01,
     free_prepare,
     schedule_free_adamw,
     {FREE("beta1", 2), REAL("beta2", 0.999, 0.9, 0.999), LOGR("eps", 1e-8, 1e-8, 0.1)},
     free_judged},
    {"keras3:schedule_free_adamw",
     0.01,
     free_prepare,
     schedule_free_adamw,
     {FREE("beta1", 0), REAL("beta2", 0.999, 0.9, 0.999), LOGR("eps", 1e-8, 1e-8, 0.1)},
     free_judged},
    {"lookahead_sgd",
     0.01,
     NULL,
     lookahead_sgd,
     {SLOW(5), REAL("momentum", 0.9, 0.1, 0.9), FLAG("nesterov", 0), DECAY(0, 0)}},
    {"lookahead_adamw",
     0.01,
     NULL,
     lookahead_adamw,
     {SLOW(5), BETAS(0.9, 0.999, 1e-8), DECAY(0.01, 1)}},
    {"ranger", 0.02, NULL, ranger, {SLOW(6), BETAS(0.95, 0.999, 1e-5), DECAY(0, 1)}},
};

/* ---- the comparison ---- */

static bool in_use(size_t i)
{
    return i < WEIGHTS || (i >= BIAS_AT && i < BIAS_AT + BIASES);
}

/* The reference follows the device's numbers: float weights to begin with, float gradients, and the
 * float learning rate that the updater says it used. */
static void follow(const rule *k, moment both[2], double *w, double (*s)[SLOTS], double t,
                   double lr)
{
    for (int i = 0; i < 2; i++) {
        both[i].t = t;
        both[i].lr = i ? lr * 0.5 : lr;
        both[i].base = i ? k->lr * 0.5 : k->lr;
        if (k->prepare) k->prepare(&both[i]);
    }
    for (size_t i = 0; i < ARENA; i++)
        if (in_use(i))
            k->element(&both[i >= BIAS_AT], &w[i], s[i], (double)trial_gradient((int)t)[i]);
}

/* Both groups start alike; biases have no weight decay. */
static void begin(const rule *k, uint64_t draw, moment both[2], char *spec, size_t size)
{
    both[0] = (moment){.t = 0};
    trial_draw(k->options, draw, both[0].p);
    trial_text(k->name, k->options, draw, both[0].p, spec, size);
    both[1] = both[0];
    for (size_t i = 0; i < OPTIONS && k->options[i].name; i++)
        if (strcmp(k->options[i].name, "weight_decay") == 0) both[1].p[i] = 0;
}

static double compare(rig *r, const char *spec, const float *start, const double *w,
                      double (*s)[SLOTS])
{
    static float got[ARENA];
    double error = 0, norm = 0, moved = 0;
    size_t ties = 0;
    lh_buffer_read(r->dev, r->weights, 0, sizeof got, got);
    for (size_t i = 0; i < ARENA; i++) {
        ties += s[i][TIE] != 0;
        if (!in_use(i) || s[i][TIE] != 0) continue;
        error += pow((double)got[i] - w[i], 2);
        norm += pow(w[i], 2);
        moved += pow(w[i] - (double)start[i], 2);
    }
    cr_expect(ties < 100, "%s: %zu signs too close to call", spec, ties);
    cr_expect(sqrt(moved / norm) > 0.1, "%s hardly moves: %g", spec, sqrt(moved / norm));
    cr_expect(sqrt(error / norm) <= 1e-5, "%s: relative error %g", spec, sqrt(error / norm));
    return sqrt(error / norm);
}

static double run(rig *r, const rule *k, uint64_t draw)
{
    static float start[ARENA];
    static double w[ARENA], s[ARENA][SLOTS];
    moment both[2];
    char spec[512];
    lh_updater *u = NULL;
    begin(k, draw, both, spec, sizeof spec);
    rig_fill(r, r->weights, 1, 0.1);
    lh_buffer_read(r->dev, r->weights, 0, sizeof start, start);
    memset(s, 0, sizeof s);
    for (size_t i = 0; i < ARENA; i++) w[i] = (double)start[i];
    cr_assert_eq(lh_updater_create(r->dev, r->reg, spec, NAN, &r->layout, &u), LEHR_OK, "%s: %s",
                 spec, lehr_context_message(r->ctx));
    lh_updater_set_base_lr(u, k->lr);
    for (int t = 1; t <= UPDATES; t++) {
        double lr = k->lr * (1 - 0.007 * t);
        lh_buffer_write(r->dev, r->gradients, 0, ARENA * 4, trial_gradient(t));
        cr_assert_eq(lh_updater_step(u, (uint64_t)t, lr, r->control), LEHR_OK, "%s",
                     lehr_context_message(r->ctx));
        cr_assert_eq(lh_updater_last_lr(u), (float)lr);
        follow(k, both, w, s, t, (double)lh_updater_last_lr(u));
    }
    double error = compare(r, spec, start, w, s);
    if (k->judged) {
        for (size_t i = 0; i < ARENA; i++) w[i] = k->judged(&both[i >= BIAS_AT], w[i], s[i]);
        cr_assert(lh_updater_has_eval(u), "%s", spec);
        cr_assert_eq(lh_updater_enter_eval(u, UPDATES, r->control), LEHR_OK);
        error = fmax(error, compare(r, spec, start, w, s));
        cr_assert_eq(lh_updater_leave_eval(u, UPDATES, r->control), LEHR_OK);
    }
    lh_updater_destroy(&u);
    return error;
}

Test(formulas, hundred_updates_of_every_rule)
{
    rig r;
    double worst = 0;
    rig_open(&r);
    for (size_t i = 0; i < LH_COUNT(rules); i++)
        for (uint64_t draw = 0; draw <= (strchr(rules[i].name, ':') ? 0 : trial_draws()); draw++) {
            double error = run(&r, &rules[i], draw ? draw + 100 * i : 0);
            if (getenv("LEHR_TEST_SHOW"))
                printf("%-18s draw %d  %.2e\n", rules[i].name, (int)draw, error);
            worst = fmax(worst, error);
        }
    cr_log_info("worst relative error %.2e", worst);
    rig_close(&r);
}
