/* SPDX-License-Identifier: MIT
 *
 * A plain program for slow OpenCL implementations (an interpreter that checks every access): the quick
 * cases of one op whose arithmetic and memory stay below a limit, as many as fit in the processor time given.
 * small --list | small OP [MFLOP [SECONDS]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/kernels/harness.h"

static const lh_case_list *full;
static double limit; /* operations and elements of a case */
static double seconds; /* of processor time, so that a busy machine does not test less */

static bool is_small(const void *problem)
{
    const lh_op *op = full->op;
    int n = op->batch(problem);
    double elements = 0;
    for (unsigned i = 0; i < op->operand_count; i++)
        elements += (double)op->count(problem, i, n);
    return op->flops(problem, n) <= limit && elements <= limit;
}

/* Problem i of the small ones. */
static bool small_problem(int level, size_t i, void *out)
{
    if (i > 0 && (double)clock() / CLOCKS_PER_SEC > seconds) return false;
    for (size_t k = 0; full->problem(level, k, out); k++)
        if (is_small(out) && i-- == 0) return true;
    return false;
}

static int check(lehr_device *dev)
{
    lh_case_list list = {full->op, small_problem, full->fill, full->scalars};
    lh_check_counts counts = {0};
    const char *failure = lh_check_list(dev, &list, 0, &counts);
    printf("%u checks, %u declined\n", counts.checked, counts.declined);
    if (*failure) fprintf(stderr, "%s\n", failure);
    return *failure ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    if (strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < lh_case_list_count; i++) puts(lh_case_lists[i]->op->name);
        return 0;
    }
    for (size_t i = 0; i < lh_case_list_count; i++)
        if (strcmp(lh_case_lists[i]->op->name, argv[1]) == 0) full = lh_case_lists[i];
    if (!full) return 2;
    limit = 1e6 * (argc > 2 ? atof(argv[2]) : 0.5);
    seconds = argc > 3 ? atof(argv[3]) : 1e9;
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    int result = 3;
    if (lehr_context_create(NULL, &ctx) == LEHR_OK) {
        if (lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev) == LEHR_OK)
            result = check(dev);
        else
            fprintf(stderr, "%s\n", lehr_context_message(ctx));
    }
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
    return result;
}
