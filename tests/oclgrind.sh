#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs every op's quick cases that are small enough for an interpreter in Oclgrind, once for each kernel
# family; prints "ok NAME" or "not ok NAME WHY".  Oclgrind exits 0 whatever it finds: its log tells.
# A third and fourth argument bound the size of a case and the time for an op.
# Without optimisation, because its interpreter does not know every instruction that clang then emits.
set -u
build=$1 out=$2 mflop=${3:-0.02} seconds=${4:-4}
small=$build/tests/kernels_small
[ -x "$small" ] || { echo "not ok build $small is missing"; exit 1; }
for family in cpu gpu; do
    for op in $("$small" --list); do
        log=$out/$family-$op.log
        # CLBlast is left out: its kernels are not ours.
        if ! LEHR_TRAITS=family=$family LEHR_TEST_WITHOUT=clblast timeout 600 oclgrind \
            --build-options -cl-opt-disable --data-races --uninitialized --check-api --max-errors 20 \
            --log "$log" "$small" "$op" "$mflop" "$seconds" >"$out/$family-$op.out" 2>&1; then
            echo "not ok $family/$op $(tail -n 2 "$out/$family-$op.out" | tr '\n' ' ')"
        elif [ -s "$log" ]; then
            echo "not ok $family/$op $(head -n 6 "$log" | tr '\n' ' ')"
        elif grep -q '^0 checks' "$out/$family-$op.out"; then
            echo "skip $family/$op no case is small enough"
        else
            echo "ok $family/$op"
        fi
    done
done
