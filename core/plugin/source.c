/* SPDX-License-Identifier: MIT
 *
 * The program of a rule.
 *
 * A pass is the body of a function of its own, so that its names cannot meet the loop's; it works
 * on one weight.  On CPUs that function is inlined into a plain loop over contiguous memory, which
 * compilers vectorise; elsewhere each work-item calls it.
 *
 * A reduction has one order whatever the device: a chunk has LH_LANES running sums, sum l takes
 * elements l, l + LH_LANES, ... and the sums are added as a balanced tree. */
#include "core/plugin/rule.h"

#include <stdio.h>
#include <string.h>

typedef enum use { USE_DECLARE, USE_PASS } use;

static bool is_evaluation(const lh_rule *rule, uint32_t pass)
{
    return pass >= rule->d->passes.count;
}

/* ---- lists of names ---- */

/* lr and parameters: as a parameter list or as the arguments of a call. */
static void add_numbers(const lh_rule *rule, uint32_t pass, use how, const char **separator,
                        lh_str *out)
{
    const lehr_param *params = lh_params(&rule->d->params);
    const char *type = how == USE_DECLARE ? "const real " : "";
    if (!is_evaluation(rule, pass)) {
        lh_str_printf(out, "%s%slr", *separator, type);
        *separator = ", ";
    }
    for (uint32_t i = 0; i < rule->d->params.count; i++) {
        if (!lh_rule_is_argument(&params[i])) continue;
        lh_str_printf(out, "%s%s%s", *separator, type, params[i].name);
        *separator = ", ";
    }
}

/* Scalars of a pass; in the kernel, where several passes may meet, with its number. */
static void add_scalars(const lh_rule *rule, uint32_t pass, const char *before, lh_str *out)
{
    const char *const *scalars = rule->d->scalars.at;
    for (uint32_t i = 0; i < rule->d->scalars.count; i++) {
        lh_str_add(out, before);
        if (strstr(before, "lh_")) lh_str_printf(out, "%u_", (unsigned)pass + 1);
        lh_str_add(out, scalars[i]);
    }
}

/* The results of earlier reductions that a pass names: before, then the name. */
static void add_results(const lh_rule *rule, uint32_t pass, const char *before, lh_str *out)
{
    for (uint32_t i = 0; i < rule->reduction_count; i++) {
        const lh_reduction *r = &rule->reductions[i];
        if (r->pass < pass && lh_rule_uses(rule, pass, r->d->name))
            lh_str_printf(out, "%s%s", before, r->d->name);
    }
}

/* The slots that a pass names: before, name, between, name, after; between NULL: the name once. */
static void add_slots(const lh_rule *rule, uint32_t pass, const char *before, const char *between,
                      const char *after, lh_str *out)
{
    for (uint32_t i = 0; i < rule->d->slots.count; i++) {
        const char *name = lh_slots(rule)[i].name;
        if (!lh_rule_has_slot(rule, i) || !lh_rule_uses(rule, pass, name)) continue;
        lh_str_printf(out, "%s%s", before, name);
        if (between) lh_str_printf(out, "%s%s", between, name);
        lh_str_add(out, after);
    }
}

/* ---- the function of a pass ---- */

static void add_constant(const lh_rule *rule, uint32_t slot, lh_str *out)
{
    char number[40];
    lh_format_double(lh_rule_slot_init(rule, slot), number, sizeof number);
    lh_str_printf(out, "(real)%s", number);
}

static void add_constants(const lh_rule *rule, lh_str *out)
{
    const lehr_param *params = lh_params(&rule->d->params);
    char number[40];
    for (uint32_t i = 0; i < rule->d->params.count; i++) {
        if (lh_rule_is_argument(&params[i])) continue;
        lh_format_double(rule->binding.p[i], number, sizeof number);
        lh_str_printf(out, "    const real %s = (real)%s;\n", params[i].name, number);
    }
    for (uint32_t i = 0; i < rule->d->slots.count; i++) {
        if (lh_rule_has_slot(rule, i)) continue;
        lh_str_printf(out, "    real %s = ", lh_slots(rule)[i].name);
        add_constant(rule, i, out);
        lh_str_add(out, "; /* no memory with these values */\n");
    }
}

/* "optimizer lamb, pass 2": what a compiler's message begins with. */
static void add_place(const lh_rule *rule, uint32_t pass, const char *reduction, lh_str *out)
{
    lh_str_printf(out, "\n#line 1 \"optimizer %s, ", rule->d->name);
    if (is_evaluation(rule, pass))
        lh_str_add(out, pass == rule->d->passes.count ? "enter_eval" : "leave_eval");
    else
        lh_str_printf(out, "pass %u", (unsigned)pass + 1);
    if (reduction) lh_str_printf(out, ", reduction %s", reduction);
    lh_str_add(out, "\"\n");
}

static void add_function(const lh_rule *rule, uint32_t pass, lh_str *out)
{
    const char *separator = ", ";
    lh_str_printf(out, "void lh_pass_%u(real *lh_weight", (unsigned)pass + 1);
    if (!is_evaluation(rule, pass)) lh_str_add(out, ", const real g");
    add_numbers(rule, pass, USE_DECLARE, &separator, out);
    add_scalars(rule, pass, ", const real ", out);
    add_results(rule, pass, ", const real ", out);
    add_slots(rule, pass, ", real *lh_", NULL, "", out);
    for (uint32_t i = 0; i < rule->reduction_count; i++)
        if (rule->reductions[i].pass == pass)
            lh_str_printf(out, ", real *lh_out_%s", rule->reductions[i].d->name);
    lh_str_add(out, ")\n{\n    real w = *lh_weight;\n");
    add_constants(rule, out);
    add_slots(rule, pass, "    real ", " = *lh_", ";\n", out);
    lh_str_add(out, "    do {");
    add_place(rule, pass, NULL, out);
    lh_str_printf(out, "%s\n#line 1 \"update\"\n    } while (0);\n", lh_rule_code(rule, pass));
    for (uint32_t i = 0; i < rule->reduction_count; i++) {
        const lehr_reduce *d = rule->reductions[i].d;
        if (rule->reductions[i].pass != pass) continue;
        lh_str_printf(out, "    *lh_out_%s = (real)(", d->name);
        add_place(rule, pass, d->name, out);
        lh_str_printf(out, "%s\n#line 1 \"update\"\n    );\n", d->expr);
    }
    add_slots(rule, pass, "    *lh_", " = ", ";\n", out);
    lh_str_add(out, "    *lh_weight = w;\n}\n\n");
}

/* ---- one weight: memory to variables, the passes, and back ---- */

static void add_call(const lh_rule *rule, const lh_stage *s, uint32_t pass, lh_str *out)
{
    const char *separator = ", ";
    lh_str_printf(out, "    lh_pass_%u(&lh_weight", (unsigned)pass + 1);
    if (!is_evaluation(rule, pass)) lh_str_add(out, ", lh_gradient");
    add_numbers(rule, pass, USE_PASS, &separator, out);
    add_scalars(rule, pass, ", lh_", out);
    add_results(rule, pass, ", lh_all_", out);
    add_slots(rule, pass, ", &lh_", NULL, "", out);
    for (uint32_t i = 0; i < s->reduce_count; i++) {
        const lh_reduction *r = &rule->reductions[s->reduce_first + i];
        if (r->pass == pass) lh_str_printf(out, ", &lh_out_%s", r->d->name);
    }
    lh_str_add(out, ");\n");
}

static void add_element(const lh_rule *rule, const lh_stage *s, lh_str *out)
{
    lh_str_printf(out, "    real lh_weight = %s;\n",
                  (s->w & LH_LOADS) ? "lh_weights[lh_i]" : "(real)0");
    if (!is_evaluation(rule, s->first))
        lh_str_printf(out, "    const real lh_gradient = %s;\n",
                      (s->g & LH_LOADS) ? "lh_gradients[lh_i] * lh_scale" : "(real)0");
    for (uint32_t i = 0; i < rule->d->slots.count; i++) {
        const lehr_slot *slot = &lh_slots(rule)[i];
        if (!s->slots[i]) continue;
        lh_str_printf(out, "    real lh_%s = ", slot->name);
        if (s->slots[i] & LH_LOADS) lh_str_printf(out, "lh_mem_%s[lh_i]", slot->name);
        else if (slot->flags & LEHR_SLOT_FROM_WEIGHT) lh_str_add(out, "lh_weight");
        else add_constant(rule, i, out);
        lh_str_add(out, ";\n");
    }
    for (uint32_t i = 0; i < s->reduce_count; i++)
        lh_str_printf(out, "    real lh_out_%s;\n", rule->reductions[s->reduce_first + i].d->name);
    for (uint32_t p = s->first; p < s->first + s->count; p++) add_call(rule, s, p, out);
    if (s->w & LH_STORES) lh_str_add(out, "    lh_weights[lh_i] = lh_weight;\n");
    for (uint32_t i = 0; i < rule->d->slots.count; i++)
        if (s->slots[i] & LH_STORES)
            lh_str_printf(out, "    lh_mem_%s[lh_i] = lh_%s;\n", lh_slots(rule)[i].name,
                          lh_slots(rule)[i].name);
}

/* ---- kernels ---- */

void lh_stage_name(const lh_rule *rule, uint32_t stage, char out[32])
{
    if (stage < rule->stage_count) snprintf(out, 32, "lh_stage_%u", (unsigned)stage + 1);
    else snprintf(out, 32, "lh_%s_eval", stage == rule->stage_count ? "enter" : "leave");
}

static void add_signature(const lh_rule *rule, uint32_t stage, size_t local, lh_str *out)
{
    const lh_stage *s = &rule->stages[stage];
    const char *separator = ",\n    ";
    char name[32];
    lh_stage_name(rule, stage, name);
    lh_str_printf(out, "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n"
                       "void %s(__global real *restrict lh_weights,\n"
                       "    __global const real *restrict lh_gradients", local ? local : 1, name);
    for (uint32_t i = 0; i < rule->d->slots.count; i++)
        if (s->slots[i] & (LH_LOADS | LH_STORES))
            lh_str_printf(out, ",\n    __global real *restrict lh_mem_%s", lh_slots(rule)[i].name);
    lh_str_add(out, ",\n    __global const real *restrict lh_control,\n    ");
    lh_str_add(out, s->chunked ? "__global const lh_chunk *restrict lh_chunks, const ulong "
                                 "lh_first, const ulong lh_count"
                               : "const ulong lh_first, const ulong lh_count, const ulong lh_span");
    if (rule->reduction_count)
        lh_str_add(out, ",\n    __global const real *restrict lh_values, const uint lh_tensors");
    if (s->reduce_count)
        lh_str_add(out, ",\n    __global real *restrict lh_partial, const uint lh_chunk_count");
    add_numbers(rule, s->first, USE_DECLARE, &separator, out);
    for (uint32_t p = s->first; p < s->first + s->count; p++)
        add_scalars(rule, p, ", const real lh_", out);
    lh_str_add(out, ")\n{\n    if (lh_control[1] != 0) return; /* halted */\n");
    if (s->g & LH_LOADS) lh_str_add(out, "    const real lh_scale = lh_control[0];\n");
}

/* The results of earlier reductions that this stage names, as constants. */
static void add_loaded_results(const lh_rule *rule, const lh_stage *s, lh_str *out)
{
    for (uint32_t i = 0; i < s->reduce_first && i < rule->reduction_count; i++) {
        const lh_reduction *r = &rule->reductions[i];
        bool named = false;
        for (uint32_t p = s->first; p < s->first + s->count; p++)
            named = named || lh_rule_uses(rule, p, r->d->name);
        if (named)
            lh_str_printf(out, "    const real lh_all_%s = lh_values[%u * lh_tensors%s];\n",
                          r->d->name, (unsigned)i,
                          r->d->scope == LEHR_PER_TENSOR ? " + lh_tensor" : "");
    }
}

/* A plain range, on CPUs in contiguous pieces of lh_span. */
static void add_range(const lh_rule *rule, const lh_stage *s, size_t local, lh_str *out)
{
    add_loaded_results(rule, s, out);
    if (local) {
        lh_str_add(out, "    if (get_global_id(0) >= lh_count) return;\n"
                        "    const size_t lh_i = lh_first + get_global_id(0);\n");
        add_element(rule, s, out);
        return;
    }
    lh_str_add(out, "    const ulong lh_from = get_group_id(0) * lh_span;\n"
                    "    if (lh_from >= lh_count) return;\n"
                    "    const int lh_n = (int)min(lh_span, lh_count - lh_from);\n"
                    "    lh_weights += lh_first + lh_from;\n"
                    "    lh_gradients += lh_first + lh_from;\n");
    for (uint32_t i = 0; i < rule->d->slots.count; i++)
        if (s->slots[i] & (LH_LOADS | LH_STORES))
            lh_str_printf(out, "    lh_mem_%s += lh_first + lh_from;\n", lh_slots(rule)[i].name);
    lh_str_add(out, "    for (int lh_i = 0; lh_i < lh_n; lh_i++) {\n");
    add_element(rule, s, out);
    lh_str_add(out, "    }\n");
}

static const char *start_of(const lehr_reduce *d)
{
    return d->op == LEHR_SUM ? "(real)0" : "-INFINITY";
}

static const char *combine(const lehr_reduce *d)
{
    return d->op == LEHR_SUM ? "lh_sum" : "lh_max";
}

/* Loops over the lanes and, within a lane or across them, over the elements of a chunk. */
static void add_chunk_loops(const lh_rule *rule, const lh_stage *s, size_t local, lh_str *out)
{
    const lh_reduction *r = rule->reductions + s->reduce_first;
    if (local) {
        lh_str_printf(out, "    for (uint lh_l = get_local_id(0); lh_l < LH_LANES; lh_l += %zu) {\n",
                      local);
        for (uint32_t i = 0; i < s->reduce_count; i++)
            lh_str_printf(out, "    real lh_run_%s = %s;\n", r[i].d->name, start_of(r[i].d));
        lh_str_add(out, "    for (uint lh_k = lh_l; lh_k < lh_n; lh_k += LH_LANES) {\n"
                        "    const size_t lh_i = lh_from + lh_k;\n");
    } else {
        for (uint32_t i = 0; i < s->reduce_count; i++)
            lh_str_printf(out, "    for (int lh_l = 0; lh_l < LH_LANES; lh_l++) lh_lane_%s[lh_l] = "
                               "%s;\n", r[i].d->name, start_of(r[i].d));
        lh_str_add(out, "    for (int lh_b = 0; lh_b < lh_n; lh_b += LH_LANES) {\n"
                        "    const int lh_m = min(LH_LANES, lh_n - lh_b);\n"
                        "    for (int lh_l = 0; lh_l < lh_m; lh_l++) {\n"
                        "    const int lh_i = lh_b + lh_l;\n");
    }
    add_element(rule, s, out);
    for (uint32_t i = 0; i < s->reduce_count; i++) {
        const char *name = r[i].d->name;
        if (local)
            lh_str_printf(out, "    lh_run_%s = %s(lh_run_%s, lh_out_%s);\n", name,
                          combine(r[i].d), name, name);
        else
            lh_str_printf(out, "    lh_lane_%s[lh_l] = %s(lh_lane_%s[lh_l], lh_out_%s);\n", name,
                          combine(r[i].d), name, name);
    }
    lh_str_add(out, "    }\n");
    for (uint32_t i = 0; i < s->reduce_count && local; i++)
        lh_str_printf(out, "    lh_lane_%s[lh_l] = lh_run_%s;\n", r[i].d->name, r[i].d->name);
    lh_str_add(out, "    }\n");
}

/* The lanes as a balanced tree, then one number for each reduction of this chunk. */
static void add_tree(const lh_rule *rule, const lh_stage *s, size_t local, lh_str *out)
{
    const lh_reduction *r = rule->reductions + s->reduce_first;
    const char *barrier = local ? "    barrier(CLK_LOCAL_MEM_FENCE);\n" : "";
    lh_str_printf(out, "%s    for (uint lh_w = LH_LANES / 2; lh_w > 0; lh_w /= 2) {\n", barrier);
    if (local)
        lh_str_printf(out, "    for (uint lh_l = get_local_id(0); lh_l < lh_w; lh_l += %zu) {\n",
                      local);
    else
        lh_str_add(out, "    for (uint lh_l = 0; lh_l < lh_w; lh_l++) {\n");
    for (uint32_t i = 0; i < s->reduce_count; i++)
        lh_str_printf(out, "    lh_lane_%s[lh_l] = %s(lh_lane_%s[lh_l], lh_lane_%s[lh_l + lh_w]);\n",
                      r[i].d->name, combine(r[i].d), r[i].d->name, r[i].d->name);
    lh_str_printf(out, "    }\n%s    }\n", barrier);
    if (local) lh_str_add(out, "    if (get_local_id(0) != 0) return;\n");
    for (uint32_t i = 0; i < s->reduce_count; i++)
        lh_str_printf(out, "    lh_partial[%u * lh_chunk_count + lh_first + get_group_id(0)] = "
                           "lh_lane_%s[0];\n", (unsigned)i, r[i].d->name);
}

static void add_chunks(const lh_rule *rule, const lh_stage *s, size_t local, lh_str *out)
{
    const lh_reduction *r = rule->reductions + s->reduce_first;
    lh_str_add(out, "    if (get_group_id(0) >= lh_count) return;\n"
                    "    const lh_chunk lh_c = lh_chunks[lh_first + get_group_id(0)];\n");
    lh_str_add(out, local ? "    const size_t lh_from = lh_c.first;\n    const uint lh_n = lh_c.count;\n"
                          : "    const int lh_n = (int)lh_c.count;\n"
                            "    lh_weights += lh_c.first;\n    lh_gradients += lh_c.first;\n");
    for (uint32_t i = 0; i < rule->d->slots.count && !local; i++)
        if (s->slots[i] & (LH_LOADS | LH_STORES))
            lh_str_printf(out, "    lh_mem_%s += lh_c.first;\n", lh_slots(rule)[i].name);
    if (rule->reduction_count) lh_str_add(out, "    const uint lh_tensor = lh_c.tensor;\n");
    add_loaded_results(rule, s, out);
    for (uint32_t i = 0; i < s->reduce_count; i++)
        lh_str_printf(out, "    %sreal lh_lane_%s[LH_LANES];\n", local ? "__local " : "",
                      r[i].d->name);
    if (s->reduce_count || local) {
        add_chunk_loops(rule, s, local, out);
    } else {
        lh_str_add(out, "    for (int lh_i = 0; lh_i < lh_n; lh_i++) {\n");
        add_element(rule, s, out);
        lh_str_add(out, "    }\n");
    }
    if (s->reduce_count) add_tree(rule, s, local, out);
}

static void add_stage(const lh_rule *rule, uint32_t stage, size_t local, lh_str *out)
{
    const lh_stage *s = &rule->stages[stage];
    if (s->chunked && local > LH_LANES) local = LH_LANES;
    for (uint32_t p = s->first; p < s->first + s->count; p++) add_function(rule, p, out);
    add_signature(rule, stage, local, out);
    if (s->chunked) add_chunks(rule, s, local, out);
    else add_range(rule, s, local, out);
    lh_str_add(out, "}\n\n");
}

/* A NaN wins a maximum. */
static const char combining[] =
    "real lh_sum(real a, real b) { return a + b; }\n"
    "real lh_max(real a, real b) { return a >= b || a != a ? a : b; }\n\n";

static void add_head(const char *what, lh_str *out)
{
    lh_str_printf(out, "/* %s */\n#pragma OPENCL FP_CONTRACT OFF\ntypedef float real;\n"
                       "typedef struct lh_chunk {\n    ulong first;\n    uint count, tensor;\n"
                       "} lh_chunk;\n#define LH_LANES %d\n", what, LH_LANES);
}

void lh_rule_source(const lh_rule *rule, size_t local, lh_str *out)
{
    lh_str head = {0};
    lh_str_printf(&head, "optimizer %s", rule->d->name);
    add_head(lh_str_text(&head), out);
    lh_str_free(&head);
    if (rule->reduction_count) lh_str_add(out, combining);
    if (rule->d->preamble)
        lh_str_printf(out, "#line 1 \"optimizer %s, preamble\"\n%s\n#line 1 \"update\"\n",
                      rule->d->name, rule->d->preamble);
    for (uint32_t i = 0; i < rule->stage_count + 2; i++)
        if (rule->stages[i].count) add_stage(rule, i, local, out);
}

/* ---- second stage of reductions ----
 * One work-group for each tensor and reduction; lane l takes partial results l, l + LH_LANES, ...
 * A sum is kept as an unevaluated pair (Knuth's exact sum of two), so that adding up thousands of
 * partial results loses nothing. */
static const char finishing[] =
    "void lh_add(real *sum, real *rest, real x, real x_rest)\n"
    "{\n"
    "    const real t = *sum + x, z = t - *sum;\n"
    "    *rest += ((*sum - (t - z)) + (x - z)) + x_rest;\n"
    "    *sum = t;\n"
    "}\n\n"
    "void lh_combine(bool maximum, real *sum, real *rest, real x, real x_rest)\n"
    "{\n"
    "    if (maximum) *sum = lh_max(*sum, x);\n"
    "    else lh_add(sum, rest, x, x_rest);\n"
    "}\n\n"
    "__kernel __attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "void lh_finish(__global const real *partial, const uint chunks, __global const uint *begin,\n"
    "               const uint tensors, __global real *values, const uint first,\n"
    "               const uint maxima, const uint whole, __global const real *control)\n"
    "{\n"
    "    LANE_MEMORY real sums[LH_LANES], rests[LH_LANES];\n"
    "    const uint tensor = get_group_id(0), k = get_group_id(1);\n"
    "    const bool maximum = (maxima >> k) & 1, all = (whole >> k) & 1;\n"
    "    if (control[1] != 0 || (all && tensor != 0)) return;\n"
    "    const uint from = all ? 0 : begin[2 * tensor];\n"
    "    const uint to = all ? chunks : begin[2 * tensor + 1];\n"
    "    partial += (size_t)k * chunks;\n"
    "    for (uint l = get_local_id(0); l < LH_LANES; l += LOCAL) {\n"
    "        real sum = maximum ? -INFINITY : 0, rest = 0;\n"
    "        for (uint i = from + l; i < to; i += LH_LANES)\n"
    "            lh_combine(maximum, &sum, &rest, partial[i], 0);\n"
    "        sums[l] = sum;\n"
    "        rests[l] = rest;\n"
    "    }\n"
    "    BARRIER\n"
    "    for (uint w = LH_LANES / 2; w > 0; w /= 2) {\n"
    "        for (uint l = get_local_id(0); l < w; l += LOCAL) {\n"
    "            real sum = sums[l], rest = rests[l];\n"
    "            lh_combine(maximum, &sum, &rest, sums[l + w], rests[l + w]);\n"
    "            sums[l] = sum;\n"
    "            rests[l] = rest;\n"
    "        }\n"
    "        BARRIER\n"
    "    }\n"
    "    if (get_local_id(0) == 0)\n"
    "        values[(first + k) * tensors + tensor] =\n"
    "            isfinite(rests[0]) ? sums[0] + rests[0] : sums[0]; /* an infinite sum stays */\n"
    "}\n";

void lh_finish_source(size_t local, lh_str *out)
{
    if (local > LH_LANES) local = LH_LANES;
    add_head("second stage of the reductions of optimizers", out);
    lh_str_printf(out, "#define LOCAL %zu\n#define LANE_MEMORY %s\n#define BARRIER %s\n",
                  local ? local : 1, local ? "__local" : "",
                  local ? "barrier(CLK_LOCAL_MEM_FENCE);" : "");
    lh_str_add(out, combining);
    lh_str_add(out, finishing);
}
