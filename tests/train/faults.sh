#!/bin/sh
# SPDX-License-Identifier: MIT
#
# faults.sh TOOL: a checkpoint survives whatever happens while its successor is saved.  With strace,
# each system call of a save in turn kills the process or fails; afterwards the file must be whole:
# the old one, or the new one.  Interrupted calls (EINTR) must not be noticed at all.
set -u
tool=$1
# Leak checking cannot work under strace; everything else a sanitizer sees still counts.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
if ! strace -qq -o /dev/null true 2>/dev/null; then
    echo "skipped: strace is not here or may not trace"
    exit 77
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
file=$dir/model.safetensors
# Patterns with a slash are strace's: the names differ between processors (rename, renameat2).
calls="openat write fsync /^rename close /^unlink lseek /stat"
failed=0 tried=0

fail() {
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# The file holds version $1 or, when given, $2; nothing else counts as whole.
holds() {
    version=$("$tool" list "$file" 2>&1 | head -n 1)
    [ "$version" = "verified $1" ] || [ "$version" = "verified ${2:-$1}" ]
}

# Runs a save of version 2 over version 1 with one injected fault; sets rc.
save_with() {
    rm -f "$dir"/.*.tmp.* 2>/dev/null
    "$tool" write "$file" 1 || fail "cannot write at all"
    tried=$((tried + 1))
    strace -qq -o "$dir/trace" -e "inject=$1" "$tool" write "$file" 2 2>"$dir/message"
    rc=$?
}

# How often a save makes this call.
count_of() {
    strace -qq -o "$dir/trace" -e "trace=$1" "$tool" write "$file" 1
    grep -c . "$dir/trace"
}

# Data and directory are synced, in the only order that survives a power cut.
count_of 'fsync,/^rename' >/dev/null
order=$(sed 's/(.*//; s/rename.*/rename/' "$dir/trace" | tr '\n' ' ')
[ "$order" = "fsync rename fsync " ] || fail "order of a save: $order"

for call in $calls; do
    n=$(count_of "$call")
    i=0
    while [ "$i" -lt "$n" ]; do
        i=$((i + 1))
        save_with "$call:signal=KILL:when=$i"
        holds 1 2 || fail "killed at $call $i: $version"
    done
done

for fault in write:error=ENOSPC write:error=EIO fsync:error=EIO /^rename:error=EACCES \
    openat:error=EMFILE; do
    call=${fault%%:*}
    n=$(count_of "$call")
    i=0
    while [ "$i" -lt "$n" ]; do
        i=$((i + 1))
        save_with "$fault:when=$i"
        if [ "$rc" = 0 ]; then
            # the loader's and the C library's own calls may fail unnoticed
            if [ "$call" != openat ] || ! holds 2; then fail "$fault at call $i was not noticed"; fi
        elif [ "$rc" = 7 ]; then
            grep -q "model.safetensors" "$dir/message" || fail "$fault at call $i: no file is named"
        fi
        holds 1 2 || fail "$fault at call $i: $version"
        for left in "$dir"/.*.tmp.*; do
            [ ! -e "$left" ] || fail "$fault at call $i left $left"
        done
    done
done

for call in write fsync; do
    n=$(count_of "$call")
    i=0
    while [ "$i" -lt "$n" ]; do
        i=$((i + 1))
        save_with "$call:error=EINTR:when=$i"
        if [ "$rc" != 0 ] || ! holds 2; then fail "EINTR at $call $i: exit $rc"; fi
    done
done

echo "$tried faults injected, $failed not survived"
[ "$failed" = 0 ] && [ "$tried" -gt 20 ]
