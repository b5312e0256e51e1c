/* SPDX-License-Identifier: MIT
 *
 * muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon): the momentum of a weight matrix is
 * replaced by the nearest matrix with singular values near 1, through five steps of the quintic
 * Newton-Schulz iteration X = a X + (b A + c A^2) X, A = X X^T.  Convolutions are K x C R S
 * matrices.  Biases and normalisation, and with dense=0 dense layers too, go to AdamW. */
#include "common.h"

enum { MOMENTUM, NESTEROV, CORRECTED, NS_STEPS, NS_EPS, SCALE, WEIGHT_DECAY, DECAY, DENSE, LR_RATIO, BETA1,
       BETA2, EPS, EPS_HAT };
enum { ORIGINAL, MATCH_RMS, SPECTRAL, NONE };
static const char *const scales[] = {"original", "match_rms", "spectral", "none", 0};

static const lehr_param params[] = {
    BETA_PARAM("momentum", 0.95, "decay of the average of gradients"),
    LEHR_BOOLP("nesterov", 1, "average once more with the gradient"),
    LEHR_BOOLP("corrected", 0, "both averages of nesterov corrected for their start (optax)"),
    LEHR_INTP("ns_steps", 5, 1, 20, "steps of the Newton-Schulz iteration"),
    {"ns_eps", "least norm that a matrix is divided by", 1e-7, 0, 1, LEHR_REAL, LEHR_P_OPEN_MIN, 0,
     0},
    LEHR_CHOICEP("scale", ORIGINAL, scales,
                 "of lr, for an m x n matrix: original: sqrt(max(1, m / n)); match_rms: 0.2 "
                 "sqrt(max(m, n)), the size of AdamW's steps; spectral: sqrt(m / n); none: 1"),
    WEIGHT_DECAY_PARAM(0.1),
    DECAY_PARAM(DECAY_DECOUPLED),
    LEHR_BOOLP("dense", 1, "dense layers too, not only convolutions"),
    {"lr_ratio", "AdamW's lr beside that of the matrices", 1, 0, LEHR_ANY, LEHR_REAL,
     LEHR_P_SCHEDULABLE, 0, 0},
    BETA1_PARAM(0.9),
    BETA2_PARAM(0.999),
    EPS_PARAM(1e-8),
    LEHR_BOOLP("eps_hat", 0, "AdamW's eps beside the uncorrected root (Keras)")};
enum { SLOT_M };
static const lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients"),
                                  LEHR_SLOT("v", "average of their squares, of AdamW's tensors")};

/* ---- AdamW for the rest ---- */

enum { SHARE1, SHARE2, RATE, CORRECT2, EPS_T, SHRINK };
static const char *const scalars[] = {"share1", "share2", "rate", "correct2", "eps_t", "shrink"};
static const lehr_pass passes[] = {
    LEHR_PASS(DECAY_CODE "m = beta1 * m + share1 * d;\n"
                         "v = beta2 * v + share2 * d * d;\n"
                         "w -= rate * m / (sqrt(v) * correct2 + eps_t);\n")};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t, ratio = u->p[LR_RATIO];
    (void)s;
    out[SHARE1] = 1 - u->p[BETA1];
    out[SHARE2] = 1 - u->p[BETA2];
    out[RATE] = u->lr * ratio / (1 - pow(u->p[BETA1], t));
    out[CORRECT2] = 1 / sqrt(1 - pow(u->p[BETA2], t));
    out[EPS_T] = u->p[EPS_HAT] != 0 ? u->p[EPS] * out[CORRECT2] : u->p[EPS];
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    if (u->p[DECAY] == DECAY_DECOUPLED) out[SHRINK] *= ratio;
    return LEHR_OK;
}

/* ---- matrices ---- */

/* Everything a step passes on. */
typedef struct work {
    const lehr_host *h;
    const lehr_device_api *dev;
    uint64_t rows, columns, n; /* n: the smaller of the two */
    lehr_buf x, next, a, b;    /* the matrix, its successor, X X^T or X^T X, b A + c A^2 */
} work;

static lehr_status copy(const work *k, lehr_buf to, lehr_buf from, uint64_t count)
{
    const lehr_operand x[] = {{to, LEHR_EACH, 0}, {from, LEHR_EACH, 0}};
    return k->dev->map(k->h, "x0 = x1;", 1, count, x, 2, 0, 0);
}

/* The products stay on the smaller side: A is rows x rows when there are fewer rows. */
static lehr_status iterate(work *k)
{
    static const double a = 3.4445, b = -4.7750, c = 2.0315;
    const uint64_t m = k->rows, n = k->columns, s = k->n;
    uint32_t wide = m <= n;
    lehr_status st = k->dev->gemm(k->h, !wide, wide, s, s, wide ? n : m, 1, k->x, n, k->x, n, 0,
                                  k->a, s);
    if (st == LEHR_OK) st = copy(k, k->b, k->a, s * s);
    if (st == LEHR_OK) st = k->dev->gemm(k->h, 0, 0, s, s, s, c, k->a, s, k->a, s, b, k->b, s);
    if (st == LEHR_OK) st = copy(k, k->next, k->x, m * n);
    if (st == LEHR_OK && wide)
        st = k->dev->gemm(k->h, 0, 0, m, n, m, 1, k->b, s, k->x, n, a, k->next, n);
    if (st == LEHR_OK && !wide)
        st = k->dev->gemm(k->h, 0, 0, m, n, n, 1, k->x, n, k->b, s, a, k->next, n);
    lehr_buf swap = k->x;
    k->x = k->next;
    k->next = swap;
    return st;
}

static lehr_status orthogonalise(const lehr_update *u, work *k)
{
    lehr_buf square;
    lehr_status st = k->dev->temp(k->h, 1, &square);
    if (st == LEHR_OK) st = k->dev->sumsq(k->h, k->x, k->rows * k->columns, square);
    const lehr_operand x[] = {{k->x, LEHR_EACH, 0}, {square, LEHR_ONE, 0}};
    if (st == LEHR_OK)
        st = k->dev->map(k->h, "real norm = sqrt(x1);\nx0 = x0 / (norm > a0 ? norm : a0);\n", 1,
                         k->rows * k->columns, x, 2, &u->p[NS_EPS], 1);
    for (int i = 0; i < (int)u->p[NS_STEPS] && st == LEHR_OK; i++) st = iterate(k);
    return st;
}

static double lr_scale(const lehr_update *u, double m, double n)
{
    switch ((int)u->p[SCALE]) {
    case ORIGINAL: return sqrt(m > n ? m / n : 1);
    case MATCH_RMS: return 0.2 * sqrt(m > n ? m : n);
    case SPECTRAL: return sqrt(m / n);
    default: return 1;
    }
}

static lehr_status take_temps(work *k)
{
    lehr_status st = k->dev->temp(k->h, k->rows * k->columns, &k->x);
    if (st == LEHR_OK) st = k->dev->temp(k->h, k->rows * k->columns, &k->next);
    if (st == LEHR_OK) st = k->dev->temp(k->h, k->n * k->n, &k->a);
    return st == LEHR_OK ? k->dev->temp(k->h, k->n * k->n, &k->b) : st;
}

static lehr_status step(const lehr_update *u, const double *s, const lehr_device_api *dev,
                        const lehr_tensor *t)
{
    double mu = u->p[MOMENTUM], decay = u->p[WEIGHT_DECAY], l2 = u->p[DECAY] == DECAY_L2;
    double t0 = (double)u->t, corrected = u->p[CORRECTED];
    work k = {.h = u->host, .dev = dev, .rows = t->dims[0], .columns = t->count / t->dims[0]};
    (void)s;
    k.n = k.rows < k.columns ? k.rows : k.columns;
    lehr_status st = take_temps(&k);
    if (st == LEHR_OK) st = dev->gradient(u->host, t, k.x);
    const lehr_operand average[] = {
        {t->slots[SLOT_M], LEHR_EACH, 0}, {k.x, LEHR_EACH, 0}, {t->w, LEHR_EACH, 0}};
    const double numbers[] = {mu, 1 - mu, l2 * decay, u->p[NESTEROV],
                              corrected != 0 ? mu / (1 - pow(mu, t0 + 1)) : mu,
                              corrected != 0 ? (1 - mu) / (1 - pow(mu, t0)) : 1 - mu};
    if (st == LEHR_OK)
        st = dev->map(u->host, "real d = x1 + a2 * x2;\n"
                               "x0 = a0 * x0 + a1 * d;\n"
                               "x1 = a3 != 0 ? a4 * x0 + a5 * d : x0;\n",
                      1, t->count, average, 3, numbers, 6);
    if (st == LEHR_OK) st = orthogonalise(u, &k);
    const lehr_operand update[] = {{t->w, LEHR_EACH, 0}, {k.x, LEHR_EACH, 0}};
    const double rates[] = {decay_shrink(u, decay, u->p[DECAY]),
                            u->lr * lr_scale(u, (double)k.rows, (double)k.columns)};
    if (st != LEHR_OK) return st;
    return dev->map(u->host, "x0 -= a0 * x0;\nx0 -= a1 * x1;\n", 1, t->count, update, 2, rates, 2);
}

static uint32_t claims(const lehr_host *h, const double *p, const lehr_tensor *t)
{
    (void)h;
    return t->ndim > 1 && (t->role == LEHR_ROLE_CONV || (t->role == LEHR_ROLE_DENSE && p[DENSE] != 0));
}

static const void *ext(const char *id)
{
    static const lehr_custom custom = {.size = sizeof custom, .claims = claims, .step = step};
    const char *mine = "lehr.custom/1";
    while (*id && *id == *mine) id++, mine++;
    return *id == *mine ? &custom : 0;
}

static const lehr_preset presets[] = {
    {"torch", "lr=0.001, weight_decay=0.1", "torch.optim.Muon (in bfloat16 there)"},
    {"keras3", "lr=0.001, weight_decay=0.004, scale=match_rms, eps=1e-7, eps_hat=1",
     "keras.optimizers.Muon"},
    {"optax", "weight_decay=0, ns_eps=1e-8, corrected=1", "optax.contrib.muon"}};
static const lehr_optimizer muon = {
    .size = sizeof muon, .flags = LEHR_O_CUSTOM, .name = "muon",
    .doc = "w -= lr scale UV^T of the momentum's singular vectors; AdamW for what is no matrix",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes), .presets = LEHR_TABLE(presets), .scalar = scalar, .ext = ext,
    .lr = 0.001};
LEHR_OPTIMIZER_PLUGIN("org.lehr.muon", "1.0", muon)
