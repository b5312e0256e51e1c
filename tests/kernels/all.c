/* SPDX-License-Identifier: MIT
 *
 * Every op, every variant, every quick case.  LEHR_TEST_LEVEL=1 runs the long sweep instead;
 * LEHR_TEST_OP=conv runs only ops whose name starts so. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

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
