/* SPDX-License-Identifier: MIT
 *
 * Choosing the tile of gemm/tile.cl for a product on a device: for the tiled matmul backend and the
 * implicit GEMM convolutions. */
#ifndef LH_TILE_H
#define LH_TILE_H

#include "kernels/op.h"

typedef struct lh_tile {
    int bm, bn, bk; /* work-group's tile of C, steps of k per round */
    int tm, tn;     /* work-item's part */
    int threads;    /* work-group size */
    int buffers;    /* of operands in local memory: 2 save a barrier a round; 0: sub-groups */
    int subgroup;   /* its size, 0: local memory */
} lh_tile;

/* How k is cut so that a small C still fills the device: slices of `length` steps (the last one may
 * be shorter), each a partial C that a second stage adds in order. */
typedef struct lh_slices {
    int count, length;
} lh_slices;

/* The two ways to multiply a tile: through local memory, or by shuffles within a sub-group. */
typedef enum lh_tile_kind { LH_TILE_LOCAL, LH_TILE_SUBGROUP } lh_tile_kind;

/* NULL when some tile fits the device, else why not. */
const char *lh_tile_declines(const lh_traits *traits, lh_tile_kind kind);
/* For prepare: the tile for C[m][n], with the parameters "tile" (its row of the table, from 1) and
 * "buffers"; k is the length that lh_tile_slices may cut, 0 when it stays whole. */
lh_tile lh_tile_choose(lh_exec *exec, lh_tile_kind kind, size_t m, size_t n, size_t k);
/* Slices for the largest product; a smaller k uses the same length and fewer slices. */
lh_slices lh_tile_slices(const lh_traits *traits, const lh_tile *tile, size_t m, size_t n,
                         size_t k);
/* Bytes that lh_tile_options needs. */
enum { LH_TILE_OPTIONS = 224 };
/* Options for the build.  a_fast and b_fast: elements of A and B in the direction in which neighbours
 * lie together; multiples of four are loaded by four. */
void lh_tile_options(const lh_tile *tile, size_t a_fast, size_t b_fast, char *out, size_t size);

#endif
