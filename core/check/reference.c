/* SPDX-License-Identifier: MIT
 *
 * The passes of an element-wise rule in double: a kernel of the check's own, so that the engine and
 * the rule's precision are judged by something else.  All numbers stand in one buffer. */
#include "core/check/rig.h"

#include <stdlib.h>
#include <string.h>

/* "    const real NAME = lh_n[AT];" */
static void declare(lh_str *out, const char *name, uint32_t at)
{
    lh_str_printf(out, "    const real %s = lh_n[%u];\n", name, (unsigned)at);
}

static const lehr_slot *slots_of(const lh_rig *t) { return t->d->slots.at; }

static double param_value(const lh_rig *t, const char *name)
{
    for (uint32_t i = 0; i < t->d->params.count; i++)
        if (strcmp(lh_params(&t->d->params)[i].name, name) == 0) return t->subject.binding.p[i];
    return 0;
}

static bool exists(const lh_rig *t, uint32_t i)
{
    const lehr_slot *s = &slots_of(t)[i];
    return !s->when || param_value(t, s->when) != 0;
}

static double start_of(const lh_rig *t, uint32_t i)
{
    const lehr_slot *s = &slots_of(t)[i];
    return s->init_from ? param_value(t, s->init_from) : s->init;
}

/* Numbers: lr, parameters, then the scalars pass by pass. */
static void write_source(const lh_rig *t, lh_str *out)
{
    const lehr_optimizer *d = t->d;
    const lehr_pass *passes = d->passes.at;
    char number[40];
    lh_str_add(out, "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
                    "#pragma OPENCL FP_CONTRACT OFF\ntypedef double real;\n");
    if (d->preamble) lh_str_printf(out, "%s\n", d->preamble);
    lh_str_add(out, "__kernel void lh_reference(__global real *lh_w, __global const real *lh_g,\n"
                    "    __global const real *lh_n, __global real *lh_s, const uint lh_count)\n{\n"
                    "    const size_t lh_i = get_global_id(0);\n    if (lh_i >= lh_count) return;\n"
                    "    real w = lh_w[lh_i];\n    const real g = lh_g[lh_i];\n");
    declare(out, "lr", 0);
    for (uint32_t i = 0; i < d->params.count; i++)
        declare(out, lh_params(&d->params)[i].name, 1 + i);
    for (uint32_t i = 0; i < d->slots.count; i++) {
        lh_format_double(start_of(t, i), number, sizeof number);
        if (exists(t, i) && slots_of(t)[i].kind == LEHR_SLOT_STATE)
            lh_str_printf(out, "    real %s = lh_s[%u * lh_count + lh_i];\n", slots_of(t)[i].name,
                          (unsigned)i);
        else
            lh_str_printf(out, "    real %s = %s;\n", slots_of(t)[i].name, number);
    }
    for (uint32_t p = 0; p < d->passes.count; p++) {
        lh_str_add(out, "    {\n");
        for (uint32_t k = 0; k < d->scalars.count; k++)
            declare(out, ((const char *const *)d->scalars.at)[k],
                    1 + d->params.count + p * d->scalars.count + k);
        lh_str_printf(out, "    do {\n%s\n    } while (0);\n    }\n", passes[p].code);
    }
    for (uint32_t i = 0; i < d->slots.count; i++)
        if (exists(t, i) && slots_of(t)[i].kind == LEHR_SLOT_STATE)
            lh_str_printf(out, "    lh_s[%u * lh_count + lh_i] = %s;\n", (unsigned)i,
                          slots_of(t)[i].name);
    lh_str_add(out, "    lh_w[lh_i] = w;\n}\n");
}

typedef struct buffers {
    cl_mem w, g, numbers, slots;
    cl_kernel kernel;
    double *host; /* LH_RIG_ARENA numbers on their way */
} buffers;

static bool write_doubles(lh_rig *t, cl_mem to, size_t at, const double *from, size_t count)
{
    return lh_buffer_write(t->dev, to, at * sizeof *from, count * sizeof *from, from) == LEHR_OK;
}

static bool fill_slots(lh_rig *t, buffers *b, const double *w)
{
    bool ok = true;
    for (uint32_t i = 0; i < t->d->slots.count && ok; i++) {
        bool from_weight = (slots_of(t)[i].flags & LEHR_SLOT_FROM_WEIGHT) != 0;
        for (uint32_t k = 0; k < LH_RIG_ARENA; k++)
            b->host[k] = from_weight ? w[k] : start_of(t, i);
        ok = write_doubles(t, b->slots, (size_t)i * LH_RIG_ARENA, b->host, LH_RIG_ARENA);
    }
    return ok;
}

static bool update(lh_rig *t, buffers *b, uint64_t n, double *numbers)
{
    uint32_t at = 0;
    numbers[at++] = t->lr;
    for (uint32_t i = 0; i < t->d->params.count; i++) numbers[at++] = t->subject.binding.p[i];
    for (uint32_t p = 0; p < t->d->passes.count; p++) {
        if (lh_call_pass(&t->subject, p, n, t->lr) != LEHR_OK) return false;
        for (uint32_t k = 0; k < t->d->scalars.count; k++) numbers[at++] = t->subject.out[k];
    }
    lh_rig_gradient(t, n, 1);
    for (uint32_t i = 0; i < LH_RIG_ARENA; i++) b->host[i] = (double)t->g[i];
    return write_doubles(t, b->g, 0, b->host, LH_RIG_ARENA) &&
           write_doubles(t, b->numbers, 0, numbers, at) &&
           lh_kernel_args(t->dev, b->kernel, "mmmmu", b->w, b->g, b->numbers, b->slots,
                          (unsigned)LH_RIG_ARENA) == LEHR_OK &&
           lh_launch_1d(t->dev, b->kernel, LH_RIG_ARENA, 64) == LEHR_OK;
}

static bool open_buffers(lh_rig *t, buffers *b, size_t numbers)
{
    lh_str source = {0}, name = {0};
    cl_program program = NULL;
    size_t bytes = LH_RIG_ARENA * sizeof(double);
    write_source(t, &source);
    lh_str_printf(&name, "reference/%s", lh_str_text(&t->subject.text));
    b->host = lh_alloc(t->c->inner, LH_RIG_ARENA, sizeof *b->host);
    bool ok = b->host && lh_buffer_create(t->dev, bytes, &b->w) == LEHR_OK &&
              lh_buffer_create(t->dev, bytes, &b->g) == LEHR_OK &&
              lh_buffer_create(t->dev, numbers * sizeof(double), &b->numbers) == LEHR_OK &&
              lh_buffer_create(t->dev, bytes * (t->d->slots.count + 1), &b->slots) == LEHR_OK &&
              lh_program_from_text(t->dev, lh_str_text(&name), lh_str_text(&source), "", &program) ==
                  LEHR_OK &&
              lh_kernel_create(t->dev, program, "lh_reference", &b->kernel) == LEHR_OK;
    lh_str_free(&source);
    lh_str_free(&name);
    return ok;
}

bool lh_rig_reference(lh_rig *t, uint64_t count, double *w, const char **reason)
{
    buffers b = {.w = NULL};
    size_t numbers = 1 + t->d->params.count + (size_t)t->d->passes.count * t->d->scalars.count;
    *reason = !lh_device_traits(t->dev)->fp64 ? "the device has no double precision" : NULL;
    if (!lh_rig_elementwise(t->d)) *reason = "the rule sums over weights";
    if (t->d->flags & LEHR_O_NEEDS_LOSS) *reason = "the rule needs the loss";
    if (*reason) return false;
    lh_enter(t->c->inner);
    double *values = lh_alloc(t->c->inner, numbers, sizeof *values);
    bool ok = values && open_buffers(t, &b, numbers) &&
              write_doubles(t, b.w, 0, w, LH_RIG_ARENA) && fill_slots(t, &b, w);
    for (uint64_t n = 1; n <= count && ok; n++) ok = update(t, &b, n, values);
    ok = ok && lh_buffer_read(t->dev, b.w, 0, LH_RIG_ARENA * sizeof *w, w) == LEHR_OK;
    if (!ok) *reason = lehr_context_message(t->c->inner);
    free(values);
    free(b.host);
    lh_buffer_free(&b.w);
    lh_buffer_free(&b.g);
    lh_buffer_free(&b.numbers);
    lh_buffer_free(&b.slots);
    lh_kernel_free(&b.kernel);
    return ok;
}
