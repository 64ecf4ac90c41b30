#!/usr/bin/env bash
# Runs every fuzz target for a while. Corpora grow in build/fuzz/corpus; an input that breaks something is left in
# build/fuzz/findings, and running the target on that file repeats it.
#
#   tools/fuzz.sh SECONDS [TARGET...]
set -uo pipefail
cd "$(dirname "$0")/../build/fuzz"
seconds="$1"
shift
if [ $# -eq 0 ]; then mapfile -t targets < <(find . -maxdepth 1 -name '*_fuzz' -type f -printf '%f\n' | sort); else targets=("$@"); fi

fuzz() {  # TARGET
  mkdir -p "corpus/$1" "findings/$1"
  if "./$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="findings/$1/" "corpus/$1" >"$1.log" 2>&1; then
    echo "$1: $(sed -n 's/.*number_of_executed_units: *//p' "$1.log") inputs, nothing found"
  else
    tail -n 40 "$1.log"
    echo "$1: FAILED, the input is in build/fuzz/findings/$1"
    return 1
  fi
}
export -f fuzz
export seconds
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" bash -c 'fuzz "$1"' fuzz
