/* SPDX-License-Identifier: MIT
 *
 * The verbs: each takes the parsed settings and returns the program's exit code. */
#ifndef LEHR_CLI_VERBS_H
#define LEHR_CLI_VERBS_H

struct settings;

int verb_train(struct settings *set);
int verb_compare(struct settings *set);
int verb_find_lr(struct settings *set);
int verb_eval(struct settings *set);
int verb_time(struct settings *set);
int verb_tune(struct settings *set);
int verb_schedule_list(struct settings *set);
int verb_schedule_show(struct settings *set);
int verb_schedule_plot(struct settings *set);
int verb_optimizer_list(struct settings *set);
int verb_optimizer_trace(struct settings *set);
int verb_plugin_list(struct settings *set);
int verb_plugin_info(struct settings *set);
int verb_plugin_new(struct settings *set);
int verb_plugin_source(struct settings *set);
int verb_plugin_check(struct settings *set);
int verb_models(struct settings *set);
int verb_report(struct settings *set);
int verb_devices(struct settings *set);
int verb_doctor(struct settings *set);

#endif
