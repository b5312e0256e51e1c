/* SPDX-License-Identifier: MIT
 *
 * The list of case lists, and the default fill. */
#include "tests/cases/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/philox.h"

/* One word per op that has cases. */
#define CASE_LISTS(X)                                                                              \
    X(lh_cases_control)                                                                            \
    X(lh_cases_activation_backward)                                                                \
    X(lh_cases_activation_forward)                                                                 \
    X(lh_cases_add_forward)                                                                        \
    X(lh_cases_batch)                                                                              \
    X(lh_cases_batchnorm_backward)                                                                 \
    X(lh_cases_batchnorm_eval)                                                                     \
    X(lh_cases_batchnorm_train)                                                                    \
    X(lh_cases_conv_backward_data)                                                                 \
    X(lh_cases_conv_backward_filter)                                                               \
    X(lh_cases_conv_forward)                                                                       \
    X(lh_cases_dense_backward_data)                                                                \
    X(lh_cases_dense_backward_filter)                                                              \
    X(lh_cases_dense_forward)                                                                      \
    X(lh_cases_dropout_backward)                                                                   \
    X(lh_cases_dropout_forward)                                                                    \
    X(lh_cases_flatten_backward)                                                                   \
    X(lh_cases_flatten_forward)                                                                    \
    X(lh_cases_gemm)                                                                               \
    X(lh_cases_loss)                                                                               \
    X(lh_cases_pool_backward)                                                                      \
    X(lh_cases_pool_forward)                                                                       \
    X(lh_cases_reduce_all)                                                                         \
    X(lh_cases_shortcut_backward)                                                                  \
    X(lh_cases_shortcut_forward)                                                                   \
    X(lh_cases_vector)

#define DECLARE(symbol) extern const lh_case_list symbol;
CASE_LISTS(DECLARE)
#define ADDRESS(symbol) &symbol,
const lh_case_list *const lh_case_lists[] = {CASE_LISTS(ADDRESS)};
const size_t lh_case_list_count = LH_COUNT(lh_case_lists);

void lh_case_uniform(uint64_t seed, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lh_philox r = lh_philox_draw(seed, i, LH_STREAM_USER, 0);
        out[i] = 2.0 * lh_uniform(r.v[0]) - 1.0;
    }
}

bool lh_case_row(const void *rows, size_t count, size_t size, size_t i, void *out)
{
    if (i >= count) return false;
    memcpy(out, (const char *)rows + i * size, size);
    return true;
}

/* Of neighbours that differ in one size only, some are in each part. */
static unsigned part_of(size_t i, unsigned parts)
{
    return (unsigned)((uint32_t)(i * 2654435761u) >> 16) % parts;
}

bool lh_case_part(size_t count, size_t i, size_t *out)
{
    const char *text = getenv("LEHR_TEST_PART");
    unsigned part = 1, parts = 1;
    if (text && (sscanf(text, "%u/%u", &part, &parts) != 2 || part < 1 || part > parts)) return false;
    for (*out = 0; *out < count; (*out)++)
        if (part_of(*out, parts) == part - 1 && i-- == 0) return true;
    return false;
}
