/* SPDX-License-Identifier: MIT
 *
 * Cases: the problems on which every variant of an op is tested and timed.  A test binary and a
 * bench include the same lists.  cases/<op>.c defines LH_CASES(…); cases.c lists them. */
#ifndef LH_CASES_H
#define LH_CASES_H

#include "kernels/op.h"

typedef struct lh_case_list {
    const lh_op *op;
    /* Problem number i into out (op->problem_size bytes); false past the end.  level 0: quick set
     * (every commit, shapes share kernels where they can), 1: the long sweep, 2: bench shapes. */
    bool (*problem)(int level, size_t i, void *out);
    /* Fills operand (elements of type op->operands[operand].type, F32 as double) for a batch;
     * NULL: F32 uniform in [-1, 1), I32 and U8 zero. */
    void (*fill)(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count);
    /* Sets scalar[], seed, stream, epoch of a run; NULL: zeros. */
    void (*scalars)(const void *problem, lh_host_args *args);
} lh_case_list;

extern const lh_case_list *const lh_case_lists[];
extern const size_t lh_case_list_count;

/* Uniform in [-1, 1), the default fill; every value is exact in float. */
void lh_case_uniform(uint64_t seed, double *out, size_t count);

/* Picks rows[i] of a table for .problem; size = sizeof one row. */
bool lh_case_row(const void *rows, size_t count, size_t size, size_t i, void *out);

/* Which problem of a sweep of `count` is number i of this run: number i of all, or with LEHR_TEST_PART=K/N of
 * the K-th of N parts, which are mixed and of about the same size.  false past the end. */
bool lh_case_part(size_t count, size_t i, size_t *out);

#endif
