#!/bin/sh
# Peak memory of the full-chain gradient of ddpm-cifar10 before cifar-resnet-20, batch 1, float: peak resident set of the process, size of
# the weights, and the difference, for each t* given (default 10, 100 and 1000; the last takes about ten minutes on 2 cores).
#
#   cmake --build build/release --target purescope peak_memory formula_weights
#   tests/bench/memory.sh                      # t* = 10, 100 and 1000
#   tests/bench/memory.sh 2                    # a quick look
#   BUILD=build/other tests/bench/memory.sh 10 1000
#
# Weights come from the formula but are written to files first, so that they are mapped as a user's are. Bounds: at t* = 100 the weights of
# both networks + 120 MB; at t* = 1000 at most 15 MB above t* = 10 (12 KB per step). MB = 10^6 bytes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
[ $# -gt 0 ] || set -- 10 100 1000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/tests/formula_weights" ddpm-cifar10 "$work/unet.safetensors" "$work/x.npy"
"$build/tests/formula_weights" cifar-resnet-20 "$work/classifier.safetensors" "$work/x.npy"
weights=$(cat "$work/unet.safetensors" "$work/classifier.safetensors" | wc -c)
for t in "$@"; do
  peak=$("$build/tests/peak_memory" "$build/purescope" gradient -q -p "$work/unet.safetensors" -c "$work/classifier.safetensors" --labels 3 \
    --input "$work/x.npy" --t "$t" --output "$work/g.npy" | sed -n 's/^peak resident set \([0-9]*\) bytes$/\1/p')
  awk -v t="$t" -v p="$peak" -v w="$weights" 'BEGIN { printf "t* %d: peak %.1f MB, weights %.1f MB, difference %.1f MB\n", t, p / 1e6, w / 1e6, (p - w) / 1e6 }'
done
