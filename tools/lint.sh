#!/usr/bin/env bash
# Format, layers and static analysis of every source; says in its last line how many of the checks passed.
#
#   tools/lint.sh [FILE...]     with files, only those
#   LINT_SINCE=REVISION         clang-tidy looks only at what has changed since then
set -uo pipefail
cd "$(dirname "$0")/.."
tools/build.sh lint || exit 1

if [ $# -eq 0 ]; then mapfile -t files < <(git ls-files 'src/*.h' 'src/*.inc' 'src/*.cpp' 'tests/*.h' 'tests/*.cpp'); else files=("$@"); fi
# clang-tidy walks every header of every file, 5 s of processor time each; tests are left to the compilers' warnings and
# to the sanitizers, unless they are named.
sources=()
for file in "${files[@]}"; do
  if [[ $file == *.cpp && ($# -gt 0 || $file != *_test.cpp) ]]; then sources+=("$file"); fi
done
if [ $# -eq 0 ] && git rev-parse --verify --quiet "${LINT_SINCE:-}^{commit}" >/dev/null; then
  changed="$(git diff --name-only "$LINT_SINCE" -- src tests)"
  mapfile -t sources < <(printf '%s\n' "${sources[@]}" | grep -Fx -f <(echo "$changed"))
  echo "== clang-tidy: the ${#sources[@]} sources that changed since $LINT_SINCE"
fi

passed=0 failed=0
check() {  # NAME COMMAND...
  local name="$1" begin=$SECONDS
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "== $name: clean, $((SECONDS - begin)) s"
  else
    failed=$((failed + 1))
    echo "== $name: failed, $((SECONDS - begin)) s"
  fi
}
tidy() {
  [ ${#sources[@]} -gt 0 ] || return 0
  # Silent unless something is wrong: clang-tidy counts the warnings of system headers on stderr.
  printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" \
    sh -c 'log=$(clang-tidy-14 -p build/lint --quiet "$1" 2>&1) || { printf "%s\n" "$log"; exit 1; }' sh
}

check layers python3 tools/check_layers.py
check format clang-format-14 --dry-run -Werror "${files[@]}"
check clang-tidy tidy
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
