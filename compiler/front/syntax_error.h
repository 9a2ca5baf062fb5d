/* syntax_error.h: private to compiler/front. Words an error of the grammar: `found` and `expected`
 * are token names as parser.y gives them ("name", "'('", "end of line"). */
#ifndef DG_FRONT_SYNTAX_ERROR_H
#define DG_FRONT_SYNTAX_ERROR_H

#include "compiler/front/parse.h"

void dg_syntax_error(dg_parser *p, dg_span where, const char *found, const char *const *expected,
                     int n);

#endif
