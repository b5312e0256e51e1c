/* SPDX-License-Identifier: MIT
 *
 * The filters of Winograd convolutions (winograd_cpu.cl), transformed, for the CPU family.  One program a
 * size of tiles serves every convolution.
 * Layouts: w logical, out_step from output to output, in_step from input to input channel; u
 * [outputs/width][SQUARE][channels][width], each plane 16 floats further, behind it POINTS * channels zeros.
 * width is VW or 2 * VW, channels a multiple of VW, outputs of width.
 * Launch, one work-item a work-group: winograd_filter (blocks of width outputs, vectors of channels);
 * winograd_filters, the same of many convolutions one behind the other, which `table` describes:
 * a row of ROW numbers each, {channels, outputs, width, out_step, in_step, flip, its place in w, its
 * place in u, its first task}. */
#include "common.cl"
#include "conv/winograd.cl"

#define SQUARE (POINTS * POINTS)
#define ROW 9

/* width outputs from number block * width, VW channels from first; flip: taps mirrored. */
void transform_filters(__global const float *restrict w, __global float *restrict u, int channels,
                       int outputs, int width, int out_step, int in_step, int flip, int block, int first)
{
    float taps[VW * 9 * 2 * VW]; /* read in order, since filters lie a multiple of pages apart */
    size_t plane = (size_t)channels * width + 16;
    w += (size_t)block * width * out_step + (size_t)first * in_step;
    for (int i = 0; i < width; i++)
        for (int c = 0; c < VW; c++)
            for (int tap = 0; tap < 9; tap++)
                taps[(c * 9 + (flip ? 8 - tap : tap)) * width + i] =
                    w[(size_t)i * out_step + (size_t)c * in_step + tap];
    if (block == 0) { /* what windows read outside the image */
        __global float *zeros = u + (size_t)(outputs / width) * SQUARE * plane;
        for (int i = first; i < POINTS * channels; i += channels)
            LH_VSTORE((LH_V)0.0f, 0, zeros + i);
    }
    u += (size_t)block * SQUARE * plane + first * width;
    for (int i = 0; i < VW * width; i += VW) {
        const float *from = taps + i / width * 9 * width + i % width;
        LH_V t[3 * POINTS];
        EACH_POINT(DECLARE_R)
        for (int s = 0; s < 3; s++) {
            LH_V g0 = LH_VLOAD(0, from + s * width), g1 = LH_VLOAD(0, from + (3 + s) * width);
            LH_V g2 = LH_VLOAD(0, from + (6 + s) * width);
            TRANSFORM_FILTER(g, r)
#define KEEP(a) t[3 * a + s] = r##a;
            EACH_POINT(KEEP)
#undef KEEP
        }
        for (int a = 0; a < POINTS; a++) {
            LH_V g0 = t[3 * a], g1 = t[3 * a + 1], g2 = t[3 * a + 2];
            TRANSFORM_FILTER(g, r)
#define PUT(b) LH_VSTREAM(r##b, 0, u + (POINTS * a + b) * plane + i);
            EACH_POINT(PUT)
#undef PUT
        }
    }
}

LH_TASK void winograd_filter(__global const float *restrict w, __global float *restrict u,
                             int channels, int outputs, int width, int out_step, int in_step, int flip)
{
    transform_filters(w, u, channels, outputs, width, out_step, in_step, flip,
                      (int)get_global_id(0), (int)get_global_id(1) * VW);
}

LH_TASK void winograd_filters(__global const float *restrict w, __global float *restrict u,
                              __global const int *restrict table, int rows)
{
    int task = get_global_id(0);
    while (--rows > 0 && table[rows * ROW + 8] > task) {}
    table += rows * ROW;
    task -= table[8];
    int channels = table[0], width = table[2], blocks = table[1] / width;
    transform_filters(w + (uint)table[6], u + (uint)table[7], channels, table[1], width, table[3],
                      table[4], table[5], task % blocks, task / blocks * VW);
}
