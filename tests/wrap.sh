#!/bin/sh
# SPDX-License-Identifier: MIT
#
# meson test --wrapper: lets each Criterion binary write its single results as JSON beside the others.
# Criterion forks while it has threads; with AddressSanitizer's allocator the child can then wait for
# ever for a lock that another thread held; and LeakSanitizer can fail itself ("fatal error") when a
# driver's thread ends while it looks.  So under a sanitizer a run that has used no processor time for a
# while, or in which LeakSanitizer failed, is started again, twice at most.
CRITERION_OUTPUTS=json:$LEHR_TEST_RESULTS/$(basename "$1").$$.json
export CRITERION_OUTPUTS
[ -n "${ASAN_OPTIONS:-}" ] || exec "$@"

IDLE=30 # seconds
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
    session=$! idle=0 before="" polls=0
    while kill -0 "$session" 2>/dev/null; do
        sleep 0.2 # most tests are short
        polls=$((polls + 1))
        [ $((polls % 5)) = 0 ] || continue
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

# Logs of its own, so that those of a run that is repeated can go.
logs=$(echo "$ASAN_OPTIONS" | sed -n 's/.*log_path=\([^:]*\).*/\1/p')
if [ -n "$logs" ]; then
    ASAN_OPTIONS=$(echo "$ASAN_OPTIONS" | sed "s|log_path=[^:]*|&.$$|")
    logs=$logs.$$
fi
for left in 2 1 0; do
    status=0
    attempt "$@" || status=$?
    [ "$status" = 0 ] || [ "$left" = 0 ] && exit "$status"
    if [ "$status" = 124 ]; then
        echo "wrap.sh: $1 stood still for $IDLE s; once more" >&2
    elif [ -n "$logs" ] && grep -qs "LeakSanitizer has encountered a fatal error" "$logs".*; then
        echo "wrap.sh: LeakSanitizer failed in $1; once more" >&2
        rm -f "$logs".*
    else
        exit "$status"
    fi
    rm -f "${CRITERION_OUTPUTS#json:}"
done
