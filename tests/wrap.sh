#!/bin/sh
# SPDX-License-Identifier: MIT
#
# meson test --wrapper: lets each Criterion binary write its single results as JSON beside the others.
# Criterion forks while it has threads; with AddressSanitizer's allocator the child can then wait for
# ever for a lock that another thread held.  So under a sanitizer a run that takes too long is stopped
# and started once more; a second one is a failure.
CRITERION_OUTPUTS=json:$LEHR_TEST_RESULTS/$(basename "$1").$$.json
export CRITERION_OUTPUTS
[ -n "${ASAN_OPTIONS:-}" ] || exec "$@"
timeout -k 10 500 "$@"
status=$?
[ "$status" = 124 ] || [ "$status" = 137 ] || exit "$status"
echo "wrap.sh: $1 took more than 500 s; once more" >&2
exec timeout -k 10 600 "$@"
