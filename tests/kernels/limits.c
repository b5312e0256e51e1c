/* SPDX-License-Identifier: MIT
 *
 * The GPU family's kernels under the limits of other devices: work-groups of 64 to 1024, local memory of
 * 16 to 64 KiB, one-dimensional launches that must be cut.  The quick run takes one set of limits that
 * kernels/gpu and kernels/small_gpu do not, and small cases; LEHR_TEST_LEVEL=1 takes all sets, each
 * with a third of all quick cases.  Every variant that some set admits must have run. */
#define _POSIX_C_SOURCE 200809L
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/harness.h"

static const struct {
    unsigned work_group, local_bytes, vector_width, max_groups;
} sets[] = {
    {128, 16384, 4, 7},    {64, 16384, 1, 3},   {64, 32768, 4, 65535},  {64, 65536, 8, 65535},
    {128, 32768, 4, 5},    {128, 65536, 2, 2},  {256, 16384, 4, 65535}, {256, 32768, 1, 11},
    {256, 65536, 4, 7},    {512, 16384, 4, 2},  {512, 32768, 4, 65535}, {1024, 16384, 1, 7},
    {1024, 32768, 4, 9},   {1024, 65536, 4, 3}, {16, 16384, 4, 65535},
};
/* Those whose kernels depend on such limits; the others run under kernels/small_gpu. */
static const char *const prefixes[] = {"conv.", "gemm", "dense.", "batchnorm.", "reduce"};

static const lh_case_list *full;
static double most_flops;
static size_t every = 1, first; /* of the small ones: number first, and each `every` behind it */

/* Problem i of those that are small enough and taken. */
static bool some_problem(int level, size_t i, void *out)
{
    (void)level;
    i = first + every * i;
    for (size_t k = 0; full->problem(0, k, out); k++)
        if (full->op->flops(out, full->op->batch(out)) <= most_flops && i-- == 0) return true;
    return false;
}

static bool wanted(const lh_op *op)
{
    for (size_t i = 0; i < LH_COUNT(prefixes); i++)
        if (strncmp(op->name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

/* Which variants take one of the problems, as bits. */
static unsigned takers(lehr_device *dev, const lh_case_list *list)
{
    unsigned bits = 0;
    void *problem = calloc(1, list->op->problem_size);
    for (size_t i = 0; list->problem(0, i, problem); i++)
        for (unsigned v = 0; v < list->op->variant_count; v++)
            if (!list->op->variants[v].declines(problem, lh_device_traits(dev))) bits |= 1u << v;
    free(problem);
    return bits;
}

static void check_set(size_t set, unsigned *ran)
{
    char traits[160];
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    snprintf(traits, sizeof traits,
             "family=gpu,max_work_group=%u,local_bytes=%u,vector_width=%u,max_groups=%u",
             sets[set].work_group, sets[set].local_bytes, sets[set].vector_width,
             sets[set].max_groups);
    setenv("LEHR_TRAITS", traits, 1);
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    for (size_t i = 0; i < lh_case_list_count; i++) {
        full = lh_case_lists[i];
        if (!wanted(full->op)) continue;
        lh_case_list list = {full->op, some_problem, full->fill, full->scalars};
        lh_check_counts counts = {0};
        const char *failure = lh_check_list(dev, &list, 0, &counts);
        cr_expect(failure[0] == '\0', "%s: %s", traits, failure);
        ran[i] |= takers(dev, &list);
    }
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

Test(limits, every_gpu_variant_under_every_limit)
{
    const char *level = getenv("LEHR_TEST_LEVEL");
    bool all = level && atoi(level) > 0;
    unsigned ran[64] = {0};
    cr_assert(lh_case_list_count <= LH_COUNT(ran));
    setenv("LEHR_TEST_WITHOUT", "clblast", 0);
    most_flops = all ? 1e9 : 4e4;
    every = all ? 3 : 1;
    for (size_t set = 0; set < (all ? LH_COUNT(sets) : 1); set++) {
        first = set % every;
        check_set(set, ran);
    }
    for (size_t i = 0; i < lh_case_list_count; i++) {
        const lh_op *op = lh_case_lists[i]->op;
        for (unsigned v = 0; v < op->variant_count && wanted(op); v++) {
            const char *name = op->variants[v].name;
            bool cpu = strstr(name, "_cpu") != NULL, subgroup = strstr(name, "subgroup") != NULL;
            cr_expect(cpu || subgroup || ran[i] >> v & 1, "%s/%s has not run", op->name, name);
        }
    }
}

/* Refused, not taken for no limit at all. */
Test(limits, a_limit_of_nothing_is_an_error)
{
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    setenv("LEHR_TRAITS", "max_groups=0", 1);
    cr_expect_eq(lehr_device_open(ctx, NULL, &dev), LEHR_E_USAGE);
    setenv("LEHR_TRAITS", "subgroup=16", 1);
    cr_expect_eq(lehr_device_open(ctx, NULL, &dev), LEHR_E_USAGE);
    setenv("LEHR_TRAITS", "unroll=2", 1);
    cr_expect_eq(lehr_device_open(ctx, NULL, &dev), LEHR_E_USAGE);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}
