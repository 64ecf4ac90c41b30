#!/bin/sh
# Checks that each object in an archive that is built for more than the baseline CPU (*_avx2.cpp, *_avx512*.cpp, *_amx.cpp, ...) exports
# exactly one symbol and nothing weak: a weak copy of an inline function there could be linked into code that runs on older
# CPUs, and crash them. Symbols of the sanitizers' own do not count.
#
#   check_symbols.sh <archive>
set -eu
nm --defined-only --extern-only "$1" | awk '
  function close_object() {
    if (object == "") return
    objects++
    if (exported != 1) { print object ": exports " exported " symbols, expected 1:" list; bad = 1 }
    if (weak != "") { print object ": weak symbols:" weak; bad = 1 }
  }
  /:$/ {
    close_object()
    object = $1 ~ /_(amx|avx2|avxvnni|avx512[a-z0-9]*)\.cpp\.o:$/ ? $1 : ""
    exported = 0; list = ""; weak = ""
    next
  }
  object == "" || NF < 3 || $3 ~ /^_*(odr_)?(asan|ubsan|tsan)/ { next }
  $2 ~ /[VWvwu]/ { weak = weak " " $3; next }
  { exported++; list = list " " $3 }
  END {
    close_object()
    if (objects == 0) { print "no instruction-set object in the archive"; bad = 1 }
    if (!bad) print objects " instruction-set objects export one symbol each"
    exit bad
  }'
