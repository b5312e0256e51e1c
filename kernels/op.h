/* SPDX-License-Identifier: MIT
 *
 * kernels/op.h: what every op is made of.
 *
 * An op is a question ("y = conv(x, w)") with several answers: an ordered table of variants, most
 * specific first, the plain one last.  A problem struct holds the shapes; lh_exec_create picks a
 * variant (kernels/select.h: forced, recorded, measured, else the first that does not decline), builds
 * its kernels, checks them at first use on a device, and says how much workspace it wants;
 * lh_exec_run enqueues it.
 *
 * A variant may have parameters, such as tile sizes (lh_exec_tunable): a rule gives each from the
 * problem and the traits, lehr tune measures others, LEHR_VARIANT=conv.forward=direct_cpu:rows=6 asks
 * for one.
 *
 * Rules every variant keeps:
 *   - the batch n is a launch argument (1..problem's n), never a -D: a tail batch compiles nothing;
 *   - activations are NHWC float, weights are logical (conv [K][C][R][S], dense [out][in]), so the
 *     outside never sees a kernel's private layout; repacking is part of the variant;
 *   - fixed summation order, no float atomics, no native_*, no relaxed math: same bits every run;
 *   - FP_CONTRACT OFF; fused multiply-add is written fma();
 *   - workspace contents are undefined on entry;
 *   - fixed local sizes; out of range work-items return.
 * Tests (tests/kernels) and benches walk lh_op_list and know nothing of single variants. */
#ifndef LH_OP_H
#define LH_OP_H

#include "core/runtime/runtime.h"

enum { LH_MAX_OPERANDS = 12, LH_MAX_KERNELS = 12 };
/* A variant's parameters; values of one; bytes of all as text, "rows=6:nv=2". */
enum { LH_MAX_TUNABLES = 6, LH_MAX_VALUES = 8, LH_PARAMETERS = 96 };

typedef enum lh_type { LH_F32, LH_I32, LH_U8 } lh_type;
typedef enum lh_use { LH_IN, LH_OUT, LH_INOUT } lh_use;

typedef struct lh_operand {
    const char *name;
    lh_use use;
    lh_type type;
} lh_operand;

/* What one run needs beside its problem.  buf[i] belongs to operand i; NULL where the problem has
 * no such operand (count 0). */
typedef struct lh_args {
    cl_mem buf[LH_MAX_OPERANDS];
    cl_mem workspace;  /* at least exec->workspace bytes, or NULL when that is 0 */
    cl_mem filters;    /* convolutions: kernels/conv/filters.h made them from w; NULL: run does it */
    int n;             /* images in this batch, 1..problem's n */
    uint64_t seed;     /* random ops: Philox key */
    uint32_t stream, epoch; /* random ops: Philox counter words 2 and 3 */
    uint64_t offset;   /* op-specific position, e.g. in the epoch's order */
    float scalar[8];   /* op-specific numbers that may change from run to run; see the op's header */
} lh_args;

/* The same for the plain-C reference: LH_F32 operands are double *, LH_I32 int32_t *, LH_U8
 * uint8_t *. */
typedef struct lh_host_args {
    void *buf[LH_MAX_OPERANDS];
    int n;
    uint64_t seed;
    uint32_t stream, epoch;
    uint64_t offset;
    double scalar[8];
} lh_host_args;

typedef struct lh_exec lh_exec;

typedef struct lh_variant {
    const char *name; /* what differs: "direct_cpu", "winograd4_cpu", "implicit_gemm", "plain" */
    /* NULL: takes this problem on this device; else why not, as a short text. */
    const char *(*declines)(const void *problem, const lh_traits *traits);
    /* Builds kernels into exec->kernels (released by the frame), sets exec->workspace and
     * exec->number[]. */
    lehr_status (*prepare)(lh_exec *exec);
    /* Sets arguments and enqueues. */
    lehr_status (*run)(lh_exec *exec, const lh_args *args);
    /* Factor on the op's limit for an algorithm that rounds more, e.g. Winograd; 0 = 1. */
    double growth;
} lh_variant;

typedef struct lh_op {
    const char *name; /* "conv.forward" */
    size_t problem_size;
    const lh_operand *operands;
    unsigned operand_count;
    const lh_variant *variants;
    unsigned variant_count;
    /* Elements of an operand for a batch of n; 0 when this problem does not have it. */
    size_t (*count)(const void *problem, unsigned operand, int n);
    /* Largest batch of the problem (its n). */
    int (*batch)(const void *problem);
    /* NULL when the problem makes sense, else a static text that says what is wrong with it. */
    const char *(*invalid)(const void *problem);
    /* The truth: plain C, double accumulation. */
    void (*reference)(const void *problem, const lh_host_args *args);
    double (*flops)(const void *problem, int n);
    /* "n=8 c=3 h=32 …" for messages, tuning rows and benches. */
    void (*describe)(const void *problem, char *out, size_t size);
    /* Largest accepted |got - reference| / max|reference| per output, for ops without `terms`;
     * 0 = 1e-5. */
    double tolerance;
    /* Ops whose outputs are sums of products: the largest number of terms of one.  The limit then
     * follows from it (docs/numerics.md, "Rounding of sums"). */
    size_t (*terms)(const void *problem, int n);
    /* Random values for trials of an operand that cannot be just any number, such as a variance or a
     * label; returns false for the others.  F32 as double; NULL: all operands are free. */
    bool (*sample)(const void *problem, unsigned operand, uint64_t seed, void *out, size_t count);
    /* Least bytes of a run where they do not follow from the operands; NULL: they do.  Ask
     * lh_op_bytes. */
    double (*bytes)(const void *problem, int n);
    /* Share of the elements of LH_U8 outputs that may differ from the reference's: the places of maxima
     * among values that are rounded.  0: none. */
    double misplaced;
} lh_op;

/* One parameter of a prepared variant. */
typedef struct lh_tunable {
    const char *name;
    int rule, value;           /* what the rule gives; what is used */
    int values[LH_MAX_VALUES]; /* what may be asked for beside the rule's; 0 ends them */
} lh_tunable;

struct lh_exec {
    const lh_op *op;
    const lh_variant *variant;
    lehr_device *dev;
    void *problem; /* a copy, op->problem_size bytes */
    size_t workspace;
    cl_kernel kernels[LH_MAX_KERNELS];
    int64_t number[24]; /* the variant's own: task counts, tile sizes */
    const char *wanted; /* during prepare: the parameters that are asked for, "" for the rules' */
    lh_tunable tunables[LH_MAX_TUNABLES];
    unsigned tunable_count;
};

/* All ops, from kernels/ops.h; the tests and benches walk it. */
extern const lh_op *const lh_op_list[];
extern const size_t lh_op_count;
const lh_op *lh_op_find(const char *name);

/* Picks a variant and prepares it.  Errors: LEHR_E_SHAPE (invalid problem), LEHR_E_UNSUPPORTED (all
 * variants decline; the message lists why), LEHR_E_USAGE (LEHR_VARIANT names what does not exist or
 * declines), LEHR_E_DEVICE. */
lehr_status lh_exec_create(lehr_device *dev, const lh_op *op, const void *problem, lh_exec **out);
/* The same with a given variant, for tests, benches and tuning. */
lehr_status lh_exec_create_variant(lehr_device *dev, const lh_op *op, const void *problem,
                                   const lh_variant *variant, lh_exec **out);
/* And with given parameters, "rows=6:nv=2"; those not named follow the rule.  LEHR_E_USAGE: the variant
 * has no such parameter for this problem, or not with this value. */
lehr_status lh_exec_create_with(lehr_device *dev, const lh_op *op, const void *problem,
                                const lh_variant *variant, const char *parameters, lh_exec **out);
/* The parameters that are not by rule, as text: what lh_exec_create_with takes. */
void lh_exec_parameters(const lh_exec *exec, char out[LH_PARAMETERS]);
/* The same with another value for tunables[index]. */
void lh_exec_parameters_with(const lh_exec *exec, unsigned index, int value,
                             char out[LH_PARAMETERS]);
void lh_exec_destroy(lh_exec **exec);
lehr_status lh_exec_run(lh_exec *exec, const lh_args *args);
/* The problem, typed by the caller: const lh_conv_problem *p = lh_exec_problem(exec). */
static inline const void *lh_exec_problem(const lh_exec *exec) { return exec->problem; }

/* For variants: lh_kernel_get into exec->kernels[index] with printf-style options. */
lehr_status lh_exec_kernel(lh_exec *exec, unsigned index, const char *path, const char *kernel,
                           const char *options, ...) LH_PRINTF(5, 6);

/* For prepare: the value of a parameter: what is asked for, else `rule`.  The values behind it are those
 * that lehr tune tries and that may be asked for: each must give right results for this problem on this
 * device, and all must sum in an order that does not depend on the number of threads.  At most
 * LH_MAX_VALUES, each above 0; name: static text of letters and digits.
 *     int rows = LH_TUNABLE(exec, "rows", width >= 16 ? 8 : 6, 4, 6, 8, 12); */
int lh_exec_tunable(lh_exec *exec, const char *name, int rule, const int *values, size_t count);
#define LH_TUNABLE(exec, name, rule, ...)                                                          \
    lh_exec_tunable(exec, name, rule, (const int[]){__VA_ARGS__},                                  \
                    sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* Largest accepted error of a variant's result, as a part of the largest value: by op->terms (docs/
 * numerics.md, "Rounding of sums", derives it) or op->tolerance, and variant->growth. */
double lh_error_limit(const lh_op *op, const lh_variant *variant, const void *problem, int n);

/* Whether bytes of an output are the reference's, but for op->misplaced. */
bool lh_bytes_agree(const lh_op *op, const void *got, const void *want, size_t count);

/* Bytes that a run moves at least: every operand read or written once, LH_INOUT both, weights too; no
 * workspace, and no operand twice.  With op->flops it places a variant under the roofline. */
double lh_op_bytes(const lh_op *op, const void *problem, int n);

#define LH_VARIANTS(table) table, (unsigned)LH_COUNT(table)
#define LH_OPERANDS(table) table, (unsigned)LH_COUNT(table)

/* ---- helpers shared by host files of variants ---- */
static inline size_t lh_div_up(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t lh_round_up(size_t a, size_t b) { return lh_div_up(a, b) * b; }
/* Largest power of two <= want that the device's work-group limit allows. */
size_t lh_local_size(const lh_traits *traits, size_t want);
/* NULL on the CPU family, else the reason; and the other way round. */
const char *lh_needs_cpu_family(const lh_traits *traits);
const char *lh_needs_gpu_family(const lh_traits *traits);

#endif
