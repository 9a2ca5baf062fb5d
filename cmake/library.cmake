# The shared library: the objects of every layer, of which only what dg.h marks DG_API is seen
# from outside.
if(TARGET dg_runtime AND EXISTS "${CMAKE_SOURCE_DIR}/include/dg/dg.h")
    set(objects)
    foreach(layer IN LISTS DG_LAYERS)
        list(APPEND objects $<TARGET_OBJECTS:${layer}>)
    endforeach()
    add_library(dg SHARED ${objects})
    add_library(dg::dg ALIAS dg)
    set_target_properties(dg PROPERTIES LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION 0)
    target_include_directories(dg PUBLIC
        $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(dg PRIVATE $<BUILD_INTERFACE:dg_flags> $<BUILD_INTERFACE:dg_yaml>
        $<BUILD_INTERFACE:dg_json> $<BUILD_INTERFACE:dg_png> $<BUILD_INTERFACE:dg_zlib>
        $<BUILD_INTERFACE:dg_xxhash> $<BUILD_INTERFACE:Threads::Threads> ${CMAKE_DL_LIBS} m)
    target_link_options(dg PRIVATE -Wl,--build-id)
    if(NOT DG_SANITIZE AND NOT DG_FUZZ) # their symbols come from the program
        target_link_options(dg PRIVATE -Wl,-z,defs)
    endif()
endif()
