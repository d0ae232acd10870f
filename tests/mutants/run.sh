#!/bin/sh
# Applies every mutant of mutants.txt to a copy of the sources, rebuilds the named test and requires it to fail.
# usage: tests/mutants/run.sh [WORD]     only mutants whose name contains WORD
#        tests/mutants/run.sh --check    only whether every mutant still fits the sources: its line is there exactly once, and its test exists
# Prints CAUGHT, SURVIVED or BROKEN per mutant; exit 1 unless all were caught. The copy and its build folder are kept between runs in
# build/mutants; a mutant recompiles one file and relinks one test.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
check=
[ "${1:-}" != --check ] || check=1
copy=$root/build/mutants/source build=$root/build/mutants/build log=$root/build/mutants/log only=${1:-}
[ -z "$check" ] || only=
mkdir -p "$copy" "$build" "$log"

# A file is copied only if it changed, so that an earlier build stays valid.
update_copy() {
  (cd "$root" && find CMakeLists.txt src cuda tests -type f) | while IFS= read -r path; do
    cmp -s "$root/$path" "$copy/$path" || { mkdir -p "$(dirname "$copy/$path")" && cp "$root/$path" "$copy/$path"; }
  done
  (cd "$copy" && find src cuda tests -type f) | while IFS= read -r path; do
    [ -e "$root/$path" ] || rm "$copy/$path"
  done
}

# replace FILE: writes FILE with the one line $old turned into $new to stdout; status 3 unless the line is there exactly once.
replace() {
  old=$old new=$new awk '
    { text = $0; sub(/^[ \t]+/, "", text)
      if (text == ENVIRON["old"]) { ++found; indent = substr($0, 1, length($0) - length(text)); print indent ENVIRON["new"] } else print }
    END { if (found != 1) exit 3 }' "$1"
}

make_target() { cmake --build "$build" --target "$1" -j "${JOBS:-2}" >"$log/build" 2>&1; }

verdict() { printf '%-9s %s\n' "$1" "$name"; printf '%s\n' "$1" >>"$log/verdicts"; }

# The first word of the filter stands in a test; GoogleTest would pass an empty selection.
fits() {
  replace "$root/$file" >/dev/null || { echo "the old line is not in $file exactly once"; return 1; }
  suite=${test%%.*}
  grep -rqE "TEST(_P|_F)?\(${suite##*/}," "$root/tests" || { echo "no test of the suite ${suite##*/}"; return 1; }
}

one_mutant() {
  case $name in *"$only"*) ;; *) return 0 ;; esac
  if [ -n "$check" ]; then
    if why=$(fits); then printf 'FITS\n' >>"$log/verdicts"; else verdict BROKEN; echo "          $why"; fi
    return 0
  fi
  # The unchanged tests must pass, or their failing would prove nothing.
  key=$(printf '%s' "$target $test" | tr -c 'A-Za-z0-9_.\n' _)
  if [ ! -e "$log/clean.$key" ]; then
    if ! make_target "$target" || ! "$build/tests/$target" --gtest_filter="$test" >"$log/clean" 2>&1 || ! grep -q 'PASSED  \] [1-9]' "$log/clean"; then
      verdict BROKEN; echo "          the unchanged $test of $target does not build, pass or exist"; return 0
    fi
    : >"$log/clean.$key"
  fi
  if ! replace "$root/$file" >"$log/mutated"; then
    verdict BROKEN; echo "          the old line is not in $file exactly once"; return 0
  fi
  cp "$log/mutated" "$copy/$file"
  if ! make_target "$target"; then verdict BROKEN; echo "          does not compile: $log/build"; tail -5 "$log/build"
  else
    # The first failed comparison ends the run. A run cut short by the clock has shown nothing.
    status=0
    timeout 300 "$build/tests/$target" --gtest_filter="$test" --gtest_throw_on_failure >"$log/run" 2>&1 || status=$?
    case $status in
      0) verdict SURVIVED ;;
      124) verdict BROKEN; echo "          no verdict of $test within 300 s" ;;
      *) verdict CAUGHT ;;
    esac
  fi
  cp "$root/$file" "$copy/$file"
}

begin=$(date +%s)
[ -n "$check" ] || update_copy
rm -f "$log"/verdicts "$log"/clean.*
: >"$log/verdicts"
[ -n "$check" ] || cmake -S "$copy" -B "$build" -DPURESCOPE_CONFIG=release -DCMAKE_BUILD_TYPE=None >"$log/configure" 2>&1 || { cat "$log/configure"; exit 1; }
name= file= old= new= target= test=
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
    \#*) ;;
    'name: '*) name=${line#name: } file= old= new= target= test= ;;
    'file: '*) file=${line#file: } ;;
    'old: '*) old=${line#old: } ;;
    'new:'*) new=${line#new:} new=${new# } ;;
    'target: '*) target=${line#target: } ;;
    'test: '*) test=${line#test: }; one_mutant </dev/null ;;
    '') ;;
    *) echo "mutants.txt: cannot read: $line"; exit 1 ;;
  esac
done <"$root/tests/mutants/mutants.txt"
if [ -n "$check" ]; then
  echo "$(grep -c '^FITS' "$log/verdicts" || true) of $(wc -l <"$log/verdicts") mutants fit the sources"
  ! grep -q '^BROKEN' "$log/verdicts"
  exit
fi
total=$(wc -l <"$log/verdicts") caught=$(grep -c '^CAUGHT' "$log/verdicts" || true)
echo "$caught of $total mutants caught in $(($(date +%s) - begin)) s"
[ "$total" -gt 0 ] && [ "$caught" -eq "$total" ]
