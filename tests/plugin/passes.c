/* SPDX-License-Identifier: MIT
 *
 * Several passes with reductions: against double, the same bits on every family and in every order
 * of tensors, padding left out, halting, launches and compilations counted, errors in their place. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"
#include "core/plugin/rule.h"
#include <lehr/optimizer.h>

#define RULES LEHR_TEST_BUILD_DIR "/tests/plugin/rules/lehr-"

/* Tensors of awkward sizes in two groups; between them is padding. */
enum { TENSORS = 6, BIG = 70001, SPACE = 91136 };
static const struct {
    size_t count;
    uint32_t group;
} shapes[TENSORS] = {{BIG, 0}, {4096, 0}, {4097, 0}, {1, 0}, {63, 1}, {8193, 1}};

typedef struct table {
    rig r;
    lh_param params[TENSORS];
    lh_param_group groups[2];
    size_t where[TENSORS]; /* offset of tensor i of shapes */
} table;

/* Every trait set is another device. */
static const char *const families[] = {
    "family=cpu", "family=gpu", "family=gpu,max_work_group=64,local_bytes=16384,vector_width=4",
    "family=gpu,max_work_group=16"};

static void open_table(table *t, const char *traits, bool reversed)
{
    const char *files[] = {RULES "reducer.so", RULES "misspelt.so"};
    lehr_registry_params params = {.files = files, .file_count = 2};
    setenv("LEHR_TRAITS", traits, 1);
    rig_open(&t->r);
    lehr_registry_destroy(&t->r.reg);
    cr_assert_eq(lehr_registry_create(t->r.ctx, &params, &t->r.reg), LEHR_OK, "%s",
                 lehr_context_message(t->r.ctx));
    size_t at = 0;
    for (uint32_t g = 0; g < 2; g++) {
        t->groups[g] = (lh_param_group){g ? "bias" : "weights", at, 0, g ? 0.5 : 1, g ? 0 : 1};
        for (uint32_t k = 0; k < TENSORS; k++) {
            uint32_t i = reversed ? TENSORS - 1 - k : k;
            if (shapes[i].group != g) continue;
            t->where[i] = at;
            at += (shapes[i].count + 127) / 128 * 128;
        }
        t->groups[g].count = at - t->groups[g].offset;
    }
    cr_assert(at <= SPACE);
    for (uint32_t k = 0; k < TENSORS; k++) {
        uint32_t i = reversed ? TENSORS - 1 - k : k;
        t->params[k] = (lh_param){"t", LEHR_ROLE_OTHER, t->where[i], shapes[i].count,
                                  {shapes[i].count}, 1, shapes[i].group};
    }
    lh_buffer_free(&t->r.weights);
    lh_buffer_free(&t->r.gradients);
    cr_assert_eq(lh_buffer_create(t->r.dev, SPACE * 4, &t->r.weights), LEHR_OK);
    cr_assert_eq(lh_buffer_create(t->r.dev, SPACE * 4, &t->r.gradients), LEHR_OK);
    t->r.layout = (lh_arena_layout){.weights = t->r.weights, .gradients = t->r.gradients,
                                    .count = SPACE, .params = t->params, .param_count = TENSORS,
                                    .groups = t->groups, .group_count = 2};
}

/* Element k of tensor i is the same wherever the tensor lies; padding holds what must not matter. */
static void fill(table *t, cl_mem to, uint64_t draw, double scale, double padding)
{
    static float values[SPACE];
    for (size_t k = 0; k < SPACE; k++) values[k] = (float)padding;
    for (uint32_t i = 0; i < TENSORS; i++)
        for (size_t k = 0; k < shapes[i].count; k++)
            values[t->where[i] + k] = (float)(scale * rig_uniform(draw + i, k) + 0.1 * scale);
    cr_assert_eq(lh_buffer_write(t->r.dev, to, 0, sizeof values, values), LEHR_OK);
}

static lh_updater *start(table *t, const char *spec)
{
    lh_updater *u = NULL;
    fill(t, t->r.weights, 10, 0.5, 1e6);
    fill(t, t->r.gradients, 20, 3, NAN);
    cr_assert_eq(lh_updater_create(t->r.dev, t->r.reg, spec, NAN, &t->r.layout, &u), LEHR_OK, "%s",
                 lehr_context_message(t->r.ctx));
    return u;
}

/* A buffer, tensor after tensor in the order of shapes. */
enum { PACKED = BIG + 4096 + 4097 + 1 + 63 + 8193 };
static void read_packed(table *t, cl_mem from, float *to)
{
    static float all[SPACE];
    cr_assert_eq(lh_buffer_read(t->r.dev, from, 0, sizeof all, all), LEHR_OK);
    for (uint32_t i = 0; i < TENSORS; i++) {
        memcpy(to, all + t->where[i], shapes[i].count * sizeof *to);
        to += shapes[i].count;
    }
}

static void step(table *t, lh_updater *u, uint64_t number)
{
    cr_assert_eq(lh_updater_step(u, number, 0.25, t->r.control), LEHR_OK, "%s",
                 lehr_context_message(t->r.ctx));
}

static bool near(double got, double want, double size)
{
    return fabs(got - want) <= 2e-7 * size; /* the largest seen is 5e-8 */
}

/* Slots: sum_w, top_g, all_sq, told. */
static void check_against_double(const float *slots[4], const float *w, const float *g,
                                 const double state[2])
{
    double square = 0, sum = 0, sum_size = 0, top = 0;
    for (size_t k = 0; k < PACKED; k++) {
        square += (double)g[k] * g[k];
        sum += 2.0 * g[k];
        sum_size += 2 * fabs((double)g[k]);
        top = fmax(top, fabs((double)g[k]));
    }
    cr_expect(near(state[1], sum, sum_size), "%.9g %.9g", state[1], sum);
    cr_expect_eq(state[0], 4, "advance is called once a pass");
    for (size_t i = 0, at = 0; i < TENSORS; at += shapes[i++].count) {
        double wsum = 0, size = 0, gtop = 0;
        for (size_t k = at; k < at + shapes[i].count; k++) {
            wsum += w[k];
            size += fabs((double)w[k]);
            gtop = fmax(gtop, fabs((double)g[k]));
        }
        for (size_t k = at; k < at + shapes[i].count; k += shapes[i].count / 3 + 1) {
            cr_expect(near(slots[0][k], wsum, size), "%zu: %.9g %.9g", i, slots[0][k], wsum);
            cr_expect_eq(slots[1][k], (float)gtop);
            cr_expect(near(slots[2][k], square, square), "%.9g %.9g", slots[2][k], square);
            cr_expect_eq(slots[3][k], (float)(state[1] + 1000 * (double)(float)top));
        }
    }
}

Test(passes, reductions_against_double_on_every_family)
{
    static float slot[4][PACKED], w[PACKED], g[PACKED], after[PACKED], first[5][PACKED];
    for (size_t f = 0; f < LH_COUNT(families); f++) {
        table t;
        double state[2];
        open_table(&t, families[f], false);
        lh_updater *u = start(&t, "reducer");
        cr_assert_eq(lh_updater_slot_count(u), 4, "scratch slots are not saved");
        cr_expect_eq(lh_updater_bytes_per_weight(u), 20, "one scratch slot takes no memory");
        read_packed(&t, t.r.weights, w);
        read_packed(&t, t.r.gradients, g);
        step(&t, u, 1);
        lh_updater_get_state(u, state);
        for (uint32_t i = 0; i < 4; i++) read_packed(&t, lh_updater_slot(u, i), slot[i]);
        const float *slots[4] = {slot[0], slot[1], slot[2], slot[3]};
        check_against_double(slots, w, g, state);
        read_packed(&t, t.r.weights, after);
        for (size_t k = 0; k < PACKED; k++) {
            double lr = k < PACKED - 63 - 8193 ? 0.25 : 0.125;
            double want = w[k] - lr * 4 * g[k] / (sqrt((double)slot[2][k]) + 1e-6);
            cr_assert(fabs(after[k] - want) <= 1e-6, "%zu: %g %g", k, after[k], want);
        }
        if (f == 0) {
            memcpy(first, slot, sizeof slot);
            memcpy(first[4], after, sizeof after);
        }
        cr_expect_arr_eq(first, slot, sizeof slot, "%s: reductions have one order", families[f]);
        cr_expect_arr_eq(first[4], after, sizeof after, "%s", families[f]);
        lh_updater_destroy(&u);
        rig_close(&t.r);
    }
}

/* Twice the same, then with the tensors the other way round. */
Test(passes, same_bits_every_time_and_in_any_order_of_tensors)
{
    static float sums[3][PACKED], tops[3][PACKED];
    for (int round = 0; round < 3; round++) {
        table t;
        open_table(&t, round == 1 ? families[2] : families[0], round == 2);
        lh_updater *u = start(&t, "reducer");
        for (uint64_t k = 1; k <= 3; k++) step(&t, u, k);
        read_packed(&t, lh_updater_slot(u, 0), sums[round]);
        read_packed(&t, lh_updater_slot(u, 1), tops[round]);
        lh_updater_destroy(&u);
        rig_close(&t.r);
    }
    cr_expect_arr_eq(sums[0], sums[1], sizeof sums[0]);
    cr_expect_arr_eq(sums[0], sums[2], sizeof sums[0]);
    cr_expect_arr_eq(tops[0], tops[2], sizeof tops[0]);
}

static size_t programs(const lehr_device *dev)
{
    size_t count = 0;
    for (const lh_program_entry *p = dev->programs; p; p = p->next) count++;
    return count;
}

Test(passes, launches_and_compilations)
{
    table t;
    open_table(&t, families[0], false);
    lh_updater *u = start(&t, "reducer");
    cr_assert_eq(lh_updater_warm_up(u, t.r.control), LEHR_OK);
    rig_control(&t.r, 1, 0);
    size_t before = programs(t.r.dev);
    uint64_t launches = lh_launch_count(t.r.dev);
    for (uint64_t k = 1; k <= 20; k++)
        cr_assert_eq(lh_updater_step(u, k, 0.1 / (double)k, t.r.control), LEHR_OK);
    cr_expect_eq(lh_launch_count(t.r.dev) - launches, 20 * (3 * 2 + 2),
                 "three launches a group and one a pass with reductions, whatever the tensors");
    cr_expect_eq(programs(t.r.dev), before);
    lh_updater_destroy(&u);
    u = start(&t, "reducer(eps=0.5)");
    cr_expect_eq(programs(t.r.dev), before);
    lh_updater_destroy(&u);
    rig_close(&t.r);
}

/* A halt, and a gradient that is not finite, must leave weights, slots and host state. */
Test(passes, halting)
{
    static float before[5][PACKED], after[5][PACKED];
    table t;
    double state[2][2];
    open_table(&t, families[0], false);
    lh_updater *u = start(&t, "reducer");
    step(&t, u, 1);
    for (int round = 0; round < 2; round++) {
        float(*to)[PACKED] = round ? after : before;
        for (uint32_t i = 0; i < 4; i++) read_packed(&t, lh_updater_slot(u, i), to[i]);
        read_packed(&t, t.r.weights, to[4]);
        lh_updater_get_state(u, state[round]);
        fill(&t, t.r.gradients, 30, NAN, NAN);
        rig_control(&t.r, NAN, 1);
        if (round == 0) step(&t, u, 2);
    }
    cr_expect_arr_eq(before, after, sizeof before);
    cr_expect_arr_eq(state[0], state[1], sizeof state[0]);
    rig_control(&t.r, 1, 0); /* nobody halted: the host's numbers are no numbers, and it says so */
    cr_expect_eq(lh_updater_step(u, 2, 0.25, t.r.control), LEHR_E_PARAM);
    cr_expect(strstr(lehr_context_message(t.r.ctx), "scalar heard is nan"), "%s",
              lehr_context_message(t.r.ctx));
    lh_updater_destroy(&u);
    rig_close(&t.r);
}

Test(passes, an_error_points_into_the_plugins_text)
{
    table t;
    lh_updater *u = NULL;
    open_table(&t, families[0], false);
    lh_enter(t.r.ctx);
    cr_expect_eq(lh_updater_create(t.r.dev, t.r.reg, "misspelt", NAN, &t.r.layout, &u),
                 LEHR_E_DEVICE);
    const char *message = lehr_context_message(t.r.ctx);
    cr_expect(strstr(message, "optimizer misspelt, pass 2:3:"), "%s", message);
    cr_expect(strstr(message, "momentun"), "%s", message);
    rig_close(&t.r);
}

Test(passes, source_without_compiling)
{
    table t;
    char *text = NULL;
    open_table(&t, families[0], false);
    cr_expect_eq(lehr_optimizer_source(t.r.dev, t.r.reg, "misspelt", NAN, &text), LEHR_OK);
    cr_expect(strstr(text, "#line 1 \"optimizer misspelt, pass 2\"\nreal d"), "%s", text);
    free(text);
    lh_updater *u = start(&t, "reducer");
    cr_expect_eq(lehr_optimizer_source(t.r.dev, t.r.reg, "reducer", NAN, &text), LEHR_OK);
    cr_expect_str_eq(text, lh_updater_source(u));
    free(text);
    cr_expect_eq(lehr_optimizer_source(t.r.dev, t.r.reg, "reduser", NAN, &text), LEHR_E_USAGE);
    cr_expect_null(text);
    lh_updater_destroy(&u);
    rig_close(&t.r);
}

/* A name that is written must never be taken for one that is only read: its value would be lost. */
Test(passes, names_that_are_read_or_written)
{
    enum { NONE = 0, READ = LH_READS, WRITTEN = LH_READS | LH_WRITES };
    static const struct {
        const char *code;
        unsigned uses;
    } rows[] = {
        {"", NONE},          {"w2 = ww + _w;", NONE},      {"x = 1; /* w = 2 */", NONE},
        {"// w = 3\nx = 1;", NONE},                        {"x = w;", READ},
        {"x = w == 1;", READ},                             {"x = g / w;", READ},
        {"x = a && w;", READ},                             {"x = a &&w <= 2;", READ},
        {"x = f(w) + 1;", READ},                           {"x = a - w - 1;", READ},
        {"if (a < w) x = 1;", READ},                       {"x = w >= 1 ? 2 : 3;", READ},
        {"w = 1;", WRITTEN}, {"w\n  = 1;", WRITTEN},       {"w -= 1;", WRITTEN},
        {"w<<=1;", WRITTEN}, {"(w) *= 2;", WRITTEN},       {"((w)) = 2;", WRITTEN},
        {"w++;", WRITTEN},   {"--w;", WRITTEN},            {"++ ( w);", WRITTEN},
        {"f(&w);", WRITTEN}, {"f(a, & w);", WRITTEN},      {"a && f(&w);", WRITTEN},
        {"x = a &&&w;", WRITTEN},                          {"w /* so */ = 1;", WRITTEN},
        {"w // so\n = 1;", WRITTEN},                       {"x = w; w = 1;", WRITTEN}};
    for (size_t i = 0; i < LH_COUNT(rows); i++)
        cr_expect_eq(lh_code_uses(rows[i].code, "w"), rows[i].uses, "'%s': %u", rows[i].code,
                     lh_code_uses(rows[i].code, "w"));
}
