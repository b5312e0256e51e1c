/* SPDX-License-Identifier: MIT
 *
 * Cases of kernels/conv.  Every specialised kernel is compiled per shape, so the quick set is a
 * short list in which each row covers several things; the sweep crosses filter, stride, padding,
 * channels. */
#include "tests/cases/cases.h"

#include "kernels/conv/conv.h"

/* Compact row: the four paddings, everything else as in the problem; stride_w 0: as stride. */
typedef struct row {
    int n, c, h, w, k, r, s, stride, top, left, bottom, right;
    bool bias, relu;
    int stride_w;
} row;

static const row quick[] = {
    {3, 32, 9, 11, 48, 3, 3, 1, 1, 1, 1, 1, true, true},   /* tiles cut by both edges */
    {1, 32, 4, 5, 32, 3, 3, 1, 1, 1, 1, 1, true, true},    /* fast, small for interpreters */
    {1, 8, 4, 5, 8, 3, 3, 1, 1, 1, 1, 1, true, true},
    {2, 64, 6, 10, 16, 3, 3, 1, 0, 0, 0, 0, true, false},  /* valid */
    {2, 3, 12, 10, 32, 3, 3, 1, 1, 1, 1, 1, true, true},   /* first layer */
    {2, 16, 8, 8, 32, 3, 3, 2, 1, 1, 1, 1, false, false},  /* strided block */
    {2, 16, 8, 8, 32, 1, 1, 2, 0, 0, 0, 0, false, false},  /* its shortcut: inputs without taps */
    {2, 17, 7, 5, 5, 5, 5, 1, 2, 1, 0, 3, true, false},    /* odd channels, asymmetric padding */
    {2, 3, 15, 13, 17, 7, 7, 2, 3, 3, 3, 3, true, true},
    {1, 1, 4, 4, 1, 1, 1, 1, 0, 0, 0, 0, true, false},
    {3, 5, 6, 7, 48, 2, 3, 3, 0, 1, 1, 0, false, true},
    {3, 17, 14, 15, 20, 1, 1, 1, 0, 0, 0, 0, true, true},  /* pointwise; sums of several slices */
    {4, 5, 12, 12, 7, 3, 2, 1, 1, 0, 1, 1, true, false},   /* the filter's sums, too */
    {2, 8, 9, 12, 33, 3, 5, 2, 1, 2, 1, 2, true, true, 1}, /* strides and filter not square */
    {2, 16, 12, 8, 10, 3, 3, 2, 0, 0, 1, 1, true, false},  /* tiles of several rows */
    {8, 16, 13, 14, 16, 3, 3, 2, 1, 0, 1, 1, true, true},  /* strided tiles cut by both edges, */
    {1, 8, 7, 6, 8, 3, 3, 2, 1, 0, 1, 1, true, true},      /* small for interpreters */
    {3, 32, 2, 2, 16, 5, 5, 1, 2, 2, 2, 2, false, false},  /* most of the filter is padding */
    {3, 16, 6, 5, 32, 3, 3, 1, 0, 0, 0, 0, true, true},    /* the whole convolution of 4x3, */
    {2, 16, 3, 4, 16, 3, 3, 1, 1, 0, 0, 0, true, false},   /* all of that of 2x2 but a row; */
    {3, 16, 4, 3, 32, 3, 3, 1, 2, 1, 2, 2, true, true},    /* and forward */
    {6, 4, 128, 96, 64, 1, 1, 1, 0, 0, 0, 0, true, true},  /* 18 MiB, which go past the caches */
};

/* The convolutions of the four models: vgg6, resnet20, tutorial, keras-cnn. */
static const row bench[] = {
    {128, 3, 32, 32, 64, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 64, 32, 32, 64, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 64, 16, 16, 128, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 128, 16, 16, 128, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 128, 8, 8, 256, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 256, 8, 8, 256, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 3, 32, 32, 16, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 16, 32, 32, 16, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 16, 32, 32, 32, 3, 3, 2, 1, 1, 1, 1, false, false},
    {128, 16, 32, 32, 32, 1, 1, 2, 0, 0, 0, 0, false, false},
    {128, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 32, 16, 16, 64, 3, 3, 2, 1, 1, 1, 1, false, false},
    {128, 64, 8, 8, 64, 3, 3, 1, 1, 1, 1, 1, false, false},
    {128, 3, 32, 32, 32, 3, 3, 1, 0, 0, 0, 0, true, true},
    {128, 32, 15, 15, 64, 3, 3, 1, 0, 0, 0, 0, true, true},
    {128, 64, 6, 6, 64, 3, 3, 1, 0, 0, 0, 0, true, true},
    {128, 3, 32, 32, 32, 3, 3, 1, 1, 1, 1, 1, true, true},
    {128, 32, 32, 32, 32, 3, 3, 1, 0, 0, 0, 0, true, true},
    {128, 32, 15, 15, 64, 3, 3, 1, 1, 1, 1, 1, true, true},
    {128, 64, 15, 15, 64, 3, 3, 1, 0, 0, 0, 0, true, true},
    /* Other filters, strides and channel counts, as deeper networks have them. */
    {32, 64, 32, 32, 128, 3, 3, 2, 1, 1, 1, 1, false, false},
    {32, 64, 32, 32, 256, 1, 1, 1, 0, 0, 0, 0, false, false},
    {32, 256, 32, 32, 64, 1, 1, 1, 0, 0, 0, 0, false, false},
    {128, 64, 8, 8, 256, 1, 1, 1, 0, 0, 0, 0, false, false},
    {64, 64, 32, 32, 128, 1, 1, 2, 0, 0, 0, 0, false, false},
    {32, 32, 32, 32, 32, 5, 5, 1, 2, 2, 2, 2, false, false},
    {32, 64, 16, 16, 64, 5, 5, 1, 2, 2, 2, 2, false, false},
    {16, 3, 64, 64, 64, 7, 7, 2, 3, 3, 3, 3, false, false},
    {128, 3, 32, 32, 10, 3, 3, 1, 1, 1, 1, 1, false, false},
    {64, 17, 32, 32, 17, 3, 3, 1, 1, 1, 1, 1, false, false},
    {64, 33, 16, 16, 33, 3, 3, 1, 1, 1, 1, 1, false, false},
    {64, 48, 16, 16, 48, 3, 3, 1, 1, 1, 1, 1, false, false},
    {1, 64, 32, 32, 64, 3, 3, 1, 1, 1, 1, 1, false, false},
    {1, 256, 8, 8, 256, 3, 3, 1, 1, 1, 1, 1, false, false},
    {4, 32, 16, 16, 64, 3, 3, 2, 1, 1, 1, 1, false, false},
};

static bool from_row(const row *a, lh_conv_problem *out)
{
    *out = (lh_conv_problem){.n = a->n, .c = a->c, .h = a->h, .w = a->w, .k = a->k, .r = a->r,
                             .s = a->s, .stride_h = a->stride,
                             .stride_w = a->stride_w ? a->stride_w : a->stride,
                             .pad_top = a->top, .pad_left = a->left, .pad_bottom = a->bottom,
                             .pad_right = a->right, .bias = a->bias,
                             .act = a->relu ? LH_ACT_RELU : LH_ACT_NONE};
    lh_conv_output(out);
    return true;
}

/* The long sweep: filters x strides x padding x channels, all sizes different from each other. */
static bool sweep(size_t i, lh_conv_problem *out)
{
    static const int filters[] = {1, 3, 5, 7}, channels[] = {1, 3, 16, 17, 32, 64},
                     outputs[] = {5, 16, 32, 48};
    if (!lh_case_part(192, i, &i)) return false;
    size_t f = i % 4, stride = i / 4 % 2, c = i / 8 % 6, k = i / 48 % 4;
    int r = filters[f], pad = (int)(i % 3) < r ? (int)(i % 3) : 0;
    row a = {2, channels[c], 8 + (int)(i % 5), 7 + (int)(i % 7), outputs[k], r, r,
             1 + (int)stride, pad, r / 2, r / 2, pad, i % 2 == 0, i % 3 == 0};
    return from_row(&a, out);
}

static bool problem(int level, size_t i, void *out)
{
    if (level == 1) {
        if (i < LH_COUNT(quick)) return from_row(&quick[i], out);
        return sweep(i - LH_COUNT(quick), out);
    }
    const row *rows = level == 2 ? bench : quick;
    return i < (level == 2 ? LH_COUNT(bench) : LH_COUNT(quick)) && from_row(&rows[i], out);
}

/* Without the last row and column of outputs, on rows of `quick`; false past the end. */
static bool cut_problem(int level, size_t i, void *out)
{
    static const int rows[] = {0, 1, 5, 7, 9, 12, 14, 16};
    if (level == 2 || i >= LH_COUNT(rows)) return problem(level, level == 2 ? i : i - LH_COUNT(rows), out);
    lh_conv_problem *p = out;
    from_row(&quick[rows[i]], p);
    p->p--;
    p->q -= i % 2;
    return true;
}

/* Backward filter adds up over the batch: one more case long enough for two chunks at the full batch and
 * exactly one at the tail batch, one whose output channels are shared among tasks, two first layers that a
 * tile holds, and 1x1 filters with more output channels, which are staged in pieces. */
static bool filter_problem(int level, size_t i, void *out)
{
    static const row more[] = {{15, 32, 32, 32, 32, 3, 3, 1, 1, 1, 1, 1, true, false},
                               {5, 64, 14, 8, 64, 3, 3, 1, 1, 1, 1, 1, true, false},
                               {2, 3, 9, 8, 40, 3, 3, 1, 0, 0, 0, 0, true, false},
                               {3, 3, 7, 9, 16, 3, 3, 1, 1, 1, 1, 1, true, false},
                               {2, 20, 5, 6, 128, 1, 1, 1, 0, 0, 0, 0, true, false},
                               {3, 32, 6, 5, 160, 1, 1, 1, 1, 0, 0, 1, false, false}};
    if (level == 2) return problem(level, i, out);
    return i < LH_COUNT(more) ? from_row(&more[i], out) : cut_problem(level, i - LH_COUNT(more), out);
}

/* With pooling: rows of `quick` of which some end with half a window, of which some windows are cut by a
 * block of channels, tiles of 6, 4 and 2 columns, and strides. */
static bool pooled_problem(int level, size_t i, void *out)
{
    static const row tiles[] = {{2, 3, 7, 14, 20, 3, 3, 1, 0, 0, 0, 0, true, true},
                                {2, 5, 6, 8, 32, 3, 3, 1, 1, 1, 1, 1, false, false}};
    static const int rows[] = {0, 1, 2, 3, 5, 7, 13, 14, 16};
    size_t count = LH_COUNT(rows) + LH_COUNT(tiles);
    if (i >= count) return problem(level, i - count, out);
    lh_conv_problem *p = out;
    from_row(i < LH_COUNT(rows) ? &quick[rows[i]] : &tiles[i - LH_COUNT(rows)], p);
    p->pool = true;
    p->where = i % 4 != 3;
    return true;
}

/* With the statistics of the output, on rows of `quick`, whose kernels are nearly the same. */
static bool forward_problem(int level, size_t i, void *out)
{
    static const int rows[] = {0, 1, 3, 5, 7, 11, 14};
    if (level == 2) return problem(level, i, out);
    if (i >= LH_COUNT(rows)) return pooled_problem(level, i - LH_COUNT(rows), out);
    lh_conv_problem *p = out;
    from_row(&quick[rows[i]], p);
    p->act = LH_ACT_NONE;
    p->stats = true;
    return true;
}

/* What backward data does behind the convolution, on rows of `quick`, whose kernels are the same. */
typedef struct behind {
    int row;
    bool add, mask;
    lh_conv_norm norm;
} behind;

static bool behind_problem(const behind *list, size_t count, int level, size_t i, void *out)
{
    if (level == 2 || i >= count) return cut_problem(level, level == 2 ? i : i - count, out);
    lh_conv_problem *p = out;
    from_row(&quick[list[i].row], p);
    p->add = list[i].add;
    p->mask = list[i].mask;
    p->norm = list[i].norm;
    return true;
}

static bool data_problem(int level, size_t i, void *out)
{
    static const behind list[] = {{0, true, true, LH_CONV_NORM_SUMS},
                                  {0, false, true, LH_CONV_NORM_NONE},
                                  {2, true, false, LH_CONV_NORM_RELU},
                                  {3, false, false, LH_CONV_NORM_RELU},
                                  {4, true, true, LH_CONV_NORM_NONE},
                                  {5, true, false, LH_CONV_NORM_RELU},
                                  {6, false, true, LH_CONV_NORM_SUMS},
                                  {7, true, true, LH_CONV_NORM_RELU},
                                  {11, true, false, LH_CONV_NORM_NONE},
                                  {12, false, false, LH_CONV_NORM_RELU}};
    return behind_problem(list, LH_COUNT(list), level, i, out);
}

static void fill(const lh_op *op, const void *p, unsigned operand, uint64_t seed, double *out,
                 size_t count)
{
    lh_case_uniform(seed, out, count);
    if (op->sample) op->sample(p, operand, seed, out, count);
}

static void fill_data(const void *p, unsigned operand, uint64_t seed, void *out, size_t count)
{
    fill(&lh_conv_backward_data, p, operand, seed, out, count);
}

const lh_case_list lh_cases_conv_forward = {&lh_conv_forward, forward_problem, NULL, NULL};
const lh_case_list lh_cases_conv_backward_data = {&lh_conv_backward_data, data_problem, fill_data,
                                                  NULL};
const lh_case_list lh_cases_conv_backward_filter = {&lh_conv_backward_filter, filter_problem, NULL,
                                                       NULL};
