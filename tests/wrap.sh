#!/bin/sh
# SPDX-License-Identifier: MIT
#
# meson test --wrapper: lets each Criterion binary write its single results as JSON beside the others.
# Criterion forks while it has threads; with AddressSanitizer's allocator the child can then wait for
# ever for a lock that another thread held.  So under a sanitizer a run that has used no processor
# time for a while is stopped and started once more; a second one is a failure.
CRITERION_OUTPUTS=json:$LEHR_TEST_RESULTS/$(basename "$1").$$.json
export CRITERION_OUTPUTS
[ -n "${ASAN_OPTIONS:-}" ] || exec "$@"

IDLE=45 # seconds
session=0
# Processes of the session, one a line: id and clock ticks used.
processes() {
    cat /proc/[0-9]*/stat 2>/dev/null |
        awk -v session="$session" '$6 == session { print $1, $14 + $15 + $16 + $17 }'
}
stop() { processes | while read -r id _; do kill -9 "$id" 2>/dev/null; done; }
trap 'stop; exit 143' INT TERM

# The command's exit status, or 124 when it stood still.
attempt() {
    setsid "$@" &
    session=$! idle=0 before=""
    while kill -0 "$session" 2>/dev/null; do
        sleep 1
        now=$(processes)
        idle=$((idle + 1))
        [ "$now" = "$before" ] || idle=0
        before=$now
        [ "$idle" -lt "$IDLE" ] && continue
        stop
        wait "$session"
        return 124
    done
    wait "$session"
}

attempt "$@"
status=$?
[ "$status" = 124 ] || exit "$status"
echo "wrap.sh: $1 stood still for $IDLE s; once more" >&2
rm -f "${CRITERION_OUTPUTS#json:}"
attempt "$@"
