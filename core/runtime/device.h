/* SPDX-License-Identifier: MIT
 *
 * The inside of an opened device; for core/runtime only. */
#ifndef LH_RUNTIME_DEVICE_H
#define LH_RUNTIME_DEVICE_H

#include "core/runtime/runtime.h"

typedef struct lh_program_entry {
    struct lh_program_entry *next;
    char *key; /* name, newline, options */
    cl_program program;
} lh_program_entry;

typedef struct lh_finding {
    struct lh_finding *next;
    char *name;
    int value;
} lh_finding;

typedef struct lh_profile {
    bool on;
    unsigned tag, tag_count;
    size_t count, capacity;
    cl_event *events;
    unsigned *tags;
} lh_profile;

typedef struct lh_tuning_store lh_tuning_store;

struct lehr_device {
    lehr_context *ctx;
    cl_context cl;
    cl_device_id id;
    cl_command_queue queue;
    cl_command_queue timing_queue; /* made on first profile; NULL before */
    lehr_device_info info;
    lh_traits traits;
    lh_program_entry *programs;
    lh_finding *findings;
    lh_profile profile;
    uint64_t launches, waits, refused;
    bool dry; /* lh_device_dry */
    lh_tuning_store *tuning; /* tuning.c; NULL until first asked */
};

/* Asks the device for its traits and info; applies LEHR_TRAITS.  In traits.c, the only file that may
 * hold vendor names. */
lehr_status lh_traits_read(lehr_context *ctx, cl_platform_id platform, cl_device_id id,
                           lehr_device_info *info, lh_traits *traits);
/* LEHR_E_USAGE for a variable of the environment whose value is none it can have; in environment.c. */
lehr_status lh_environment_check(lehr_context *ctx);
/* Works around drivers whose environment makes their devices vanish; before platforms are listed. */
void lh_traits_prepare_drivers(void);
void lh_programs_release(lehr_device *dev);
/* Counts a code as a refusal (lh_refused_count) unless it speaks of memory or of the device as a whole. */
void lh_count_refusal(lehr_device *dev, cl_int code);

#endif
