/* SPDX-License-Identifier: MIT
 *
 * Optimizers with a step of their own: what each service of lehr.device/1 computes, against double
 * and on both families; which tensors go to the passes; halting; misuse. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"

#include <stdio.h>

#include "core/model/network.h"
#include "core/plugin/custom.h"

enum { M = 37, N = 101, MATRIX = M * N, MATRIX_AT = 128 };

static const lh_param params[] = {{"first", LEHR_ROLE_BIAS, 0, 100, {100}, 1, 0},
                                  {"matrix", LEHR_ROLE_DENSE, MATRIX_AT, MATRIX, {M, N}, 2, 0},
                                  {"last", LEHR_ROLE_OTHER, 4096, 700, {700}, 1, 0},
                                  {"bias", LEHR_ROLE_BIAS, BIAS_AT, BIASES, {BIASES}, 1, 1}};

static void open_matrices(rig *r, const char *traits)
{
    const char *files[] = {LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-matrices.so"};
    lehr_registry_params registry = {.files = files, .file_count = 1};
    setenv("LEHR_TRAITS", traits, 1);
    rig_open(r);
    lehr_registry_destroy(&r->reg);
    cr_assert_eq(lehr_registry_create(r->ctx, &registry, &r->reg), LEHR_OK, "%s",
                 lehr_context_message(r->ctx));
    r->layout.params = params;
    r->layout.param_count = LH_COUNT(params);
    r->layout.products = &lh_gemm_products;
    rig_control(r, 0.5f, 0);
}

static void read_all(rig *r, lh_updater *u, float to[3][ARENA])
{
    cr_assert_eq(lh_buffer_read(r->dev, r->weights, 0, sizeof to[0], to[0]), LEHR_OK);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(lh_buffer_read(r->dev, lh_updater_slot(u, i), 0, sizeof to[0], to[1 + i]),
                     LEHR_OK);
}

static float gradient(size_t i) { return (float)rig_uniform(2, i) * 0.5f; }

static void check_matrix(float now[3][ARENA], const float *start)
{
    double norm = 0;
    for (size_t i = 0; i < MATRIX; i++) norm += pow((double)gradient(MATRIX_AT + i), 2);
    for (size_t i = 0; i < MATRIX; i++) {
        size_t at = MATRIX_AT + i, row = i / (M + 3), column = i % (M + 3);
        double b = gradient(at) / sqrt(norm) + 0.25 + 0.5, a = 5;
        cr_assert(fabs(now[2][at] - b) <= 1e-6, "%zu: %g %g", i, now[2][at], b);
        cr_assert(fabs(now[0][at] - (start[at] - 0.1 * b - 1)) <= 1e-6, "%zu", i);
        if (row >= M) continue;
        for (size_t k = 0; column < M && k < N; k++) {
            if (k == 0) a = 2.5; /* beta 0.5 */
            a += 3.0 * gradient(MATRIX_AT + row * N + k) * gradient(MATRIX_AT + column * N + k);
        }
        cr_assert(fabs(now[1][at] - a) <= 1e-5, "%zu: %g %g", i, now[1][at], a);
    }
}

Test(custom, every_service_against_double)
{
    static const char *const families[] = {"family=cpu", "family=gpu",
                                           "family=gpu,max_work_group=64,local_bytes=16384"};
    static float start[ARENA], now[3][ARENA], halted[3][ARENA];
    for (size_t f = 0; f < LH_COUNT(families); f++) {
        rig r;
        lh_updater *u = NULL;
        open_matrices(&r, families[f]);
        cr_assert_eq(lh_updater_create(r.dev, r.reg, "matrices", NAN, &r.layout, &u), LEHR_OK, "%s",
                     lehr_context_message(r.ctx));
        lh_buffer_read(r.dev, r.weights, 0, sizeof start, start);
        cr_assert_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_OK, "%s",
                     lehr_context_message(r.ctx));
        read_all(&r, u, now);
        check_matrix(now, start);
        for (size_t i = 0; i < 100; i++) {
            cr_assert(fabs(now[0][i] - (start[i] - 0.1 * gradient(i))) <= 1e-6);
            cr_assert_eq(now[1][4096 + i], 7, "what is not claimed goes to the passes");
        }
        for (size_t i = MATRIX_AT + MATRIX; i < 4096; i++)
            cr_assert_eq(now[0][i], start[i], "padding");
        rig_control(&r, NAN, 1);
        cr_assert_eq(lh_updater_step(u, 2, 0.1, r.control), LEHR_OK, "%s",
                     lehr_context_message(r.ctx));
        read_all(&r, u, halted);
        cr_expect_arr_eq(now, halted, sizeof now, "a halted update keeps every bit");
        lh_updater_destroy(&u);
        rig_close(&r);
    }
}

Test(custom, same_bits_and_nothing_compiled_or_allocated_twice)
{
    static float now[2][3][ARENA];
    size_t programs[2] = {0}, temps[2] = {0};
    for (int round = 0; round < 2; round++) {
        rig r;
        lh_updater *u = NULL;
        open_matrices(&r, "family=cpu");
        cr_assert_eq(lh_updater_create(r.dev, r.reg, "matrices", NAN, &r.layout, &u), LEHR_OK);
        for (uint64_t t = 1; t <= 6; t++) {
            cr_assert_eq(lh_updater_step(u, t, 0.1 / (double)t, r.control), LEHR_OK);
            size_t count = 0;
            for (const lh_program_entry *p = r.dev->programs; p; p = p->next) count++;
            if (t == 1) programs[round] = count;
            if (t == 1) temps[round] = u->custom->temp_count;
            cr_expect_eq(u->custom->temp_count, temps[round], "temps are used again");
            cr_expect_eq(count, programs[round], "update %d", (int)t);
        }
        read_all(&r, u, now[round]);
        lh_updater_destroy(&u);
        rig_close(&r);
    }
    cr_expect_arr_eq(now[0], now[1], sizeof now[0]);
}

Test(custom, misuse_is_named)
{
    static const struct {
        const char *fault, *part;
    } rows[] = {{"gemm_weight", "must be a temp"},      {"map_range", "does not fit its buffer"},
                {"map_code", "map, line 2: 'return'"},  {"map_compile", "matrices, map:2:"},
                {"map_assign", "map:1:"},               {"read_range", "beyond the end"},
                {"temp_empty", "no or too many"},       {"stale_temp", "beyond the end"}};
    rig r;
    open_matrices(&r, "family=cpu");
    for (size_t k = 0; k < LH_COUNT(rows); k++) {
        char spec[64];
        lh_updater *u = NULL;
        snprintf(spec, sizeof spec, "matrices(fault=%s)", rows[k].fault);
        cr_assert_eq(lh_updater_create(r.dev, r.reg, spec, NAN, &r.layout, &u), LEHR_OK);
        lh_enter(r.ctx);
        lehr_status st = lh_updater_step(u, 1, 0.1, r.control);
        if (k + 1 == LH_COUNT(rows)) st = lh_updater_step(u, 2, 0.1, r.control);
        cr_expect_neq(st, LEHR_OK, "%s", spec);
        cr_expect(strstr(lehr_context_message(r.ctx), rows[k].part), "%s: %s", spec,
                  lehr_context_message(r.ctx));
        lh_updater_destroy(&u);
    }
    rig_close(&r);
}

Test(custom, what_cannot_be_run_is_refused)
{
    static const struct {
        const char *spec, *part;
    } rows[] = {{"idle", "tensor 'first'"}, {"hollow", "gives no lehr.custom/1"}};
    rig r;
    lh_updater *u = NULL;
    open_matrices(&r, "family=cpu");
    for (size_t k = 0; k < LH_COUNT(rows); k++) {
        lh_enter(r.ctx);
        cr_expect_neq(lh_updater_create(r.dev, r.reg, rows[k].spec, NAN, &r.layout, &u), LEHR_OK);
        cr_expect(strstr(lehr_context_message(r.ctx), rows[k].part), "%s",
                  lehr_context_message(r.ctx));
    }
    r.layout.products = NULL;
    lh_enter(r.ctx);
    cr_assert_eq(lh_updater_create(r.dev, r.reg, "matrices", NAN, &r.layout, &u), LEHR_OK);
    cr_expect_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_E_PLUGIN);
    cr_expect(strstr(lehr_context_message(r.ctx), "no matrix products"));
    lh_updater_destroy(&u);
    rig_close(&r);
}
