/* SPDX-License-Identifier: MIT
 *
 * The harness must reject wrong kernels: each test hands it an op that is broken in one way. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/add/add.h"
#include "tests/kernels/harness.h"

static const lh_add_problem shape = {2, 77, LH_ACT_NONE};

static bool problem(int level, size_t i, void *out) {
    (void)level;
    return lh_case_row(&shape, 1, sizeof shape, i, out);
}

/* The variant that every device takes. */
static const lh_variant *plain(void)
{
    return &lh_add_forward.variants[lh_add_forward.variant_count - 1];
}

static lehr_status run_nothing(lh_exec *e, const lh_args *a) {
    (void)e;
    (void)a;
    return LEHR_OK;
}

/* Right, but for the last element of y. */
static lehr_status run_slightly_wrong(lh_exec *e, const lh_args *a) {
    lehr_status st = plain()->run(e, a);
    size_t last = lh_add_forward.count(&shape, LH_ADD_Y, a->n) - 1;
    float y = 0;
    if (st == LEHR_OK) st = lh_buffer_read(e->dev, a->buf[LH_ADD_Y], last * 4, 4, &y);
    y += 1e-3f;
    return st != LEHR_OK ? st : lh_buffer_write(e->dev, a->buf[LH_ADD_Y], last * 4, 4, &y);
}

/* y += noise that differs from run to run, below the tolerance. */
static lehr_status run_unrepeatable(lh_exec *e, const lh_args *a) {
    lehr_status st = plain()->run(e, a);
    float y = 0;
    if (st == LEHR_OK) st = lh_buffer_read(e->dev, a->buf[LH_ADD_Y], 0, 4, &y);
    if (e->number[20]++ % 2) y *= 1.0f + 1.2e-7f;
    return st != LEHR_OK ? st : lh_buffer_write(e->dev, a->buf[LH_ADD_Y], 0, 4, &y);
}

static size_t count_short(const void *p, unsigned operand, int n) {
    return lh_add_forward.count(p, operand, n) - (operand == LH_ADD_Y ? 1 : 0);
}

static size_t count_same(const void *p, unsigned operand, int n) {
    return lh_add_forward.count(p, operand, n);
}

static void reference_short(const void *p, const lh_host_args *args) {
    lh_host_args whole = *args;
    size_t bytes = count_same(p, LH_ADD_Y, args->n) * sizeof(double);
    whole.buf[LH_ADD_Y] = malloc(bytes);
    lh_add_reference(p, &whole);
    memcpy(args->buf[LH_ADD_Y], whole.buf[LH_ADD_Y], bytes - sizeof(double));
    free(whole.buf[LH_ADD_Y]);
}

/* What the harness says of op. */
static void expect_failure(const lh_op *op, const char *text) {
    lehr_context *ctx = NULL;
    lehr_device *dev = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(ctx, getenv("LEHR_TEST_DEVICE"), &dev), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    const lh_case_list list = {op, problem, NULL, NULL};
    lh_check_counts counts = {0};
    const char *failure = lh_check_list(dev, &list, 0, &counts);
    if (text)
        cr_expect(strstr(failure, text) != NULL, "wanted '%s', got '%s'", text, failure);
    else
        cr_expect_str_eq(failure, "");
    lehr_device_destroy(&dev);
    lehr_context_destroy(&ctx);
}

Test(harness, rejects_what_is_wrong) {
    lh_variant variant = *plain();
    lh_op op = lh_add_forward;
    op.variants = &variant;
    op.variant_count = 1;
    expect_failure(&op, NULL);

    variant.run = run_nothing;
    expect_failure(&op, "error nan");
    variant.run = run_slightly_wrong;
    expect_failure(&op, "[153 of 154]");
    variant.run = run_unrepeatable;
    expect_failure(&op, "differs between two runs");

    variant = *plain();
    op.count = count_short;
    op.reference = reference_short;
    expect_failure(&op, "wrote behind its end");

    lh_operand operands[3];
    memcpy(operands, lh_add_forward.operands, sizeof operands);
    operands[LH_ADD_Y].use = LH_IN;
    op = lh_add_forward;
    op.operands = operands;
    expect_failure(&op, "an input was changed");
}
