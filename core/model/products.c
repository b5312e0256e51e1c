/* SPDX-License-Identifier: MIT
 *
 * Matrix products for optimizers: the gemm op behind lh_products.  One prepared product for each
 * shape, one workspace for all (the queue is in order). */
#include <stdlib.h>

#include "core/model/network.h"
#include "kernels/gemm/gemm.h"

typedef struct side {
    lehr_device *dev;
    lh_exec **execs;
    uint32_t count;
    cl_mem workspace;
    size_t bytes;
} side;

static lehr_status create(lehr_device *dev, void **self)
{
    side *s = lh_alloc(lh_device_context(dev), 1, sizeof *s);
    *self = s;
    if (!s) return LEHR_E_MEMORY;
    s->dev = dev;
    return LEHR_OK;
}

static void destroy(void **self)
{
    side *s = *self;
    if (!s) return;
    for (uint32_t i = 0; i < s->count; i++) lh_exec_destroy(&s->execs[i]);
    lh_buffer_free(&s->workspace);
    free(s->execs);
    free(s);
    *self = NULL;
}

static bool same(const lh_gemm_problem *a, const lh_gemm_problem *b)
{
    return a->m == b->m && a->n == b->n && a->k == b->k && a->trans_a == b->trans_a &&
           a->trans_b == b->trans_b;
}

static lehr_status find(side *s, const lh_gemm_problem *problem, lh_exec **out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        *out = s->execs[i];
        if (same(lh_exec_problem(*out), problem)) return LEHR_OK;
    }
    lh_exec **more = realloc(s->execs, (s->count + 1) * sizeof(lh_exec *));
    if (!more) return lh_fail(lh_device_context(s->dev), LEHR_E_MEMORY, "out of memory");
    s->execs = more;
    lehr_status st = lh_exec_create(s->dev, &lh_gemm, problem, out);
    if (st != LEHR_OK) return st;
    s->execs[s->count++] = *out;
    if ((*out)->workspace <= s->bytes) return LEHR_OK;
    lh_buffer_free(&s->workspace);
    s->bytes = (*out)->workspace;
    return lh_buffer_create(s->dev, s->bytes, &s->workspace);
}

static lehr_status run(void *self, const lh_product *p)
{
    side *s = self;
    lh_exec *exec = NULL;
    lh_gemm_problem problem = {p->m, p->n, p->k, p->trans_a, p->trans_b};
    lehr_status st = find(s, &problem, &exec);
    if (st != LEHR_OK) return st;
    lh_args a = {.n = 1, .workspace = s->workspace, .scalar = {p->alpha, p->beta}};
    a.buf[LH_GEMM_A] = p->a;
    a.buf[LH_GEMM_B] = p->b;
    a.buf[LH_GEMM_C] = p->c;
    return lh_exec_run(exec, &a);
}

const lh_products lh_gemm_products = {create, run, destroy};
