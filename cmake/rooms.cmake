# A room is a folder below src/: its sources make the library orrery_<room>, its *_test.cpp the program <room>_test, its
# *_bench.cpp one benchmark program each, its *_fuzz.cpp one libFuzzer program each. Files are found by their names, so that
# adding one touches no list.
#
# `unit_tests` builds the test programs of all rooms, without those of tests/ that join rooms.
#
#   orrery_room(<name> [DEPENDS <room>...] [LINK <library>...])

add_custom_target(unit_tests)

# Instruction-set files carry their flags in their names (also *_avx2_test.cpp); nothing else is built for more than the
# baseline. What they export is checked by tools/check_symbols.sh.
set(ORRERY_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(ORRERY_FLAGS_avxvnni ${ORRERY_FLAGS_avx2} -mavxvnni)
set(ORRERY_FLAGS_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(ORRERY_FLAGS_avx512vnni ${ORRERY_FLAGS_avx512} -mavx512vnni)
set(ORRERY_FLAGS_avx512bf16 ${ORRERY_FLAGS_avx512} -mavx512bf16)
set(ORRERY_FLAGS_amx ${ORRERY_FLAGS_avx512vnni} -mamx-tile -mamx-bf16 -mamx-int8)

# The instruction sets of the machine that builds, by the names of their files. A sanitizer build runs nowhere else.
set(ORRERY_CPU_avx2 avx2)
set(ORRERY_CPU_avxvnni avx_vnni)
set(ORRERY_CPU_avx512 avx512vl)
set(ORRERY_CPU_avx512vnni avx512_vnni)
set(ORRERY_CPU_avx512bf16 avx512_bf16)
set(ORRERY_CPU_amx amx_tile)
if(ORRERY_SANITIZE)
  # Only rooms that compute are optimised: the others take the compiler half the time without.
  set(ORRERY_HOT_ROOMS base tensor kernels kernels/cpu tokenizer sampler engine)
  file(STRINGS /proc/cpuinfo ORRERY_CPU REGEX "^flags" LIMIT_COUNT 1)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(ORRERY_CALLS_FOR_CHECKS -mllvm -asan-instrumentation-with-call-threshold=0)
else()
  set(ORRERY_CALLS_FOR_CHECKS --param=asan-instrumentation-with-call-threshold=0)
endif()

# Common headers come precompiled where that helps (src/CMakeLists.txt), for each set of flags once: KIND is "", _test, _hot or
# _hot_test.
function(orrery_headers kind)
  cmake_parse_arguments(PCH "" "" "HEADERS;LINK" ${ARGN})
  set(target orrery_headers${kind})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${target}.cpp CONTENT "")
  add_library(${target} OBJECT ${CMAKE_BINARY_DIR}/${target}.cpp)
  target_link_libraries(${target} PRIVATE ${PCH_LINK})
  target_precompile_headers(${target} PRIVATE ${PCH_HEADERS})
  orrery_flags(${target} "${kind}")
endfunction()

function(orrery_flags target kind)
  if(kind MATCHES "_hot")
    target_compile_options(${target} PRIVATE -O1)
  elseif(kind STREQUAL "_test")  # of a test -O3 is worth a third of the compiler's time; what is tested has it
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

function(orrery_flags_and_headers target kind)
  orrery_flags(${target} "${kind}")
  if(TARGET orrery_headers${kind})
    target_precompile_headers(${target} REUSE_FROM orrery_headers${kind})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # What g++ 12 inlines from a system's header that is precompiled it warns of as of our own.
      target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
                                               -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()

function(orrery_isa_flags)
  foreach(file ${ARGN})
    foreach(isa avx2 avxvnni avx512 avx512vnni avx512bf16 amx)
      if(file MATCHES "_${isa}(_test)?\\.cpp$")
        set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${ORRERY_FLAGS_${isa}}"
                                    SKIP_PRECOMPILE_HEADERS ON)
        if(ORRERY_SANITIZE AND NOT "${ORRERY_CPU} " MATCHES " ${ORRERY_CPU_${isa}} ")
          # Never called on this machine: compiled, since the list of tables names it, in a third of the time.
          set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS -O0 -fno-sanitize=all)
        endif()
      endif()
      if(file MATCHES "_${isa}_test\\.cpp$")  # emulates a wider instruction set: -O3 would take minutes over it; its vectors
        # are passed nowhere, so their ABI is no matter
        set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS -O1 -Wno-psabi)
      endif()
    endforeach()
    if(ORRERY_SANITIZE MATCHES "address" AND file MATCHES "_(scalar|avx2|avxvnni|avx512[a-z0-9]*|amx)(_test)?\\.cpp$")
      # Checks in line and watched scopes of every vector take the compiler four to ten times as long. The reference, which has
      # the same bits, is watched for undefined behaviour.
      set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize-address-use-after-scope
                   -fno-sanitize=undefined ${ORRERY_CALLS_FOR_CHECKS})
    endif()
  endforeach()
endfunction()

function(orrery_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LINK" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  set(tests ${files})
  set(benches ${files})
  set(fuzzers ${files})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER files EXCLUDE REGEX "(_test|_bench|_fuzz|/main)\\.cpp$")
  orrery_isa_flags(${files} ${tests})
  set(hot "")
  if(name IN_LIST ORRERY_HOT_ROOMS)
    set(hot "_hot")
  endif()

  if(files)
    add_library(orrery_${target} STATIC ${files})
    orrery_flags_and_headers(orrery_${target} "${hot}")
    set(scope PUBLIC)
  else()
    add_library(orrery_${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(orrery_${target} ${scope} ${CMAKE_SOURCE_DIR}/src)
  foreach(room ${ROOM_DEPENDS})
    string(REPLACE "/" "_" room ${room})
    target_link_libraries(orrery_${target} ${scope} orrery_${room})
  endforeach()
  target_link_libraries(orrery_${target} ${scope} ${ROOM_LINK})

  if(ORRERY_TESTS AND tests)
    orrery_test(${target}_test KIND ${hot}_test SOURCES ${tests} LINK orrery_${target})
    add_dependencies(unit_tests ${target}_test)
  endif()
  # Of optimised objects only: without inlining, every inline function is a weak symbol.
  if(ORRERY_TESTS AND CMAKE_BUILD_TYPE STREQUAL "Release" AND "${files}" MATCHES "_avx2\\.cpp")
    add_test(NAME ${target}.InstructionSetObjectsExportOneSymbol
             COMMAND ${CMAKE_SOURCE_DIR}/tools/check_symbols.sh $<TARGET_FILE:orrery_${target}>)
  endif()
  if(ORRERY_BENCH)
    foreach(bench ${benches})
      get_filename_component(program ${bench} NAME_WE)
      add_executable(${program} ${bench})
      target_link_libraries(${program} PRIVATE orrery_${target} benchmark::benchmark_main)
    endforeach()
  endif()
  if(ORRERY_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(program ${fuzzer} NAME_WE)
      add_executable(${program} ${fuzzer})
      target_link_libraries(${program} PRIVATE orrery_${target} -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()

# Sanitizers make the longest tests several times longer.
set(ORRERY_TEST_SECONDS 300)
if(ORRERY_SANITIZE)
  set(ORRERY_TEST_SECONDS 1500)
endif()

#   orrery_test(<program> [KIND <flags>] SOURCES <file>... LINK <library>...)
function(orrery_test program)
  cmake_parse_arguments(TEST "" "KIND" "SOURCES;LINK" ${ARGN})
  if(NOT TEST_KIND)
    set(TEST_KIND _test)
  endif()
  add_executable(${program} ${TEST_SOURCES})
  target_link_libraries(${program} PRIVATE ${TEST_LINK} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${program} PRIVATE ORRERY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  orrery_flags_and_headers(${program} ${TEST_KIND})
  gtest_discover_tests(${program} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT ${ORRERY_TEST_SECONDS})
endfunction()
