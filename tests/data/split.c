/* SPDX-License-Identifier: MIT
 *
 * Split and epoch order: parts, limits, permutations, dependence on seed and epoch. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/split.h"

static lehr_context *ctx;

static void start(void) { cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK); }
static void stop(void) { lehr_context_destroy(&ctx); }

TestSuite(split, .init = start, .fini = stop);

Test(split, last_part_validates_and_limits_take_the_first)
{
    static const struct {
        uint64_t count, limit_train, limit_val;
        double fraction;
        uint64_t train, val, val_first;
    } rows[] = {
        {50000, 0, 0, 0.1, 45000, 5000, 45000},
        {50000, 1000, 10, 0.1, 1000, 10, 45000},
        {50000, 0, 0, 0, 50000, 0, 0},
        {50000, 99999, 99999, 0.1, 45000, 5000, 45000},
        {10, 0, 0, 0.25, 7, 3, 7},
        {1, 0, 0, 0.1, 1, 0, 0},
        {60000, 0, 0, 0.3, 42000, 18000, 42000},
    };
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        lh_split s;
        cr_assert_eq(lh_split_create(ctx, rows[i].count, rows[i].limit_train, rows[i].limit_val,
                                     rows[i].fraction, &s),
                     LEHR_OK);
        cr_expect_eq(s.train_count, rows[i].train, "row %zu", i);
        cr_expect_eq(s.val_count, rows[i].val, "row %zu", i);
        for (uint64_t k = 0; k < s.train_count; k++) cr_assert_eq((uint64_t)s.train[k], k);
        for (uint64_t k = 0; k < s.val_count; k++)
            cr_assert_eq((uint64_t)s.val[k], rows[i].val_first + k);
        lh_split_free(&s);
        cr_expect_null(s.train);
    }
}

Test(split, impossible_splits_are_refused)
{
    static const double bad[] = {1, -0.1, 1.5, NAN, INFINITY, 0.9999};
    for (size_t i = 0; i < LH_COUNT(bad); i++) {
        lh_split s;
        lh_enter(ctx);
        cr_expect_eq(lh_split_create(ctx, 100, 0, 0, bad[i], &s), LEHR_E_USAGE, "%g", bad[i]);
        cr_expect(strstr(lehr_context_message(ctx), "fraction"));
        cr_expect_null(s.train);
    }
    lh_split s;
    cr_expect_eq(lh_split_create(ctx, 0, 0, 0, 0, &s), LEHR_E_USAGE);
    cr_expect_eq(lh_split_create(ctx, 1ull << 31, 0, 0, 0, &s), LEHR_E_UNSUPPORTED);
}

static void expect_permutation(const int32_t *order, uint64_t count, int32_t first)
{
    unsigned char *seen = calloc(count + 1, 1);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert(order[i] >= first && (uint64_t)(order[i] - first) < count);
        cr_assert_eq(seen[order[i] - first]++, 0, "%d comes twice", order[i]);
    }
    free(seen);
}

Test(split, an_epoch_visits_each_image_once)
{
    static const uint64_t counts[] = {0, 1, 2, 3, 17, 1000, 45000};
    for (size_t c = 0; c < LH_COUNT(counts); c++) {
        uint64_t n = counts[c];
        int32_t *indices = malloc(4 * (n + 1)), *order = malloc(4 * (n + 1));
        for (uint64_t i = 0; i < n; i++) indices[i] = (int32_t)i + 100;
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            lh_epoch_order(indices, n, 1, epoch, true, order);
            expect_permutation(order, n, 100);
        }
        lh_epoch_order(indices, n, 1, 0, false, order);
        cr_expect_arr_eq(order, indices, 4 * n);
        free(indices);
        free(order);
    }
}

/* How many places two orders share; about 1 for independent permutations. */
static uint64_t agreement(const int32_t *indices, uint64_t n, uint64_t seed1, uint64_t epoch1,
                          uint64_t seed2, uint64_t epoch2)
{
    int32_t *a = malloc(4 * n), *b = malloc(4 * n);
    uint64_t same = 0;
    lh_epoch_order(indices, n, seed1, epoch1, true, a);
    lh_epoch_order(indices, n, seed2, epoch2, true, b);
    for (uint64_t i = 0; i < n; i++) same += a[i] == b[i];
    free(a);
    free(b);
    return same;
}

Test(split, order_depends_on_seed_and_epoch_only)
{
    enum { N = 5000 };
    int32_t *indices = malloc(4 * N);
    for (int32_t i = 0; i < N; i++) indices[i] = i;
    cr_expect_eq(agreement(indices, N, 1, 4, 1, 4), N);
    cr_expect_lt(agreement(indices, N, 1, 0, 2, 0), 20);
    cr_expect_lt(agreement(indices, N, 1, 0, 1, 1), 20);
    cr_expect_lt(agreement(indices, N, 1, 0, 1ull << 32 | 1, 0), 20);
    free(indices);
}

/* Each of the 6 orders of 3 images should come up equally often over many epochs. */
Test(split, orders_are_uniform)
{
    enum { EPOCHS = 60000 };
    const int32_t indices[3] = {0, 1, 2};
    unsigned seen[27] = {0};
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        int32_t order[3];
        lh_epoch_order(indices, 3, 5, epoch, true, order);
        seen[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    double chi = 0, expected = EPOCHS / 6.0;
    for (size_t i = 0; i < 27; i++)
        if (seen[i]) chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    cr_expect(!(chi > 20.5), "chi squared %g; 20.5 has probability 0.001", chi);
}
