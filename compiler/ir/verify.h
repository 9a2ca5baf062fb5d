/* verify.h: the rules of a well-formed graph. Runs after every pass in debug builds and tests, and
 * after the front end always. */
#ifndef DG_IR_VERIFY_H
#define DG_IR_VERIFY_H

#include "compiler/ir/op.h"

/* Checks: lists are consistent; every value is made once, before its uses, in a region that
 * encloses them; arity, attributes and result types agree with the op's shape rule; loop arguments,
 * carries and results agree; writes and places are unique. Reports E902 with the pass's name and
 * the node as text. */
bool dg_verify(const dg_module *m, const char *after);

#endif
