/* SPDX-License-Identifier: MIT
 *
 * adafactor (Shazeer & Stern, arXiv 1804.04235): the average of squares of an m x n matrix is kept as
 * its row and column means, V = R C / mean(R); the step is clipped by its root mean square and scaled
 * by that of the weights.  Convolutions are K x C R S matrices here (peers factor their last two
 * dimensions only); what is no matrix keeps the whole average.
 *
 * R and C of a matrix lie at the front of its part of slot v. */
#include "common.h"

enum { BETA2_DECAY, EPS1, EPS2, CLIP, EPS_FLOOR, RELATIVE, BY_WEIGHT, WEIGHT_DECAY, DECAY };
static const lehr_param params[] = {
    LEHR_REALP("beta2_decay", 0.8, 0, LEHR_ANY, "the average's share of the past is 1 - t^-this"),
    {"eps1", "keeps quotients finite, as eps_floor says", 1.1920928955078125e-07, 0, LEHR_ANY,
     LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_REALP("eps2", 1e-3, 0, LEHR_ANY, "least root mean square of weights"),
    {"clip", "largest root mean square of a step", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_BOOLP("eps_floor", 1, "eps1 is the least mean(R), its square the least V (PyTorch); 0: added "
                               "to squares"),
    LEHR_BOOLP("relative", 1, "the rate is at most 1 / sqrt(t)"),
    LEHR_BOOLP("by_weight", 1, "steps in proportion to the weights' root mean square"),
    WEIGHT_DECAY_PARAM(0),
    LEHR_CHOICEP("decay", DECAY_DECOUPLED, decay_choices,
                 "how weight decay acts: l2: added to the gradient; decoupled: w -= lr weight_decay "
                 "w; scheduled: w -= lr/base weight_decay w; independent: w -= weight_decay w")};
static const lehr_slot slots[] = {LEHR_SLOT("v", "average of squares, whole or as R and C")};

enum { PAST, SHARE, RATE, SHRINK, SCALARS };
static const char *const scalars[] = {"past", "share", "rate", "shrink"};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    double t = (double)u->t, most = 1 / sqrt(t);
    (void)s;
    out[SHARE] = pow(t, -u->p[BETA2_DECAY]);
    out[PAST] = 1 - out[SHARE];
    out[RATE] = u->p[RELATIVE] != 0 && most < u->lr ? most : u->lr;
    out[SHRINK] = decay_shrink(u, u->p[WEIGHT_DECAY], u->p[DECAY]);
    return LEHR_OK;
}

/* ---- what is no matrix ---- */

#define D "(decay == 0 ? g + weight_decay * w : g)"
#define ROOM "(eps_floor != 0 ? fmax(v, eps1 * eps1) : v)"
static const lehr_reduce sizes[] = {{"wsq", "w * w", LEHR_SUM, LEHR_PER_TENSOR},
                                    {"usq", D " * " D " / " ROOM, LEHR_SUM, LEHR_PER_TENSOR},
                                    {"count", "1", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {
    LEHR_PASS_R("real d = " D ";\nv = past * v + share * (d * d + (eps_floor != 0 ? 0 : eps1));\n",
                LEHR_TABLE(sizes)),
    LEHR_PASS("real d = " D " / sqrt(" ROOM ");\n"
              "real size = by_weight != 0 ? fmax(eps2, sqrt(wsq / count)) : 1;\n"
              "w -= shrink * w;\n"
              "w -= rate * size / fmax(1, sqrt(usq / count) / clip) * d;\n")};

/* ---- matrices ---- */

typedef struct work {
    const lehr_host *h;
    const lehr_device_api *dev;
    uint64_t rows, columns, n;
    const double *p;
    double scalars[SCALARS];
    lehr_buf r, c, d, square, ones, mean; /* R, C; gradient, its squares, ones, a number */
} work;

static lehr_status take_temps(work *k)
{
    uint64_t longer = k->rows > k->columns ? k->rows : k->columns;
    lehr_status st = k->dev->temp(k->h, k->n, &k->d);
    if (st == LEHR_OK) st = k->dev->temp(k->h, k->n, &k->square);
    if (st == LEHR_OK) st = k->dev->temp(k->h, longer, &k->ones);
    if (st == LEHR_OK) st = k->dev->temp(k->h, 1, &k->mean);
    const lehr_operand ones[] = {{k->ones, LEHR_EACH, 0}};
    return st == LEHR_OK ? k->dev->map(k->h, "x0 = 1;", 1, longer, ones, 1, 0, 0) : st;
}

/* Gradient and squares from gradient and weight. */
static lehr_status make_squares(work *k, lehr_buf w)
{
    double l2 = k->p[DECAY] == DECAY_L2 ? k->p[WEIGHT_DECAY] : 0;
    const lehr_operand x[] = {{k->d, LEHR_EACH, 0}, {k->square, LEHR_EACH, 0}, {w, LEHR_EACH, 0}};
    const double a[] = {l2, k->p[EPS_FLOOR] != 0 ? 0 : k->p[EPS1]};
    return k->dev->map(k->h, "x0 += a0 * x2;\nx1 = x0 * x0 + a1;\n", 1, k->n, x, 3, a, 2);
}

/* average = past average + share / count sums */
static lehr_status move(work *k, lehr_buf average, lehr_buf sums, uint64_t length, uint64_t count)
{
    const lehr_operand x[] = {{average, LEHR_EACH, 0}, {sums, LEHR_EACH, 0}};
    const double a[] = {k->scalars[PAST], k->scalars[SHARE] / (double)count};
    return k->dev->map(k->h, "x0 = a0 * x0 + a1 * x1;", 1, length, x, 2, a, 2);
}

static lehr_status move_means(work *k)
{
    lehr_buf rows, columns;
    lehr_status st = k->dev->temp(k->h, k->rows, &rows);
    if (st == LEHR_OK) st = k->dev->temp(k->h, k->columns, &columns);
    if (st == LEHR_OK)
        st = k->dev->gemm(k->h, 0, 0, k->rows, 1, k->columns, 1, k->square, k->columns, k->ones, 1,
                          0, rows, 1);
    if (st == LEHR_OK)
        st = k->dev->gemm(k->h, 0, 0, 1, k->columns, k->rows, 1, k->ones, k->rows, k->square,
                          k->columns, 0, columns, k->columns);
    if (st == LEHR_OK) st = move(k, k->r, rows, k->rows, k->columns);
    if (st == LEHR_OK) st = move(k, k->c, columns, k->columns, k->rows);
    if (st != LEHR_OK) return st;
    return k->dev->gemm(k->h, 0, 0, 1, 1, k->rows, 1 / (double)k->rows, k->ones, k->rows, k->r, 1,
                        0, k->mean, 1);
}

/* d = d / sqrt(R C / mean(R)) */
static lehr_status divide(work *k)
{
    const lehr_operand x[] = {{k->d, LEHR_EACH, 0}, {k->r, LEHR_BY_ROW, 0},
                              {k->c, LEHR_BY_COLUMN, 0}, {k->mean, LEHR_ONE, 0}};
    if (k->p[EPS_FLOOR] == 0)
        return k->dev->map(k->h, "x0 /= sqrt(x1 / x3 * x2);", k->rows, k->columns, x, 4, 0, 0);
    return k->dev->map(k->h, "x0 /= sqrt(fmax(x1 * x2 / fmax(x3, a0), a0 * a0));", k->rows,
                       k->columns, x, 4, &k->p[EPS1], 1);
}

static lehr_status change(work *k, lehr_buf w)
{
    lehr_buf usq = {0, 0}, wsq = {0, 0};
    lehr_status st = k->dev->temp(k->h, 1, &usq);
    if (st == LEHR_OK) st = k->dev->temp(k->h, 1, &wsq);
    if (st == LEHR_OK) st = k->dev->sumsq(k->h, k->d, k->n, usq);
    if (st == LEHR_OK) st = k->dev->sumsq(k->h, w, k->n, wsq);
    const lehr_operand x[] = {{w, LEHR_EACH, 0}, {k->d, LEHR_EACH, 0}, {usq, LEHR_ONE, 0},
                              {wsq, LEHR_ONE, 0}};
    const double a[] = {k->scalars[RATE], k->scalars[SHRINK], 1 / (double)k->n, k->p[CLIP],
                        k->p[EPS2], k->p[BY_WEIGHT]};
    if (st != LEHR_OK) return st;
    return k->dev->map(k->h, "real size = a5 != 0 ? fmax(a4, sqrt(x3 * a2)) : 1;\n"
                             "x0 -= a1 * x0;\n"
                             "x0 -= a0 * size / fmax(1, sqrt(x2 * a2) / a3) * x1;\n",
                       1, k->n, x, 4, a, 6);
}

static lehr_status step(const lehr_update *u, const double *s, const lehr_device_api *dev,
                        const lehr_tensor *t)
{
    work k = {.h = u->host, .dev = dev, .rows = t->dims[0], .columns = t->count / t->dims[0],
              .n = t->count, .p = u->p, .r = t->slots[0], .c = t->slots[0]};
    k.c.offset += k.rows;
    lehr_status st = scalar(u, s, k.scalars);
    if (st == LEHR_OK) st = take_temps(&k);
    if (st == LEHR_OK) st = dev->gradient(u->host, t, k.d);
    if (st == LEHR_OK) st = make_squares(&k, t->w);
    if (st == LEHR_OK) st = move_means(&k);
    if (st == LEHR_OK) st = divide(&k);
    return st == LEHR_OK ? change(&k, t->w) : st;
}

/* R and C must have room in the tensor's part of the slot. */
static uint32_t claims(const lehr_host *h, const double *p, const lehr_tensor *t)
{
    (void)h;
    (void)p;
    return t->ndim > 1 && t->dims[0] > 1 && t->count / t->dims[0] > 1;
}

static const void *ext(const char *id)
{
    static const lehr_custom custom = {.size = sizeof custom, .claims = claims, .step = step};
    const char *mine = "lehr.custom/1";
    while (*id && *id == *mine) id++, mine++;
    return *id == *mine ? &custom : 0;
}

static const lehr_preset presets[] = {
    {"torch", "lr=0.01", "torch.optim.Adafactor"},
    {"keras3", "lr=0.001, eps1=1e-30, eps_floor=0", "keras.optimizers.Adafactor"},
    {"optax", "eps1=1e-30, eps_floor=0, relative=0, decay=independent",
     "optax.adafactor (factored only where both sides have 128)"},
    {"paper", "lr=0.01, eps1=1e-30, eps_floor=0", "arXiv 1804.04235, algorithm 6"}};
static const lehr_optimizer adafactor = {
    .size = sizeof adafactor, .flags = LEHR_O_CUSTOM, .name = "adafactor",
    .doc = "w -= lr rms(w) g / sqrt(R C / mean(R)), clipped; R, C row and column means of squares",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .scalars = LEHR_TABLE(scalars),
    .passes = LEHR_TABLE(passes), .presets = LEHR_TABLE(presets), .scalar = scalar, .ext = ext,
    .lr = 0.01};
LEHR_OPTIMIZER_PLUGIN("org.lehr.adafactor", "1.0", adafactor)
