/* SPDX-License-Identifier: MIT
 *
 * Model descriptions: counts known from the frameworks, shapes, names, errors.  No device. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/model/model.h"

static lehr_context *ctx;
static void setup(void) { cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK); }
static void teardown(void) { lehr_context_destroy(&ctx); }
TestSuite(model, .init = setup, .fini = teardown);

/* Parameter counts as Keras and PyTorch report them for the same models. */
Test(model, built_in_parameter_counts)
{
    static const struct {
        const char *name;
        uint64_t parameters;
    } rows[] = {{"tutorial", 122570}, {"keras-cnn", 1250858}, {"vgg6", 1148874},
                {"resnet20", 269722}, {"resnet32", 464154},   {"resnet56", 853018},
                {"mlp", 1707274}};
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        lehr_model *m = NULL;
        lehr_model_info info;
        cr_assert_eq(lehr_model_load(ctx, rows[i].name, &m), LEHR_OK, "%s",
                     lehr_context_message(ctx));
        lehr_model_get_info(m, &info);
        cr_expect_eq(info.parameters, rows[i].parameters, "%s: %llu", rows[i].name,
                     (unsigned long long)info.parameters);
        cr_expect_eq(info.classes, 10);
        lehr_model_destroy(&m);
        cr_expect_null(m);
    }
    cr_expect_str_eq(lehr_model_builtin(0), "tutorial");
    cr_expect_null(lehr_model_builtin(1000));
}

/* Every trained number is in a parameter of the listing, under the name that a weights file uses. */
Test(model, parameters_by_name)
{
    static const char *const names[] = {"conv1.weight weight", "bn1.weight norm", "bn1.bias norm",
                                        "fc1.weight weight", "fc1.bias bias"};
    lehr_parameter_info p;
    lehr_model *m = NULL;
    for (uint32_t k = 0; lehr_model_builtin(k); k++) {
        lehr_model_info info;
        uint64_t count = 0;
        cr_assert_eq(lehr_model_load(ctx, lehr_model_builtin(k), &m), LEHR_OK);
        lehr_model_get_info(m, &info);
        for (uint32_t i = 0; lehr_model_parameter(m, i, &p); i++) {
            uint64_t numbers = 1;
            for (uint32_t d = 0; d < p.ndim; d++) numbers *= p.dims[d];
            cr_expect_eq(numbers, p.count, "%s", p.name);
            count += p.count;
        }
        cr_expect_eq(count, info.parameters, "%s", lehr_model_builtin(k));
        lehr_model_destroy(&m);
    }
    cr_assert_eq(lehr_model_parse(ctx, "m", "input 1 8 8\nconv 2 3x3 bias=0\nbatchnorm\nflatten\n"
                                  "dense 3\n", &m), LEHR_OK, "%s", lehr_context_message(ctx));
    for (uint32_t i = 0; i <= LH_COUNT(names); i++) {
        char text[128];
        uint32_t found = lehr_model_parameter(m, i, &p);
        cr_assert_eq(found, i < LH_COUNT(names));
        snprintf(text, sizeof text, "%s %s", p.name, p.kind);
        if (found) cr_expect_str_eq(text, names[i]);
    }
    lehr_model_destroy(&m);
}

Test(model, text_round_trips)
{
    for (uint32_t i = 0; lehr_model_builtin(i); i++) {
        lehr_model *a = NULL, *b = NULL;
        lehr_model_info x, y;
        cr_assert_eq(lehr_model_load(ctx, lehr_model_builtin(i), &a), LEHR_OK);
        lehr_model_get_info(a, &x);
        cr_assert_eq(lehr_model_parse(ctx, "copy", x.text, &b), LEHR_OK, "%s",
                     lehr_context_message(ctx));
        lehr_model_get_info(b, &y);
        cr_expect_str_eq(x.text, y.text);
        cr_expect_eq(x.parameters, y.parameters);
        cr_expect_eq(x.forward_flops, y.forward_flops);
        cr_expect_eq(x.layers, y.layers);
        lehr_model_destroy(&a);
        lehr_model_destroy(&b);
    }
}

Test(model, shapes_and_names)
{
    lehr_model *m = NULL;
    cr_assert_eq(lehr_model_create(ctx, "mine", 3, 31, 20, &m), LEHR_OK);
    cr_expect_eq(lehr_model_add(m, "conv 8 3x5 stride=2x1 pad=same"), LEHR_OK);
    cr_expect_eq(m->layers[1].h, 16);
    cr_expect_eq(m->layers[1].w, 20);
    cr_expect_eq(lehr_model_add(m, "pool: maxpool 2x2 stride=2  # halves"), LEHR_OK);
    cr_expect_eq(m->layers[2].h, 8);
    cr_expect_eq(lehr_model_add(m, ""), LEHR_OK);
    cr_expect_eq(lehr_model_add(m, "conv 8 3x3 pad=1"), LEHR_OK);
    cr_expect_str_eq(m->layers[3].name, "conv2");
    cr_expect_eq(lehr_model_add(m, "add with=pool"), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(lehr_model_add(m, "globalavgpool"), LEHR_OK);
    cr_expect_eq(lehr_model_add(m, "dense 4 bias=0"), LEHR_OK);
    cr_expect_str_eq(m->layers[m->count - 1].name, "fc1");
    cr_expect_eq(lh_layer_parameters(m, m->count - 1), 32);
    lehr_model_destroy(&m);
}

Test(model, errors_name_the_line_and_the_remedy)
{
    static const struct {
        const char *text;
        lehr_status status;
        const char *words;
    } rows[] = {
        {"conv 8 3x3\n", LEHR_E_USAGE, "input C H W"},
        {"input 3 32\n", LEHR_E_USAGE, "input CHANNELS HEIGHT WIDTH"},
        {"input 3 32 32\nconvv 8 3x3\n", LEHR_E_USAGE, "line 2: unknown op 'convv'; did you mean 'conv'?"},
        {"input 3 32 32\nconv 8\n", LEHR_E_USAGE, "FILTERS RxS"},
        {"input 3 32 32\nconv 8 33x33\n", LEHR_E_SHAPE, "does not fit"},
        {"input 3 32 32\nconv 8 3x3 groups=2\n", LEHR_E_UNSUPPORTED, "groups"},
        {"input 3 32 32\nconv 8 3x3 dilation=2\n", LEHR_E_UNSUPPORTED, "dilation"},
        {"input 3 32 32\nconv 8 3x3 strid=2\n", LEHR_E_USAGE, "'strid'"},
        {"input 3 32 32\nconv 8 3x3 pad=-1\n", LEHR_E_USAGE, "pad takes"},
        {"input 3 32 32\ndense 10\n", LEHR_E_SHAPE, "flatten"},
        {"input 3 32 32\nconv 8 3x3\n", LEHR_E_SHAPE, "dense 10"},
        {"input 3 32 32\nflatten\ndropout 1\n", LEHR_E_USAGE, "RATE"},
        {"input 3 32 32\nflatten\ndense 10\ndropout 0.5\n", LEHR_E_USAGE, "ends in dropout"},
        {"input 3 32 32\na: conv 8 3x3\nb: conv 8 3x3\nadd with=a\n", LEHR_E_SHAPE, "1x1 conv"},
        {"input 3 32 32\nadd with=zzz\n", LEHR_E_USAGE, "'zzz'"},
        {"input 3 32 32\na: relu\na: relu\n", LEHR_E_USAGE, "of that name"},
        {"input 3 32 32\ninit xavier\n", LEHR_E_USAGE, "glorot_uniform"},
        {"input 3 32 32\nbatchnorm eps=-1\n", LEHR_E_PARAM, "-1"},
        {"input 3 32 32\nbatchnorm 1e-3\n", LEHR_E_USAGE, "takes only eps= and momentum=, got '1e-3'"},
        {"input 3 32 32\nmaxpool 2 pad=2\n", LEHR_E_SHAPE, "smaller than the window"},
        {"input 70000 32 32\n", LEHR_E_USAGE, "input"},
        {"input 60000 60000 60000\nrelu\n", LEHR_E_SHAPE, "10^8"},
        {"", LEHR_E_USAGE, "no layers"},
    };
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        lehr_model *m = NULL;
        lehr_status st = lehr_model_parse(ctx, "bad", rows[i].text, &m);
        cr_expect_eq(st, rows[i].status, "row %zu: %s: %s", i, lehr_status_name(st),
                     lehr_context_message(ctx));
        cr_expect(strstr(lehr_context_message(ctx), rows[i].words), "row %zu: '%s'", i,
                  lehr_context_message(ctx));
        cr_expect_null(m);
    }
    lehr_model *m = NULL;
    cr_expect_eq(lehr_model_load(ctx, "vgg7", &m), LEHR_E_USAGE);
    cr_expect(strstr(lehr_context_message(ctx), "did you mean 'vgg6'?"), "%s",
              lehr_context_message(ctx));
}
