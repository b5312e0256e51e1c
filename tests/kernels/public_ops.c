/* SPDX-License-Identifier: MIT
 *
 * <lehr/ops.h>: every operation can be written as text, runs on buffers of the caller's, and refuses
 * what does not fit with a sentence that helps. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lehr/lehr.h>

typedef struct fixture {
    lehr_context *ctx;
    lehr_device *dev;
    cl_context cl;
    cl_command_queue queue;
} fixture;

static fixture open_all(void)
{
    fixture f = {0};
    void *cl = NULL, *queue = NULL;
    cr_assert_eq(lehr_context_create(NULL, &f.ctx), LEHR_OK);
    cr_assert_eq(lehr_device_open(f.ctx, getenv("LEHR_TEST_DEVICE"), &f.dev), LEHR_OK, "%s",
                 lehr_context_message(f.ctx));
    lehr_device_native(f.dev, &cl, NULL, &queue);
    f.cl = cl;
    f.queue = queue;
    return f;
}

static void close_all(fixture *f)
{
    lehr_device_destroy(&f->dev);
    lehr_context_destroy(&f->ctx);
}

/* A problem that has every required field: small numbers, and words where a word is wanted. */
static void small_problem(const char *name, const char *help, char *out, size_t size)
{
    out[0] = '\0';
    for (const char *at = help; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), end = strlen(out);
        if (!memchr(at, '=', n)) {
            bool kind = n == 4 && strncmp(at, "kind", 4) == 0;
            const char *word = strncmp(name, "vector", 6) == 0 ? "copy" : "relu";
            bool window = n == 1 && (*at == 'r' || *at == 's');
            snprintf(out + end, size - end, "%.*s=%s ", (int)n, at,
                     kind ? word : window ? "3" : *at == 's' ? "1" : "4");
        }
        at += n;
    }
}

static void run_one(fixture *f, const char *name)
{
    char help[512], problem[512];
    lehr_op *op = NULL;
    cr_assert_eq(lehr_op_help(f->ctx, name, help, sizeof help), LEHR_OK);
    small_problem(name, help, problem, sizeof problem);
    cr_assert_eq(lehr_op_create(f->dev, name, problem, &op), LEHR_OK, "%s [%s]: %s", name, problem,
                 lehr_context_message(f->ctx));
    cl_mem mem[16] = {0};
    void *buffers[16] = {0};
    uint32_t count = lehr_op_operand_count(op), outputs = 0;
    for (uint32_t i = 0; i < count; i++) {
        lehr_op_operand o;
        lehr_op_get_operand(op, i, &o);
        outputs += o.use != LEHR_OP_IN && o.elements > 0;
        if (!o.bytes) continue;
        void *zeros = calloc(1, o.bytes);
        mem[i] = clCreateBuffer(f->cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, o.bytes, zeros, NULL);
        free(zeros);
        buffers[i] = mem[i];
    }
    cr_expect(outputs > 0, "%s has no output", name);
    lehr_op_args args = {.buffers = buffers, .buffer_count = count, .seed = 1};
    cr_expect_eq(lehr_op_run(op, &args), LEHR_OK, "%s: %s", name, lehr_context_message(f->ctx));
    cr_expect_eq(lehr_device_finish(f->dev), LEHR_OK);
    for (uint32_t i = 0; i < count; i++)
        if (mem[i]) clReleaseMemObject(mem[i]);
    lehr_op_destroy(&op);
    cr_expect_null(op);
}

Test(public_ops, every_operation_from_text)
{
    fixture f = open_all();
    uint32_t count = 0;
    for (const char *name; (name = lehr_op_name(count)) != NULL; count++) run_one(&f, name);
    cr_expect(count >= 6, "only %u operations", count);
    close_all(&f);
}

static void refused(fixture *f, const char *name, const char *problem, lehr_status want,
                    const char *says)
{
    lehr_op *op = NULL;
    cr_expect_eq(lehr_op_create(f->dev, name, problem, &op), want, "%s", problem);
    cr_expect_null(op);
    cr_expect(strstr(lehr_context_message(f->ctx), says), "'%s' does not say '%s'",
              lehr_context_message(f->ctx), says);
}

Test(public_ops, refusals)
{
    fixture f = open_all();
    refused(&f, "conv.forwrd", "", LEHR_E_USAGE, "did you mean 'conv.forward'");
    refused(&f, "conv.forward", "n=1 c=3", LEHR_E_USAGE, "missing 'h'");
    refused(&f, "conv.forward", "n=1 c=3 h=8 w=8 k=4 r=3 s=3 pda=1", LEHR_E_USAGE, "'pda'");
    refused(&f, "conv.forward", "n=1 c=3 h=8 w=8 k=4 r=3 s=3 bias=2", LEHR_E_USAGE, "'bias=2'");
    refused(&f, "conv.forward", "n=1 c=3 h=8 w=8 k=4 r=3 s=3 act=rleu", LEHR_E_USAGE, "act=rleu");
    refused(&f, "conv.forward", "n=1.5 c=3 h=8 w=8 k=4 r=3 s=3", LEHR_E_USAGE, "'n=1.5'");
    refused(&f, "conv.forward", "n=1 c=3 h=2 w=2 k=4 r=3 s=3", LEHR_E_SHAPE, "does not fit");
    refused(&f, "conv.forward", "n=0 c=3 h=8 w=8 k=4 r=3 s=3", LEHR_E_SHAPE, "conv.forward");
    refused(&f, "conv.forward", "nonsense", LEHR_E_USAGE, "NAME=VALUE");
    char help[64];
    cr_expect_eq(lehr_op_help(f.ctx, "nothing", help, sizeof help), LEHR_E_USAGE);
    close_all(&f);
}

Test(public_ops, buffers_are_checked)
{
    fixture f = open_all();
    lehr_op *op = NULL;
    cr_assert_eq(lehr_op_create(f.dev, "activation.forward", "n=2 per_image=100 kind=relu", &op),
                 LEHR_OK);
    cl_mem right = clCreateBuffer(f.cl, CL_MEM_READ_WRITE, 800, NULL, NULL);
    cl_mem small = clCreateBuffer(f.cl, CL_MEM_READ_WRITE, 796, NULL, NULL);
    void *buffers[2] = {right, small};
    lehr_op_args args = {.buffers = buffers, .buffer_count = 2};
    cr_expect_eq(lehr_op_run(op, &args), LEHR_E_SHAPE);
    cr_expect(strstr(lehr_context_message(f.ctx), "needs 800 bytes, its buffer has 796"), "%s",
              lehr_context_message(f.ctx));
    args.n = 1; /* half the batch fits */
    cr_expect_eq(lehr_op_run(op, &args), LEHR_OK);
    args.n = 3;
    cr_expect_eq(lehr_op_run(op, &args), LEHR_E_SHAPE);
    args.n = 2;
    args.buffer_count = 1;
    cr_expect_eq(lehr_op_run(op, &args), LEHR_E_PARAM);
    lehr_device_finish(f.dev);
    clReleaseMemObject(right);
    clReleaseMemObject(small);
    lehr_op_destroy(&op);
    close_all(&f);
}
