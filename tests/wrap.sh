#!/bin/sh
# SPDX-License-Identifier: MIT
#
# meson test --wrapper: lets each Criterion binary write its single results as JSON beside the others.
CRITERION_OUTPUTS=json:$LEHR_TEST_RESULTS/$(basename "$1").$$.json
export CRITERION_OUTPUTS
exec "$@"
