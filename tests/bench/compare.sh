#!/bin/sh
# Times purescope beside PyTorch, row by row in turn, so that both see the same machine in the same minute, and prints a Markdown table.
# usage: tests/bench/compare.sh NET_BENCH [NETWORK/forward|gradient/BATCH/THREADS | all/chain|chain-all-kept|training/BATCH/THREADS]...   e.g. wrn-28-10/gradient/8/2
# Without rows: ddpm-cifar10 and wrn-28-10, forward and forward + input gradient, batch 1 and 8, 1 and 2 threads; then chain and training
# (work_bench.cpp, beside NET_BENCH).
# float32, formula weights; each figure is the median of 5 runs after 2. PyTorch's is the better of its two memory layouts.
# The Python with PyTorch: $PYTHON, else /usr/bin/python3, else python3. ratio = PyTorch's seconds / purescope's: above 1, purescope is
# faster; exact and fast: --math. load is the one-minute load average before the row: above the row's own threads, the figures are upper bounds.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n '3,4s/^# //p' "$0"; exit 2; }
net_bench=$1; shift
[ $# -gt 0 ] || set -- $(for threads in 1 2; do for network in ddpm-cifar10 wrn-28-10; do for what in forward gradient; do
  for batch in 1 8; do echo "$network/$what/$batch/$threads"; done; done; done; echo "all/chain/1/$threads all/chain-all-kept/1/$threads all/training/32/$threads"; done)

python=
for candidate in ${PYTHON:-/usr/bin/python3 python3}; do
  if "$candidate" -c 'import torch, numpy' 2>/dev/null; then python=$candidate; break; fi
done
if [ -n "$python" ]; then
  echo "PyTorch $("$python" -c 'import torch; print(torch.__version__)') ($python)"
else
  echo 'PyTorch is not installed (Debian package python3-torch): only purescope is timed'
fi
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores"
echo

value() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"; }

# seconds_of WHAT NETWORK BATCH THREADS MATH: purescope's median.
seconds_of() {
  case $1 in
    chain) "$folder_of_programs/work_bench" chain "$4" "$5" 3 ;;
    chain-all-kept) "$folder_of_programs/work_bench" chain "$4" "$5" 3 20 ;;
    training) "$folder_of_programs/work_bench" training "$4" "$5" 5 ;;
    *) "$net_bench" "$2" "$3" "$4" "$1" 5 "$5" ;;
  esac | value median_s
}

folder_of_programs=$(dirname "$net_bench")
echo '| network | what | batch | threads | PyTorch s | layout | exact s | fast s | ratio exact | ratio fast | load |'
echo '|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|'
for row; do
  threads=${row##*/} rest=${row%/*}
  batch=${rest##*/} rest=${rest%/*}
  network=${rest%/*} what=${rest##*/}
  load=$(cut -d' ' -f1 /proc/loadavg)
  torch='- -'
  if [ -n "$python" ]; then
    case $what in
      chain*) arguments="--what chain --quick" ;;
      training) arguments="--what training" ;;
      *) arguments="--network $network --what $what --batch $batch" ;;
    esac
    torch=$("$python" "$folder/pytorch_bench.py" $arguments --threads "$threads" |
      grep '"seconds"' | while IFS= read -r line; do echo "$(echo "$line" | value seconds) $(echo "$line" | value format)"; done | sort -n | head -1)
    [ -n "$torch" ] || { echo "compare: PyTorch gave no figure for $row" >&2; exit 1; }
  fi
  exact=$(seconds_of "$what" "$network" "$batch" "$threads" exact) fast=$(seconds_of "$what" "$network" "$batch" "$threads" fast)
  [ -n "$exact" ] && [ -n "$fast" ] || { echo "compare: the benchmark gave no figure for $row" >&2; exit 1; }
  echo "$torch $exact $fast" | awk -v row="$network | $what | $batch | $threads" -v load="$load" '
    { printf "| %s | %s | %s | %.3f | %.3f | %s | %s | %s |\n", row, $1, $2, $3, $4, $1 == "-" ? "-" : sprintf("%.2f", $1 / $3),
      $1 == "-" ? "-" : sprintf("%.2f", $1 / $4), load }'
done
