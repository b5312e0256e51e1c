/* SPDX-License-Identifier: MIT
 *
 * Every op, every variant, every quick case.  LEHR_TEST_LEVEL=1 runs the long sweep instead
 * (LEHR_TEST_PART=K/N: the K-th of N parts of it); LEHR_TEST_OP=conv runs only ops whose name starts so. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/add/add.h"
#include "kernels/batch/batch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/vector/vector.h"
#include "tests/kernels/harness.h"

/* Criterion hands parameters to another process: indices only. */
ParameterizedTestParameters(kernels, against_reference)
{
    static size_t indices[256];
    for (size_t i = 0; i < lh_case_list_count; i++) indices[i] = i;
    return cr_make_param_array(size_t, indices, lh_case_list_count);
}

ParameterizedTest(size_t *index, kernels, against_reference)
{
    const lh_case_list *list = lh_case_lists[*index];
    const char *only = getenv("LEHR_TEST_OP"), *level = getenv("LEHR_TEST_LEVEL");
    if (only && strncmp(list->op->name, only, strlen(only)) != 0)
        cr_skip_test("LEHR_TEST_OP=%s leaves out %s", only, list->op->name);
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    lh_check_counts counts = {0};
    const char *failure = lh_check_list(dev, list, level ? atoi(level) : 0, &counts);
    cr_expect(failure[0] == '\0', "%s", failure);
    cr_expect(counts.checked > 0, "%s: nothing was checked", list->op->name);
    cr_log_info("%s: %u checks, %u declined", list->op->name, counts.checked, counts.declined);
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

Test(kernels, every_op_has_cases)
{
    for (size_t i = 0; i < lh_op_count; i++) {
        bool found = false;
        for (size_t k = 0; k < lh_case_list_count; k++)
            found |= lh_case_lists[k]->op == lh_op_list[i];
        cr_expect(found, "%s has no cases in tests/cases", lh_op_list[i]->name);
    }
}

static double bytes_of(const char *name, const void *problem, int n)
{
    return lh_op_bytes(lh_op_find(name), problem, n);
}

Test(kernels, bytes_of_a_run)
{
    lh_add_problem add = {.n = 4, .per_image = 10};
    cr_expect_eq(bytes_of("add.forward", &add, 4), 3 * 4 * 40);
    cr_expect_eq(bytes_of("add.forward", &add, 1), 3 * 4 * 10);
    lh_gemm_problem product = {.m = 2, .n = 3, .k = 5};
    cr_expect_eq(bytes_of("gemm", &product, 1), 4 * (10 + 15 + 6), "C is written only");
    lh_vector_problem axpy = {1, 10, LH_VECTOR_AXPY}, fill = {1, 10, LH_VECTOR_FILL};
    cr_expect_eq(bytes_of("vector", &axpy, 1), 120);
    cr_expect_eq(bytes_of("vector", &fill, 1), 40);
    lh_batch_problem batch = {.n = 2, .c = 3, .h = 4, .w = 4, .images = 1000};
    cr_expect_eq(bytes_of("batch", &batch, 2), 2 * (5 * 48 + 9), "not the whole data set");
    for (size_t i = 0; i < lh_case_list_count; i++) {
        const lh_case_list *list = lh_case_lists[i];
        void *problem = calloc(1, list->op->problem_size);
        for (size_t k = 0; list->problem(2, k, problem); k++)
            cr_expect(lh_op_bytes(list->op, problem, list->op->batch(problem)) > 0, "%s",
                      list->op->name);
        free(problem);
    }
}
