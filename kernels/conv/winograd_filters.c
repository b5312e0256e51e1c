/* SPDX-License-Identifier: MIT
 *
 * Host side of winograd_filters.cl's launch for many convolutions. */
#include "kernels/conv/filters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger filters keep two threads busy by themselves, and all of them at once would need memory. */
enum { MOST_BYTES = 640 * 1024, ROW = 9, TILE = 4 };

typedef struct row {
    lh_filter_row f;
    size_t weights, at; /* floats into the arena; bytes into the filters */
    cl_mem view;
} row;

struct lh_filters {
    lehr_device *dev;
    row *rows;
    size_t count, tasks, bytes;
    cl_mem memory, table;
    cl_kernel kernel;
};

static bool same(const row *a, const lh_filter_row *f, size_t weights)
{
    return a->weights == weights && a->f.tile == f->tile && a->f.channels == f->channels &&
           a->f.outputs == f->outputs && a->f.width == f->width && a->f.out_step == f->out_step &&
           a->f.in_step == f->in_step && a->f.flip == f->flip;
}

/* The row of a user, a new one if need be; NULL: it has none. */
static row *row_of(lh_filters *f, const lh_filter_user *user)
{
    const lh_traits *t = lh_device_traits(f->dev);
    lh_filter_row want;
    if (!lh_conv_winograd_filters(user->exec, &want) || want.bytes > MOST_BYTES) return NULL;
    for (size_t i = 0; i < f->count; i++)
        if (same(&f->rows[i], &want, user->weights)) return &f->rows[i];
    if (user->weights > INT32_MAX) return NULL;
    row *r = &f->rows[f->count++];
    *r = (row){want, user->weights, f->bytes, NULL};
    f->bytes += lh_round_up(want.bytes, t->base_align);
    return r;
}

static lehr_status make_table(lh_filters *f)
{
    unsigned width = lh_device_traits(f->dev)->vector_width;
    size_t bytes = f->count * ROW * sizeof(int32_t);
    int32_t *table = lh_alloc(lh_device_context(f->dev), f->count * ROW, sizeof *table);
    if (!table) return LEHR_E_MEMORY;
    for (size_t i = 0; i < f->count; i++) {
        const row *r = &f->rows[i];
        const int32_t numbers[ROW] = {r->f.channels, r->f.outputs, r->f.width, r->f.out_step,
                                      r->f.in_step, r->f.flip, (int32_t)r->weights,
                                      (int32_t)(r->at / sizeof(float)), (int32_t)f->tasks};
        memcpy(table + i * ROW, numbers, sizeof numbers);
        f->tasks += (size_t)(r->f.outputs / r->f.width) * ((size_t)r->f.channels / width);
    }
    lehr_status st = lh_buffer_create(f->dev, bytes, &f->table);
    if (st == LEHR_OK) st = lh_buffer_write(f->dev, f->table, 0, bytes, table);
    free(table);
    return st;
}

static lehr_status make(lh_filters *f, lh_filter_user *users, size_t count)
{
    char options[80];
    for (size_t i = 0; i < count; i++) row_of(f, &users[i]);
    if (f->count < 2) return LEHR_OK;
    lehr_status st = lh_buffer_create(f->dev, f->bytes, &f->memory);
    for (size_t i = 0; i < f->count && st == LEHR_OK; i++)
        st = lh_buffer_view(f->dev, f->memory, f->rows[i].at, f->rows[i].f.bytes, &f->rows[i].view);
    if (st == LEHR_OK) st = make_table(f);
    snprintf(options, sizeof options, LH_FILTERS_OPTIONS, (int)lh_device_traits(f->dev)->vector_width,
             TILE, 1);
    if (st == LEHR_OK)
        st = lh_kernel_get(f->dev, LH_FILTERS_PATH, options, "winograd_filters", &f->kernel);
    for (size_t i = 0; i < count && st == LEHR_OK; i++) {
        row *r = row_of(f, &users[i]);
        users[i].filters = r ? r->view : NULL;
    }
    return st;
}

lehr_status lh_filters_create(lehr_device *dev, lh_filter_user *users, size_t count, lh_filters **out)
{
    lehr_context *ctx = lh_device_context(dev);
    lh_filters *f = *out = lh_alloc(ctx, 1, sizeof *f);
    if (!f) return LEHR_E_MEMORY;
    f->dev = dev;
    f->rows = lh_alloc(ctx, count + 1, sizeof *f->rows);
    lehr_status st = f->rows ? make(f, users, count) : LEHR_E_MEMORY;
    if (st != LEHR_OK || !f->memory) lh_filters_destroy(out);
    return st;
}

void lh_filters_destroy(lh_filters **filters)
{
    if (!filters || !*filters) return;
    lh_filters *f = *filters;
    for (size_t i = 0; i < f->count; i++) lh_buffer_free(&f->rows[i].view);
    lh_buffer_free(&f->memory);
    lh_buffer_free(&f->table);
    lh_kernel_free(&f->kernel);
    free(f->rows);
    free(f);
    *filters = NULL;
}

lehr_status lh_filters_run(lh_filters *f, cl_mem arena)
{
    lehr_status st =
        lh_kernel_args(f->dev, f->kernel, "mmmi", arena, f->memory, f->table, (int)f->count);
    return st == LEHR_OK ? lh_launch_tasks(f->dev, f->kernel, f->tasks, 1) : st;
}

size_t lh_filters_bytes(const lh_filters *f) { return f ? f->bytes : 0; }
