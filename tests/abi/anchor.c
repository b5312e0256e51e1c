/* SPDX-License-Identifier: MIT
 *
 * A library whose functions take every struct of the plugin ABI, so that a tool that compares libraries
 * sees them all. */
#include <lehr/plugin.h>

#define ANCHOR(type)                                                                               \
    LEHR_EXPORT void lehr_anchor_##type(const type *x);                                            \
    void lehr_anchor_##type(const type *x) { (void)x; }
ANCHOR(lehr_plugin)
ANCHOR(lehr_values)
ANCHOR(lehr_param)
ANCHOR(lehr_preset)
ANCHOR(lehr_var)
ANCHOR(lehr_progress)
ANCHOR(lehr_metric)
ANCHOR(lehr_slot)
ANCHOR(lehr_reduce)
ANCHOR(lehr_pass)
ANCHOR(lehr_update)
ANCHOR(lehr_operand)
ANCHOR(lehr_custom)
ANCHOR(lehr_opaque)
