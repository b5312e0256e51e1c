/* SPDX-License-Identifier: MIT
 *
 * What train and compare share: training parameters from the options, default run directories, the
 * settings block. */
#ifndef LEHR_CLI_RUN_H
#define LEHR_CLI_RUN_H

#include "cli/progress.h"
#include "cli/session.h"

/* All parameters but callbacks and directories. */
void run_params(lehr_train_params *params, const settings *set);
/* --weight-decay, NaN when it was not given: the optimizer's own then holds. */
double given_weight_decay(const settings *set);
/* The first free "runs/NAME-N" in buffer; makes "runs". */
bool run_free_directory(const settings *set, const char *name, char *buffer, size_t size);
/* "--data is missing"; false after the message. */
bool run_needs_data(const settings *set);
/* Lines of the settings block. */
void run_print_device(const session *s);
void run_print_data(const session *s);
void run_print_model(const session *s);
/* Plugins that are not built in, each with version, file and SHA-256; run.json names all. */
void run_print_plugins(const session *s);
void run_print_common(const settings *set);
/* What the buffers on the device take; nothing when there were none. */
void run_print_memory(const lehr_memory *memory);

#endif
