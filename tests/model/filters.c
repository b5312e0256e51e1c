/* SPDX-License-Identifier: MIT
 *
 * Filters that a network transforms for all its layers in one launch: the same bits as when every layer
 * does it itself, in training and evaluation, and again after the weights have changed. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"
#include "core/model/network_internal.h"

enum { BATCH = 3 };

/* Blocks of one and of two vectors, mirrored and not, a tile of the transposed algorithm, and one layer
 * that is not transformed at all. */
static const char description[] = "input 3 14 14\nconv 16 3x3 pad=1\nrelu\nconv 48 3x3 pad=1\nrelu\n"
                                  "maxpool 2\nconv 32 3x3\nrelu\nconv 32 3x3 pad=1\nbatchnorm\nrelu\n"
                                  "flatten\ndense 3\n";

static lehr_context *ctx;
static lehr_device *dev;
static lehr_model *model;

static lh_network *make(void)
{
    lh_network *net = NULL;
    cr_assert_eq(lh_network_create(dev, model, BATCH, LH_LOSS_CROSS_ENTROPY, true, &net), LEHR_OK,
                 "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_network_initialise(net, 3), LEHR_OK);
    return net;
}

static void put(cl_mem to, size_t count, unsigned seed)
{
    float *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = 0.4f * (lh_uniform(lh_philox_draw(seed, i, LH_STREAM_USER, 0).v[0]) - 0.5f);
    cr_assert_eq(lh_buffer_write(dev, to, 0, count * sizeof *x, x), LEHR_OK);
    free(x);
}

/* A training step, or a forward pass, with weights drawn from seed: all gradients, or the losses. */
static void run(lh_network *net, unsigned seed, bool train, float *out)
{
    const lh_arena_layout *layout = lh_network_layout(net);
    const int32_t labels[BATCH] = {0, 2, 1};
    put(layout->weights, layout->count, seed);
    put(lh_network_input(net), (size_t)BATCH * 3 * 14 * 14, 7);
    cr_assert_eq(lh_buffer_write(dev, lh_network_labels(net), 0, sizeof labels, labels), LEHR_OK);
    cr_assert_eq(lh_network_forward(net, BATCH, train, 1, 1), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_network_loss(net, BATCH, 0, 1), LEHR_OK);
    if (train) cr_assert_eq(lh_network_backward(net, BATCH), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lh_buffer_read(dev, train ? layout->gradients : lh_network_loss_values(net), 0,
                                (train ? layout->count : BATCH) * sizeof *out, out),
                 LEHR_OK);
}

Test(filters, one_launch_gives_the_bits_of_many)
{
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lehr_model_parse(ctx, "test", description, &model), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    lh_network *shared = make(), *apart = make();
    size_t bytes = lh_network_layout(shared)->count * sizeof(float);
    float *got = calloc(1, bytes), *want = calloc(1, bytes);
    cr_expect_eq(shared->filters != NULL, lh_device_traits(dev)->cpu_family);
    for (int i = 0; i < apart->step_count; i++) apart->steps[i].args.filters = NULL;
    for (unsigned seed = 1; seed <= 2; seed++)
        for (int train = 0; train < 2; train++) {
            run(shared, seed, train, got);
            run(apart, seed, train, want);
            cr_expect_arr_eq(got, want, train ? bytes : BATCH * sizeof *got, "weights %u, %s", seed,
                             train ? "training" : "evaluation");
        }
    free(got);
    free(want);
    lh_network_destroy(&shared);
    lh_network_destroy(&apart);
    lehr_model_destroy(&model);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}
