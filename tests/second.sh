#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The kernels and a training step on a second OpenCL implementation: second.sh BUILD.  LEHR_SECOND_ICD names it: a
# directory with its .icd file (what OCL_ICD_VENDORS takes), LEHR_SECOND_LIBRARIES where its libraries are, if the
# loader does not find them.  Prints "ok NAME", "not ok NAME WHY" or "skip NAME WHY" for the family that the device
# has and, where that is the CPU's, for the GPU's too, as it is and with small limits; ends with 1 on a failure,
# 77 when there is nothing to run on.  CLBlast is left out: its kernels are not ours.
set -u
build=$1
if [ -z "${LEHR_SECOND_ICD:-}" ]; then
    echo "skip kernels LEHR_SECOND_ICD names no OpenCL implementation"
    exit 77
fi
export OCL_ICD_VENDORS="$LEHR_SECOND_ICD" LEHR_CACHE=off LEHR_TEST_WITHOUT=clblast LC_ALL=C
[ -z "${LEHR_SECOND_LIBRARIES:-}" ] ||
    export LD_LIBRARY_PATH="$LEHR_SECOND_LIBRARIES${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
device=$("$build/cli/lehr" devices 2>&1 | sed -n 2p)
case $device in
*" cpu "*) sets="as_is= gpu=family=gpu small_gpu=family=gpu,max_work_group=64,local_bytes=16384,vector_width=4" ;;
*" gpu "*) sets="as_is= small_gpu=max_work_group=64,local_bytes=16384,vector_width=4" ;;
*)
    echo "not ok device $device"
    exit 1
    ;;
esac
echo "# $device" >&2
failed=0
log=$(mktemp)
run=$(mktemp -d)
trap 'rm -rf "$log" "$run"' EXIT

# report NAME STATUS: the last lines of the log where it failed.
report() {
    if [ "$2" = 0 ]; then
        echo "ok $1"
    else
        failed=1
        echo "not ok $1 ended with $2: $(grep -v '^\[====\]' "$log" | tail -n 4 | tr '\n' ' ')"
    fi
}

for set in $sets; do
    name=${set%%=*}
    export LEHR_TRAITS="${set#*=}"
    [ -n "$LEHR_TRAITS" ] || unset LEHR_TRAITS
    timeout 3000 "$build/tests/test_kernels_all" -j1 >"$log" 2>&1
    report "$name/kernels" $?
    timeout 600 "$build/cli/lehr" train --model resnet20 --data synthetic:n=256,test=64 --epochs 1 \
        --max-steps 3 --batch 16 --out "$run/$name" --quiet >"$log" 2>&1
    report "$name/train" $?
done
exit $failed
