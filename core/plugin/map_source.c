/* SPDX-License-Identifier: MIT
 *
 * Programs behind lehr.device/1: the element-wise code of map(), and sums of squares.  Like a pass, a
 * map's code is the body of a function; a halted update leaves all operands alone. */
#include "core/plugin/custom.h"

#include <stdio.h>

bool lh_map_is_flat(const lh_map *map)
{
    for (uint32_t i = 0; i < map->operands; i++)
        if (map->index[i] == LEHR_BY_ROW || map->index[i] == LEHR_BY_COLUMN) return false;
    return true;
}

static bool writes(const lh_map *map, uint32_t operand)
{
    char name[16];
    snprintf(name, sizeof name, "x%u", (unsigned)operand);
    return (lh_code_uses(map->code, name) & LH_WRITES) != 0;
}

static void add_function(const lh_map *map, const char *name, lh_str *out)
{
    lh_str_add(out, "void lh_element(const real lh_scale");
    for (uint32_t i = 0; i < map->scalars; i++)
        lh_str_printf(out, ", const real a%u", (unsigned)i);
    for (uint32_t i = 0; i < map->operands; i++)
        lh_str_printf(out, map->index[i] == LEHR_EACH ? ", real *lh_x%u" : ", const real x%u",
                      (unsigned)i);
    lh_str_add(out, ")\n{\n");
    for (uint32_t i = 0; i < map->operands; i++)
        if (map->index[i] == LEHR_EACH)
            lh_str_printf(out, "    real x%u = *lh_x%u;\n", (unsigned)i, (unsigned)i);
    lh_str_printf(out, "    do {\n#line 1 \"optimizer %s, map\"\n%s\n#line 1 \"map\"\n"
                       "    } while (0);\n", name, map->code);
    for (uint32_t i = 0; i < map->operands; i++)
        if (map->index[i] == LEHR_EACH)
            lh_str_printf(out, "    *lh_x%u = x%u;\n", (unsigned)i, (unsigned)i);
    lh_str_add(out, "}\n\n");
}

/* Element lh_c of row lh_r; lh_i is its place. */
static void add_element(const lh_map *map, lh_str *out)
{
    static const char *const at[] = {"lh_i", "lh_r", "lh_c", "0"};
    for (uint32_t i = 0; i < map->operands; i++)
        lh_str_printf(out, "    %sreal lh_v%u = lh_m%u[%s];\n",
                      map->index[i] == LEHR_EACH ? "" : "const ", (unsigned)i, (unsigned)i,
                      at[map->index[i]]);
    lh_str_add(out, "    lh_element(lh_scale");
    for (uint32_t i = 0; i < map->scalars; i++) lh_str_printf(out, ", a%u", (unsigned)i);
    for (uint32_t i = 0; i < map->operands; i++)
        lh_str_printf(out, ", %slh_v%u", map->index[i] == LEHR_EACH ? "&" : "", (unsigned)i);
    lh_str_add(out, ");\n");
    for (uint32_t i = 0; i < map->operands; i++)
        if (map->index[i] == LEHR_EACH && writes(map, i))
            lh_str_printf(out, "    lh_m%u[lh_i] = lh_v%u;\n", (unsigned)i, (unsigned)i);
}

static void add_loops(const lh_map *map, size_t local, lh_str *out)
{
    if (local) {
        lh_str_add(out, "    const size_t lh_i = get_global_id(0);\n"
                        "    if (lh_i >= (size_t)lh_rows * lh_columns) return;\n");
        if (!lh_map_is_flat(map))
            lh_str_add(out, "    const uint lh_r = (uint)(lh_i / lh_columns);\n"
                            "    const uint lh_c = (uint)(lh_i % lh_columns);\n");
        add_element(map, out);
        return;
    }
    lh_str_add(out, "    const size_t lh_from = get_group_id(0) * (size_t)lh_span;\n");
    if (lh_map_is_flat(map)) {
        lh_str_add(out, "    const size_t lh_end = min(lh_from + lh_span, (size_t)lh_columns);\n"
                        "    for (size_t lh_i = lh_from; lh_i < lh_end; lh_i++) {\n");
        add_element(map, out);
        lh_str_add(out, "    }\n");
        return;
    }
    lh_str_add(out, "    const size_t lh_end = min(lh_from + lh_span, (size_t)lh_rows);\n"
                    "    for (size_t lh_r = lh_from; lh_r < lh_end; lh_r++)\n"
                    "    for (size_t lh_c = 0; lh_c < lh_columns; lh_c++) {\n"
                    "    const size_t lh_i = lh_r * lh_columns + lh_c;\n");
    add_element(map, out);
    lh_str_add(out, "    }\n");
}

void lh_map_source(const lh_map *map, const char *name, size_t local, lh_str *out)
{
    lh_str_printf(out, "/* a map of optimizer %s */\n#pragma OPENCL FP_CONTRACT OFF\n"
                       "typedef float real;\n\n", name);
    add_function(map, name, out);
    lh_str_printf(out, "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n"
                       "void lh_map(__global const real *lh_control, const uint lh_rows, "
                       "const uint lh_columns, const uint lh_span", local ? local : 1);
    for (uint32_t i = 0; i < map->operands; i++)
        lh_str_printf(out, ",\n    __global %sreal *lh_m%u, const ulong lh_o%u",
                      map->index[i] == LEHR_EACH ? "" : "const ", (unsigned)i, (unsigned)i);
    for (uint32_t i = 0; i < map->scalars; i++)
        lh_str_printf(out, ", const real a%u", (unsigned)i);
    lh_str_add(out, ")\n{\n    if (lh_control[1] != 0) return; /* halted */\n"
                    "    const real lh_scale = lh_control[0];\n");
    for (uint32_t i = 0; i < map->operands; i++)
        lh_str_printf(out, "    lh_m%u += lh_o%u;\n", (unsigned)i, (unsigned)i);
    add_loops(map, local, out);
    lh_str_add(out, "}\n");
}

/* The order is that of the reductions of passes. */
void lh_squares_source(size_t local, lh_str *out)
{
    if (local > LH_LANES) local = LH_LANES;
    lh_str_printf(
        out,
        "/* sums of squares for optimizers */\n#pragma OPENCL FP_CONTRACT OFF\n"
        "__kernel __attribute__((reqd_work_group_size(%zu, 1, 1)))\n"
        "void lh_squares(__global const float *x, const ulong offset, const ulong count,\n"
        "                __global float *partial)\n{\n"
        "    %sfloat lanes[%d];\n"
        "    const size_t from = get_group_id(0) * (size_t)%d, n = min((ulong)%d, count - from);\n"
        "    x += offset + from;\n"
        "    for (uint l = get_local_id(0); l < %d; l += %zu) {\n"
        "        float sum = 0;\n"
        "        for (size_t i = l; i < n; i += %d) sum += x[i] * x[i];\n"
        "        lanes[l] = sum;\n"
        "    }\n"
        "    %s\n"
        "    for (uint w = %d / 2; w > 0; w /= 2) {\n"
        "        for (uint l = get_local_id(0); l < w; l += %zu) lanes[l] += lanes[l + w];\n"
        "        %s\n"
        "    }\n"
        "    if (get_local_id(0) == 0) partial[get_group_id(0)] = lanes[0];\n}\n",
        local ? local : 1, local ? "__local " : "", LH_LANES, LH_CHUNK, LH_CHUNK, LH_LANES,
        local ? local : 1, LH_LANES, local ? "barrier(CLK_LOCAL_MEM_FENCE);" : "", LH_LANES,
        local ? local : 1, local ? "barrier(CLK_LOCAL_MEM_FENCE);" : "");
}
