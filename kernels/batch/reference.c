/* SPDX-License-Identifier: MIT
 *
 * The truth for batches: the same draws as the kernels, pixels in double. */
#include "kernels/batch/batch.h"

#include "core/base/philox.h"

void lh_batch_reference(const void *problem, const lh_host_args *a) {
    const lh_batch_problem *p = problem;
    const uint8_t *images = a->buf[LH_BATCH_IMAGES], *from = a->buf[LH_BATCH_SOURCE_LABELS];
    const int32_t *order = a->buf[LH_BATCH_ORDER];
    double *x = a->buf[LH_BATCH_X];
    int32_t *labels = a->buf[LH_BATCH_LABELS];
    for (int n = 0; n < a->n; n++) {
        int source = order[a->offset + (uint64_t)n];
        lh_philox r = lh_philox_draw(a->seed, (uint64_t)source, LH_STREAM_AUGMENT, a->epoch);
        int up = (int)lh_below(r.v[0], 2u * (unsigned)p->pad + 1) - p->pad;
        int left = (int)lh_below(r.v[1], 2u * (unsigned)p->pad + 1) - p->pad;
        bool flip = p->flip && r.v[2] >= 0x80000000u;
        int centre_i = (int)((r.v[3] % 65536) * (unsigned)p->h / 65536);
        int centre_j = (int)((r.v[3] / 65536) * (unsigned)p->w / 65536);
        labels[n] = from[source];
        for (int i = 0; i < p->h; i++)
            for (int j = 0; j < p->w; j++)
                for (int c = 0; c < p->c; c++, x++) {
                    int si = i + up, sj = (flip ? p->w - 1 - j : j) + left;
                    int di = i - centre_i + p->cutout / 2, dj = j - centre_j + p->cutout / 2;
                    double v = 0;
                    if (si >= 0 && si < p->h && sj >= 0 && sj < p->w)
                        v = images[(((size_t)source * p->c + c) * p->h + si) * p->w + sj] / 255.0;
                    *x = (v - a->scalar[c]) * a->scalar[4 + c];
                    if (di >= 0 && di < p->cutout && dj >= 0 && dj < p->cutout) *x = 0;
                }
    }
}
