#!/usr/bin/env bash
# Runs the tests of a build folder and says in its last line how many passed, failed and were skipped.
#
#   tools/run_tests.sh BUILD_FOLDER [CTEST ARGUMENT...]
set -uo pipefail
build="$1"
shift
report="$PWD/$build/tests.xml"
rm -f "$report"

run() {
  ctest --test-dir "$build" --output-on-failure --parallel "${JOBS:-$(nproc)}" --output-junit "$report" \
    --no-tests=error "$@"
}
status=0
if [ -t 1 ]; then
  run --progress "$@" || status=$?
else
  # One line per test, without the dots that pad every name to the longest.
  run "$@" 2>&1 | grep --line-buffered -vE '^ +Start +[0-9]+: |^$' |
    sed -u -E 's/^( *[0-9]+\/[0-9]+ Test +#[0-9]+: .*[^.]) ?\.{3,} */\1  /; s/  # GetParam\(\) = .*  ( *Passed|\*\*\*)/  \1/' || status=$?
fi

total=0 failed=0 skipped=0
if [ -f "$report" ]; then
  total="$(grep -c '<testcase ' "$report")"
  skipped="$(grep -c '<skipped message="SKIP_' "$report")"
  # A program that was not built counts as failed; the report calls its tests "notrun", as those that skip themselves.
  failed="$(($(grep -c 'status="fail"' "$report") + $(grep -c 'status="notrun"' "$report") - skipped))"
fi
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1 total=$((total + 1)); fi
echo
echo "$((total - failed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
