/* SPDX-License-Identifier: MIT
 *
 * The accuracy gate of the Winograd kernels: every 3x3 layer of the built-in models (with stride 2 forward
 * only), at its own size, against the reference in double, within the limit that docs/numerics.md derives
 * for the variant.  The quick run takes three of resnet20's layers; LEHR_TEST_LEVEL=1 takes all.
 * LEHR_TEST_ERRORS=1 prints how much of its limit each uses. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/conv/conv.h"
#include "tests/kernels/harness.h"

static const struct layer {
    int c, size, k, pad;
} layers[] = {
    {16, 32, 16, 1}, {64, 8, 64, 1},                                                      /* quick */
    {64, 32, 64, 1}, {64, 16, 128, 1}, {128, 16, 128, 1}, {128, 8, 256, 1},               /* vgg6 */
    {256, 8, 256, 1}, {32, 16, 32, 1},                                                    /* resnet20 */
    {32, 15, 64, 0}, {64, 6, 64, 0},                                                      /* tutorial */
    {32, 32, 32, 0}, {32, 15, 64, 1}, {64, 15, 64, 0},                                    /* keras-cnn */
};

/* Forward with stride 2: resnet20's, and larger ones. */
static const struct layer strided[] = {
    {32, 16, 64, 1}, {16, 32, 32, 1}, {64, 32, 128, 1}, {128, 16, 256, 1}, {256, 16, 128, 0}};

static bool make_problem(const struct layer *l, int n, int stride, void *out)
{
    lh_conv_problem p = {.n = n, .c = l->c, .h = l->size, .w = l->size, .k = l->k, .r = 3, .s = 3,
                         .stride_h = stride, .stride_w = stride, .pad_top = l->pad, .pad_left = l->pad,
                         .pad_bottom = l->pad, .pad_right = l->pad, .bias = true};
    lh_conv_output(&p);
    *(lh_conv_problem *)out = p;
    return true;
}

static bool layer_problem(int level, size_t i, void *out)
{
    return i < (level ? LH_COUNT(layers) : 2) &&
           make_problem(&layers[i], layers[i].size < 8 ? 8 : 2, 1, out);
}

static bool strided_problem(int level, size_t i, void *out)
{
    return i < (level ? LH_COUNT(strided) : 1) && make_problem(&strided[i], 8, 2, out);
}

/* The op with its Winograd rows only; returns how many results were compared. */
static unsigned check(lehr_device *dev, const lh_op *whole, int level,
                      bool (*problem)(int, size_t, void *))
{
    lh_variant rows[8];
    lh_op op = *whole;
    op.variants = rows;
    op.variant_count = 0;
    for (unsigned v = 0; v < whole->variant_count && op.variant_count < LH_COUNT(rows); v++)
        if (strstr(whole->variants[v].name, "winograd")) rows[op.variant_count++] = whole->variants[v];
    lh_case_list list = {&op, problem, NULL, NULL};
    lh_check_counts counts = {0};
    const char *failure = lh_check_list(dev, &list, level, &counts);
    cr_expect(failure[0] == '\0', "%s", failure);
    return counts.checked;
}

static void check_layers(bool strides)
{
    const char *wish = getenv("LEHR_TEST_LEVEL");
    int level = wish ? atoi(wish) : 0;
    const lh_op *const passes[] = {&lh_conv_forward, &lh_conv_backward_data, &lh_conv_backward_filter};
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    for (size_t i = 0; i < LH_COUNT(passes); i++)
        cr_expect(check(dev, passes[i], level, layer_problem) > 0, "%s: no Winograd kernel was checked",
                  passes[i]->name);
    if (strides)
        cr_expect(check(dev, &lh_conv_forward, level, strided_problem) > 0, "none for stride 2");
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

Test(winograd, errors_of_the_models_layers) { check_layers(true); }

/* Every test is a process of its own. */
Test(winograd, errors_in_the_gpu_family)
{
    setenv("LEHR_TRAITS", "family=gpu", 1);
    check_layers(false);
}
