# Lexer and parser, generated in the build tree as generated/compiler/front/{lexer,parser}.{c,h};
# include them as "compiler/front/parser.h". Sets DG_FRONT_GENERATED. Left out as long as the
# sources are not there.
set(DG_FRONT_GENERATED)
set(front "${CMAKE_SOURCE_DIR}/compiler/front")
set(generated "${CMAKE_BINARY_DIR}/generated/compiler/front")
file(MAKE_DIRECTORY "${generated}")

file(GLOB grammar CONFIGURE_DEPENDS "${front}/parser.y")
if(grammar)
    find_program(DG_BISON bison REQUIRED)
    add_custom_command(OUTPUT "${generated}/parser.c" "${generated}/parser.h"
        COMMAND "${DG_BISON}" -Wall -Wcounterexamples -Werror "--defines=${generated}/parser.h"
                -o "${generated}/parser.c" compiler/front/parser.y
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}" DEPENDS "${front}/parser.y" VERBATIM)
    list(APPEND DG_FRONT_GENERATED "${generated}/parser.c" "${generated}/parser.h")
endif()

file(GLOB scanner CONFIGURE_DEPENDS "${front}/lexer.l")
if(scanner)
    find_program(DG_FLEX flex REQUIRED)
    add_custom_command(OUTPUT "${generated}/lexer.c" "${generated}/lexer.h"
        COMMAND "${DG_FLEX}" -Cfe "--header-file=${generated}/lexer.h" -o "${generated}/lexer.c"
                compiler/front/lexer.l
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}" DEPENDS "${front}/lexer.l" VERBATIM)
    list(APPEND DG_FRONT_GENERATED "${generated}/lexer.c" "${generated}/lexer.h")
endif()

# The generators do not write code to our warnings.
set(relaxed -Wno-conversion -Wno-sign-conversion -Wno-sign-compare -Wno-shadow
    -Wno-missing-prototypes -Wno-unused-function -Wno-unused-but-set-variable)
set_source_files_properties("${generated}/parser.c" "${generated}/lexer.c"
    PROPERTIES COMPILE_OPTIONS "${relaxed}")
