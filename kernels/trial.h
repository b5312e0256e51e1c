/* SPDX-License-Identifier: MIT
 *
 * Trying a prepared variant on random data: is it right, and how long does it take? */
#ifndef LH_TRIAL_H
#define LH_TRIAL_H

#include "kernels/op.h"

/* Random operands of a problem on the device, shared by the variants that are tried. */
typedef struct lh_trial lh_trial;

/* For a batch of n.  reference: the truth is computed in plain C, in double, during the first run.
 * Errors: LEHR_E_MEMORY, LEHR_E_DEVICE (no memory there). */
lehr_status lh_trial_create(lehr_device *dev, const lh_op *op, const void *problem, int n,
                            uint64_t seed, bool reference, lh_trial **out);
void lh_trial_destroy(lh_trial **trial);
/* Restores all operands (outputs and the ends of the workspace are poisoned), runs, waits and reads the
 * results. */
lehr_status lh_trial_run(lh_trial *trial, lh_exec *exec);
/* After a run: once more, with another poison.  repeats: with the same bits; else what differs is added to
 * reason.  A race, or a result that was left unwritten, shows so. */
lehr_status lh_trial_repeat(lh_trial *trial, lh_exec *exec, bool *repeats, lh_str *reason);
/* The last results are the truth from now on (those of the given variant). */
lehr_status lh_trial_believe(lh_trial *trial, const lh_variant *variant);
/* Compares the last results, of the given variant, with the truth; adds what is wrong to reason. */
bool lh_trial_agrees(const lh_trial *trial, const lh_variant *variant, lh_str *reason);
/* Milliseconds of one run: `runs` are queued and waited for.  Operands are not restored. */
lehr_status lh_trial_time(lh_trial *trial, lh_exec *exec, unsigned runs, double *ms);

typedef enum lh_verdict { LH_VERDICT_GOOD, LH_VERDICT_BAD, LH_VERDICT_UNKNOWN } lh_verdict;

/* Is exec right?  Compares it with the reference on one to three images; a failure counts when it
 * repeats on other data (a rounding on the edge of ReLU does not).  Other bits in a second run do at once.
 * UNKNOWN: the problem is too large for the reference.  reason says what is wrong. */
lehr_status lh_trial_check(lh_exec *exec, lh_verdict *verdict, lh_str *reason);
/* Images that lh_trial_check takes; 0: too large. */
int lh_trial_images(const lh_op *op, const void *problem);

#endif
