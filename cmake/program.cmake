# The program: runtime/cli over dg.h, with the helpers of compiler/base linked in.
file(GLOB cli CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/runtime/cli/*.c")
if(cli AND TARGET dg)
    add_executable(dg_program ${cli})
    set_target_properties(dg_program PROPERTIES OUTPUT_NAME dg C_EXTENSIONS OFF
        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    target_link_libraries(dg_program PRIVATE dg_flags dg dg_base)
endif()
