#!/usr/bin/env bash
# Installs a build into an empty folder and looks at what a user would find there.
#
#   tests/package/install_test.sh BUILD_FOLDER
set -euo pipefail
build="$1"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
DESTDIR="$root" cmake --install "$build" --prefix /usr >/dev/null

fail() { echo "install_test: $*" >&2 && exit 1; }

for file in usr/bin/orrery usr/share/man/man1/orrery.1.gz usr/share/man/man1/orrery-bench-serve.1.gz \
  usr/share/zsh/vendor-completions/_orrery usr/share/fish/vendor_completions.d/orrery.fish lib/systemd/system/orrery.service \
  etc/orrery/serve.yaml usr/share/doc/orrery/{copyright,changelog.gz,README.md,README.zh.md}; do
  [ -s "$root/$file" ] || fail "expected /$file"
done
gzip -dc "$root/usr/share/man/man1/orrery-serve.1.gz" | grep -qF -- '\-\-max\-num\-seqs' || fail "the manual lacks --max-num-seqs"

# The flags that the unit and its settings give are flags of the program.
"$root/usr/bin/orrery" serve --config "$root/etc/orrery/serve.yaml" --help >/dev/null || fail "serve.yaml is not understood"
if command -v systemd-analyze >/dev/null; then
  sed "s|/usr/bin/orrery|$root&|" "$root/lib/systemd/system/orrery.service" >"$root/orrery.service"
  said="$(systemd-analyze verify "$root/orrery.service" 2>&1 | grep -F orrery.service || true)"
  [ -z "$said" ] || fail "$said"
fi

# A new shell completes with what was installed.
completed="$(bash --norc -c "source '$root/usr/share/bash-completion/completions/orrery'
COMP_WORDS=(orrery serve --max-num-s) COMP_CWORD=2; _orrery; echo \"\${COMPREPLY[*]}\"")"
[ "$completed" = --max-num-seqs ] || fail "expected the completion --max-num-seqs, got \"$completed\""
