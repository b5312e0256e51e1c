/* SPDX-License-Identifier: MIT
 *
 * A temporary directory of a test, made before it and removed behind it. */
#ifndef LEHR_TESTS_FOLDER_H
#define LEHR_TESTS_FOLDER_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];

static void folder_make(void)
{
    /* Many small files are made durable: in memory where there is such a place. */
    bool memory = access("/dev/shm", W_OK | X_OK) == 0;
    snprintf(dir, sizeof dir, "%s/lehr-test-XXXXXX", memory ? "/dev/shm" : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
}

static void folder_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_expect_eq(system(command), 0);
}

#endif
