# What is installed: header, library, program, graphs/, and the package files for pkg-config and
# CMake.
include(CMakePackageConfigHelpers)
install(TARGETS dg EXPORT dgTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET dg_program)
    install(TARGETS dg_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES include/dg/dg.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dg)
install(DIRECTORY graphs DESTINATION ${CMAKE_INSTALL_DATADIR}/dg FILES_MATCHING PATTERN "*.dg")

# Relative to the file, so that the tree may be moved.
file(RELATIVE_PATH DG_PREFIX_FROM_PC "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
configure_file(cmake/dg.pc.in "${CMAKE_BINARY_DIR}/dg.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/dg.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/dg)
configure_package_config_file(cmake/dgConfig.cmake.in "${CMAKE_BINARY_DIR}/dgConfig.cmake"
    INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file("${CMAKE_BINARY_DIR}/dgConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/dgConfig.cmake" "${CMAKE_BINARY_DIR}/dgConfigVersion.cmake"
    DESTINATION ${package_folder})
install(EXPORT dgTargets NAMESPACE dg:: DESTINATION ${package_folder})
