/* SPDX-License-Identifier: MIT
 *
 * What may be said of a comparison in words.  Rules: no order from one seed; a difference is named
 * only when the paired test over common seeds, corrected for the number of pairs, is below 5 %;
 * every run that has no score is mentioned. */
#include "core/study/analysis.h"

#include <math.h>

static const char *name_of(const lh_analysis *a, uint32_t method)
{
    return a->study->methods[method].name;
}

static bool told_apart(const lh_analysis *a, uint32_t i, uint32_t k)
{
    return lh_distinguishable(lh_analysis_pair(a, i < k ? i : k, i < k ? k : i));
}

static bool has_test(const lh_analysis *a, uint32_t i, uint32_t k)
{
    return !isnan(lh_analysis_pair(a, i < k ? i : k, i < k ? k : i)->p);
}

static void say_best(const lh_analysis *a, lh_str *s)
{
    uint32_t best = a->order[0], equals = 0, tested = 0, n = a->study->method_count;
    lh_str names = {0};
    for (uint32_t i = 1; i < n; i++) {
        uint32_t other = a->order[i];
        tested += has_test(a, best, other);
        if (told_apart(a, best, other) || !has_test(a, best, other)) continue;
        lh_str_printf(&names, "%s%s", equals++ ? ", " : "", name_of(a, other));
    }
    lh_str_printf(s, "Highest mean %s: %s, %.2f %%.",
                  a->on_test ? "test accuracy" : "validation accuracy", name_of(a, best),
                  100 * lh_analysis_score(a, best)->mean);
    if (equals && equals + 1 == n)
        lh_str_add(s, " No other method is distinguishable from it at 95 %.");
    else if (equals)
        lh_str_printf(s, " Not distinguishable from it at 95 %%: %s.", lh_str_text(&names));
    else if (tested + 1 == n)
        lh_str_add(s, " It differs from every other method at 95 %.");
    lh_str_add(s, "\n");
    s->failed |= names.failed;
    lh_str_free(&names);
}

/* "adam from rmsprop, step; step from constant": each pair once. */
static void say_equal_pairs(const lh_analysis *a, lh_str *s)
{
    uint32_t n = a->study->method_count, rows = 0;
    lh_str_add(s, "Not distinguishable at 95 %: ");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t named = 0;
        for (uint32_t k = i + 1; k < n; k++) {
            uint32_t first = a->order[i], second = a->order[k];
            if (told_apart(a, first, second) || !has_test(a, first, second)) continue;
            if (!named) lh_str_printf(s, "%s%s from ", rows++ ? "; " : "", name_of(a, first));
            lh_str_printf(s, "%s%s", named++ ? ", " : "", name_of(a, second));
        }
    }
    lh_str_add(s, ".\n");
}

static void say_pairs(const lh_analysis *a, lh_str *s)
{
    static const char test[] = "paired t test over common seeds, Holm's correction";
    size_t tested = 0, apart = 0;
    for (size_t i = 0; i < a->pair_count; i++) {
        tested += !isnan(a->pairs[i].p);
        apart += lh_distinguishable(&a->pairs[i]);
    }
    if (!apart) {
        lh_str_printf(s, "No two methods are distinguishable at 95 %% (%zu pairs; %s).\n", tested,
                      test);
        return;
    }
    lh_str_printf(s, "%zu of %zu pairs differ at 95 %% (%s).\n", apart, tested, test);
    if (apart < tested) say_equal_pairs(a, s);
}

static void say_order(const lh_analysis *a, lh_str *s)
{
    if (a->study->method_count < 2) return;
    if (!a->ranked) {
        lh_str_add(s, a->study->seed_count == 1 ? "n=1: no ranking. One seed cannot tell a better "
                                                  "method from a luckier run; use --seeds 5 or "
                                                  "more.\n"
                                                : "No ranking: fewer than two seeds are finished "
                                                  "for every pair of methods.\n");
        return;
    }
    say_best(a, s);
    say_pairs(a, s);
    if (a->study->seed_count < 5)
        lh_str_printf(s, "n=%u is few: intervals are wide, and real differences may stay hidden.\n",
                      a->study->seed_count);
}

static void say_runs(const lh_analysis *a, lh_str *s)
{
    uint32_t missing = 0, n = a->study->seed_count;
    for (uint32_t m = 0; m < a->study->method_count; m++) {
        const lh_method_summary *method = &a->methods[m];
        missing += method->missing;
        if (method->diverged)
            lh_str_printf(s,
                          "%s diverged in %u of %u runs; its figures are over the %u that did "
                          "not.\n",
                          name_of(a, m), method->diverged, n, method->finished);
        if (method->failed)
            lh_str_printf(s, "%s failed in %u of %u runs (see result.json in its run directory).\n",
                          name_of(a, m), method->failed, n);
    }
    if (missing)
        lh_str_printf(s, "%u of %u runs are not finished; the same command continues.\n", missing,
                      n * a->study->method_count);
}

void lh_analysis_sentences(const lh_analysis *a, lh_str *s)
{
    say_order(a, s);
    say_runs(a, s);
}
