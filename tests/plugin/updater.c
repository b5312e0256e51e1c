/* SPDX-License-Identifier: MIT
 *
 * Optimizers on the device: 100 updates of every rule and preset against formulas written here in
 * double, with a learning rate that changes each time; halt; compilations; refusals. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"

/* ---- the formulas, from the papers and the documentation of Keras and PyTorch ---- */

typedef struct element {
    double w, a, b, c; /* weight and up to three slots */
} element;
typedef struct options {
    double lr, momentum, nesterov, decay, eps, rho, beta1, beta2, init, dampening, lr_decay;
    bool inside, keras, decoupled, centered, amsgrad; /* eps inside the root; Keras' form */
} options;
typedef void (*rule)(element *e, double g, double lr, int t, const options *o);

static double decayed(element *e, double g, double lr, const options *o)
{
    if (!o->decoupled) return g + o->decay * e->w;
    e->w -= lr * o->decay * e->w;
    return g;
}

static void sgd(element *e, double g, double lr, int t, const options *o)
{
    if (o->keras) {
        e->w -= lr * o->decay * e->w * o->decoupled;
        double v = o->momentum * e->a - lr * g; /* Keras: v may be negative of ours */
        e->w += o->nesterov != 0 ? o->momentum * v - lr * g : v;
        e->a = v;
        return;
    }
    g = decayed(e, g, lr, o);
    e->a = t == 1 ? g : o->momentum * e->a + (1 - o->dampening) * g;
    e->w -= lr * (o->momentum == 0 ? g : o->nesterov != 0 ? g + o->momentum * e->a : e->a);
}

static void adagrad(element *e, double g, double lr, int t, const options *o)
{
    if (t == 1) e->a = o->init;
    g = decayed(e, g, lr, o);
    e->a += g * g;
    lr /= 1 + (t - 1) * o->lr_decay;
    e->w -= o->inside ? lr * g / sqrt(e->a + o->eps) : lr * g / (sqrt(e->a) + o->eps);
}

static void adadelta(element *e, double g, double lr, int t, const options *o)
{
    (void)t;
    g = decayed(e, g, lr, o);
    e->a = o->rho * e->a + (1 - o->rho) * g * g;
    double delta = sqrt((e->b + o->eps) / (e->a + o->eps)) * g;
    e->b = o->rho * e->b + (1 - o->rho) * delta * delta;
    e->w -= lr * delta;
}

static void rmsprop(element *e, double g, double lr, int t, const options *o)
{
    (void)t;
    g = decayed(e, g, lr, o);
    e->a = o->rho * e->a + (1 - o->rho) * g * g;
    e->b = o->rho * e->b + (1 - o->rho) * g;
    double v = o->centered ? e->a - e->b * e->b : e->a;
    double step = o->inside ? g / sqrt(v + o->eps) : g / (sqrt(v) + o->eps);
    if (o->keras) step *= lr;
    e->c = o->momentum * e->c + step;
    e->w -= o->keras ? e->c : lr * e->c;
}

static void adam(element *e, double g, double lr, int t, const options *o)
{
    g = decayed(e, g, lr, o);
    e->a = o->beta1 * e->a + (1 - o->beta1) * g;
    e->b = o->beta2 * e->b + (1 - o->beta2) * g * g;
    e->c = fmax(e->c, e->b);
    double v = o->amsgrad ? e->c : e->b, one = 1 - pow(o->beta1, t), two = 1 - pow(o->beta2, t);
    if (o->keras)
        e->w -= lr * sqrt(two) / one * e->a / (sqrt(v) + o->eps);
    else
        e->w -= lr * (e->a / one) / (sqrt(v / two) + o->eps);
}

typedef struct trial {
    const char *spec;
    rule rule;
    double decay; /* --weight-decay; NAN: not given */
    options o;
} trial;

static const trial trials[] = {
    {"sgd", sgd, NAN, {.lr = 0.01}},
    {"sgd(momentum=0.9)", sgd, NAN, {.lr = 0.01, .momentum = 0.9}},
    {"sgd(momentum=0.9, nesterov=1)",
     sgd,
     5e-2,
     {.lr = 0.01, .momentum = 0.9, .nesterov = 1, .decay = 5e-2}},
    {"sgd(momentum=0.8, dampening=0.3)", sgd, NAN, {.lr = 0.01, .momentum = 0.8, .dampening = 0.3}},
    {"keras3:sgd(momentum=0.9)", sgd, NAN, {.lr = 0.01, .momentum = 0.9, .keras = true}},
    {"keras3:sgd(momentum=0.9, nesterov=yes)",
     sgd,
     0.1,
     {.lr = 0.01, .momentum = 0.9, .nesterov = 1, .keras = true, .decoupled = true, .decay = 0.1}},
    {"adagrad", adagrad, NAN, {.lr = 0.05, .eps = 1e-10}},
    {"torch:adagrad(lr_decay=0.01)",
     adagrad,
     0.1,
     {.lr = 0.05, .eps = 1e-10, .lr_decay = 0.01, .decay = 0.1}},
    {"keras3:adagrad", adagrad, NAN, {.lr = 0.05, .eps = 1e-7, .init = 0.1, .inside = true}},
    {"keras3:adagrad(eps=0.1)",
     adagrad,
     NAN,
     {.lr = 0.05, .eps = 0.1, .init = 0.1, .inside = true}},
    {"keras2017:adagrad", adagrad, NAN, {.lr = 0.05, .eps = 1e-8}},
    {"adadelta", adadelta, NAN, {.lr = 1, .rho = 0.9, .eps = 1e-6}},
    {"keras3:adadelta",
     adadelta,
     0.05,
     {.lr = 1, .rho = 0.95, .eps = 1e-7, .decay = 0.05, .decoupled = true}},
    {"adadelta(eps=0.01)", adadelta, NAN, {.lr = 1, .rho = 0.9, .eps = 0.01}},
    {"paper:adadelta", adadelta, NAN, {.lr = 1, .rho = 0.95, .eps = 1e-6}},
    {"rmsprop", rmsprop, NAN, {.lr = 0.01, .rho = 0.99, .eps = 1e-8}},
    {"rmsprop(centered=1, momentum=0.9)",
     rmsprop,
     NAN,
     {.lr = 0.001, .rho = 0.99, .eps = 1e-8, .centered = true, .momentum = 0.9}},
    {"rmsprop(eps=0.1)", rmsprop, NAN, {.lr = 0.01, .rho = 0.99, .eps = 0.1}},
    {"keras3:rmsprop(eps=0.1)", rmsprop, NAN, {.lr = 0.01, .rho = 0.9, .eps = 0.1, .inside = true}},
    {"keras3:rmsprop", rmsprop, NAN, {.lr = 0.01, .rho = 0.9, .eps = 1e-7, .inside = true}},
    {"keras3:rmsprop(momentum=0.5, centered=1)",
     rmsprop,
     NAN,
     {.lr = 0.01,
      .rho = 0.9,
      .eps = 1e-7,
      .inside = true,
      .momentum = 0.5,
      .centered = true,
      .keras = true}},
    {"adam", adam, NAN, {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}},
    {"adam(beta1=0.8, beta2=0.99, amsgrad=1)",
     adam,
     0.1,
     {.lr = 0.01, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-8, .amsgrad = true, .decay = 0.1}},
    {"keras3:adam",
     adam,
     NAN,
     {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-7, .keras = true}},
    {"keras3:adam(eps=0.1)",
     adam,
     NAN,
     {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 0.1, .keras = true}},
    {"paper:adam", adam, NAN, {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}},
    {"adamw",
     adam,
     NAN,
     {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.01, .decoupled = true}},
    {"keras3:adamw(weight_decay=0.3)",
     adam,
     NAN,
     {.lr = 0.01,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-7,
      .keras = true,
      .decay = 0.3,
      .decoupled = true}},
};

static bool in_use(size_t i) { return i < WEIGHTS || (i >= BIAS_AT && i < BIAS_AT + BIASES); }

/* The reference follows the device's numbers: float weights to begin with, float gradients, and the
 * float learning rate that the updater says it used. */
static void reference(const trial *k, element *e, int t, double lr)
{
    for (size_t i = 0; i < ARENA; i++) {
        options o = k->o;
        if (i >= BIAS_AT) o.decay = 0;
        double g = (double)(float)rig_uniform(1000 + (uint64_t)t, i);
        if (in_use(i)) k->rule(&e[i], g, i < BIAS_AT ? lr : lr * 0.5, t, &o);
    }
}

static void run(rig *r, const trial *k)
{
    static float start[ARENA], got[ARENA];
    static element e[ARENA];
    lh_updater *u = NULL;
    rig_fill(r, r->weights, 1, 0.1);
    lh_buffer_read(r->dev, r->weights, 0, sizeof start, start);
    memset(e, 0, sizeof e);
    for (size_t i = 0; i < ARENA; i++) e[i].w = (double)start[i];
    cr_assert_eq(lh_updater_create(r->dev, r->reg, k->spec, k->decay, &r->layout, &u), LEHR_OK,
                 "%s: %s", k->spec, lehr_context_message(r->ctx));
    for (int t = 1; t <= 100; t++) {
        double lr = k->o.lr * (1 - 0.007 * t);
        rig_fill(r, r->gradients, 1000 + (uint64_t)t, 1);
        cr_assert_eq(lh_updater_step(u, (uint64_t)t, lr, r->control), LEHR_OK, "%s",
                     lehr_context_message(r->ctx));
        cr_assert_eq(lh_updater_last_lr(u), (float)lr);
        reference(k, e, t, (double)lh_updater_last_lr(u));
    }
    lh_buffer_read(r->dev, r->weights, 0, sizeof got, got);
    double error = 0, norm = 0, moved = 0;
    for (size_t i = 0; i < ARENA; i++) {
        if (!in_use(i)) continue;
        error += pow((double)got[i] - e[i].w, 2);
        norm += pow(e[i].w, 2);
        moved += pow(e[i].w - (double)start[i], 2);
    }
    cr_expect(sqrt(moved / norm) > 0.1, "%s hardly moves: %g", k->spec, sqrt(moved / norm));
    cr_expect(sqrt(error / norm) <= 1e-5, "%s: relative error %g", k->spec, sqrt(error / norm));
    lh_updater_destroy(&u);
}

Test(updater, hundred_steps_of_every_rule)
{
    rig r;
    rig_open(&r);
    for (size_t i = 0; i < LH_COUNT(trials); i++) run(&r, &trials[i]);
    rig_close(&r);
}

/* ---- the mechanism ---- */

static lh_updater *create(rig *r, const char *spec, double decay)
{
    lh_updater *u = NULL;
    lh_enter(r->ctx);
    cr_assert_eq(lh_updater_create(r->dev, r->reg, spec, decay, &r->layout, &u), LEHR_OK, "%s: %s",
                 spec, lehr_context_message(r->ctx));
    return u;
}

static size_t programs(const lehr_device *dev)
{
    size_t count = 0;
    for (const lh_program_entry *p = dev->programs; p; p = p->next) count++;
    return count;
}

Test(updater, numbers_change_without_compiling)
{
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "adam", NAN);
    size_t before = programs(r.dev);
    uint64_t launches = lh_launch_count(r.dev);
    for (uint64_t t = 1; t <= 50; t++)
        cr_assert_eq(lh_updater_step(u, t, 0.1 / (double)t, r.control), LEHR_OK);
    cr_expect_eq(lh_launch_count(r.dev) - launches, 100, "one launch per group and update");
    lh_updater *other = create(&r, "adam(beta1=0.5, beta2=0.9, eps=1e-3)", 0.1);
    cr_expect_eq(programs(r.dev), before, "other numbers are other arguments, not another program");
    lh_updater_destroy(&u);
    lh_updater_destroy(&other);
    rig_close(&r);
}

Test(updater, halt_keeps_every_bit)
{
    static float before[4][ARENA], after[4][ARENA];
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "adam(amsgrad=1)", 0.1);
    cr_assert_eq(lh_updater_slot_count(u), 3);
    cr_expect_str_eq(lh_updater_slot_name(u, 2), "vmax");
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    for (int round = 0; round < 2; round++) {
        float(*to)[ARENA] = round ? after : before;
        cr_assert_eq(lh_buffer_read(r.dev, r.weights, 0, sizeof to[0], to[0]), LEHR_OK);
        for (uint32_t i = 0; i < 3; i++)
            cr_assert_eq(lh_buffer_read(r.dev, lh_updater_slot(u, i), 0, sizeof to[0], to[1 + i]),
                         LEHR_OK);
        if (round) break;
        rig_control(&r, NAN, 1);
        cr_assert_eq(lh_updater_step(u, 2, 0.1, r.control), LEHR_OK);
    }
    cr_expect_arr_eq(before, after, sizeof before);
    rig_control(&r, 1, 0);
    cr_assert_eq(lh_updater_step(u, 2, 0.1, r.control), LEHR_OK);
    cr_assert_eq(lh_buffer_read(r.dev, r.weights, 0, sizeof after[0], after[0]), LEHR_OK);
    cr_expect_arr_neq(before[0], after[0], sizeof before[0]);
    lh_updater_destroy(&u);
    rig_close(&r);
}

Test(updater, control_scales_gradients)
{
    static float one[ARENA], two[ARENA];
    rig r;
    rig_open(&r);
    lh_updater *u = create(&r, "sgd", NAN);
    rig_fill(&r, r.gradients, 5, 0.5);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof one, one);
    rig_fill(&r, r.weights, 1, 0.1);
    rig_fill(&r, r.gradients, 5, 1);
    rig_control(&r, 0.5f, 0);
    cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
    lh_buffer_read(r.dev, r.weights, 0, sizeof two, two);
    cr_expect_arr_eq(one, two, sizeof one, "halving is exact");
    lh_updater_destroy(&u);
    rig_close(&r);
}

/* The other family's launch gives the same bits. */
Test(updater, families_agree)
{
    static float cpu[ARENA], gpu[ARENA];
    static const char *const families[] = {"family=cpu", "family=gpu,max_work_group=64"};
    for (int f = 0; f < 2; f++) {
        rig r;
        setenv("LEHR_TRAITS", families[f], 1);
        rig_open(&r);
        lh_updater *u = create(&r, "rmsprop(momentum=0.9, centered=1)", 0.01);
        for (uint64_t t = 1; t <= 3; t++)
            cr_assert_eq(lh_updater_step(u, t, 0.01, r.control), LEHR_OK);
        lh_buffer_read(r.dev, r.weights, 0, sizeof cpu, f ? gpu : cpu);
        lh_updater_destroy(&u);
        rig_close(&r);
    }
    double worst = 0;
    for (size_t i = 0; i < ARENA; i++) worst = fmax(worst, fabs((double)cpu[i] - (double)gpu[i]));
    cr_expect(worst <= 1e-7, "%g", worst);
}

/* Awkward ranges, in both families: what lies outside keeps its bits, all inside moves. */
Test(updater, only_the_group_is_touched)
{
    static float before[ARENA], after[ARENA];
    static const struct {
        const char *traits;
        size_t offset, count;
    } rows[] = {{"family=cpu", 16, 8193}, {"family=cpu", 48, 1}, {"family=cpu", 0, 4096},
                {"family=gpu", 16, 8193}, {"family=gpu", 48, 1}};
    for (size_t k = 0; k < LH_COUNT(rows); k++) {
        rig r;
        setenv("LEHR_TRAITS", rows[k].traits, 1);
        rig_open(&r);
        r.groups[0].offset = rows[k].offset;
        r.groups[0].count = rows[k].count;
        r.layout.group_count = 1;
        lh_updater *u = create(&r, "adam", NAN);
        lh_buffer_read(r.dev, r.weights, 0, sizeof before, before);
        cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK);
        lh_buffer_read(r.dev, r.weights, 0, sizeof after, after);
        for (size_t i = 0; i < ARENA; i++) {
            bool inside = i - rows[k].offset < rows[k].count;
            cr_assert_eq(before[i] != after[i], inside, "row %zu, weight %zu", k, i);
        }
        lh_updater_destroy(&u);
        rig_close(&r);
    }
}

static void refused(rig *r, const char *spec, double decay, lehr_status code, const char *part)
{
    lh_updater *u = NULL;
    lh_enter(r->ctx);
    lehr_status st = lh_updater_create(r->dev, r->reg, spec, decay, &r->layout, &u);
    cr_expect_eq(st, code, "%s: %d %s", spec, (int)st, lehr_context_message(r->ctx));
    cr_expect(strstr(lehr_context_message(r->ctx), part), "%s: '%s' lacks '%s'", spec,
              lehr_context_message(r->ctx), part);
    cr_expect_null(u);
}

Test(updater, refusals)
{
    rig r;
    rig_open(&r);
    refused(&r, "adan", NAN, LEHR_E_USAGE, "did you mean 'adam'?");
    refused(&r, "adam(beta1=1)", NAN, LEHR_E_PARAM, "[0, 1)");
    refused(&r, "adam(beta1=0.9", NAN, LEHR_E_USAGE, "column 15");
    refused(&r, "adam(betta1=0.9)", NAN, LEHR_E_USAGE, "did you mean 'beta1'?");
    refused(&r, "adam(lr=0.1)", NAN, LEHR_E_USAGE, "--lr");
    refused(&r, "keras4:adam", NAN, LEHR_E_USAGE, "keras3");
    refused(&r, "adam() * 2", NAN, LEHR_E_USAGE, "column 8");
    refused(&r, "sgd(nesterov=1)", NAN, LEHR_E_PARAM, "momentum");
    refused(&r, "sgd(weight_decay=0.1)", 0.2, LEHR_E_USAGE, "disagree");
    refused(&r, "sgd(weight_decay=nan)", NAN, LEHR_E_PARAM, "number");
    refused(&r, "sgd", -1, LEHR_E_PARAM, "weight_decay");
    lh_updater *u = create(&r, "sgd(weight_decay=0.2)", 0.2);
    cr_expect_str_eq(lh_updater_text(u),
                     "sgd(momentum=0, nesterov=0, weight_decay=0.2, dampening=0, "
                     "lr_inside=0, decoupled=0)");
    cr_expect_eq(lh_updater_slot_count(u), 0, "no momentum, no slot");
    cr_expect_eq(lh_updater_step(u, 1, NAN, r.control), LEHR_E_PARAM);
    lh_updater_destroy(&u);
    rig_close(&r);
}

Test(updater, learning_rates_of_presets)
{
    static const struct {
        const char *spec;
        double lr;
    } rows[] = {{"sgd", 0.001},
                {"keras3:sgd", 0.01},
                {"keras3:adagrad", 0.001},
                {"keras3:adadelta", 0.001},
                {"keras3:rmsprop", 0.001},
                {"keras3:adam", 0.001},
                {"keras2017:adadelta", 1},
                {"keras2017:adagrad", 0.01},
                {"optax:adamw", 0}};
    lehr_context *ctx = NULL;
    lehr_registry *reg = NULL;
    lehr_context_create(NULL, &ctx);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        double lr = -1;
        char *text = NULL;
        cr_assert_eq(lehr_optimizer_resolve(ctx, reg, rows[i].spec, NAN, &text, &lr), LEHR_OK);
        cr_expect_eq(lr, rows[i].lr, "%s: %g", rows[i].spec, lr);
        char *again = NULL;
        cr_assert_eq(lehr_optimizer_resolve(ctx, reg, text, NAN, &again, NULL), LEHR_OK, "%s", text);
        cr_expect_str_eq(text, again, "the resolved text resolves to itself");
        free(text);
        free(again);
    }
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
}
