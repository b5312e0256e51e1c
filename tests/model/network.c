/* SPDX-License-Identifier: MIT
 *
 * Networks on the device: gradients against directional derivatives of the loss, evaluation mode,
 * memory plan, repeatability, finding what is not finite. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/model/network_internal.h"
#include "kernels/conv/conv.h"

enum { BATCH = 6 };

static lehr_context *ctx;
static lehr_device *dev;

static void setup(void)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
}

static void teardown(void)
{
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

TestSuite(network, .init = setup, .fini = teardown);

static lh_network *make(lehr_model **model, const char *text, bool training)
{
    lh_network *net = NULL;
    cr_assert_eq(lehr_model_parse(ctx, "test", text, model), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lh_network_create(dev, *model, BATCH, LH_LOSS_CROSS_ENTROPY, training, &net),
                 LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_network_initialise(net, 3), LEHR_OK);
    return net;
}

static void feed(lh_network *net)
{
    const lehr_model *m = lh_network_model(net);
    size_t count = (size_t)BATCH * (size_t)(m->layers[0].c * m->layers[0].h * m->layers[0].w);
    float *x = malloc(count * sizeof *x);
    int32_t labels[BATCH];
    for (size_t i = 0; i < count; i++)
        x[i] = 2 * lh_uniform(lh_philox_draw(5, i, LH_STREAM_USER, 0).v[0]) - 1;
    for (int i = 0; i < BATCH; i++) labels[i] = i % 3;
    cr_assert_eq(lh_buffer_write(dev, lh_network_input(net), 0, count * sizeof *x, x), LEHR_OK);
    cr_assert_eq(lh_buffer_write(dev, lh_network_labels(net), 0, sizeof labels, labels), LEHR_OK);
    free(x);
}

static double mean_loss(lh_network *net, int n, bool train)
{
    float values[BATCH];
    double sum = 0;
    feed(net);
    cr_assert_eq(lh_network_forward(net, n, train, 7, 2), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_network_loss(net, n, 0.1f, 1.0f / (float)n), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, lh_network_loss_values(net), 0, (size_t)n * 4, values),
                 LEHR_OK);
    for (int i = 0; i < n; i++) sum += (double)values[i];
    return sum / n;
}

/* (L(w + h d) - L(w - h d)) / 2h = <gradient, d> for each tensor, d random, h small. */
static void check_gradients(const char *text, int n)
{
    lehr_model *model = NULL;
    lh_network *net = make(&model, text, true);
    size_t count = lh_network_layout(net)->count, bytes = count * sizeof(float);
    cl_mem weights = lh_network_layout(net)->weights;
    float *w = malloc(bytes), *g = malloc(bytes), *moved = malloc(bytes);
    mean_loss(net, n, true);
    cr_assert_eq(lh_network_backward(net, n), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_buffer_read(dev, weights, 0, bytes, w), LEHR_OK);
    cr_assert_eq(lh_buffer_read(dev, lh_network_layout(net)->gradients, 0, bytes, g), LEHR_OK);
    for (uint32_t k = 0; k < lh_network_tensor_count(net); k++) {
        const lh_named_tensor *t = lh_network_tensor(net, k);
        if (t->is_stat) continue;
        double want = 0, loss[2], norm = 0, h = 2e-3;
        for (int side = 0; side < 2; side++) {
            memcpy(moved, w, bytes);
            want = norm = 0;
            for (size_t i = t->offset; i < t->offset + t->count; i++) {
                double d = lh_philox_draw(9, i, LH_STREAM_USER, 0).v[0] & 1 ? 1 : -1;
                d /= sqrt((double)t->count);
                moved[i] += (float)((side ? -h : h) * d);
                want += (double)g[i] * d;
                norm += (double)g[i] * (double)g[i];
            }
            cr_assert_eq(lh_buffer_write(dev, weights, 0, bytes, moved), LEHR_OK);
            loss[side] = mean_loss(net, n, true);
        }
        double got = (loss[0] - loss[1]) / (2 * h), error = fabs(got - want);
        cr_expect(error <= 2e-3 + 0.02 * sqrt(norm), "%s: derivative %g, gradient says %g",
                  t->name, got, want);
    }
    free(w);
    free(g);
    free(moved);
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}

/* Smooth activations, so that a finite step meets no kink; every op with a backward pass. */
Test(network, gradients_of_a_plain_stack)
{
    check_gradients("input 3 9 8\ninit glorot_uniform\nconv 8 3x3 stride=2 pad=1\nsilu\n"
                    "conv 16 1x1 bias=0\nbatchnorm\ngelu\navgpool 2\ndropout 0.25\n"
                    "flatten\ndense 12\ntanh\ndense 3\n", BATCH);
    check_gradients("input 2 8 8\ninit glorot_uniform\nconv 4 3x3 pad=1\nsigmoid\nmaxpool 2\n"
                    "flatten\ndense 3\n", BATCH - 1);
    check_gradients("input 2 9 8\ninit glorot_uniform\nconv 4 3x3 pad=1\nmaxpool 2\n" /* half windows */
                    "conv 8 2x2\nmaxpool 2\nflatten\ndense 3\n", BATCH);
}

/* A value read three times, a shortcut, an addition of additions: gradients meet and are added. */
Test(network, gradients_meet)
{
    check_gradients("input 3 8 8\ninit glorot_uniform\na: conv 8 3x3 pad=1\n"
                    "b: conv 8 3x3 pad=1\nc: add with=a\nd: silu\ne: add with=b\n"
                    "f: shortcut 16 stride=2\ng: conv 16 3x3 stride=2 pad=1 from=d\n"
                    "h: add with=f\nglobalavgpool\ndense 3\n", BATCH);
}

/* Two additions that share an input: one gradient belongs to several layers, in either order. */
Test(network, a_gradient_is_shared)
{
    check_gradients("input 3 8 8\ninit glorot_uniform\na: conv 8 3x3 pad=1\nb: conv 8 3x3 pad=1\n"
                    "add with=a\nadd with=a\nglobalavgpool\ndense 3\n", BATCH);
    check_gradients("input 3 8 8\ninit glorot_uniform\nb: conv 8 3x3 pad=1\na: conv 8 3x3 pad=1\n"
                    "add with=b\nadd with=a\nglobalavgpool\ndense 3\n", BATCH);
}

/* ReLU behind conv, batch normalisation, addition and dense is fused; the numbers must not notice. */
Test(network, fused_relu)
{
    check_gradients("input 3 8 8\ninit he_normal\nconv 8 3x3 pad=1\nrelu\nconv 8 3x3 pad=1 bias=0\n"
                    "batchnorm\nr: relu\nconv 8 3x3 pad=1\nadd with=r\nrelu\nglobalavgpool\n"
                    "dense 8\nrelu\ndense 3\n", BATCH);
}

static void setup_gpu(void)
{
    setenv("LEHR_TRAITS", "family=gpu", 1);
    setup();
}

TestSuite(network_gpu, .init = setup_gpu, .fini = teardown);

/* Convolutions make the statistics of the batch normalisation behind them, in training only; one of them is
 * read by an addition, too. */
Test(network_gpu, statistics_of_convolutions)
{
    const char *text = "input 3 8 8\ninit he_normal\nconv 8 3x3 pad=1\nbatchnorm\nsilu\n"
                       "a: conv 8 3x3 pad=1 bias=0\nbatchnorm\nrelu\nadd with=a\nglobalavgpool\ndense 3\n";
    check_gradients(text, BATCH);
    check_gradients(text, BATCH - 1);
    lehr_model *model = NULL;
    lh_network *net = make(&model, text, true);
    int with = 0, without = 0;
    for (int i = 0; i < net->step_count; i++) {
        const lh_net_step *s = &net->steps[i];
        if (s->exec->op != &lh_conv_forward) continue;
        bool stats = ((const lh_conv_problem *)lh_exec_problem(s->exec))->stats;
        cr_expect_eq(stats, s->phase == LH_PHASE_TRAIN);
        stats ? with++ : without++;
    }
    cr_expect(with == 2 && without == 2, "%d steps with statistics, %d without", with, without);
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}

/* pools: steps of pooling expected, in training, evaluation and backward. */
static float *gradients(const char *text, int pools, double loss[2])
{
    lehr_model *model = NULL;
    lh_network *net = make(&model, text, true);
    size_t bytes = lh_network_layout(net)->count * sizeof(float);
    float *g = malloc(bytes);
    int steps = 0;
    for (int i = 0; i < net->step_count; i++)
        steps += strncmp(net->steps[i].exec->op->name, "pool.", 5) == 0;
    cr_expect_eq(steps, pools, "%d steps of pooling", steps);
    loss[0] = mean_loss(net, BATCH, false);
    loss[1] = mean_loss(net, BATCH - 1, true);
    cr_assert_eq(lh_network_backward(net, BATCH - 1), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_buffer_read(dev, lh_network_layout(net)->gradients, 0, bytes, g), LEHR_OK);
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
    return g;
}

/* Pooling behind batch normalisation, or forward behind a convolution, is done with it, unless something,
 * here a dropout of nothing, stands between them; both ways have the same bits. */
Test(network, fused_pooling)
{
    const int steps[][2] = {{0, 6}, {0, 6}, {3, 9}, {2, 6}};
    const char *const texts[][2] = {
        {"input 3 8 8\ninit he_normal\nconv 16 3x3 pad=1 bias=0\nbatchnorm\nrelu\nmaxpool 2\n"
         "conv 8 3x3 pad=1 bias=0\nbatchnorm\nrelu\nglobalavgpool\ndense 3\n",
         "input 3 8 8\ninit he_normal\nconv 16 3x3 pad=1 bias=0\nbatchnorm\nrelu\ndropout 0\n"
         "maxpool 2\nconv 8 3x3 pad=1 bias=0\nbatchnorm\nrelu\ndropout 0\nglobalavgpool\n"
         "dense 3\n"},
        {"input 3 8 8\nconv 3 3x3 pad=1\nbatchnorm\nmaxpool 2\nconv 4 1x1\nbatchnorm\nmaxpool 2\n"
         "flatten\ndense 3\n",
         "input 3 8 8\nconv 3 3x3 pad=1\nbatchnorm\ndropout 0\nmaxpool 2\nconv 4 1x1\nbatchnorm\n"
         "dropout 0\nmaxpool 2\nflatten\ndense 3\n"},
        /* direct, then Winograd */
        {"input 3 30 30\ninit he_normal\nconv 32 3x3\nrelu\nmaxpool 2\nconv 48 3x3\nrelu\nmaxpool 2\n"
         "conv 16 3x3 pad=1\nmaxpool 2\nflatten\ndense 3\n",
         "input 3 30 30\ninit he_normal\nconv 32 3x3\nrelu\ndropout 0\nmaxpool 2\nconv 48 3x3\nrelu\n"
         "dropout 0\nmaxpool 2\nconv 16 3x3 pad=1\ndropout 0\nmaxpool 2\nflatten\ndense 3\n"},
        {"input 3 12 8\nconv 20 3x3\nrelu\nmaxpool 2\nconv 5 2x2\nmaxpool 2\nflatten\ndense 3\n",
         "input 3 12 8\nconv 20 3x3\nrelu\ndropout 0\nmaxpool 2\nconv 5 2x2\ndropout 0\nmaxpool 2\n"
         "flatten\ndense 3\n"}};
    for (size_t i = 0; i < LH_COUNT(texts); i++) {
        double fused_loss[2], loss[2];
        float *fused = gradients(texts[i][0], steps[i][0], fused_loss);
        float *apart = gradients(texts[i][1], steps[i][1], loss);
        lehr_model *model = NULL;
        cr_assert_eq(lehr_model_parse(ctx, "test", texts[i][0], &model), LEHR_OK);
        size_t count = 0;
        for (int k = 1; k < model->count; k++) count += lh_layer_parameters(model, k);
        cr_expect(memcmp(fused_loss, loss, sizeof loss) == 0, "losses %zu", i);
        cr_expect(memcmp(fused, apart, count * sizeof *fused) == 0, "gradients %zu", i);
        lehr_model_destroy(&model);
        free(fused);
        free(apart);
    }
}

/* Not fused with batch normalisation: windows that overlap, that leave a row over, or whose input is read
 * elsewhere, too. */
Test(network, poolings_apart)
{
    double loss[2];
    free(gradients("input 3 8 8\nconv 4 3x3 pad=1\nbatchnorm\nrelu\nmaxpool 3 stride=2 pad=1\n"
                   "flatten\ndense 3\n", 3, loss));
    free(gradients("input 3 7 8\nconv 4 3x3 pad=1\nbatchnorm\nrelu\nmaxpool 2\nflatten\ndense 3\n",
                   3, loss));
    free(gradients("input 3 8 8\na: conv 4 3x3 pad=1\nb: batchnorm\nc: maxpool 2\n"
                   "d: maxpool 2 from=b\nadd with=c\nflatten\ndense 3\n", 6, loss));
}

Test(network, evaluation_has_no_dropout_and_uses_running_statistics)
{
    lehr_model *model = NULL, *plain = NULL;
    const char *with = "input 3 6 6\nflatten\ndense 16\ntanh\ndropout 0.5\ndense 3\n";
    const char *without = "input 3 6 6\nflatten\ndense 16\ntanh\ndense 3\n";
    lh_network *a = make(&model, with, true), *b = make(&plain, without, true);
    double x = mean_loss(a, BATCH, false), y = mean_loss(b, BATCH, false);
    cr_expect_eq(x, y);
    cr_expect_neq(mean_loss(a, BATCH, true), x);
    lh_network_destroy(&a);
    lh_network_destroy(&b);
    lehr_model_destroy(&model);
    lehr_model_destroy(&plain);
}

Test(network, repeats_bit_for_bit_and_tails_agree)
{
    lehr_model *model = NULL;
    lh_network *net = make(&model, "input 3 8 8\nconv 16 3x3 pad=1\nrelu\nflatten\ndense 3\n", true);
    double first = mean_loss(net, BATCH, true);
    cr_expect_eq(first, mean_loss(net, BATCH, true));
    float all[BATCH], tail[BATCH];
    lh_buffer_read(dev, lh_network_loss_values(net), 0, sizeof all, all);
    mean_loss(net, BATCH - 2, true);
    lh_buffer_read(dev, lh_network_loss_values(net), 0, sizeof tail, tail);
    for (int i = 0; i < BATCH - 2; i++)
        cr_expect(fabsf(all[i] - tail[i]) <= 1e-5f * fabsf(all[i]), "sample %d", i);
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}

Test(network, finds_the_layer_that_is_not_finite)
{
    lehr_model *model = NULL;
    lh_network *net = make(&model, "input 3 8 8\nconv 4 3x3\nrelu\nmid: conv 4 3x3\nrelu\nflatten\n"
                                   "dense 3\n", true);
    const char *layer = NULL, *what = NULL;
    feed(net);
    cr_assert_eq(lh_network_find_nonfinite(net, BATCH, 1, 0, &layer, &what), LEHR_OK);
    cr_expect_null(layer);
    for (uint32_t i = 0; i < lh_network_tensor_count(net); i++) {
        const lh_named_tensor *t = lh_network_tensor(net, i);
        const float bad = NAN;
        if (strcmp(t->name, "mid.bias") == 0)
            lh_buffer_write(dev, lh_network_layout(net)->weights, t->offset * 4, 4, &bad);
    }
    feed(net);
    cr_assert_eq(lh_network_find_nonfinite(net, BATCH, 1, 0, &layer, &what), LEHR_OK);
    cr_assert_not_null(layer);
    cr_expect_str_eq(layer, "mid");
    cr_expect_str_eq(what, "weights");
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}

/* Buffers are shared by lifetime: a deep model must not keep every gradient. */
Test(network, memory_is_planned_by_lifetime)
{
    lehr_model *model = NULL;
    lh_str text = {0};
    lh_str_add(&text, "input 3 16 16\n");
    for (int i = 0; i < 10; i++) lh_str_add(&text, "conv 16 3x3 pad=1\ntanh\n");
    lh_str_add(&text, "globalavgpool\ndense 3\n");
    lh_network *net = make(&model, lh_str_text(&text), true);
    size_t value = (size_t)BATCH * 16 * 16 * 16 * sizeof(float);
    /* 20 activations stay for the backward pass; gradients share memory */
    size_t values = lh_network_get_memory(net).values;
    cr_expect_leq(values, 24 * value, "%zu", values / value);
    lh_str_free(&text);
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}

/* What is alive together lies apart, and little is lost to gaps. */
Test(network, values_are_placed_apart_and_close)
{
    lehr_model *model = NULL;
    lh_network *net = make(&model,
                           "input 3 16 16\nconv 16 3x3 pad=1 bias=0\nbatchnorm\nfirst: relu\n"
                           "conv 16 3x3 pad=1\nbatchnorm\nadd with=first\nrelu\nmaxpool 2\n"
                           "conv 32 3x3 pad=1\nbatchnorm\nrelu\ndropout 0.1\nflatten\n"
                           "dense 20\nrelu\ndense 3\n",
                           true);
    for (int i = 0; i < net->value_count; i++)
        for (int k = 0; k < i; k++) {
            const lh_value *a = &net->values[i], *b = &net->values[k];
            if (a->first > b->last || b->first > a->last || a->block != b->block) continue;
            cr_expect(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset,
                      "values %d and %d overlap", k, i);
        }
    lh_network_memory m = lh_network_get_memory(net);
    cr_expect_geq(m.values, m.least);
    cr_expect_leq(m.values, m.least + m.least / 10, "%zu of %zu", m.values, m.least);
    cr_expect_eq(m.weights + m.values + m.workspace, lh_network_bytes(net));
    lh_network_destroy(&net);
    lehr_model_destroy(&model);
}
