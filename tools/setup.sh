#!/usr/bin/env bash
# Installs the packages that are missing, and only those: with nothing missing it needs neither network nor root.
#
#   tools/setup.sh [PURPOSE...]      purposes of tools/packages.txt: build test lint bench package; default: build test
#   tools/setup.sh --missing [...]   prints what is missing and installs nothing
#   tools/setup.sh --cmake-flags PRESET  prints what to tell CMake on this machine
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -r /etc/os-release ]; then . /etc/os-release; fi
release="${ID:-unknown}-${VERSION_ID:-0}"

packages_for() {  # PURPOSE...
  local purpose package condition
  grep -v '^#' tools/packages.txt | while read -r purpose package _; do
    [[ " $* " == *" $purpose "* ]] || continue
    condition="${package#*@}"
    case "$package" in
      *@!*) [ "${condition#!}" = "$release" ] || echo "${package%%@*}" ;;
      *@*) [ "$condition" != "$release" ] || echo "${package%%@*}" ;;
      *) echo "$package" ;;
    esac
  done
}

installed() {  # PACKAGE
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

cmake_flags() {  # PRESET
  case "$1" in
    release | debug) if [ "$release" = ubuntu-22.04 ]; then echo "-DCMAKE_CXX_COMPILER=g++-12"; fi ;;
  esac
  if command -v ccache >/dev/null; then echo "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"; fi
}

if [ "${1:-}" = --cmake-flags ]; then
  cmake_flags "$2"
  exit
fi
only_list=false
if [ "${1:-}" = --missing ]; then
  only_list=true
  shift
fi
if [ $# -eq 0 ]; then set -- build test; fi

if ! command -v dpkg-query >/dev/null; then
  echo "setup: no apt on this system ($release); these must be there already, under their names here:" \
    "$(packages_for "$@" | tr '\n' ' ')" >&2
  exit 0
fi

missing=()
for package in $(packages_for "$@"); do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if $only_list; then
  printf '%s\n' "${missing[@]}"
  exit
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: as root, please: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
echo "setup: installing ${missing[*]}"
for step in "update" "install -y --no-install-recommends ${missing[*]}"; do
  # shellcheck disable=SC2086  # the words of a step are arguments
  if ! apt $step >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup: apt-get $step failed; its last lines are above" >&2
    exit 1
  fi
done
