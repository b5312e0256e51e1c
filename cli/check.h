/* SPDX-License-Identifier: MIT
 *
 * Between plugin check and its worker processes: what they share, and starting and watching them. */
#ifndef LEHR_CLI_CHECK_H
#define LEHR_CLI_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <lehr/check.h>

enum { CHECKS_MAX = 160, CALL_SIZE = 768 };
/* The first word of a worker's command line; no verb of the user's. */
#define CHECK_WORKER "--plugin-check-worker"

/* Memory that a worker writes and its parent reads, also after the worker's death. */
typedef struct check_shared {
    volatile uint32_t current;            /* the check being run */
    volatile uint32_t done[CHECKS_MAX];   /* 1: results holds its verdict */
    uint32_t wanted[CHECKS_MAX];          /* 1: the worker is to run it */
    char call[CALL_SIZE];                 /* the last call into the plugin */
    lehr_check_result results[CHECKS_MAX];
} check_shared;

typedef struct check_worker {
    pid_t pid; /* 0: none */
    int memory, output;
    check_shared *shared;
    uint32_t current; /* as last seen, and since when */
    double since;
} check_worker;

typedef enum check_end {
    CHECK_RUNNING,
    CHECK_ENDED,   /* normally, everything that was wanted is done */
    CHECK_LOST     /* died, or was stopped for taking too long; reason says how */
} check_end;

/* False when no process could be started. */
bool check_worker_start(check_worker *worker, const char *file, const char *device,
                        const uint32_t *wanted);
/* Looks whether it is still at work; seconds is how long one check may take. */
check_end check_worker_poll(check_worker *worker, double (*limit)(uint32_t check, void *user),
                            void *user, char *reason, size_t size);
void check_worker_end(check_worker *worker);
/* The worker's main(). */
int check_worker_main(int argc, char **argv);

/* What row i needs is met by these results: LEHR_CHECK_OK, or LEHR_CHECK_SKIP with a reason in out. */
int check_needs(uint32_t i, const uint32_t *wanted, const lehr_check_result *results,
                lehr_check_result *out);
uint32_t check_find(const char *name); /* CHECKS_MAX: there is none */
/* Walks what row i needs: at starts as NULL. */
bool check_each_need(uint32_t i, const char **at, uint32_t *need);

#endif
