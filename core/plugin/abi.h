/* SPDX-License-Identifier: MIT
 *
 * core/plugin/abi.h: the least size of each struct that a plugin may hand over: up to the last field
 * of ABI 1.0, frozen.  Later fields come after it, and a plugin that lacks them is read as if they were
 * zero.  Only core/plugin and core/check include it. */
#ifndef LH_PLUGIN_ABI_H
#define LH_PLUGIN_ABI_H

#include <lehr/plugin.h>

#define LH_UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

#define LH_LEAST_PLUGIN LH_UP_TO(lehr_plugin, ext)
#define LH_LEAST_SCHEDULE LH_UP_TO(lehr_schedule, presets)
#define LH_LEAST_OPTIMIZER LH_UP_TO(lehr_optimizer, lr)
#define LH_LEAST_CUSTOM LH_UP_TO(lehr_custom, step)
#define LH_LEAST_OPAQUE LH_UP_TO(lehr_opaque, load)
/* Elements of tables. */
#define LH_LEAST_PARAM LH_UP_TO(lehr_param, text)
#define LH_LEAST_VAR LH_UP_TO(lehr_var, reserved)
#define LH_LEAST_PRESET LH_UP_TO(lehr_preset, source)
#define LH_LEAST_SLOT LH_UP_TO(lehr_slot, init_from)
#define LH_LEAST_REDUCE LH_UP_TO(lehr_reduce, scope)
#define LH_LEAST_PASS LH_UP_TO(lehr_pass, reserved)

#endif
