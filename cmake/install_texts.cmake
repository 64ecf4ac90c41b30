# Part of the installation (cmake/package.cmake): what is written, rather than copied. Gets `orrery`, `maintainer`, `version` and `doc`.
set(share "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share")

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(write_gzipped file)  # -n: the same text makes the same bytes
  run(gzip -9nf "${file}")
endfunction()

run("${orrery}" man --folder "${share}/man/man1")
file(GLOB pages "${share}/man/man1/orrery*.1")
foreach(page ${pages})
  write_gzipped("${page}")
endforeach()

foreach(place bash:bash-completion/completions/orrery zsh:zsh/vendor-completions/_orrery fish:fish/vendor_completions.d/orrery.fish)
  string(REGEX MATCH "^[a-z]+" shell ${place})
  string(REGEX REPLACE "^[a-z]+:" "" path ${place})
  execute_process(COMMAND "${orrery}" completion ${shell} OUTPUT_VARIABLE script COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE "${share}/${path}" "${script}")
endforeach()

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # or of $SOURCE_DATE_EPOCH
set(changelog "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${doc}/changelog")
file(WRITE "${changelog}" "orrery (${version}) unstable; urgency=medium\n\n  * Version ${version}.\n\n -- ${maintainer}  ${now}\n")
write_gzipped("${changelog}")
