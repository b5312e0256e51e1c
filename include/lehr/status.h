/* SPDX-License-Identifier: MIT
 *
 * Status codes of the library.  Codes -1..-15 are the plugin ABI's (lehr/plugin.h) and are shared;
 * the host's own start at -16.  One list gives enum, name, text and process exit code. */
#ifndef LEHR_STATUS_H
#define LEHR_STATUS_H

#include <lehr/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, exit code of the program, text): the host's codes. */
#define LEHR_HOST_STATUS_LIST(X)                                                                   \
    X(LEHR_E_USAGE, -16, 2, "a wrong argument or configuration")                                   \
    X(LEHR_E_SHAPE, -17, 2, "shapes that do not fit together")                                     \
    X(LEHR_E_NO_DEVICE, -18, 3, "no usable OpenCL device")                                         \
    X(LEHR_E_DATA, -19, 4, "a data set that cannot be read or is wrong")                           \
    X(LEHR_E_CHECKPOINT, -20, 5, "a checkpoint or weights file that cannot be used")               \
    X(LEHR_E_DIVERGED, -21, 6, "training diverged")                                                \
    X(LEHR_E_DISK, -22, 7, "a file that cannot be written")                                        \
    X(LEHR_E_PLUGIN, -23, 9, "a plugin that cannot be used")                                       \
    X(LEHR_E_INTERRUPTED, -24, 130, "stopped by a signal or a callback")

/* X(name, value, exit code, text): codes that plugins may return as well (defined in plugin.h). */
#define LEHR_SHARED_STATUS_LIST(X)                                                                 \
    X(LEHR_OK, 0, 0, "success")                                                                    \
    X(LEHR_E_PARAM, -1, 2, "a parameter that is not acceptable")                                   \
    X(LEHR_E_STATE, -2, 5, "saved state that does not fit")                                        \
    X(LEHR_E_MEMORY, -3, 1, "out of memory")                                                       \
    X(LEHR_E_DEVICE, -4, 8, "a device call that failed")                                           \
    X(LEHR_E_UNSUPPORTED, -5, 2, "something not supported")                                        \
    X(LEHR_E_INTERNAL, -6, 1, "an internal error")

#define LEHR_STATUS_ENUM(name, value, exit_code, text) name = value,
enum { LEHR_HOST_STATUS_LIST(LEHR_STATUS_ENUM) LEHR_STATUS_LAST = -32 };
#undef LEHR_STATUS_ENUM

/* The identifier of a status ("LEHR_E_DATA"); "LEHR_E_?" for an unknown value.  Never NULL. */
const char *lehr_status_name(lehr_status status);
/* What a status means in a few words.  Never NULL. */
const char *lehr_status_text(lehr_status status);
/* The exit code with which the program ends after this status (0..9, 130). */
int lehr_status_exit_code(lehr_status status);

#ifdef __cplusplus
}
#endif
#endif
