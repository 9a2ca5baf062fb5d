# Reads every #include of the house and refuses one that goes against the arrows of style.md:
#
#     base -> ir -> ops -> front, passes, plan -> runtime -> cli
#
# Run as: cmake -DROOT=<source folder> -P check_layers.cmake
cmake_minimum_required(VERSION 3.25)

file(REAL_PATH "${ROOT}" ROOT)

# Folder of the file -> what the included path may begin with.
set(folders compiler/base compiler/ir ops compiler/front compiler/passes compiler/plan compiler
    runtime/cli runtime)
set(registry ops/ops.h ops/registry.h ops/ops.def) # what the compiler sees of the ops
set(allowed_compiler/base compiler/base/)
set(allowed_compiler/ir compiler/base/ compiler/ir/)
set(allowed_ops compiler/base/ compiler/ir/ ops/)
set(allowed_compiler/front compiler/base/ compiler/ir/ ${registry} compiler/front/)
set(allowed_compiler/passes compiler/base/ compiler/ir/ ${registry} compiler/passes/)
set(allowed_compiler/plan compiler/base/ compiler/ir/ ${registry} compiler/passes/ compiler/plan/)
set(allowed_compiler compiler/ ${registry})
set(allowed_runtime/cli dg/ include/dg/ compiler/base/ runtime/cli/)
set(allowed_runtime compiler/ ops/ runtime/ dg/ include/dg/)

set(wrong 0)
set(files_read 0)
file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/compiler/*.[chyl]"
    "${ROOT}/compiler/*.def" "${ROOT}/ops/*.[ch]" "${ROOT}/ops/*.def" "${ROOT}/runtime/*.[ch]"
    "${ROOT}/runtime/*.def")
foreach(file IN LISTS files)
    set(layer "")
    foreach(folder IN LISTS folders)
        string(FIND "${file}" "${folder}/" at)
        if(at EQUAL 0)
            set(layer ${folder})
            break()
        endif()
    endforeach()
    math(EXPR files_read "${files_read} + 1")
    file(STRINGS "${ROOT}/${file}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
    foreach(line IN LISTS includes)
        string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" path "${line}")
        set(ok FALSE)
        foreach(prefix IN LISTS allowed_${layer})
            string(FIND "${path}" "${prefix}" at)
            if(at EQUAL 0)
                set(ok TRUE)
            endif()
        endforeach()
        if(layer STREQUAL "runtime" AND path MATCHES "^runtime/cli/")
            set(ok FALSE)
        endif()
        if(NOT ok)
            message(SEND_ERROR "${file}: ${layer} may not include \"${path}\"")
            math(EXPR wrong "${wrong} + 1")
        endif()
    endforeach()
endforeach()
if(wrong GREATER 0)
    message(FATAL_ERROR "${wrong} includes go against the layers")
endif()
if(files_read EQUAL 0)
    message(FATAL_ERROR "no sources found below '${ROOT}'")
endif()
message(STATUS "${files_read} files, every include goes one way")
