/* SPDX-License-Identifier: MIT
 *
 * core/plugin/custom.h: the inside of lehr.custom/1 and lehr.device/1.  custom.c asks claims and
 * calls step, device_api.c is what step may call, map_source.c the programs behind it. */
#ifndef LH_PLUGIN_CUSTOM_H
#define LH_PLUGIN_CUSTOM_H

#include "core/plugin/updater.h"

enum { LH_MAP_OPERANDS = 12, LH_MAP_SCALARS = 32 };

typedef struct lh_temp {
    cl_mem mem;
    size_t count;
    bool taken;
} lh_temp;

/* A compiled map: its code, operands and scalars. */
typedef struct lh_map {
    char *code;
    uint32_t operands, scalars;
    uint32_t index[LH_MAP_OPERANDS];
    cl_kernel kernel;
} lh_map;

/* A part of an arena as a buffer of its own. */
typedef struct lh_view {
    cl_mem parent, view;
    size_t offset, count;
} lh_view;

struct lh_custom_side {
    lh_updater *updater;
    const lehr_custom *d;
    lehr_device_api api;
    const lh_products *products; /* NULL: no gemm */
    void *product_self;
    lh_temp *temps;
    lh_map *maps;
    lh_view *views;
    uint32_t temp_count, map_count, view_count;
    lehr_buf *slots;     /* of one tensor, by slot of the rule */
    cl_kernel squares, finish;
    cl_mem partial;      /* of sumsq */
    size_t partial_count;
    cl_mem control;      /* of the update in progress, NULL between */
};

/* device_api.c */
void lh_device_api_init(lh_custom_side *c);
void lh_device_api_free(lh_custom_side *c);

/* map_source.c: kernel lh_map; its arguments: control, rows, columns, span (uint: elements or rows a
 * task), for each operand buffer and offset (ulong), the scalars.  A map without operands by row or
 * column is flat: one row. */
bool lh_map_is_flat(const lh_map *map);
void lh_map_source(const lh_map *map, const char *name, size_t local, lh_str *out);
/* Kernel lh_squares(x, offset, count, partial): one sum of squares a chunk of LH_CHUNK. */
void lh_squares_source(size_t local, lh_str *out);

#endif
