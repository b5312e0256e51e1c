/* SPDX-License-Identifier: MIT
 *
 * "momentum: linear(end=0.85)": the word and colon in front of a schedule that name what it drives. */
#ifndef LH_TARGET_H
#define LH_TARGET_H

#include "core/plugin/parameters.h"

enum { LH_TARGET_SIZE = 40 };

/* word: the target, "" when there is none; rest: the schedule behind it.  What can be scheduled is a
 * target even where a schedule has a preset of that name; another word is no target when it is such a
 * preset ("torch:step(…)"), and else left to the caller to refuse. */
void lh_target_read(lehr_context *ctx, lehr_registry *registry, const lh_parameters *parameters,
                    const char *text, char word[LH_TARGET_SIZE], const char **rest);

#endif
