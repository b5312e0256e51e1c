/* SPDX-License-Identifier: MIT
 *
 * The whole public API of lehr. */
#ifndef LEHR_H
#define LEHR_H

#include <lehr/check.h>
#include <lehr/context.h>
#include <lehr/data.h>
#include <lehr/device.h>
#include <lehr/find_lr.h>
#include <lehr/model.h>
#include <lehr/optimizer.h>
#include <lehr/plot.h>
#include <lehr/ops.h>
#include <lehr/plugin.h>
#include <lehr/schedule.h>
#include <lehr/status.h>
#include <lehr/study.h>
#include <lehr/train.h>
#include <lehr/tune.h>

#endif
