#!/usr/bin/env bash
# Runs real clients against `orrery serve` with the embedded model: the openai SDK, LangChain, curl, and the requests that
# lm-eval's local-completions makes. Not a part of `make test`, since they come from PyPI.
#
#   tests/server/clients/run.sh [ORRERY]     default: build/orrery; $CLIENTS_PYTHON: a Python that has requirements.txt already
set -euo pipefail
cd "$(dirname "$0")/../../.."
orrery="${1:-build/orrery}"
here=tests/server/clients
python="${CLIENTS_PYTHON:-}"
if [ -z "$python" ]; then
  python=build/clients-venv/bin/python
  [ -x "$python" ] || python3 -m venv build/clients-venv
  "$python" -m pip install --quiet --requirement "$here/requirements.txt"
fi

folder="$(mktemp -d)"
server=""
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT
export ORRERY_API_KEY="key-of-the-client-tests"
"$orrery" serve demo --port 0 2>"$folder/log" &
server=$!
for _ in $(seq 100); do
  grep -q '^serving' "$folder/log" && break
  sleep 0.1
done
ORRERY_URL="$(sed -n 's/^serving .* at \([^;]*\).*/\1/p' "$folder/log")"
export ORRERY_URL
[ -n "$ORRERY_URL" ] || { cat "$folder/log" >&2; exit 1; }

failed=0 passed=0
check() {  # NAME COMMAND...
  local name="$1"
  shift
  if "$@" >"$folder/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $name: $(tail -n 1 "$folder/out")"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    cat "$folder/out"
  fi
}
for script in openai_sdk langchain_chat lm_eval_protocol; do
  check "$script" "$python" "$here/$script.py"
done
check curl bash "$here/curl.sh"
kill -TERM "$server"
check "ends after SIGTERM" wait "$server"
server=""
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
