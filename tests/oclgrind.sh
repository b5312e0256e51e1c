#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs every op's quick cases that are small enough for an interpreter in Oclgrind, once for each kernel
# family; prints "ok NAME" or "not ok NAME WHY".  Oclgrind exits 0 whatever it finds: its log tells.
# What was not written before it is read shows in one run; PoCL's tests have the second, with the same bits.
# A third and fourth argument bound the size of a case and the processor time for an op.
# Without optimisation, because its interpreter does not know every instruction that clang then emits.
# One process per processor: oclgrind.sh --one BUILD OUT MFLOP SECONDS FAMILY/OP does one of them.
set -u
if [ "$1" != --one ]; then
    build=$1 out=$2 mflop=${3:-0.02} seconds=${4:-4}
    small=$build/tests/kernels_small
    [ -x "$small" ] || { echo "not ok build $small is missing"; exit 1; }
    # The convolutions take longest: first, so that no processor waits for them at the end.
    ops=$("$small" --list | sort -r) || exit 1
    for op in $(echo "$ops" | grep '^conv\.') $(echo "$ops" | grep -v '^conv\.'); do
        echo "gpu/$op"
        echo "cpu/$op"
    done | xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" sh "$0" --one "$build" "$out" "$mflop" "$seconds" ||
        echo "not ok shards one of them has died"
    exit
fi
build=$2 out=$3 mflop=$4 seconds=$5 name=$6
family=${name%%/*} op=${name#*/}
# The smallest problems that the CPU family's Winograd kernels take; its work-groups are cheap to interpret.
case $name in cpu/conv.*) [ "$mflop" != 0.02 ] || mflop=0.05 ;; esac
log=$out/$family-$op.log text=$out/$family-$op.out
# CLBlast is left out: its kernels are not ours.
if ! LEHR_TRAITS=family=$family LEHR_TEST_WITHOUT=clblast LEHR_TEST_RUNS=1 timeout 600 oclgrind \
    --build-options -cl-opt-disable --data-races --uninitialized --check-api --max-errors 20 \
    --log "$log" "$build/tests/kernels_small" "$op" "$mflop" "$seconds" >"$text" 2>&1; then
    echo "not ok $name $(tail -n 2 "$text" | tr '\n' ' ')"
elif [ -s "$log" ]; then
    echo "not ok $name $(head -n 6 "$log" | tr '\n' ' ')"
elif grep -q '^0 checks' "$text"; then
    echo "skip $name no case is small enough"
else
    echo "ok $name"
fi
