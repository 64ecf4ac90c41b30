#!/usr/bin/env bash
# Installs what is missing, configures once and builds.
#
#   tools/build.sh PRESET [TARGET...]      presets of CMakePresets.json; default: every target
set -euo pipefail
cd "$(dirname "$0")/.."
preset="$1"
shift
folder=build
purposes=(build test)
if [ "$preset" != release ]; then folder="build/$preset"; fi
case "$preset" in asan | tsan | fuzz | lint) purposes+=(lint) ;; esac

tools/setup.sh "${purposes[@]}"

# Only once: after that ninja sees by itself when CMake has to run again.
if [ ! -f "$folder/build.ninja" ]; then
  echo "== configuring $folder"
  mkdir -p "$folder"
  # shellcheck disable=SC2046  # the flags are words
  if ! cmake --preset "$preset" $(tools/setup.sh --cmake-flags "$preset") >"$folder/configure.log" 2>&1; then
    cat "$folder/configure.log" >&2
    exit 1
  fi
fi
if [ "$preset" = lint ]; then exit 0; fi  # only its compile commands are wanted

echo "== building ${*:-everything} in $folder"
cmake --build "$folder" --parallel "${JOBS:-$(nproc)}" ${1:+--target "$@"}
