/* SPDX-License-Identifier: MIT
 *
 * NumPy's .npy files of little-endian float32 in C order, read and written row by row: format versions
 * 1.0 and 2.0 (and 3.0, which differs in text that does not occur here). */
#ifndef LEHR_CLI_NPY_H
#define LEHR_CLI_NPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { NPY_DIMS = 5, NPY_ERROR_SIZE = 768 };

typedef struct npy_shape {
    uint64_t dims[NPY_DIMS];
    unsigned ndim;
    uint64_t count; /* product of dims: at least 1, its bytes fit in 63 bits */
} npy_shape;

/* Opens a regular file and stands at its first element; the file holds exactly the elements that its
 * header says.  NULL with a sentence in error: what is wrong and what to type. */
FILE *npy_open(const char *path, npy_shape *shape, char error[NPY_ERROR_SIZE]);
/* The next count elements; false at an early end or a read error. */
bool npy_read(FILE *file, float *out, uint64_t count);
/* Header (version 1.0) of a new file, and elements.  False: see errno. */
bool npy_write_header(FILE *file, const npy_shape *shape);
bool npy_write(FILE *file, const float *from, uint64_t count);
/* "(100, 32)" */
const char *npy_shape_text(const npy_shape *shape, char out[128]);

#endif
