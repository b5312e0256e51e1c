/* SPDX-License-Identifier: MIT
 *
 * core/plugin/curve.h: points read from a CSV file, table("lr.csv"), and the value between them.
 * Only core/plugin includes it. */
#ifndef LH_PLUGIN_CURVE_H
#define LH_PLUGIN_CURVE_H

#include "core/base/base.h"

typedef struct lh_curve lh_curve;

/* Reads path (columns step or epoch, and lr; docs/schedules.md).  x is in updates: epochs are
 * multiplied by steps_per_epoch, which must be known then.  Errors: LEHR_E_PARAM with path and
 * line. */
lehr_status lh_curve_read(lehr_context *ctx, const char *path, uint64_t steps_per_epoch,
                          lh_curve **out);
void lh_curve_free(lh_curve *curve);
/* Straight lines between the points, or (hold) the last point reached; the ends are held. */
double lh_curve_value(const lh_curve *curve, double x, bool hold);
/* Writes the bytes it was read from. */
lehr_status lh_curve_save(lehr_context *ctx, const lh_curve *curve, const char *path);
/* Where the last point is. */
double lh_curve_end(const lh_curve *curve);
/* SHA-256 of the file's bytes, 64 hexadecimal digits. */
const char *lh_curve_sha256(const lh_curve *curve);

#endif
