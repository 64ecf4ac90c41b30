#!/usr/bin/env bash
# Tries `make demo` and `make test` in a bare Debian 12 tree, as a newcomer would: nothing installed but make and git.
# Wants root and debootstrap.
#
#   tools/bare_trial.sh FOLDER [MIRROR] [DATA]
#
# FOLDER receives the tree, or holds one without packages from an earlier run (FOLDER/base), which is then copied. MIRROR is
# a Debian mirror. DATA is the folder of test data to copy in; without it the tests that need it skip themselves.
set -euo pipefail
folder="$1"
mirror="${2:-http://deb.debian.org/debian}"
data="${3:-}"
repository="$(cd "$(dirname "$0")/.." && pwd)"
base="$folder/base"
tree="$folder/tree"

if [ ! -d "$base" ]; then debootstrap --variant=minbase bookworm "$base" "$mirror"; fi
rm -rf --one-file-system "$tree"
cp -a "$base" "$tree"
cp /etc/resolv.conf /etc/hosts "$tree/etc/"
git clone -q "$repository" "$tree/root/orrery"
if [ -n "$data" ]; then
  mkdir -p "$tree/root/shared"
  cp -a "$data" "$tree/root/shared/data"
fi
mount -t proc proc "$tree/proc"
trap 'umount "$tree/proc"' EXIT

inside() { chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 bash -c "cd /root/orrery && $1"; }
status=0
inside "apt-get -q update && apt-get -q install -y --no-install-recommends make git" >"$folder/apt.log" 2>&1
for command in "make demo" "make test" "make demo"; do  # the second demo finds everything there
  begin=$SECONDS
  echo "==== $command"
  inside "$command" || { status=1 && echo "==== $command failed"; }
  echo "==== $command: $((SECONDS - begin)) s"
done
exit $status
