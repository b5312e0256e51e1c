/* SPDX-License-Identifier: MIT
 *
 * Statistics against published t tables and against values computed with SciPy 1.17
 * (scipy.stats.t, ttest_rel, numpy std with ddof=1). */
#include <criterion/criterion.h>
#include <math.h>

#include "core/study/statistics.h"

static void near(double got, double wanted, double tolerance)
{
    cr_expect(fabs(got - wanted) <= tolerance, "got %.17g, wanted %.17g", got, wanted);
}

Test(statistics, t_quantiles_of_the_table)
{
    static const struct {
        unsigned dof;
        double t90, t95, t99;
    } rows[] = {{1, 6.313751514675037, 12.706204736174694, 63.656741162871526},
                {2, 2.9199855803537242, 4.302652729749462, 9.924843200918287},
                {3, 2.3533634348018233, 3.1824463052837078, 5.840909309733355},
                {4, 2.1318467863266495, 2.7764451051977934, 4.604094871349992},
                {9, 1.833112932656237, 2.262157162798205, 3.249835541592126},
                {10, 1.8124611228116756, 2.228138851986274, 3.16927267261695},
                {29, 1.6991270265334972, 2.045229642132703, 2.756385903670605},
                {30, 1.697260886593957, 2.0422724563012378, 2.7499956535672254}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        near(lh_t_quantile(0.90, rows[i].dof), rows[i].t90, 1e-9);
        near(lh_t_quantile(0.95, rows[i].dof), rows[i].t95, 1e-9);
        near(lh_t_quantile(0.99, rows[i].dof), rows[i].t99, 1e-8);
    }
    cr_expect(isnan(lh_t_quantile(0.95, 0)));
}

Test(statistics, t_probabilities)
{
    near(lh_t_central(0.5, 1), 0.2951672353008665, 1e-14);
    near(lh_t_central(2, 3), 0.860674031441157, 1e-14);
    near(lh_t_central(2.5, 4), 0.9332334551880118, 1e-14);
    near(lh_t_central(3.3, 9), 0.990770091681453, 1e-14);
    near(lh_t_central(10, 5), 0.999829052424257, 1e-14);
    near(lh_t_central(0.1, 30), 0.07899038820972881, 1e-14);
    cr_expect_eq(lh_t_central(0, 7), 0);
}

static const double a[] = {.712, .705, .718, .709, .714};
static const double b[] = {.701, .699, .712, .693, .710};
static const double c[] = {.715, .7, .716, .711, .712};

Test(statistics, samples)
{
    lh_sample s = lh_sample_of(a, 5);
    cr_expect_eq(s.count, 5u);
    near(s.mean, 0.7116, 1e-15);
    near(s.sd, 0.004929503017546499, 1e-15);
    near(s.half_width, 0.006120786425924306, 1e-12);
    cr_expect_eq(s.min, .705);
    cr_expect_eq(s.max, .718);
    const double holes[] = {NAN, .712, INFINITY, .705, .718, .709, NAN, .714};
    lh_sample t = lh_sample_of(holes, 8);
    cr_expect_eq(t.count, 5u);
    near(t.half_width, s.half_width, 1e-15);
}

Test(statistics, small_samples)
{
    lh_sample none = lh_sample_of(a, 0), one = lh_sample_of(a, 1);
    cr_expect(none.count == 0 && isnan(none.mean) && isnan(none.sd));
    cr_expect(one.count == 1 && one.mean == .712 && isnan(one.sd) && isnan(one.half_width));
    cr_expect(isnan(lh_paired_of(a, b, 1).p), "one seed is no test");
    const double same[] = {.1, .1, .1};
    lh_sample flat = lh_sample_of(same, 3);
    cr_expect(flat.mean == .1 && flat.sd == 0 && flat.half_width == 0);
}

Test(statistics, paired_differences)
{
    lh_paired ab = lh_paired_of(a, b, 5), ac = lh_paired_of(a, c, 5), bc = lh_paired_of(b, c, 5);
    near(ab.difference.mean, 0.0086, 1e-15);
    near(ab.difference.sd, 0.004878524367060192, 1e-15);
    near(ab.difference.half_width, 0.006057488070938445, 1e-12);
    near(ab.p, 0.016934113337243536, 1e-11);
    near(ac.p, 0.6135457051575998, 1e-11);
    near(bc.p, 0.08602850739046086, 1e-11);
    lh_paired all[] = {ab, ac, bc};
    lh_holm(all, 3);
    near(all[0].adjusted_p, 3 * 0.016934113337243536, 1e-10);
    near(all[1].adjusted_p, 0.6135457051575998, 1e-10);
    near(all[2].adjusted_p, 2 * 0.08602850739046086, 1e-10);
}

Test(statistics, a_missing_seed_leaves_the_others)
{
    double a6[] = {.712, NAN, .705, .718, .709, .714}, b6[] = {.701, .7, .699, .712, .693, .710};
    lh_paired whole = lh_paired_of(a, b, 5), holed = lh_paired_of(a6, b6, 6);
    cr_expect_eq(holed.difference.count, 5u);
    near(holed.p, whole.p, 1e-15);
}

Test(statistics, ties)
{
    lh_paired tie = lh_paired_of(a, a, 5);
    cr_expect(tie.p == 1 && tie.difference.mean == 0 && tie.difference.half_width == 0);
    const double zero[] = {.1, .1, .1}, half[] = {.5, .5, .5};
    cr_expect_eq(lh_paired_of(half, zero, 3).p, 0);
}

/* Holm's method on p = .01 .04 .03 .005: adjusted .03 .06 .06 .02; NaN does not count. */
Test(statistics, holm)
{
    const double p[] = {0.01, NAN, 0.04, 0.03, 0.005};
    const double wanted[] = {0.03, NAN, 0.06, 0.06, 0.02};
    lh_paired pairs[5];
    for (int i = 0; i < 5; i++) pairs[i] = (lh_paired){.p = p[i]};
    lh_holm(pairs, 5);
    for (int i = 0; i < 5; i++) {
        if (isnan(wanted[i]))
            cr_expect(isnan(pairs[i].adjusted_p));
        else
            near(pairs[i].adjusted_p, wanted[i], 1e-15);
    }
}

Test(statistics, curves)
{
    const double x[] = {1, 2, 3, 5}, y[] = {0, 1, 1, 0}, holes[] = {0, NAN, 1, 0};
    near(lh_mean_under_curve(x, y, 4), (0.5 + 1 + 1) / 4, 1e-15);
    near(lh_mean_under_curve(x, holes, 4), (1 + 1) / 4.0, 1e-15);
    cr_expect_eq(lh_mean_under_curve(x, y, 1), 0);
    cr_expect(isnan(lh_mean_under_curve(x, y, 0)));
    cr_expect_eq(lh_first_reaching(y, 4, 0.9), 1u);
    cr_expect_eq(lh_first_reaching(y, 4, 1.1), 4u);
    const double nans[] = {NAN, NAN};
    cr_expect_eq(lh_first_reaching(nans, 2, 0), 2u);
}
