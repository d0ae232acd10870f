#!/bin/sh
# What each arithmetic does to the gradient through purifier and classifier (bundled networks, cross-entropy, 2 images, full chains), against
# the gradient in double: cosine, relative error and share of equal signs, a Markdown row per t* and arithmetic.
# usage: tests/bench/precision.sh PURESCOPE [DEVICE [T...]]     DEVICE of tf32 and bf16: emulated (default; slow) or cuda
set -eu
program=$1 device=${2:-emulated}
[ $# -lt 2 ] || shift
shift
[ $# -gt 0 ] || set -- 10 50 100
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chain="-p shapes-ddpm -c shapes-classifier --labels 0,1 --input $folder/../golden/chain_inputs.safetensors:x"

echo '| t* | arithmetic | cosine | relative error | equal signs |'
echo '|---:|---|---:|---:|---:|'
for t in "$@"; do
  for way in "f32 exact on the CPU" "f32 fast on the CPU:--math fast" "tf32 products:--math fast --precision tf32 --device $device" \
    "bf16 products:--math fast --precision bf16 --device $device"; do
    flags=${way#*:}
    [ "$flags" != "$way" ] || flags=
    # shellcheck disable=SC2086
    "$program" gradient -q $chain --t "$t" $flags --output "$work/g.npy" >/dev/null
    # Exit 1 only says that the gradient is not float32's.
    # shellcheck disable=SC2086
    "$program" audit -q $chain --t "$t" --real f64 --gradient "$work/g.npy" >"$work/verdict" || [ $? = 1 ]
    awk -v t="$t" -v way="${way%%:*}" '$1 == "full" { printf "| %s | %s | %s | %s | %s %% |\n", t, way, $3, $6, $12 }' "$work/verdict"
  done
done
