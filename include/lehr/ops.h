/* SPDX-License-Identifier: MIT
 *
 * Single operations on the application's own OpenCL buffers: forward and backward passes of
 * convolution, dense layers, pooling, batch normalisation and so on, without model or trainer. */
#ifndef LEHR_OPS_H
#define LEHR_OPS_H

#include <lehr/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One operation for one problem: kernels are built and the workspace is allocated. */
typedef struct lehr_op lehr_op;

enum { LEHR_OP_IN = 0, LEHR_OP_OUT = 1, LEHR_OP_INOUT = 2 };
enum { LEHR_OP_F32 = 0, LEHR_OP_I32 = 1, LEHR_OP_U8 = 2 };

typedef struct lehr_op_operand {
    const char *name;  /* "x", "w", "bias", "y" */
    uint32_t use;      /* LEHR_OP_IN, LEHR_OP_OUT, LEHR_OP_INOUT */
    uint32_t type;     /* LEHR_OP_F32, LEHR_OP_I32, LEHR_OP_U8 */
    uint64_t elements; /* of the buffer at the largest batch; 0: this problem has no such operand */
    uint64_t bytes;
} lehr_op_operand;

/* Name of operation number i ("conv.forward", "pool.backward"), NULL past the end. */
const char *lehr_op_name(uint32_t i);
/* Writes what a problem of this operation says, with the defaults: "n c h w k r s stride=1 pad=0 bias=0
 * act=none".  Errors: LEHR_E_USAGE (unknown name, with the list). */
lehr_status lehr_op_help(lehr_context *ctx, const char *name, char *out, size_t size);

/* Prepares an operation.  problem: "n=8 c=3 h=32 w=32 k=16 r=3 s=3 pad=1 bias=1 act=relu"; n is the
 * largest batch.  Activations are NHWC, conv weights [k][c][r][s], dense weights [out][in].
 * Errors: LEHR_E_USAGE (unknown operation or field, with the list), LEHR_E_SHAPE (what does not fit),
 * LEHR_E_UNSUPPORTED, LEHR_E_MEMORY, LEHR_E_DEVICE.  Owner: the caller; destroy before the device. */
lehr_status lehr_op_create(lehr_device *device, const char *name, const char *problem,
                           lehr_op **out);
/* NULL-safe, clears the pointer. */
void lehr_op_destroy(lehr_op **op);
uint32_t lehr_op_operand_count(const lehr_op *op);
void lehr_op_get_operand(const lehr_op *op, uint32_t i, lehr_op_operand *out);
/* The kernel variant that was chosen, for logs. */
const char *lehr_op_variant(const lehr_op *op);

typedef struct lehr_op_args {
    void *const *buffers;   /* a cl_mem for every operand, in operand order; NULL for elements = 0 */
    uint32_t buffer_count;
    uint32_t n;             /* images in this batch, 1 .. the problem's n; 0: the problem's n */
    uint64_t seed;          /* random operations: the same seed and epoch draw the same numbers */
    uint32_t stream, epoch;
    float scalar[8];        /* dropout: rate; loss: label smoothing, scale; gemm: alpha, beta; vector: a */
} lehr_op_args;

/* Queues the operation on the device's queue and returns without waiting (lehr_device_finish waits).
 * Errors: LEHR_E_PARAM (a missing buffer), LEHR_E_SHAPE (a buffer too small, n too large),
 * LEHR_E_DEVICE. */
lehr_status lehr_op_run(lehr_op *op, const lehr_op_args *args);

#ifdef __cplusplus
}
#endif
#endif
