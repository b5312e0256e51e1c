/* SPDX-License-Identifier: MIT
 *
 * The verbs: each takes the parsed settings and returns the program's exit code. */
#ifndef LEHR_CLI_VERBS_H
#define LEHR_CLI_VERBS_H

struct settings;

int verb_train(const struct settings *set);
int verb_compare(const struct settings *set);
int verb_eval(const struct settings *set);
int verb_time(const struct settings *set);
int verb_schedule_list(const struct settings *set);
int verb_schedule_show(const struct settings *set);
int verb_schedule_plot(const struct settings *set);
int verb_optimizer_list(const struct settings *set);
int verb_plugin_list(const struct settings *set);
int verb_models(const struct settings *set);
int verb_devices(const struct settings *set);
int verb_doctor(const struct settings *set);

#endif
