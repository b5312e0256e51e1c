/* SPDX-License-Identifier: MIT
 *
 * The .npy format: "\x93NUMPY", two version bytes, the length of the header, the header (a Python
 * dictionary literal padded with spaces to 64 bytes), the elements.  Every length in the file is
 * checked before it is used. */
#include "cli/npy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_HEADER = 65536, SWAP_PART = 1024 };

static bool fail(char *error, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(char *error, const char *path, const char *fmt, ...)
{
    va_list args;
    int used = snprintf(error, NPY_ERROR_SIZE, "%.512s: ", path);
    va_start(args, fmt);
    vsnprintf(error + used, (size_t)(NPY_ERROR_SIZE - used), fmt, args);
    va_end(args);
    return false;
}

/* ---- the header's dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

typedef struct header {
    char descr[32];
    bool fortran, has_descr, has_order, has_shape;
    npy_shape shape;
} header;

static const char *space(const char *at) { return at + strspn(at, " \t\n"); }

/* A quoted text without escapes; NULL when there is none or it does not fit. */
static const char *quoted(const char *at, char *out, size_t size)
{
    char quote = *at;
    if (quote != '\'' && quote != '"') return NULL;
    size_t length = 0;
    for (at++; *at && *at != quote; at++) {
        if (*at == '\\' || length + 1 >= size) return NULL;
        out[length++] = *at;
    }
    out[length] = '\0';
    return *at ? at + 1 : NULL;
}

static const char *read_dims(const char *at, npy_shape *shape)
{
    if (*at != '(') return NULL;
    at = space(at + 1);
    while (*at != ')') {
        uint64_t n = 0;
        if (*at < '0' || *at > '9' || shape->ndim == NPY_DIMS) return NULL;
        for (; *at >= '0' && *at <= '9'; at++) {
            if (n > (UINT64_MAX - 9) / 10) return NULL;
            n = n * 10 + (uint64_t)(*at - '0');
        }
        if (*at == 'L') at++; /* Python 2 */
        shape->dims[shape->ndim++] = n;
        at = space(at);
        if (*at == ',')
            at = space(at + 1);
        else if (*at != ')')
            return NULL;
    }
    return at + 1;
}

static const char *read_value(const char *at, const char *key, header *h)
{
    if (strcmp(key, "descr") == 0 && !h->has_descr) {
        h->has_descr = true;
        return quoted(at, h->descr, sizeof h->descr);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->fortran = strncmp(at, "True", 4) == 0;
        return h->fortran ? at + 4 : strncmp(at, "False", 5) == 0 ? at + 5 : NULL;
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        return read_dims(at, &h->shape);
    }
    return NULL;
}

static bool read_dictionary(const char *at, header *h)
{
    char key[32];
    at = space(at);
    if (*at != '{') return false;
    for (at = space(at + 1); *at != '}';) {
        at = quoted(at, key, sizeof key);
        at = at ? space(at) : NULL;
        if (!at || *at != ':') return false;
        at = read_value(space(at + 1), key, h);
        if (!at) return false;
        at = space(at);
        if (*at == ',')
            at = space(at + 1);
        else if (*at != '}')
            return false;
    }
    return !*space(at + 1) && h->has_descr && h->has_order && h->has_shape;
}

/* ---- reading ---- */

static bool check_kind(const header *h, const char *path, char *error)
{
    static const char float32[] = "save it with numpy.save(PATH, array.astype('<f4'))";
    if (strcmp(h->descr, "<f8") == 0)
        return fail(error, path, "holds float64, float32 is wanted; %s", float32);
    if (strcmp(h->descr, ">f4") == 0)
        return fail(error, path, "holds big-endian numbers; %s", float32);
    if (strcmp(h->descr, "<f4") != 0)
        return fail(error, path, "holds numbers of kind '%s', float32 ('<f4') is wanted; %s", h->descr,
                    float32);
    if (h->fortran && h->shape.ndim > 1)
        return fail(error, path, "is in Fortran order; save it with numpy.save(PATH, "
                    "numpy.ascontiguousarray(array))");
    return true;
}

static bool check_size(npy_shape *shape, uint64_t bytes, const char *path, char *error)
{
    char text[128];
    uint64_t limit = INT64_MAX / sizeof(float);
    shape->count = 1;
    if (shape->ndim == 0) return fail(error, path, "holds a single number without a dimension");
    for (unsigned i = 0; i < shape->ndim; i++) {
        if (shape->dims[i] == 0)
            return fail(error, path, "is empty: its shape is %s", npy_shape_text(shape, text));
        if (shape->dims[i] > limit / shape->count)
            return fail(error, path, "claims a shape that no file can hold: %s",
                        npy_shape_text(shape, text));
        shape->count *= shape->dims[i];
    }
    uint64_t wanted = shape->count * sizeof(float);
    if (bytes < wanted)
        return fail(error, path, "is cut off: its shape %s needs %llu bytes of numbers, %llu are there",
                    npy_shape_text(shape, text), (unsigned long long)wanted, (unsigned long long)bytes);
    if (bytes > wanted)
        return fail(error, path, "has %llu bytes more than its shape %s needs",
                    (unsigned long long)(bytes - wanted), npy_shape_text(shape, text));
    return true;
}

/* The header's text; NULL with a message. */
static char *read_text(FILE *file, uint64_t size, const char *path, char *error, uint64_t *end)
{
    unsigned char head[12];
    bool is_npy = fread(head, 1, 10, file) == 10 && memcmp(head, "\x93NUMPY", 6) == 0;
    if (!is_npy) {
        fail(error, path, "is no .npy file; write it with numpy.save(PATH, array)");
        return NULL;
    }
    bool wide = head[6] != 1;
    if (head[6] < 1 || head[6] > 3 || head[7] != 0 || (wide && fread(head + 10, 1, 2, file) != 2)) {
        fail(error, path, "has .npy version %u.%u, 1.0 to 3.0 can be read", head[6], head[7]);
        return NULL;
    }
    uint32_t length = head[8] | (uint32_t)head[9] << 8;
    if (wide) length |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    *end = (wide ? 12u : 10u) + (uint64_t)length;
    if (length > MAX_HEADER || *end > size) {
        fail(error, path, "has a damaged header: it claims %u bytes", (unsigned)length);
        return NULL;
    }
    char *text = calloc((size_t)length + 1, 1);
    if (text && fread(text, 1, length, file) == length) return text;
    fail(error, path, "%s", text ? "its header cannot be read" : "out of memory");
    free(text);
    return NULL;
}

static bool open_at_data(FILE *file, npy_shape *shape, const char *path, char *error)
{
    struct stat info;
    header h = {.fortran = false};
    uint64_t end = 0;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        return fail(error, path, "is not a regular file");
    char *text = read_text(file, (uint64_t)info.st_size, path, error, &end);
    if (!text) return false;
    bool good = read_dictionary(text, &h);
    free(text);
    if (!good)
        return fail(error, path, "has a header that is not understood: structured or damaged; write it "
                    "with numpy.save(PATH, array.astype('<f4'))");
    *shape = h.shape;
    return check_kind(&h, path, error) && check_size(shape, (uint64_t)info.st_size - end, path, error);
}

FILE *npy_open(const char *path, npy_shape *shape, char error[NPY_ERROR_SIZE])
{
    *shape = (npy_shape){.ndim = 0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail(error, path, "cannot be opened (%s)", strerror(errno));
        return NULL;
    }
    if (open_at_data(file, shape, path, error)) return file;
    fclose(file);
    return NULL;
}

/* Little-endian words on a machine of the other order, both ways. */
static void swap(float *values, size_t count)
{
    const uint32_t one = 1;
    if (*(const unsigned char *)&one == 1) return;
    for (size_t i = 0; i < count; i++) {
        unsigned char b[4], r[4];
        memcpy(b, &values[i], 4);
        for (unsigned k = 0; k < 4; k++) r[k] = b[3 - k];
        memcpy(&values[i], r, 4);
    }
}

bool npy_read(FILE *file, float *out, uint64_t count)
{
    if (fread(out, sizeof *out, (size_t)count, file) != count) return false;
    swap(out, (size_t)count);
    return true;
}

/* ---- writing ---- */

const char *npy_shape_text(const npy_shape *shape, char out[128])
{
    size_t end = (size_t)snprintf(out, 128, "(");
    for (unsigned i = 0; i < shape->ndim; i++)
        end += (size_t)snprintf(out + end, 128 - end, "%s%llu", i ? ", " : "",
                                (unsigned long long)shape->dims[i]);
    snprintf(out + end, 128 - end, shape->ndim == 1 ? ",)" : ")");
    return out;
}

bool npy_write_header(FILE *file, const npy_shape *shape)
{
    char shape_text[128], text[256];
    int length = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }",
                          npy_shape_text(shape, shape_text));
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    const unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(padded & 255),
                                    (unsigned char)(padded >> 8)};
    return fwrite(head, 1, sizeof head, file) == sizeof head &&
           fprintf(file, "%-*s\n", padded - 1, text) == padded;
}

bool npy_write(FILE *file, const float *from, uint64_t count)
{
    float part[SWAP_PART];
    for (uint64_t at = 0; at < count;) {
        size_t n = count - at < SWAP_PART ? (size_t)(count - at) : SWAP_PART;
        memcpy(part, from + at, n * sizeof *part);
        swap(part, n);
        if (fwrite(part, sizeof *part, n, file) != n) return false;
        at += n;
    }
    return true;
}
