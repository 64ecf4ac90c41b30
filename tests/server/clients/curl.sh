#!/usr/bin/env bash
# curl -N: events arrive one by one, each a line of data and an empty one.
set -euo pipefail
body='{"model":"demo","prompt":"Once upon a time","max_tokens":20,"stream":true,"ignore_eos":true}'
stream="$(curl -sSN --fail "$ORRERY_URL/v1/completions" -H "Authorization: Bearer $ORRERY_API_KEY" \
  -H 'Content-Type: application/json' -d "$body")"
events="$(grep -c '^data: ' <<<"$stream")"
[ "$(tail -n 1 <<<"$stream")" = 'data: [DONE]' ] || [ "$(grep '^data' <<<"$stream" | tail -n 1)" = 'data: [DONE]' ]
[ "$events" -gt 10 ]
# Without a key, and with the content type that curl sends by itself.
[ "$(curl -s -o /dev/null -w '%{http_code}' "$ORRERY_URL/v1/completions" -d "$body")" = 401 ]
[ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $ORRERY_API_KEY" "$ORRERY_URL/v1/completions" -d "$body")" = 415 ]
# A body so large that curl asks first (Expect: 100-continue).
head -c 2000000 /dev/zero | tr '\0' ' ' >"${TMPDIR:-/tmp}/orrery-curl-body.$$"
echo "$body" >>"${TMPDIR:-/tmp}/orrery-curl-body.$$"
code="$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $ORRERY_API_KEY" -H 'Content-Type: application/json' \
  "$ORRERY_URL/v1/completions" --data-binary "@${TMPDIR:-/tmp}/orrery-curl-body.$$")"
rm -f "${TMPDIR:-/tmp}/orrery-curl-body.$$"
[ "$code" = 200 ]
echo "$events events"
