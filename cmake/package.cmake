# What `cmake --install` puts where, and the Debian package made of it: `make deb`. The manual and the completions come from
# the program itself, so that they tell what it takes.
include(GNUInstallDirs)
# .invalid: nobody reads mail there. Who gives packages to others names himself.
set(ORRERY_MAINTAINER "Orrery maintainers <maintainers@orrery.invalid>" CACHE STRING "Maintainer of the Debian package")
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)

install(TARGETS orrery RUNTIME)
install(FILES README.md README.zh.md TYPE DOC)
install(FILES ${debian}/copyright TYPE DOC)
install(FILES deploy/orrery.service DESTINATION /lib/systemd/system)
install(FILES ${debian}/serve.yaml DESTINATION /etc/orrery)

install(CODE "set(orrery \"$<TARGET_FILE:orrery>\")
set(maintainer \"${ORRERY_MAINTAINER}\")
set(version \"${PROJECT_VERSION}\")
set(doc \"${CMAKE_INSTALL_DOCDIR}\")")
install(SCRIPT cmake/install_texts.cmake)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs and serves large language models, and shows how")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${ORRERY_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Orrery loads checkpoints (Hugging Face folders, GGUF files), generates text on
this machine's processors, and serves many users at once under the OpenAI API.
A page shows the engine at work from its own step-event log. A small model is
embedded. The service is off until a model and keys are set in /etc/orrery.")
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # only the program is packed: the tests need not be built
include(CPack)
