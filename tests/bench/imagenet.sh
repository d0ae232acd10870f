#!/bin/sh
# Time and peak memory of the ImageNet networks on this machine, float32 unless said otherwise, batch 1, formula weights from mapped files:
#   adm-256 forward, and forward + input gradient with the lean plan, beside PyTorch; the gradient in double;
#   the gradient of resnet50 behind a resampled adm-256 chain through 1 and 3 reverse steps, whose peaks must lie within 5 %.
#
#   cmake --build build/release --target purescope peak_memory formula_weights
#   tests/bench/imagenet.sh [adm|double|chain]...        # default: all; needs 9 GB of memory and 3 GB of disk, minutes
#
# Seconds are those of the whole process, reading of the weights included; PyTorch's are those of the call alone. MB = 10^6 bytes.
# THREADS (default 2), BUILD (default build/release), WORK (a folder that keeps the weight files), PYTHON (a Python with PyTorch).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release} threads=${THREADS:-2} work=${WORK:-$(mktemp -d)}
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- adm double chain
export PURESCOPE_THREADS="$threads"

for network in adm-256 resnet50; do
  [ -f "$work/$network.safetensors" ] || "$build/tests/formula_weights" $network "$work/$network.safetensors" "$work/$network.npy"
done
mb() { echo "$(($1 / 1000000)).$(($1 / 100000 % 10))"; }
row() {   # NAME WEIGHT_BYTES WORDS...: runs purescope WORDS
  name=$1 weights=$2; shift 2
  begin=$(date +%s.%N) load=$(cut -d' ' -f1 /proc/loadavg)
  peak=$("$build/tests/peak_memory" "$build/purescope" "$@" | sed -n 's/^peak resident set \([0-9]*\) bytes$/\1/p')
  echo "$begin $(date +%s.%N)" | awk -v n="$name" -v p="$(mb "$peak")" -v w="$(mb "$weights")" -v l="$load" \
    '{ printf "%-34s %7.1f s  peak %s MB, weights %s MB, difference %.1f MB  (load %s)\n", n, $2 - $1, p, w, p - w, l }'
}
adm=$(wc -c <"$work/adm-256.safetensors") resnet=$(wc -c <"$work/resnet50.safetensors")
for part; do
  case $part in
    adm)
      row 'adm-256 forward' "$adm" forward -q --weights "$work/adm-256.safetensors" --input "$work/adm-256.npy" --t 37 --output "$work/y.npy"
      row 'adm-256 gradient, lean' "$adm" vjp -q --weights "$work/adm-256.safetensors" --input "$work/adm-256.npy" --t 37 \
        --cotangent "$work/y.npy" --memory min --output "$work/dx.npy"
      "${PYTHON:-/usr/bin/python3}" "$root/tests/bench/imagenet_pytorch.py" --threads "$threads" || echo 'PyTorch: no figure' ;;
    double)
      [ -f "$work/y.npy" ] || "$build/purescope" forward -q --weights "$work/adm-256.safetensors" --input "$work/adm-256.npy" --t 37 --output "$work/y.npy"
      row 'adm-256 gradient, lean, double' $((2 * adm)) vjp -q --real f64 --weights "$work/adm-256.safetensors" --input "$work/adm-256.npy" --t 37 \
        --cotangent "$work/y.npy" --memory min --output "$work/dx64.npy" ;;
    chain)
      for steps in 1 3; do
        row "gradient through $steps reverse steps" $((adm + resnet)) gradient -q -p "$work/adm-256.safetensors" -c "$work/resnet50.safetensors" \
          --input "$work/resnet50.npy" --image-size 224 --variance learned --t "$steps" --labels 3 --memory min --output "$work/g$steps.npy"
      done ;;
    *) echo "imagenet.sh: no part $part; use adm, double or chain" >&2; exit 2 ;;
  esac
done
