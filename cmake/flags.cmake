# dg_flags: how our own code is compiled. Targets link it privately; nothing is set globally.
#
# -ffp-contract=off: a product and a sum are rounded apart, so a file gives the same bits whatever
# instruction set it is compiled for; kernels that want fused multiply-add ask for it themselves.
# No -ffast-math, no -march.
add_library(dg_flags INTERFACE)
target_compile_features(dg_flags INTERFACE c_std_17)
target_compile_definitions(dg_flags INTERFACE _GNU_SOURCE=1)
target_include_directories(dg_flags INTERFACE
    "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/include" "${CMAKE_BINARY_DIR}/generated")
target_compile_options(dg_flags INTERFACE
    -fvisibility=hidden -ffp-contract=off -fno-math-errno -fno-trapping-math
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
    $<$<BOOL:${DG_WERROR}>:-Werror>
    # Warnings of clang alone, about what gcc's -Wconversion leaves out.
    $<$<C_COMPILER_ID:Clang>:-Wno-sign-conversion;-Wno-implicit-int-float-conversion>
    $<$<CONFIG:Release>:-g>
    # Asserts stay on where one is looking for mistakes.
    $<$<CONFIG:RelWithDebInfo>:-O3;-UNDEBUG>
    $<$<CONFIG:Debug>:-fno-omit-frame-pointer>)

if(DG_SANITIZE)
    target_compile_options(dg_flags INTERFACE
        -fsanitize=${DG_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(dg_flags INTERFACE -fsanitize=${DG_SANITIZE})
endif()
if(DG_FUZZ)
    target_compile_options(dg_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(dg_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(DG_COVERAGE)
    target_compile_options(dg_flags INTERFACE --coverage -fprofile-update=atomic)
    target_link_options(dg_flags INTERFACE --coverage)
endif()
