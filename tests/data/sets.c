/* SPDX-License-Identifier: MIT
 *
 * Data sets without files of their own: synthetic images, an application's memory, unknown specs;
 * and the real CIFAR-10 where the machine has it. */
#include <criterion/criterion.h>
#include <lehr/data.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"

enum { PIXELS = 3072 };

static lehr_context *ctx;

static void start(void) { cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK); }
static void stop(void) { lehr_context_destroy(&ctx); }

TestSuite(sets, .init = start, .fini = stop);

static lehr_data *open_or_die(const char *spec)
{
    lehr_data *data = NULL;
    cr_assert_eq(lehr_data_open(ctx, spec, &data), LEHR_OK, "%s", lehr_context_message(ctx));
    return data;
}

Test(sets, synthetic_depends_on_its_seed_only)
{
    lehr_data *a = open_or_die("synthetic:n=40,test=20"),
              *b = open_or_die("synthetic:n=60,test=10");
    lehr_data *c = open_or_die("synthetic:n=40,test=20,seed=8");
    const lehr_data_info *info = lehr_data_get_info(a);
    cr_expect_str_eq(info->spec, "synthetic:n=40,test=20,seed=7,classes=10");
    cr_expect(info->train_count == 40 && info->test_count == 20 && info->classes == 10);
    cr_expect_arr_eq(lehr_data_images(a, 0), lehr_data_images(b, 0), 40 * PIXELS);
    cr_expect_arr_eq(lehr_data_images(a, 1), lehr_data_images(b, 1), 10 * PIXELS);
    cr_expect_neq(memcmp(lehr_data_images(a, 0), lehr_data_images(c, 0), 40 * PIXELS), 0);
    cr_expect_neq(memcmp(lehr_data_images(a, 0), lehr_data_images(a, 1), 20 * PIXELS), 0);
    for (int i = 0; i < 40; i++) cr_expect_eq(lehr_data_labels(a, 0)[i], i % 10);
    cr_expect_str_neq(lehr_data_get_info(a)->sha256, lehr_data_get_info(c)->sha256);
    lehr_data *again = open_or_die(info->spec);
    cr_expect_str_eq(lehr_data_get_info(again)->sha256, info->sha256);
    cr_expect_not_null(lehr_data_class_name(a, 9));
    lehr_data_destroy(&a);
    lehr_data_destroy(&b);
    lehr_data_destroy(&c);
    lehr_data_destroy(&again);
}

/* The same bytes on every machine and with every compiler. */
Test(sets, synthetic_bytes_are_fixed)
{
    lehr_data *data = open_or_die("synthetic:n=200,test=50");
    cr_expect_str_eq(lehr_data_get_info(data)->sha256,
                     "6c8423f60b814615292ddf623576440b035fc2b65ea67b4e346cfb5c9655eee9");
    lehr_data_destroy(&data);
}

/* Neither mean colour nor a mean picture tells the class: the nearest class mean must stay weak. */
Test(sets, synthetic_is_not_solved_by_class_means)
{
    enum { N = 1000 };
    lehr_data *data = open_or_die("synthetic:n=1000,test=500");
    const lehr_data_info *info = lehr_data_get_info(data);
    double *means = calloc(10 * PIXELS, sizeof *means);
    for (size_t i = 0; i < N; i++)
        for (size_t p = 0; p < PIXELS; p++)
            means[lehr_data_labels(data, 0)[i] * PIXELS + p] +=
                lehr_data_images(data, 0)[i * PIXELS + p] / (N / 10.0);
    unsigned right = 0;
    for (size_t i = 0; i < 500; i++) {
        double best = INFINITY;
        size_t found = 0;
        for (size_t c = 0; c < 10; c++) {
            double distance = 0;
            for (size_t p = 0; p < PIXELS; p++) {
                double d = lehr_data_images(data, 1)[i * PIXELS + p] - means[c * PIXELS + p];
                distance += d * d;
            }
            if (distance < best) {
                best = distance;
                found = c;
            }
        }
        right += found == lehr_data_labels(data, 1)[i];
    }
    cr_expect_lt(right, 150, "%u of 500 by class means", right);
    for (int c = 0; c < 3; c++)
        cr_expect(info->mean[c] > 0.4f && info->mean[c] < 0.6f && info->std[c] > 0.1f);
    free(means);
    lehr_data_destroy(&data);
}

Test(sets, wrong_specs_say_what_is_known)
{
    static const struct {
        const char *spec, *text;
        lehr_status status;
    } rows[] = {
        {"cifar", "did you mean 'cifar10'", LEHR_E_USAGE},
        {"", "known: cifar10", LEHR_E_USAGE},
        {"/", "cifar10:/", LEHR_E_USAGE},
        {"synthetic:m=4", "known: n, test, seed, classes", LEHR_E_USAGE},
        {"synthetic:n=0", "from 1 to", LEHR_E_USAGE},
        {"synthetic:n=-1", "from 1 to", LEHR_E_USAGE},
        {"synthetic:n", "from 1 to", LEHR_E_USAGE},
        {"synthetic:n=2.5", "from 1 to", LEHR_E_USAGE},
        {"synthetic:classes=11", "from 2 to 10", LEHR_E_USAGE},
        {"synthetic:n=99999999999999999999", "from 1 to", LEHR_E_USAGE},
        {"synthetic:n=4,,test=1", "unknown option ''", LEHR_E_USAGE},
        {"cifar10:/nonexistent", "no directory '/nonexistent'", LEHR_E_DATA},
    };
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        lehr_data *data = NULL;
        cr_expect_eq(lehr_data_open(ctx, rows[i].spec, &data), rows[i].status, "%s", rows[i].spec);
        cr_expect(strstr(lehr_context_message(ctx), rows[i].text), "%s: %s", rows[i].spec,
                  lehr_context_message(ctx));
        cr_expect_null(data);
    }
    char *longest = malloc(100001);
    memset(longest, 'x', 100000);
    longest[100000] = '\0';
    lehr_data *data = NULL;
    cr_expect_eq(lehr_data_open(ctx, longest, &data), LEHR_E_USAGE);
    memcpy(longest, "cifar10:", 8);
    cr_expect_eq(lehr_data_open(ctx, longest, &data), LEHR_E_DATA);
    free(longest);
}

Test(sets, from_memory)
{
    const uint8_t train[2 * 2 * 1 * 3] = {0, 0, 0, 7, 7, 7, 255, 255, 255, 7, 7, 7};
    const uint8_t test[6] = {1, 2, 3, 4, 5, 6}, labels[2] = {1, 0}, wrong[2] = {1, 2};
    lehr_data *data;
    cr_assert_eq(lehr_data_from_memory(ctx, 2, 1, 3, 2, 2, train, labels, 1, test, labels, &data),
                 LEHR_OK);
    const lehr_data_info *info = lehr_data_get_info(data);
    cr_expect_float_eq(info->mean[0], 0.5f, 1e-6);
    cr_expect_float_eq(info->std[0], 0.5f, 1e-6);
    cr_expect_float_eq(info->mean[1], 7 / 255.0, 1e-6);
    cr_expect_eq(info->std[1], 1.0f, "a constant channel");
    cr_expect_eq(lehr_data_images(data, 1)[5], 6);
    cr_expect_neq(lehr_data_images(data, 0), train, "must be a copy");
    lehr_data_destroy(&data);
    cr_expect_eq(lehr_data_from_memory(ctx, 2, 1, 3, 2, 2, train, wrong, 0, NULL, NULL, &data),
                 LEHR_E_DATA);
    cr_expect(strstr(lehr_context_message(ctx), "label 2 of training image 1"));
    cr_expect_eq(lehr_data_from_memory(ctx, 5, 1, 3, 2, 0, NULL, NULL, 0, NULL, NULL, &data),
                 LEHR_E_USAGE);
    cr_expect_null(data);
}

Test(sets, real_cifar10)
{
    lehr_data *data = NULL;
    if (lehr_data_open(ctx, "cifar10", &data) != LEHR_OK)
        cr_skip_test("no CIFAR-10 here: %s", lehr_context_message(ctx));
    const lehr_data_info *info = lehr_data_get_info(data);
    if (info->train_count != 50000) cr_skip_test("a reduced CIFAR-10");
    cr_expect_eq(info->test_count, 10000);
    unsigned counts[10] = {0};
    for (uint64_t i = 0; i < 50000; i++) counts[lehr_data_labels(data, 0)[i]]++;
    for (int c = 0; c < 10; c++) cr_expect_eq(counts[c], 5000);
    lehr_data_destroy(&data);
}
