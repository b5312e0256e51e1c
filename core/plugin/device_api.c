/* SPDX-License-Identifier: MIT
 *
 * lehr.device/1: what the step of a custom optimizer may ask of the device.  Everything is queued in
 * order.  Weights and slots are written by map() only, which leaves them alone when the update is
 * halted; matrix products come from above, through lh_arena_layout.products. */
#include "core/plugin/custom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN = 4096 }; /* elements of a map's task on CPUs, at least */

static lh_custom_side *side_of(const lehr_host *api)
{
    lh_host *host = api->priv;
    return host->device;
}

static lehr_status wrong(lh_custom_side *c, const char *what)
{
    return lh_fail(c->updater->ctx, LEHR_E_PLUGIN, "optimizer %s: lehr.device/1: %s",
                   c->updater->rule.d->name, what);
}

/* One more element at the end of an array. */
static bool grow(lh_custom_side *c, void *array, uint32_t count, size_t size)
{
    void *old, *more;
    memcpy(&old, array, sizeof old);
    more = realloc(old, (count + 1) * size);
    if (!more) {
        lh_fail(c->updater->ctx, LEHR_E_MEMORY, "out of memory");
        return false;
    }
    memset((char *)more + count * size, 0, size);
    memcpy(array, &more, sizeof more);
    return true;
}

/* ---- memory ---- */

static lehr_status take_temp(lh_custom_side *c, size_t count, cl_mem *out)
{
    lh_temp *best = NULL;
    for (uint32_t i = 0; i < c->temp_count; i++) {
        lh_temp *t = &c->temps[i];
        if (!t->taken && t->count >= count && (!best || t->count < best->count)) best = t;
    }
    if (!best) {
        cl_mem mem = NULL;
        lehr_status st = lh_buffer_create(c->updater->dev, count * sizeof(float), &mem);
        if (st != LEHR_OK) return st;
        if (!grow(c, &c->temps, c->temp_count, sizeof *c->temps)) {
            lh_buffer_free(&mem);
            return LEHR_E_MEMORY;
        }
        best = &c->temps[c->temp_count++];
        *best = (lh_temp){.mem = mem, .count = count};
    }
    best->taken = true;
    *out = best->mem;
    return LEHR_OK;
}

/* Elements of a buffer that is a temp of this step, else 0. */
static size_t temp_size(const lh_custom_side *c, const void *mem)
{
    for (uint32_t i = 0; i < c->temp_count; i++)
        if (c->temps[i].taken && c->temps[i].mem == mem) return c->temps[i].count;
    return 0;
}

static bool fits(const lh_custom_side *c, lehr_buf b, uint64_t count)
{
    const lh_updater *u = c->updater;
    size_t size = temp_size(c, b.mem);
    bool arena = b.mem == u->weights || b.mem == u->gradients;
    for (uint32_t i = 0; i < u->rule.d->slots.count; i++)
        arena = arena || (b.mem && u->slots[i] == b.mem);
    if (arena) size = u->count;
    return b.mem && b.offset <= size && count <= size - b.offset;
}

static lehr_status api_temp(const lehr_host *api, uint64_t count, lehr_buf *out)
{
    lh_custom_side *c = side_of(api);
    cl_mem mem = NULL;
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    if (count == 0 || count > UINT32_MAX) return wrong(c, "temp() of no or too many elements");
    lehr_status st = take_temp(c, (size_t)count, &mem);
    *out = (lehr_buf){mem, 0};
    return st;
}

/* ---- products ---- */

static lehr_status view_of(lh_custom_side *c, cl_mem parent, size_t offset, size_t count,
                           cl_mem *out)
{
    for (uint32_t i = 0; i < c->view_count; i++) {
        const lh_view *v = &c->views[i];
        if (v->parent != parent || v->offset != offset || v->count != count) continue;
        *out = v->view;
        return LEHR_OK;
    }
    lehr_status st = lh_buffer_view(c->updater->dev, parent, offset * sizeof(float),
                                    count * sizeof(float), out);
    if (st != LEHR_OK) return st;
    if (!grow(c, &c->views, c->view_count, sizeof *c->views)) {
        lh_buffer_free(out);
        return LEHR_E_MEMORY;
    }
    c->views[c->view_count++] = (lh_view){parent, *out, offset, count};
    return LEHR_OK;
}

/* A matrix of a product as a dense buffer of its own: as it is, a view, or a copy. */
static lehr_status dense(lh_custom_side *c, lehr_buf at, size_t rows, size_t columns, size_t ld,
                         bool read, cl_mem *out)
{
    lh_updater *u = c->updater;
    size_t align = lh_device_traits(u->dev)->base_align;
    if (ld == columns && at.offset == 0) {
        *out = at.mem;
        return LEHR_OK;
    }
    /* only arenas have views that are worth keeping */
    if (ld == columns && at.offset * sizeof(float) % align == 0 && !temp_size(c, at.mem))
        return view_of(c, at.mem, (size_t)at.offset, rows * columns, out);
    lehr_status st = take_temp(c, rows * columns, out);
    if (st != LEHR_OK || !read) return st;
    return lh_buffer_copy_rows(u->dev, at.mem, (size_t)at.offset, ld, *out, 0, columns, rows,
                               columns);
}

static bool matrix_fits(const lh_custom_side *c, lehr_buf at, uint64_t rows, uint64_t columns,
                        uint64_t ld)
{
    return ld >= columns && rows <= INT32_MAX && columns <= INT32_MAX && ld <= INT32_MAX &&
           fits(c, at, (rows - 1) * ld + columns);
}

static lehr_status api_gemm(const lehr_host *api, uint32_t trans_a, uint32_t trans_b, uint64_t m,
                            uint64_t n, uint64_t k, double alpha, lehr_buf a, uint64_t lda,
                            lehr_buf b, uint64_t ldb, double beta, lehr_buf out, uint64_t ldc)
{
    lh_custom_side *c = side_of(api);
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    uint64_t a_rows = trans_a ? k : m, a_columns = trans_a ? m : k;
    uint64_t b_rows = trans_b ? n : k, b_columns = trans_b ? k : n;
    if (!c->products) return wrong(c, "there are no matrix products here");
    if (!m || !n || !k || !matrix_fits(c, a, a_rows, a_columns, lda) ||
        !matrix_fits(c, b, b_rows, b_columns, ldb) || !matrix_fits(c, out, m, n, ldc))
        return wrong(c, "gemm(): a matrix is empty or does not fit its buffer");
    if (!temp_size(c, out.mem) || out.mem == a.mem || out.mem == b.mem)
        return wrong(c, "gemm(): the result must be a temp of its own; write weights and slots by "
                        "map()");
    lh_product p = {.m = (int)m, .n = (int)n, .k = (int)k, .trans_a = trans_a != 0,
                    .trans_b = trans_b != 0, .alpha = (float)alpha, .beta = (float)beta};
    lehr_status st = dense(c, a, a_rows, a_columns, lda, true, &p.a);
    if (st == LEHR_OK) st = dense(c, b, b_rows, b_columns, ldb, true, &p.b);
    if (st == LEHR_OK) st = dense(c, out, m, n, ldc, beta != 0, &p.c);
    if (st == LEHR_OK) st = c->products->run(c->product_self, &p);
    if (st == LEHR_OK && p.c != out.mem)
        st = lh_buffer_copy_rows(c->updater->dev, p.c, 0, n, out.mem, (size_t)out.offset, ldc, m,
                                 n);
    return st;
}

/* ---- maps ---- */

static lehr_status compile_map(lh_custom_side *c, lh_map *map)
{
    lh_updater *u = c->updater;
    cl_program program = NULL;
    lh_str text = {0}, name = {0};
    lh_map_source(map, u->rule.d->name, u->local, &text);
    lh_str_printf(&name, "optimizer/%s/map", u->rule.d->name);
    lehr_status st = text.failed ? lh_fail(u->ctx, LEHR_E_MEMORY, "out of memory") : LEHR_OK;
    if (st == LEHR_OK)
        st = lh_program_from_text(u->dev, lh_str_text(&name), lh_str_text(&text),
                                  "-cl-single-precision-constant", &program);
    if (st == LEHR_OK) st = lh_kernel_create(u->dev, program, "lh_map", &map->kernel);
    lh_str_free(&text);
    lh_str_free(&name);
    return st;
}

static bool same_map(const lh_map *map, const char *code, const lehr_operand *x, uint32_t n,
                     uint32_t m)
{
    if (map->operands != n || map->scalars != m || strcmp(map->code, code) != 0) return false;
    for (uint32_t i = 0; i < n; i++)
        if (map->index[i] != x[i].index) return false;
    return true;
}

static lehr_status find_map(lh_custom_side *c, const char *code, const lehr_operand *x, uint32_t n,
                            uint32_t m, bool own, lh_map **out)
{
    lh_updater *u = c->updater;
    for (uint32_t i = 0; i < c->map_count; i++)
        if (same_map(&c->maps[i], code, x, n, m)) {
            *out = &c->maps[i];
            return LEHR_OK;
        }
    lh_str where = {0};
    lh_str_printf(&where, "optimizer %s, map", u->rule.d->name);
    lehr_status st = own ? LEHR_OK : lh_rule_check(u->ctx, lh_str_text(&where), code, false);
    lh_str_free(&where);
    lh_map map = {.operands = n, .scalars = m};
    for (uint32_t i = 0; i < n; i++) map.index[i] = x[i].index;
    if (st == LEHR_OK) map.code = lh_strdup(u->ctx, code);
    if (st == LEHR_OK && !map.code) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) st = compile_map(c, &map);
    if (st == LEHR_OK && !grow(c, &c->maps, c->map_count, sizeof *c->maps)) st = LEHR_E_MEMORY;
    if (st != LEHR_OK) {
        lh_kernel_free(&map.kernel);
        free(map.code);
        return st;
    }
    *out = &c->maps[c->map_count];
    c->maps[c->map_count++] = map;
    return LEHR_OK;
}

static cl_int set_map(const lh_custom_side *c, const lh_map *map, cl_uint rows, cl_uint columns,
                      cl_uint span, const lehr_operand *x, const double *a)
{
    cl_uint at = 0, sizes[3] = {rows, columns, span};
    cl_int code = clSetKernelArg(map->kernel, at++, sizeof(cl_mem), &c->control);
    for (int i = 0; i < 3; i++) code |= clSetKernelArg(map->kernel, at++, sizeof(cl_uint), &sizes[i]);
    for (uint32_t i = 0; i < map->operands; i++) {
        cl_ulong offset = x[i].at.offset;
        cl_mem mem = x[i].at.mem;
        code |= clSetKernelArg(map->kernel, at++, sizeof mem, &mem);
        code |= clSetKernelArg(map->kernel, at++, sizeof offset, &offset);
    }
    for (uint32_t i = 0; i < map->scalars; i++) {
        cl_float value = (cl_float)a[i];
        code |= clSetKernelArg(map->kernel, at++, sizeof value, &value);
    }
    return code;
}

static lehr_status run_map(lh_custom_side *c, const lh_map *map, uint64_t rows, uint64_t columns,
                           const lehr_operand *x, const double *a)
{
    lh_updater *u = c->updater;
    bool flat = lh_map_is_flat(map);
    if (flat) {
        columns *= rows;
        rows = 1;
    }
    uint64_t span = flat ? SPAN : (SPAN + columns - 1) / columns;
    uint64_t tasks = ((flat ? columns : rows) + span - 1) / span;
    if (set_map(c, map, (cl_uint)rows, (cl_uint)columns, (cl_uint)span, x, a) != CL_SUCCESS)
        return lh_fail(u->ctx, LEHR_E_DEVICE, "arguments of a map of optimizer %s",
                       u->rule.d->name);
    if (u->local) return lh_launch_1d(u->dev, map->kernel, rows * columns, u->local);
    return lh_launch_groups(u->dev, map->kernel, tasks, 1);
}

static const char *wrong_map(const lh_custom_side *c, uint64_t rows, uint64_t columns,
                             const lehr_operand *x, uint32_t n, const double *a, uint32_t m)
{
    if (!rows || !columns || columns > UINT32_MAX / rows) return "map() of no or too many elements";
    if (n == 0 || n > LH_MAP_OPERANDS) return "map() takes 1 to 12 operands";
    if (m > LH_MAP_SCALARS) return "map() takes at most 32 scalars";
    for (uint32_t i = 0; i < m; i++)
        if (!isfinite(a[i])) return "map(): a scalar is not finite";
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t counts[] = {rows * columns, rows, columns, 1};
        if (x[i].index > LEHR_ONE) return "map(): an operand's index is unknown";
        if (!fits(c, x[i].at, counts[x[i].index])) return "map(): an operand does not fit its buffer";
    }
    return NULL;
}

static lehr_status api_map(const lehr_host *api, const char *code, uint64_t rows, uint64_t columns,
                           const lehr_operand *x, uint32_t n, const double *a, uint32_t m)
{
    lh_custom_side *c = side_of(api);
    lh_map *map = NULL;
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    const char *why = wrong_map(c, rows, columns, x, n, a, m);
    if (why) return wrong(c, why);
    lehr_status st = find_map(c, code, x, n, m, false, &map);
    return st == LEHR_OK ? run_map(c, map, rows, columns, x, a) : st;
}

static lehr_status api_gradient(const lehr_host *api, const lehr_tensor *t, lehr_buf out)
{
    lh_custom_side *c = side_of(api);
    lh_map *map = NULL;
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    const lehr_operand x[2] = {{t->g, LEHR_EACH, 0}, {out, LEHR_EACH, 0}};
    if (!fits(c, t->g, t->count) || !temp_size(c, out.mem) || !fits(c, out, t->count))
        return wrong(c, "gradient() needs a temp as large as the tensor");
    lehr_status st = find_map(c, "x1 = x0 * lh_scale;", x, 2, 0, true, &map);
    return st == LEHR_OK ? run_map(c, map, 1, t->count, x, NULL) : st;
}

/* ---- sums, reading ---- */

static lehr_status make_sums(lh_custom_side *c, size_t chunks)
{
    lh_updater *u = c->updater;
    cl_program program = NULL;
    lehr_status st = LEHR_OK;
    lh_str squares = {0}, finish = {0};
    lh_squares_source(u->local, &squares);
    lh_finish_source(u->local, &finish);
    if (!c->squares)
        st = lh_program_from_text(u->dev, "optimizer/squares", lh_str_text(&squares), "", &program);
    if (st == LEHR_OK && !c->squares)
        st = lh_kernel_create(u->dev, program, "lh_squares", &c->squares);
    if (st == LEHR_OK && !c->finish)
        st = lh_program_from_text(u->dev, "optimizer/finish", lh_str_text(&finish),
                                  "-cl-single-precision-constant", &program);
    if (st == LEHR_OK && !c->finish)
        st = lh_kernel_create(u->dev, program, "lh_finish", &c->finish);
    if (st == LEHR_OK && c->partial_count < chunks) {
        lh_buffer_free(&c->partial);
        st = lh_buffer_create(u->dev, chunks * sizeof(float), &c->partial);
        c->partial_count = st == LEHR_OK ? chunks : 0;
    }
    lh_str_free(&squares);
    lh_str_free(&finish);
    return st;
}

static lehr_status api_sumsq(const lehr_host *api, lehr_buf x, uint64_t count, lehr_buf out)
{
    lh_custom_side *c = side_of(api);
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    if (!count || !fits(c, x, count) || !temp_size(c, out.mem) || !fits(c, out, 1))
        return wrong(c, "sumsq() needs elements that are there and a temp for the result");
    lh_updater *u = c->updater;
    size_t chunks = (size_t)((count + LH_CHUNK - 1) / LH_CHUNK);
    size_t local = u->local == 0 ? 1 : u->local < LH_LANES ? u->local : LH_LANES;
    const size_t locals[2] = {local, 1}, global[2] = {local, 1};
    lehr_status st = make_sums(c, chunks);
    if (st == LEHR_OK)
        st = lh_kernel_args(u->dev, c->squares, "mllm", (cl_mem)x.mem, x.offset, count, c->partial);
    if (st == LEHR_OK) st = lh_launch_groups(u->dev, c->squares, chunks, local);
    if (st == LEHR_OK)
        st = lh_kernel_args(u->dev, c->finish, "mumumuuum", c->partial, (unsigned)chunks, c->partial,
                            1u, (cl_mem)out.mem, (unsigned)out.offset, 0u, 1u, c->control);
    return st == LEHR_OK ? lh_launch(u->dev, c->finish, 2, global, locals) : st;
}

static lehr_status api_read(const lehr_host *api, lehr_buf x, uint64_t count, float *to)
{
    lh_custom_side *c = side_of(api);
    if (!c || !c->control) return LEHR_E_UNSUPPORTED;
    if (!fits(c, x, count)) return wrong(c, "read() beyond the end of a buffer");
    return lh_buffer_read(c->updater->dev, x.mem, (size_t)x.offset * sizeof(float),
                          (size_t)count * sizeof(float), to);
}

static lehr_status api_native(const lehr_host *api, void **context, void **device, void **queue)
{
    lh_custom_side *c = side_of(api);
    if (!c) return LEHR_E_UNSUPPORTED;
    lehr_device_native(c->updater->dev, context, device, queue);
    return LEHR_OK;
}

void lh_device_api_init(lh_custom_side *c)
{
    c->api = (lehr_device_api){.size = sizeof c->api, .temp = api_temp, .gemm = api_gemm,
                               .map = api_map, .sumsq = api_sumsq, .read = api_read,
                               .native = api_native, .gradient = api_gradient};
}

void lh_device_api_free(lh_custom_side *c)
{
    for (uint32_t i = 0; i < c->view_count; i++) lh_buffer_free(&c->views[i].view);
    for (uint32_t i = 0; i < c->temp_count; i++) lh_buffer_free(&c->temps[i].mem);
    for (uint32_t i = 0; i < c->map_count; i++) {
        lh_kernel_free(&c->maps[i].kernel);
        free(c->maps[i].code);
    }
    lh_kernel_free(&c->squares);
    lh_kernel_free(&c->finish);
    lh_buffer_free(&c->partial);
    free(c->views);
    free(c->temps);
    free(c->maps);
}
