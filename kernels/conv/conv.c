/* SPDX-License-Identifier: MIT
 *
 * Convolution ops: what a problem means (counts, validity, flops) and the ordered tables of
 * variants, most specific first.  The rows themselves live beside their kernels (variants.h). */
#include "kernels/conv/after.h"
#include "kernels/conv/pooled.h"
#include "kernels/conv/statistics.h"
#include "kernels/conv/variants.h"

#include <stdio.h>

bool lh_conv_output(lh_conv_problem *p)
{
    if (p->stride_h < 1 || p->stride_w < 1) return false;
    int spare_h = p->h + p->pad_top + p->pad_bottom - p->r;
    int spare_w = p->w + p->pad_left + p->pad_right - p->s;
    if (spare_h < 0 || spare_w < 0) return false;
    p->p = spare_h / p->stride_h + 1;
    p->q = spare_w / p->stride_w + 1;
    return true;
}

size_t lh_conv_x_count(const lh_conv_problem *p, int n)
{
    return (size_t)n * (size_t)p->h * (size_t)p->w * (size_t)p->c;
}

size_t lh_conv_y_count(const lh_conv_problem *p, int n)
{
    return (size_t)n * (size_t)p->p * (size_t)p->q * (size_t)p->k;
}

size_t lh_conv_w_count(const lh_conv_problem *p)
{
    return (size_t)p->k * (size_t)p->c * (size_t)p->r * (size_t)p->s;
}

static size_t pooled_count(const lh_conv_problem *p, int n)
{
    return (size_t)n * (size_t)(p->p / 2) * (size_t)(p->q / 2) * (size_t)p->k;
}

static size_t count_forward(const void *problem, unsigned operand, int n)
{
    const lh_conv_problem *p = problem;
    switch (operand) {
    case LH_CONVF_X: return lh_conv_x_count(p, n);
    case LH_CONVF_W: return lh_conv_w_count(p);
    case LH_CONVF_BIAS: return p->bias ? (size_t)p->k : 0;
    case LH_CONVF_STATS: return p->stats ? 2 * (size_t)p->k : 0;
    case LH_CONVF_WHERE: return p->where ? pooled_count(p, n) : 0;
    default: return p->pool ? pooled_count(p, n) : lh_conv_y_count(p, n);
    }
}

static size_t count_data(const void *problem, unsigned operand, int n)
{
    const lh_conv_problem *p = problem;
    switch (operand) {
    case LH_CONVD_DY: return lh_conv_y_count(p, n);
    case LH_CONVD_W: return lh_conv_w_count(p);
    case LH_CONVD_DX: return lh_conv_x_count(p, n);
    case LH_CONVD_ADD: return p->add ? lh_conv_x_count(p, n) : 0;
    case LH_CONVD_MASK: return p->mask ? lh_conv_x_count(p, n) : 0;
    case LH_CONVD_X: return p->norm ? lh_conv_x_count(p, n) : 0;
    default: return p->norm ? (size_t)(operand == LH_CONVD_SAVED ? 4 : 2) * (size_t)p->c : 0;
    }
}

static size_t count_filter(const void *problem, unsigned operand, int n)
{
    const lh_conv_problem *p = problem;
    switch (operand) {
    case LH_CONVW_X: return lh_conv_x_count(p, n);
    case LH_CONVW_DY: return lh_conv_y_count(p, n);
    case LH_CONVW_DW: return lh_conv_w_count(p);
    default: return p->bias ? (size_t)p->k : 0;
    }
}

static int batch(const void *problem) { return ((const lh_conv_problem *)problem)->n; }

static const char *invalid(const void *problem)
{
    const lh_conv_problem *p = problem;
    lh_conv_problem want = *p;
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1) return "empty input";
    if (p->k < 1 || p->r < 1 || p->s < 1) return "empty filter";
    if (p->stride_h < 1 || p->stride_w < 1) return "the stride must be at least 1";
    if (p->pad_top < 0 || p->pad_left < 0 || p->pad_bottom < 0 || p->pad_right < 0)
        return "negative padding";
    if (!lh_conv_output(&want)) return "the filter does not fit into the padded input";
    if (p->p < 1 || p->q < 1 || p->p > want.p || p->q > want.q)
        return "p and q do not follow from the other sizes";
    if (p->act != LH_ACT_NONE && p->act != LH_ACT_RELU) return "only relu can be fused";
    if (p->pool && (p->p < 2 || p->q < 2 || p->stats))
        return "pooling needs two rows and columns, and excludes statistics";
    if (p->where && !p->pool) return "there is nowhere without pooling";
    if (p->stats && p->act != LH_ACT_NONE) return "statistics are of y without an activation";
    /* Kernels index one tensor with 32-bit element offsets inside an image, 64-bit across. */
    if (lh_conv_x_count(p, 1) > INT32_MAX || lh_conv_y_count(p, 1) > INT32_MAX ||
        lh_conv_w_count(p) > INT32_MAX)
        return "one image or the filter has more than 2^31 elements";
    return NULL;
}

/* Nominal: taps on padding are counted, as everybody counts them. */
static double flops(const void *problem, int n)
{
    const lh_conv_problem *p = problem;
    return 2.0 * (double)lh_conv_y_count(p, n) * p->c * p->r * p->s;
}

static void describe(const void *problem, char *out, size_t size)
{
    const lh_conv_problem *p = problem;
    static const char *const norms[] = {"", " norm", " norm-relu"};
    int end = snprintf(out, size,
             "n=%d c=%d h=%d w=%d k=%d r=%d s=%d stride=%dx%d pad=%d,%d,%d,%d%s%s%s%s%s%s%s%s", p->n,
             p->c, p->h, p->w, p->k, p->r, p->s, p->stride_h, p->stride_w, p->pad_top, p->pad_left,
             p->pad_bottom, p->pad_right, p->bias ? " bias" : "",
             p->act == LH_ACT_RELU ? " relu" : "", p->stats ? " stats" : "",
             p->pool ? " pool" : "", p->where ? " where" : "",
             p->add ? " add" : "", p->mask ? " mask" : "", norms[p->norm]);
    lh_conv_problem all = *p;
    if (!lh_conv_output(&all) || (all.p == p->p && all.q == p->q)) return;
    if (end > 0 && (size_t)end < size) snprintf(out + end, size - (size_t)end, " p=%d q=%d", p->p, p->q);
}

static const lh_operand forward_operands[] = {{"x", LH_IN, LH_F32},
                                              {"w", LH_IN, LH_F32},
                                              {"bias", LH_IN, LH_F32},
                                              {"y", LH_OUT, LH_F32},
                                              {"stats", LH_OUT, LH_F32},
                                              {"where", LH_OUT, LH_U8}};
static const lh_operand data_operands[] = {
    {"dy", LH_IN, LH_F32},    {"w", LH_IN, LH_F32}, {"dx", LH_OUT, LH_F32},
    {"add", LH_IN, LH_F32},   {"mask", LH_IN, LH_F32}, {"x", LH_IN, LH_F32},
    {"saved", LH_IN, LH_F32}, {"sums", LH_OUT, LH_F32}};
static const lh_operand filter_operands[] = {{"x", LH_IN, LH_F32},
                                             {"dy", LH_IN, LH_F32},
                                             {"dw", LH_OUT, LH_F32},
                                             {"dbias", LH_OUT, LH_F32}};

/* What comes behind the convolution: forward and backward data. */
#define FORWARD(pass, name, growth)                                                                \
    static lehr_status prepare_##pass##_##name(lh_exec *e)                                         \
    {                                                                                              \
        lehr_status st = lh_conv_##pass##_##name##_prepare(e);                                     \
        if (st == LEHR_OK) st = lh_conv_pooled_prepare(e);                                         \
        return st != LEHR_OK ? st : lh_conv_statistics_prepare(e);                                 \
    }                                                                                              \
    static lehr_status run_##pass##_##name(lh_exec *e, const lh_args *a)                           \
    {                                                                                              \
        lehr_status st = lh_conv_pooled_run(e, a, lh_conv_##pass##_##name##_run);                  \
        return st != LEHR_OK ? st : lh_conv_statistics_run(e, a);                                  \
    }
#define DATA(pass, name, growth)                                                                   \
    static lehr_status prepare_##pass##_##name(lh_exec *e)                                         \
    {                                                                                              \
        lehr_status st = lh_conv_##pass##_##name##_prepare(e);                                     \
        return st != LEHR_OK ? st : lh_conv_after_prepare(e);                                      \
    }                                                                                              \
    static lehr_status run_##pass##_##name(lh_exec *e, const lh_args *a)                           \
    {                                                                                              \
        lehr_status st = lh_conv_##pass##_##name##_run(e, a);                                      \
        return st != LEHR_OK ? st : lh_conv_after_run(e, a);                                       \
    }
LH_CONV_FORWARD_VARIANTS(FORWARD)
LH_CONV_DATA_VARIANTS(DATA)
#define ROW(pass, name, growth)                                                                    \
    {#name, lh_conv_##pass##_##name##_declines, prepare_##pass##_##name, run_##pass##_##name,      \
     growth},
static const lh_variant forward_variants[] = {LH_CONV_FORWARD_VARIANTS(ROW)};
static const lh_variant data_variants[] = {LH_CONV_DATA_VARIANTS(ROW)};
#undef ROW
#define ROW(pass, name, growth)                                                                    \
    {#name, lh_conv_##pass##_##name##_declines, lh_conv_##pass##_##name##_prepare,                 \
     lh_conv_##pass##_##name##_run, growth},
static const lh_variant filter_variants[] = {LH_CONV_FILTER_VARIANTS(ROW)};
#undef ROW

static size_t terms_forward(const void *problem, int n)
{
    const lh_conv_problem *p = problem;
    size_t terms = (size_t)p->c * (size_t)p->r * (size_t)p->s;
    return p->stats ? terms + (size_t)n * (size_t)p->p * (size_t)p->q : terms;
}

static size_t terms_data(const void *problem, int n)
{
    const lh_conv_problem *p = problem;
    size_t terms = (size_t)p->k * lh_div_up((size_t)p->r, (size_t)p->stride_h) *
                   lh_div_up((size_t)p->s, (size_t)p->stride_w);
    return p->norm ? terms + (size_t)n * (size_t)p->h * (size_t)p->w : terms;
}

static size_t terms_filter(const void *problem, int n)
{
    const lh_conv_problem *p = problem;
    return (size_t)n * (size_t)p->p * (size_t)p->q;
}

/* Scale, shift, mean and 1 / deviation of uniform numbers, half of which pass the ReLU. */
static bool sample_data(const void *problem, unsigned operand, uint64_t seed, void *out,
                        size_t count)
{
    static const double of[] = {1.1, 0.02, 0.06, 1.7};
    const lh_conv_problem *p = problem;
    (void)seed;
    if (operand != LH_CONVD_SAVED) return false;
    for (size_t i = 0; i < count; i++)
        ((double *)out)[i] = of[i / (size_t)p->c] * (1 + (double)(i % (size_t)p->c % 5) / 8);
    return true;
}

const lh_op lh_conv_forward = {"conv.forward", sizeof(lh_conv_problem),
                               LH_OPERANDS(forward_operands), LH_VARIANTS(forward_variants),
                               count_forward, batch, invalid, lh_conv_forward_reference, flops,
                               describe, 0, terms_forward, .misplaced = 1e-3};
const lh_op lh_conv_backward_data = {"conv.backward_data", sizeof(lh_conv_problem),
                                     LH_OPERANDS(data_operands), LH_VARIANTS(data_variants),
                                     count_data, batch, invalid, lh_conv_backward_data_reference,
                                     flops, describe, 0, terms_data, sample_data};
const lh_op lh_conv_backward_filter = {"conv.backward_filter", sizeof(lh_conv_problem),
                                       LH_OPERANDS(filter_operands), LH_VARIANTS(filter_variants),
                                       count_filter, batch, invalid,
                                       lh_conv_backward_filter_reference, flops, describe, 0,
                                       terms_filter};
